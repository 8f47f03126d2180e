//! The fixture host: decoys that stand for the host. Nothing of the real machine is in them.

use std::collections::BTreeMap;

use caplab_init::wire::{FixtureEntry, FixtureKind};
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

/// Everything that lies on the fixture host, parents before children.
#[must_use]
pub fn entries(host: &Host) -> Vec<FixtureEntry> {
    let files = files(host);
    let mut entries: BTreeMap<String, FixtureEntry> = BTreeMap::new();
    for (path, mode) in DIRS {
        entries.insert(path.to_owned(), directory(path, mode));
    }
    for (path, file) in &files {
        for parent in parents(path) {
            entries.entry(parent.to_owned()).or_insert_with(|| directory(parent, 0o755));
        }
        let kind = FixtureKind::File(file.content.clone().into_bytes());
        entries.insert(
            path.clone(),
            FixtureEntry { path: path.clone(), kind, mode: file.mode, uid: file.uid, gid: file.gid },
        );
    }
    // By name a parent comes before what is in it.
    entries.into_values().collect()
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
