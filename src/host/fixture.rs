//! The fixture host: decoys that stand for the host. Nothing of the real machine is in them.

use std::collections::{BTreeMap, HashSet};

use caplab_init::wire::{FixtureEntry, FixtureKind, IdMap};
use indexmap::IndexMap;

use crate::scenario::model::{Host, HostFile};

/// Directories that are there also without a file in them.
const DIRS: [(&str, u32); 9] = [
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/opt", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/tmp", 0o1777),
    ("/usr", 0o755),
    ("/var", 0o755),
];

/// The users of the fixture host's /etc/passwd and their uids, the default ones first.
#[must_use]
pub fn users(host: &Host) -> IndexMap<String, u32> {
    let defaults = [("root", 0), ("daemon", 1), ("nobody", 65534)];
    defaults
        .into_iter()
        .map(|(name, uid)| (name.to_owned(), uid))
        .chain(host.users.iter().map(|(name, uid)| (name.clone(), *uid)))
        .collect()
}

/// The first of the subordinate ids of a user of the fixture host, subuid(5): useradd(8) gives 65,536 to everybody who is no system's
/// user, one after the other from 100000 on. `None` where the user has none or is not there.
#[must_use]
pub fn subordinate(host: &Host, user: &str) -> Option<u32> {
    let mut ordinary = host.users.iter().filter(|(_, uid)| **uid >= FIRST_ORDINARY);
    let place = ordinary.position(|(name, _)| name == user)?;
    u32::try_from(place).ok()?.checked_mul(SUBORDINATE)?.checked_add(FIRST_SUBORDINATE)
}

/// Which ids of the host those of a container are whose engine this user runs: 0 is he, who has a group of his own number, and
/// everybody else one of his subordinate ids. `None` where he is no ordinary user of the host.
#[must_use]
pub fn map_of(host: &Host, user: &str) -> Option<[IdMap; 2]> {
    let own = users(host).get(user).copied()?;
    let first = subordinate(host, user)?;
    Some([IdMap { inside: 0, outside: own, count: 1 }, IdMap { inside: 1, outside: first, count: SUBORDINATE }])
}

/// How many subordinate ids a user has.
pub const SUBORDINATE: u32 = 65_536;
/// login.defs(5): SUB_UID_MIN and UID_MIN.
const FIRST_SUBORDINATE: u32 = 100_000;
const FIRST_ORDINARY: u32 = 1000;

/// The paths of everything that lies there.
#[must_use]
pub fn paths(host: &Host) -> HashSet<String> {
    entries(host).into_iter().map(|entry| entry.path).collect()
}

/// Everything that lies on the fixture host, parents before children.
#[must_use]
pub fn entries(host: &Host) -> Vec<FixtureEntry> {
    let files = files(host);
    let mut entries: BTreeMap<String, FixtureEntry> = BTreeMap::new();
    for (path, mode) in DIRS {
        entries.insert(path.to_owned(), directory(path, mode));
    }
    if let Some(disk) = &host.disk {
        add_parents(&mut entries, &disk.at);
        entries.entry(disk.at.clone()).or_insert_with(|| directory(&disk.at, 0o755));
    }
    let mut lay = |path: &str, kind, mode, uid, gid| {
        add_parents(&mut entries, path);
        entries.insert(path.to_owned(), FixtureEntry { path: path.to_owned(), kind, mode, uid, gid });
    };
    for (path, file) in &files {
        lay(path, FixtureKind::File(file.content.clone().into_bytes()), file.mode, file.uid, file.gid);
    }
    if let Some(runtime) = &host.runtime {
        let program = FixtureKind::File(crate::engine::decoy_runtime().to_vec());
        lay(&runtime.path, program, 0o755, runtime.uid, runtime.gid);
    }
    if let Some(socket) = &host.socket {
        lay(&socket.path, FixtureKind::Socket, socket.mode, socket.uid, socket.gid);
    }
    for (path, (mode, uid, gid)) in &host.permissions {
        if let Some(entry) = entries.get_mut(path) {
            (entry.mode, entry.uid, entry.gid) = (*mode, *uid, *gid);
        }
    }
    // By name a parent comes before what is in it.
    entries.into_values().collect()
}

fn add_parents(entries: &mut BTreeMap<String, FixtureEntry>, path: &str) {
    for parent in parents(path) {
        entries.entry(parent.to_owned()).or_insert_with(|| directory(parent, 0o755));
    }
}

/// Whether something lies at this path.
#[must_use]
pub fn has(host: &Host, path: &str) -> bool {
    path == "/" || entries(host).iter().any(|entry| entry.path == path)
}

fn files(host: &Host) -> IndexMap<String, HostFile> {
    let users = users(host);
    let passwd =
        users.iter().map(|(name, uid)| format!("{name}:x:{uid}:{uid}:{name}:/home/{name}:/bin/sh\n")).collect();
    let group = users.iter().map(|(name, uid)| format!("{name}:x:{uid}:\n")).collect();
    let roots = |mode, content: String| HostFile { mode, uid: 0, gid: 0, content };
    let mut files = IndexMap::from([
        ("/etc/passwd".to_owned(), roots(0o644, passwd)),
        ("/etc/group".to_owned(), roots(0o644, group)),
        // Debian's is 0640 root:shadow; RHEL's is 0000 root:root, and that is what the documented experiments show.
        ("/etc/shadow".to_owned(), roots(0o000, "root:*:19000::::::\n".to_owned())),
        ("/etc/hostname".to_owned(), roots(0o644, "fixture\n".to_owned())),
    ]);
    let subordinate: String =
        users.keys().filter_map(|user| Some(format!("{user}:{}:{SUBORDINATE}\n", subordinate(host, user)?))).collect();
    if !subordinate.is_empty() {
        files.insert("/etc/subuid".to_owned(), roots(0o644, subordinate.clone()));
        files.insert("/etc/subgid".to_owned(), roots(0o644, subordinate));
    }
    for (path, file) in &host.files {
        files.insert(path.clone(), file.clone());
    }
    files
}

fn directory(path: &str, mode: u32) -> FixtureEntry {
    FixtureEntry { path: path.to_owned(), kind: FixtureKind::Dir, mode, uid: 0, gid: 0 }
}

/// `/a`, `/a/b` of `/a/b/c`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).filter(|parent| !parent.is_empty())
}
