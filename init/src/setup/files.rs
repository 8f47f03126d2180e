//! Files, directories, links, devices and sysctls of a container's root.

use alloc::format;

use caplab_init::wire::DeviceNode;

use super::mounts;
use crate::sys::{
    Result,
    fd::{self, BorrowedFd},
    path,
};

pub(super) fn directory(root: BorrowedFd<'_>, path: &str, mode: u32) -> Result<()> {
    let (parent, name) = path::parent(root, path)?;
    // The umask is 0, so that a new one has its mode at once; mkdir(2) leaves out set-uid and set-gid.
    let made = path::make_directory(parent.as_fd(), &name, mode)?;
    if made && mode & !0o1777 == 0 { Ok(()) } else { path::set_mode(parent.as_fd(), &name, mode) }
}

pub(super) fn file(root: BorrowedFd<'_>, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let (parent, name) = path::parent(root, path)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
    let file = path::open_in(parent.as_fd(), &name, flags, 0o600)?;
    fd::write_all(file.as_fd(), content)?;
    path::set_mode(parent.as_fd(), &name, mode)
}

pub(super) fn symlink(root: BorrowedFd<'_>, path: &str, target: &str) -> Result<()> {
    let (parent, name) = path::parent(root, path)?;
    path::make_symlink(parent.as_fd(), &name, target)
}

pub(super) fn device(root: BorrowedFd<'_>, node: &DeviceNode, bind: bool) -> Result<()> {
    if bind {
        let copy = mounts::clone(path::directory("/")?.as_fd(), &node.path, false)?;
        return mounts::bind(root, copy.as_fd(), &node.path, (false, false), 0);
    }
    let (parent, name) = path::parent(root, &node.path)?;
    let kind = if node.block { libc::S_IFBLK } else { libc::S_IFCHR };
    path::make_device(parent.as_fd(), &name, kind | node.mode, node.major, node.minor)?;
    path::set_owner(parent.as_fd(), &name, node.uid, node.gid)?;
    path::set_mode(parent.as_fd(), &name, node.mode)
}

pub(super) fn sysctl(root: BorrowedFd<'_>, name: &str, value: &str) -> Result<()> {
    let file = path::open_in(root, &format!("/proc/sys/{}", name.replace('.', "/")), libc::O_WRONLY, 0)?;
    fd::write_all(file.as_fd(), value.as_bytes())
}
