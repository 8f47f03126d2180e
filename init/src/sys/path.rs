//! Paths inside a root that is not to be left: openat2(2) with RESOLVE_IN_ROOT, never string arithmetic.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Fail, Result, c_string, check};

/// Opens below a root; links, absolute ones too, are followed inside it.
pub(crate) fn open_in(root: BorrowedFd<'_>, path: &str, flags: i32, mode: u32) -> Result<OwnedFd> {
    let relative = c_string("openat2", path)?;
    // SAFETY: open_how is plain integers; all zero is a valid value of it.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.mode = u64::from(mode);
    how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: the kernel reads the string up to its NUL and `size_of(open_how)` bytes of `how`; both live through the call.
    let fd = check("openat2", unsafe {
        libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            relative.as_ptr(),
            &raw const how,
            std::mem::size_of::<libc::open_how>(),
        )
    })?;
    // SAFETY: the kernel has just made the descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A handle on what is there (O_PATH), links followed inside the root.
pub(crate) fn find(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    open_in(root, path, libc::O_PATH, 0)
}

/// A handle on a directory of this process's own view, for a root.
pub(crate) fn directory(path: &str) -> Result<OwnedFd> {
    let path = c_string("open", path)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    let fd = check("open", unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) })?;
    // SAFETY: the kernel has just made the descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The directory a path's last name lives in, made with its parents where missing, and that name.
pub(crate) fn parent(root: BorrowedFd<'_>, path: &str) -> Result<(OwnedFd, String)> {
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = trimmed.rsplit_once('/').ok_or_else(|| Fail::new("openat2", libc::EINVAL))?;
    if name.is_empty() || name == ".." || name == "." {
        return Err(Fail::new("openat2", libc::EINVAL));
    }
    Ok((make_directories(root, parent)?, name.to_owned()))
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

/// mkdirat(2); one that is there already is fine.
pub(crate) fn make_directory(parent: BorrowedFd<'_>, name: &str, mode: u32) -> Result<()> {
    let name = c_string("mkdirat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    match check("mkdirat", unsafe { libc::mkdirat(parent.as_raw_fd(), name.as_ptr(), mode) }) {
        Err(fail) if fail.errno != libc::EEXIST => Err(fail),
        _ => Ok(()),
    }
}

/// symlinkat(2).
pub(crate) fn make_symlink(parent: BorrowedFd<'_>, name: &str, target: &str) -> Result<()> {
    let (name, target) = (c_string("symlinkat", name)?, c_string("symlinkat", target)?);
    // SAFETY: the kernel reads both strings up to their NULs; they live through the call.
    check("symlinkat", unsafe { libc::symlinkat(target.as_ptr(), parent.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// mknodat(2) of a character device.
pub(crate) fn make_device(parent: BorrowedFd<'_>, name: &str, mode: u32, major: u32, minor: u32) -> Result<()> {
    let name = c_string("mknodat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("mknodat", unsafe {
        libc::mknodat(parent.as_raw_fd(), name.as_ptr(), libc::S_IFCHR | mode, libc::makedev(major, minor))
    })
    .map(drop)
}

/// fchmodat(2).
pub(crate) fn set_mode(parent: BorrowedFd<'_>, name: &str, mode: u32) -> Result<()> {
    let name = c_string("fchmodat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("fchmodat", unsafe { libc::fchmodat(parent.as_raw_fd(), name.as_ptr(), mode, 0) }).map(drop)
}

/// fchownat(2), a link itself.
pub(crate) fn set_owner(parent: BorrowedFd<'_>, name: &str, uid: u32, gid: u32) -> Result<()> {
    let name = c_string("fchownat", name)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("fchownat", unsafe { libc::fchownat(parent.as_raw_fd(), name.as_ptr(), uid, gid, libc::AT_SYMLINK_NOFOLLOW) })
        .map(drop)
}

/// fstat(2).
pub(crate) fn status(fd: BorrowedFd<'_>) -> Result<libc::stat> {
    // SAFETY: stat is plain integers; all zero is a valid value of it.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one stat into one that lives through the call.
    check("fstat", unsafe { libc::fstat(fd.as_raw_fd(), &raw mut status) })?;
    Ok(status)
}

/// Whether it is a directory.
pub(crate) fn is_directory(fd: BorrowedFd<'_>) -> Result<bool> {
    Ok(status(fd)?.st_mode & libc::S_IFMT == libc::S_IFDIR)
}
