//! What a container's root holds.

use std::{fs, path::Path, sync::Arc};

use super::accounts::Accounts;
use crate::{
    engine::RootTree,
    image::{Body, Image, Kind, Tree},
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
    if let Some(image) = container.image.as_ref().and_then(|image| image.made.clone()) {
        return on_image(container, image, accounts, hostname);
    }
    let mut dirs: Vec<(String, u32)> = DIRS.iter().map(|(path, mode)| ((*path).to_owned(), *mode)).collect();
    let mut symlinks = Vec::new();
    if container.rootfs == Rootfs::Host {
        // A merged-/usr machine has links here; a container of it has the same.
        let links = present().filter_map(|path| Some((path.to_owned(), fs::read_link(path).ok()?)));
        symlinks.extend(links.map(|(path, target)| (path, target.to_string_lossy().into_owned())));
    }
    if let Some(dir) = container.working_dir.as_ref().filter(|dir| !DIRS.iter().any(|(known, _)| known == dir)) {
        // docker makes a working directory that is missing (moby, container.SetupWorkingDirectory). Where a file is in its way the kernel
        // says so.
        let files = ["/etc/passwd", "/etc/group", "/etc/hostname", "/etc/hosts"];
        if dir != "/" && !files.iter().any(|file| Path::new(dir).starts_with(file)) {
            dirs.push((dir.clone(), 0o755));
        }
    }
    let owned = |(path, content): (&str, String)| (path.to_owned(), 0o644, content.into_bytes());
    let base = Accounts::new();
    let image = [("/etc/passwd", base.passwd()), ("/etc/group", base.group_file())];
    let names = names(hostname);
    let by_engine =
        [("/etc/passwd", accounts.passwd()), ("/etc/group", accounts.group_file()), names[0].clone(), names[1].clone()];
    RootTree { image: None, dirs, files: image.map(owned).into(), by_engine: by_engine.map(owned).into(), symlinks }
}

/// What there is before an engine adds anything, as the files of an image.
pub(super) fn base(container: &Container) -> Tree {
    let made = tree(container, &Accounts::new(), "");
    let mut base = Tree::default();
    // adduser(8) and useradd(8) copy a home from there, and adduser refuses to go without.
    base.put("/etc/skel", Body::of_root(Kind::Dir, 0o755)).ok();
    let bodies = [
        made.dirs.into_iter().map(|(path, mode)| (path, Body::of_root(Kind::Dir, mode))).collect::<Vec<_>>(),
        made.files.into_iter().map(|(path, mode, content)| (path, Body::of_root(Kind::File(content), mode))).collect(),
        made.symlinks.into_iter().map(|(path, to)| (path, Body::of_root(Kind::Symlink(to), 0o777))).collect(),
    ];
    for (path, body) in bodies.into_iter().flatten() {
        // They are constants, each a path that can be.
        base.put(&path, body).ok();
    }
    base
}

/// The files in which an engine names the container, whatever it is made of.
fn names(hostname: &str) -> [(&'static str, String); 2] {
    [
        ("/etc/hostname", format!("{hostname}\n")),
        ("/etc/hosts", format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.0.1\t{hostname}\n")),
    ]
}

/// An image, and what an engine adds to it.
fn on_image(container: &Container, image: Arc<Image>, accounts: &Accounts, hostname: &str) -> RootTree {
    let owned = |(path, content): (&str, String)| (path.to_owned(), 0o644, content.into_bytes());
    let mut by_engine: Vec<_> = names(hostname).map(owned).into();
    // What podman adds to the image's own, which is otherwise left as it is.
    let base = Accounts::of_image(&image);
    let files =
        [("/etc/passwd", accounts.passwd(), base.passwd()), ("/etc/group", accounts.group_file(), base.group_file())];
    let more = files.into_iter().filter(|(_, now, before)| now != before);
    by_engine.extend(more.map(|(path, now, _)| owned((path, now))));
    let dir = container.working_dir.as_deref().filter(|dir| *dir != "/");
    let missing = dir.filter(|dir| image.tree.get(dir.trim_start_matches('/')).is_none());
    let dirs = missing.map(|dir| (dir.to_owned(), 0o755)).into_iter().collect();
    RootTree { image: Some(image), dirs, by_engine, ..RootTree::default() }
}
