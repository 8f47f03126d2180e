//! Mounts of a container's root.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use caplab_init::wire::{Base, runtime::SHARED_MEMORY};

use crate::sys::{
    Fail, Result,
    fd::{self, BorrowedFd, OwnedFd},
    mount, path,
};

/// A container's root cannot eat the machine's memory, of which a tmpfs may by default take half.
const ROOT_SIZE: &str = "512m";

pub(super) fn make_private() -> Result<()> {
    mount::set_propagation(libc::MS_PRIVATE)
}

/// A tmpfs, attached to the launcher's directory for it.
pub(super) fn root(at: &str) -> Result<OwnedFd> {
    let options = [("mode".to_owned(), Some("0755".to_owned())), ("size".to_owned(), Some(ROOT_SIZE.to_owned()))];
    let root = mount::create("tmpfs", "rootfs", &options, false, 0)?;
    mount::attach(root.as_fd(), path::directory(at)?.as_fd())?;
    Ok(root)
}

/// Attaches a new file system to a directory that is made where missing; whoever creates it is given that one.
pub(super) fn new(
    root: BorrowedFd<'_>,
    target: &str,
    create: impl FnOnce(BorrowedFd<'_>) -> Result<OwnedFd>,
) -> Result<()> {
    let target = path::make_directories(root, target)?;
    mount::attach(create(target.as_fd())?.as_fd(), target.as_fd())
}

/// The mode that a file system must have in the place of its own. A tmpfs of which nobody says the mode would be everybody's (1777);
/// runc gives it that of the directory that it covers, and with it docker and podman: a tmpfs at /run is no more writable than
/// /run was.
pub(super) fn mode_to_keep(
    root: BorrowedFd<'_>,
    target: &str,
    fstype: &str,
    options: &[(String, Option<String>)],
) -> Result<Option<u32>> {
    if fstype != "tmpfs" || options.iter().any(|(name, _)| name == "mode") {
        return Ok(None);
    }
    let covered = existing(root, target)?;
    covered.map(|covered| Ok(fd::status(covered.as_fd())?.st_mode & 0o7777)).transpose()
}

/// The directory that a bind's source starts from, in the view that this process has until it pivots.
pub(super) fn base(from: Base, fixture: &str) -> &str {
    match from {
        Base::Fixture | Base::Peer => fixture,
        Base::SharedMemory => SHARED_MEMORY,
        Base::Host | Base::Own => "/",
    }
}

/// A copy of the mount that a path below a base is on, not attached yet.
pub(super) fn clone(base: BorrowedFd<'_>, source: &str, recursive: bool) -> Result<OwnedFd> {
    mount::clone_tree(path::find(base, source)?.as_fd(), recursive)
}

/// The same of a path of the fixture host, with all that is mounted below it.
pub(super) fn copy(fixture: &str, source: &str) -> Result<OwnedFd> {
    clone(path::directory(fixture)?.as_fd(), source, true)
}

/// The copy of this path; each is attached once.
pub(super) fn taken(peers: &mut Vec<(String, OwnedFd)>, source: &str) -> Result<OwnedFd> {
    match peers.iter().position(|(path, _)| path == source) {
        Some(at) => Ok(peers.remove(at).1),
        None => Err(Fail::new("open_tree", libc::ENOENT).with(source)),
    }
}

/// Attaches a copy of a file or directory to what is below the container's root; its attributes are those of what is mounted below it too
/// where they are `deep`.
pub(super) fn bind(
    root: BorrowedFd<'_>,
    copy: BorrowedFd<'_>,
    target: &str,
    (recursive, deep): (bool, bool),
    attributes: u64,
) -> Result<()> {
    mount::set_attributes(copy, attributes, recursive && deep)?;
    let target =
        if path::is_directory(copy)? { path::make_directories(root, target)? } else { file_to_mount_on(root, target)? };
    mount::attach(copy, target.as_fd())
}

fn file_to_mount_on(root: BorrowedFd<'_>, target: &str) -> Result<OwnedFd> {
    match path::find(root, target) {
        Err(fail) if fail.errno == libc::ENOENT => {
            let (parent, name) = path::parent(root, target)?;
            path::open_in(parent.as_fd(), &name, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o644)?;
            path::find(root, target)
        }
        found => found,
    }
}

/// A handle, or `None` where there is nothing: as runc does, a path of the list that this kernel does not have
/// needs no protection.
fn existing(root: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>> {
    match path::find(root, path) {
        Ok(found) => Ok(Some(found)),
        Err(fail) if fail.errno == libc::ENOENT || fail.errno == libc::ENOTDIR => Ok(None),
        Err(fail) => Err(fail),
    }
}

pub(super) fn read_only(root: BorrowedFd<'_>, path: &str) -> Result<()> {
    let Some(found) = existing(root, path)? else { return Ok(()) };
    let copy = mount::clone_tree(found.as_fd(), true)?;
    mount::set_attributes(copy.as_fd(), mount::RDONLY, true)?;
    mount::attach(copy.as_fd(), found.as_fd())
}

pub(super) fn mask(root: BorrowedFd<'_>, path: &str) -> Result<()> {
    let Some(found) = existing(root, path)? else { return Ok(()) };
    let cover = if path::is_directory(found.as_fd())? {
        mount::create("tmpfs", "tmpfs", &[], true, mount::RDONLY)?
    } else {
        mount::clone_tree(path::find(root, "/dev/null")?.as_fd(), false)?
    };
    mount::attach(cover.as_fd(), found.as_fd())
}

pub(super) fn read_only_mount(root: BorrowedFd<'_>, path: &str) -> Result<()> {
    mount::set_attributes(path::find(root, path)?.as_fd(), mount::RDONLY, false)
}

pub(super) fn read_only_root(root: BorrowedFd<'_>) -> Result<()> {
    mount::set_attributes(root, mount::RDONLY, false)
}
