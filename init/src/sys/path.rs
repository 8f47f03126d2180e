//! Paths inside a root that is not to be left: openat2(2) with RESOLVE_IN_ROOT, never string arithmetic.

use alloc::{borrow::ToOwned, string::String};
use core::mem;

use syscalls::{Sysno, syscall};

use super::{
    Fail, Result, c_string, check,
    fd::{self, BorrowedFd, OwnedFd},
    file,
};

/// Opens below a root; links, absolute ones too, are followed inside it.
pub(crate) fn open_in(root: BorrowedFd<'_>, path: &str, flags: i32, mode: u32) -> Result<OwnedFd> {
    open_how(root, path, flags, mode, libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS)
}

fn open_how(root: BorrowedFd<'_>, path: &str, flags: i32, mode: u32, resolve: u64) -> Result<OwnedFd> {
    let relative = c_string("openat2", path)?;
    // SAFETY: open_how is plain integers; all zero is a valid value of it.
    let mut how: libc::open_how = unsafe { mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.mode = u64::from(mode);
    how.resolve = resolve;
    // SAFETY: the kernel reads the string up to its NUL and `size_of(open_how)` bytes of `how`; both live through the call.
    OwnedFd::made("openat2", unsafe {
        syscall!(Sysno::openat2, root.number(), relative.as_ptr(), &raw const how, mem::size_of::<libc::open_how>())
    })
}

/// Opens what lies below a root on the same mount, where no part of the path is a link.
pub(crate) fn open_plain(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
    open_how(root, path, flags, 0, resolve)
}

/// Opens what lies below a directory, on whatever mount, where no part of the path is a link.
pub(crate) fn open_below(directory: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    open_how(directory, path, flags, 0, libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS)
}

/// A handle on what is there (O_PATH), links followed inside the root.
pub(crate) fn find(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    open_in(root, path, libc::O_PATH, 0)
}

/// A handle on a directory of this process's own view, for a root.
pub(crate) fn directory(path: &str) -> Result<OwnedFd> {
    file::open(path, libc::O_PATH | libc::O_DIRECTORY)
}

/// The directory that a name is in.
pub(crate) enum Parent<'a> {
    /// The root itself.
    Root(BorrowedFd<'a>),
    /// One below it.
    Below(OwnedFd),
}

impl Parent<'_> {
    /// Lent out.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => *root,
            Self::Below(directory) => directory.as_fd(),
        }
    }
}

/// The directory a path's last name lives in, made with its parents where missing, and that name.
pub(crate) fn parent<'a>(root: BorrowedFd<'a>, path: &str) -> Result<(Parent<'a>, String)> {
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = trimmed.rsplit_once('/').ok_or_else(|| Fail::new("openat2", libc::EINVAL))?;
    if name.is_empty() || name == ".." || name == "." {
        return Err(Fail::new("openat2", libc::EINVAL));
    }
    let parent = if parent.is_empty() { Parent::Root(root) } else { Parent::Below(make_directories(root, parent)?) };
    Ok((parent, name.to_owned()))
}

/// A directory, made (root's, 0755) with its parents where missing.
pub(crate) fn make_directories(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    let path = if path.is_empty() { "/" } else { path };
    match open_in(root, path, libc::O_PATH | libc::O_DIRECTORY, 0) {
        Err(fail) if fail.errno == libc::ENOENT && path != "/" => {
            let (above, name) = parent(root, path)?;
            make_directory(above.as_fd(), &name, 0o755)?;
            open_in(root, path, libc::O_PATH | libc::O_DIRECTORY, 0)
        }
        found => found,
    }
}

/// mkdirat(2); false where it was there already.
pub(crate) fn make_directory(parent: BorrowedFd<'_>, name: &str, mode: u32) -> Result<bool> {
    let name = c_string("mkdirat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    match check("mkdirat", unsafe { syscall!(Sysno::mkdirat, parent.number(), name.as_ptr(), mode) }) {
        Ok(_) => Ok(true),
        Err(fail) if fail.errno == libc::EEXIST => Ok(false),
        Err(fail) => Err(fail),
    }
}

/// unlinkat(2) AT_REMOVEDIR.
pub(crate) fn remove_directory(parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    let name = c_string("unlinkat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("unlinkat", unsafe { syscall!(Sysno::unlinkat, parent.number(), name.as_ptr(), libc::AT_REMOVEDIR) })
        .map(drop)
}

/// linkat(2): a further name of what is there, links not followed.
pub(crate) fn make_link(from: BorrowedFd<'_>, old: &str, parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    let (old, name) = (c_string("linkat", old)?, c_string("linkat", name)?);
    // SAFETY: the kernel reads both strings up to their NULs; they live through the call.
    check("linkat", unsafe { syscall!(Sysno::linkat, from.number(), old.as_ptr(), parent.number(), name.as_ptr(), 0) })
        .map(drop)
}

/// symlinkat(2).
pub(crate) fn make_symlink(parent: BorrowedFd<'_>, name: &str, target: &str) -> Result<()> {
    let (name, target) = (c_string("symlinkat", name)?, c_string("symlinkat", target)?);
    // SAFETY: the kernel reads both strings up to their NULs; they live through the call.
    check("symlinkat", unsafe { syscall!(Sysno::symlinkat, target.as_ptr(), parent.number(), name.as_ptr()) }).map(drop)
}

/// mknodat(2) of a device, with the type and the permission bits of `mode`.
pub(crate) fn make_device(parent: BorrowedFd<'_>, name: &str, mode: u32, major: u32, minor: u32) -> Result<()> {
    make_node(parent, name, mode, libc::makedev(major, minor))
}

/// The same with both numbers in one, as stat(2) has them; they mean nothing for a FIFO and a socket.
pub(crate) fn make_node(parent: BorrowedFd<'_>, name: &str, mode: u32, device: u64) -> Result<()> {
    let name = c_string("mknodat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("mknodat", unsafe { syscall!(Sysno::mknodat, parent.number(), name.as_ptr(), mode, device) }).map(drop)
}

/// fchmodat(2).
pub(crate) fn set_mode(parent: BorrowedFd<'_>, name: &str, mode: u32) -> Result<()> {
    let name = c_string("fchmodat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("fchmodat", unsafe { syscall!(Sysno::fchmodat, parent.number(), name.as_ptr(), mode) }).map(drop)
}

/// fchownat(2), a link itself.
pub(crate) fn set_owner(parent: BorrowedFd<'_>, name: &str, uid: u32, gid: u32) -> Result<()> {
    let name = c_string("fchownat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("fchownat", unsafe {
        syscall!(Sysno::fchownat, parent.number(), name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW)
    })
    .map(drop)
}

/// Whether it is a directory.
pub(crate) fn is_directory(fd: BorrowedFd<'_>) -> Result<bool> {
    Ok(fd::status(fd)?.st_mode & libc::S_IFMT == libc::S_IFDIR)
}
