//! Files of this process's own view, by path.

use alloc::{
    ffi::CString,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::{ffi::CStr, mem};

use syscalls::{Sysno, syscall};

use super::{
    Result, c_string, check,
    fd::{self, BorrowedFd, OwnedFd},
};

/// openat(2), close-on-exec.
pub(crate) fn open(path: &str, flags: i32) -> Result<OwnedFd> {
    let path = c_string("open", path)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    OwnedFd::made("open", unsafe {
        syscall!(Sysno::openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, 0o600)
    })
}

/// A file to be written from its beginning, made where it is not there.
fn create(path: &str, mode: u32) -> Result<OwnedFd> {
    let path = c_string("open", path)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    OwnedFd::made("open", unsafe { syscall!(Sysno::openat, libc::AT_FDCWD, path.as_ptr(), flags, mode) })
}

/// Makes a file of this content.
pub(crate) fn save(path: &str, mode: u32, content: &[u8]) -> Result<()> {
    fd::write_all(create(path, mode)?.as_fd(), content)
}

/// memfd_create(2), of this many bytes.
pub(crate) fn memory(name: &str, size: u64) -> Result<OwnedFd> {
    let made = create_memory(name, 0)?;
    // SAFETY: only numbers.
    check("ftruncate", unsafe { syscall!(Sysno::ftruncate, made.as_fd().number(), size) })?;
    Ok(made)
}

fn create_memory(name: &str, flags: u32) -> Result<OwnedFd> {
    let name = c_string("memfd_create", name)?;
    let flags = libc::MFD_CLOEXEC | flags;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    OwnedFd::made("memfd_create", unsafe { syscall!(Sysno::memfd_create, name.as_ptr(), flags) })
}

/// A memfd of this content that nobody can change, to be executed: without write access, or execve(2) would say ETXTBSY.
pub(crate) fn sealed(name: &str, content: &[u8]) -> Result<OwnedFd> {
    /// linux/fcntl.h: F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE.
    const SEALS: u32 = 1 | 2 | 4 | 8;
    /// MFD_EXEC, known since Linux 6.3; before it every memfd is executable.
    const EXECUTABLE: u32 = 0x10;
    let made = match create_memory(name, libc::MFD_ALLOW_SEALING | EXECUTABLE) {
        Err(fail) if fail.errno == libc::EINVAL => create_memory(name, libc::MFD_ALLOW_SEALING)?,
        made => made?,
    };
    fd::write_all(made.as_fd(), content)?;
    let number = made.as_fd().number();
    // SAFETY: only numbers.
    check("fcntl", unsafe { syscall!(Sysno::fcntl, number, libc::F_ADD_SEALS, SEALS) })?;
    open(&alloc::format!("/proc/self/fd/{number}"), libc::O_RDONLY)
}

/// syncfs(2).
pub(crate) fn sync(within: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: only a number.
    check("syncfs", unsafe { syscall!(Sysno::syncfs, within.number()) }).map(drop)
}

/// Everything that is in a file.
pub(crate) fn read(path: &str) -> Result<Vec<u8>> {
    fd::read_to_end(open(path, libc::O_RDONLY)?.as_fd())
}

/// The same as text; what is not UTF-8 is replaced.
pub(crate) fn read_text(path: &str) -> Result<String> {
    read(path).map(|bytes| match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Writes to a file that is there.
pub(crate) fn write(path: &str, bytes: &[u8]) -> Result<()> {
    fd::write_all(open(path, libc::O_WRONLY)?.as_fd(), bytes)
}

/// readlinkat(2).
pub(crate) fn read_link(path: &str) -> Result<String> {
    let path = c_string("readlink", path)?;
    let mut target = [0u8; 256];
    // SAFETY: the kernel reads the string up to its NUL and writes at most as much as the buffer; both live through the call.
    let length = check("readlink", unsafe {
        syscall!(Sysno::readlinkat, libc::AT_FDCWD, path.as_ptr(), target.as_mut_ptr(), target.len())
    })?;
    Ok(String::from_utf8_lossy(&target[..length]).into_owned())
}

/// readlinkat(2) of a link that is open as O_PATH.
pub(crate) fn read_open_link(link: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut target = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel reads an empty static string and writes at most as much as the buffer; both live through the call.
    let length = check("readlinkat", unsafe {
        syscall!(Sysno::readlinkat, link.number(), c"".as_ptr(), target.as_mut_ptr(), target.len())
    })?;
    target.truncate(length);
    Ok(target)
}

/// fsetxattr(2) of `security.capability`.
pub(crate) fn set_capability(file: BorrowedFd<'_>, value: &[u8]) -> Result<()> {
    let name = c"security.capability";
    // SAFETY: the kernel reads a static string and `value.len()` bytes; both live through the call.
    check("fsetxattr", unsafe {
        syscall!(Sysno::fsetxattr, file.number(), name.as_ptr(), value.as_ptr(), value.len(), 0)
    })
    .map(drop)
}

/// fgetxattr(2) of `security.capability`; `None` where the file has none.
pub(crate) fn capability(file: BorrowedFd<'_>) -> Result<Option<Vec<u8>>> {
    let mut value = vec![0u8; 64];
    let name = c"security.capability";
    // SAFETY: the kernel reads a static string and writes at most as much as the buffer; both live through the call.
    let read = check("fgetxattr", unsafe {
        syscall!(Sysno::fgetxattr, file.number(), name.as_ptr(), value.as_mut_ptr(), value.len())
    });
    match read {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(fail) if fail.errno == libc::ENODATA || fail.errno == libc::EOPNOTSUPP => Ok(None),
        Err(fail) => Err(fail),
    }
}

/// The names in a directory.
pub(crate) fn names(path: &str) -> Result<Vec<String>> {
    names_in(open(path, libc::O_RDONLY | libc::O_DIRECTORY)?.as_fd())
}

/// The names in an open directory, from where it has been read to, without itself and the one above it.
pub(crate) fn names_in(directory: BorrowedFd<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        let count = entries(directory, &mut buffer)?;
        if count == 0 {
            return Ok(names);
        }
        let mut rest = &buffer[..count];
        // struct linux_dirent64: ino and offset, eight bytes each; length, two; type, one; the name up to its NUL.
        while let Some(length) = rest.get(16..18).map(|bytes| usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]))) {
            let name = rest.get(19..length).and_then(|bytes| CStr::from_bytes_until_nul(bytes).ok());
            let name = name.map(|name| name.to_string_lossy().to_string());
            names.extend(name.filter(|name| name != "." && name != ".."));
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
    }
}

fn entries(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most as much as the buffer, which lives through the call.
    check("getdents64", unsafe { syscall!(Sysno::getdents64, directory.number(), buffer.as_mut_ptr(), buffer.len()) })
}

/// stat(2), links followed.
pub(crate) fn status(path: &str) -> Result<libc::stat> {
    let path = c_string("stat", path)?;
    // SAFETY: stat is plain integers; all zero is a valid value of it.
    let mut status: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: the kernel reads the string up to its NUL and writes one stat; both live through the call.
    check("stat", unsafe { syscall!(Sysno::newfstatat, libc::AT_FDCWD, path.as_ptr(), &raw mut status, 0) })?;
    Ok(status)
}

/// access(2) W_OK: its file system is not read-only, and its mode lets this process.
pub(crate) fn is_writable(path: &str) -> bool {
    let Ok(path) = c_string("access", path) else { return false };
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("access", unsafe { syscall!(Sysno::faccessat, libc::AT_FDCWD, path.as_ptr(), libc::W_OK) }).is_ok()
}

/// chown(2), links followed.
pub(crate) fn set_owner(path: &str, uid: u32, gid: u32) -> Result<()> {
    let path = c_string("chown", path)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("chown", unsafe { syscall!(Sysno::fchownat, libc::AT_FDCWD, path.as_ptr(), uid, gid, 0) }).map(drop)
}

/// chmod(2), links followed.
pub(crate) fn set_mode(path: &str, mode: u32) -> Result<()> {
    let path = c_string("chmod", path)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("chmod", unsafe { syscall!(Sysno::fchmodat, libc::AT_FDCWD, path.as_ptr(), mode) }).map(drop)
}

/// unlink(2).
pub(crate) fn remove(path: &str) -> Result<()> {
    let path: CString = c_string("unlink", path)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("unlink", unsafe { syscall!(Sysno::unlinkat, libc::AT_FDCWD, path.as_ptr(), 0) }).map(drop)
}
