//! What a container's root holds.

use std::{fs, path::Path};

use super::accounts::Accounts;
use crate::{
    engine::RootTree,
    scenario::model::{Container, Rootfs},
};

/// Directories of a root, Filesystem Hierarchy Standard 3.0, and their modes.
const DIRS: [(&str, u32); 15] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/usr", 0o755),
    ("/var", 0o755),
    ("/var/lib", 0o755),
    ("/var/tmp", 0o1777),
];

/// Where a machine keeps its programs and what they load. Of /etc only what the loader and alternatives need: the
/// machine's own configuration and secrets are none of a container's business.
const PROGRAMS: [&str; 10] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf.d",
];

/// The machine's directories that `rootfs: host` binds, as this machine has them.
pub(super) fn programs() -> Vec<String> {
    present().filter(|path| !Path::new(path).is_symlink()).map(str::to_owned).collect()
}

fn present() -> impl Iterator<Item = &'static str> {
    PROGRAMS.into_iter().filter(|path| Path::new(path).exists())
}

/// What is there before anything is mounted.
pub(super) fn tree(container: &Container, accounts: &Accounts, hostname: &str) -> RootTree {
    let mut dirs: Vec<(String, u32)> = DIRS.iter().map(|(path, mode)| ((*path).to_owned(), *mode)).collect();
    let mut symlinks = Vec::new();
    if container.rootfs == Rootfs::Host {
        // A merged-/usr machine has links here; a container of it has the same.
        let links = present().filter_map(|path| Some((path.to_owned(), fs::read_link(path).ok()?)));
        symlinks.extend(links.map(|(path, target)| (path, target.to_string_lossy().into_owned())));
    }
    if let Some(dir) = container.working_dir.as_ref().filter(|dir| !DIRS.iter().any(|(known, _)| known == dir)) {
        // docker makes a working directory that is missing (moby, container.SetupWorkingDirectory).
        if dir != "/" {
            dirs.push((dir.clone(), 0o755));
        }
    }
    let files = [
        ("/etc/passwd", accounts.passwd()),
        ("/etc/group", accounts.group_file()),
        ("/etc/hostname", format!("{hostname}\n")),
        ("/etc/hosts", format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\t{hostname}\n")),
    ];
    RootTree {
        dirs,
        files: files.map(|(path, content)| (path.to_owned(), 0o644, content.into_bytes())).into(),
        symlinks,
    }
}
