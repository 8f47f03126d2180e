//! The fixture host.

use std::ops::RangeInclusive;

use super::{
    Fields,
    device::is_taken,
    probe::LONGEST_SOCKET,
    resources::size,
    scalar::{choice, id, mode, number, owner, path, path_text},
    text,
};
use crate::scenario::{
    diagnostic::Fault,
    format::{self, words},
    model::{Host, HostDisk, HostFile, HostRuntime, HostSocket},
    problems::Problems,
    tree::{Key, Node},
};

/// `host:`.
pub(in crate::scenario) fn host(node: &Node, problems: &Problems) -> Result<Host, Fault> {
    let fields = Fields::of(node, &format::file::HOST, problems)?;
    let mut host = Host::default();
    for (key, uid) in fields.entries("users") {
        if key.text.is_empty() || key.text.contains([':', '\n', '/', ' ']) {
            problems
                .tell(Fault::new(key.at, format!("`{}` is no user name", key.text)).help("letters, digits, _ and -"));
        }
        if let Some(uid) = problems.ok(id(uid)) {
            host.users.insert(key.text.clone(), uid);
        }
    }
    let mut places = Vec::new();
    for (key, node) in fields.entries("files") {
        let path = problems.ok(path_text(key.at, &key.text));
        let file = problems.ok(file(node, problems));
        match path {
            Some(path) if path == "/" => {
                problems.tell(Fault::new(key.at, "the root is no file").help("a path of a file, `/srv/report`"))
            }
            Some(path) => {
                if places.iter().any(|(known, _)| *known == path) {
                    problems.tell(
                        Fault::new(key.at, format!("{path} is there twice")).help("only one of them can be meant"),
                    );
                }
                host.files.extend(file.map(|file| (path.clone(), file)));
                places.push((path, key.at));
            }
            None => {}
        }
    }
    for (path, at) in places {
        if let Some(parent) = above(&path).find(|above| host.files.contains_key(*above)) {
            problems.tell(
                Fault::new(at, format!("{path} lies below {parent}, which is a file"))
                    .help("directories come by themselves: only files are named"),
            );
        }
    }
    host.disk = fields.read("disks", |node| disk(node, &host, problems));
    host.runtime = fields.read("runtimes", |node| runtime(node, &host, problems));
    host.socket = fields.read("sockets", |node| socket(node, &host, problems));
    let namespace = fields.read("userns", |node| choice(node, "user namespace", &words::HOST_USERNS, &[]));
    host.apart = namespace.is_some();
    match fields.key("sysctls") {
        Some(key) if fields.get("userns").is_none() => problems.tell(
            Fault::new(key.at, "the machine's own sysctls are nobody's to change")
                .help("beside `userns: own` they are those of the host's user namespace"),
        ),
        _ => host.sysctls = fields.read("sysctls", |node| sysctls(node, problems)).unwrap_or_default(),
    }
    Ok(host)
}

/// Of a user namespace: linux, kernel/ucount.c `user_table`.
const COUNTED: &str = "user.max_inotify_instances";

fn sysctls(node: &Node, problems: &Problems) -> Result<Vec<(String, String)>, Fault> {
    let mut found = Vec::new();
    for (key, value) in Fields::any(node, "sysctls", problems)?.all() {
        if key.text != COUNTED {
            let fault = Fault::new(key.at, format!("`{}` is no sysctl of a host's user namespace", key.text));
            return Err(
                fault.help(format!("there is {COUNTED}, which the first one has as fs.inotify.max_user_instances"))
            );
        }
        let count = number(value, "number of inotify instances", 1, format::file::MOST_COUNTED)?;
        found.push((COUNTED.to_owned(), count.to_string()));
    }
    Ok(found)
}

/// The least that mke2fs(8) makes a file system of without a word, and what a fixture host may take of the machine's memory.
const DISK_SIZE: RangeInclusive<u64> = 1 << 20..=64 << 20;

fn disk(node: &Node, host: &Host, problems: &Problems) -> Result<HostDisk, Fault> {
    let (key, node) = only(
        Fields::any(node, "disks", problems)?,
        "a host has one disk",
        "`disks: {decoy: {at: /srv/data, size: 8m}}`",
    )?;
    let name = key.text.clone();
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) || is_taken(&format!("/dev/{name}")) {
        return Err(Fault::new(key.at, format!("`{name}` is no name of a disk"))
            .help("lower-case letters and digits, `decoy`; its node is /dev/decoy"));
    }
    let fields = Fields::of(node, &format::file::DISK, problems)?;
    let size = fields.read("size", |node| match size(node)? {
        bytes if DISK_SIZE.contains(&bytes) => Ok(bytes),
        bytes => Err(Fault::new(node.at, format!("a disk of {bytes} bytes")).help("from `1m` to `64m`")),
    });
    let at = fields.need("at", |node| match path(node)? {
        at if at == "/" || host.files.contains_key(&at) => {
            Err(Fault::new(node.at, format!("a disk at {at}")).help("a directory of its own, `/srv/data`"))
        }
        at => Ok(at),
    })?;
    Ok(HostDisk { name, size: size.unwrap_or(8 << 20), at })
}

/// What the lab host has before the path of a socket that it binds, `/mnt/host`.
const SOCKET_ROOT: usize = 9;

fn socket(node: &Node, host: &Host, problems: &Problems) -> Result<HostSocket, Fault> {
    let (key, node) = only(
        Fields::any(node, "sockets", problems)?,
        "a host has one socket",
        "`sockets: {/run/engine.sock: {mode: \"0660\"}}`",
    )?;
    let path = path_text(key.at, &key.text)?;
    if !is_free(host, &path) || path.len() + SOCKET_ROOT > LONGEST_SOCKET {
        return Err(Fault::new(key.at, format!("a socket at {path}")).help("a place of its own, `/run/engine.sock`"));
    }
    let fields = Fields::of(node, &format::file::SOCKET, problems)?;
    let (uid, gid) = fields.read("owner", owner).unwrap_or((0, 0));
    Ok(HostSocket { path, mode: fields.read("mode", mode).unwrap_or(0o660), uid, gid })
}

fn runtime(node: &Node, host: &Host, problems: &Problems) -> Result<HostRuntime, Fault> {
    let (key, node) = only(
        Fields::any(node, "runtimes", problems)?,
        "a host has one runtime",
        "`runtimes: {/usr/sbin/runtime: {start: file}}`",
    )?;
    let path = path_text(key.at, &key.text)?;
    if !is_free(host, &path) {
        return Err(Fault::new(key.at, format!("a runtime at {path}")).help("a file of its own, `/usr/sbin/runtime`"));
    }
    let fields = Fields::of(node, &format::file::RUNTIME, problems)?;
    let start = fields.need("start", |node| choice(node, "way to start", &words::STARTS, &[]))?;
    let (uid, gid) = fields.read("owner", owner).unwrap_or((0, 0));
    Ok(HostRuntime { path, uid, gid, start })
}

/// The entry of a map that has one.
fn only<'a>(fields: Fields<'a>, fault: &'static str, example: &'static str) -> Result<&'a (Key, Node), Fault> {
    match fields.all() {
        [entry] => Ok(entry),
        _ => Err(Fault::new(fields.at(), fault).help(example)),
    }
}

/// Whether no file of the fixture host is at a path or below it.
fn is_free(host: &Host, path: &str) -> bool {
    path != "/" && !host.files.keys().any(|file| file == path || above(file).any(|above| above == path))
}

/// The folders that a path lies in.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end]).filter(|above| !above.is_empty())
}

fn file(node: &Node, problems: &Problems) -> Result<HostFile, Fault> {
    let fields = Fields::of(node, &format::file::FILE, problems)?;
    let (uid, gid) = fields.read("owner", owner).unwrap_or((0, 0));
    Ok(HostFile {
        mode: fields.read("mode", mode).unwrap_or(0o644),
        uid,
        gid,
        content: fields.read("content", text).unwrap_or_default().to_owned(),
    })
}
