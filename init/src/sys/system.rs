//! The rest of what a process can be given: host name, network, limits, umask, working directory.

use core::mem;

use syscalls::{Sysno, syscall};

use super::{Result, c_string, check, fd::OwnedFd};

/// sethostname(2).
pub(crate) fn set_hostname(name: &str) -> Result<()> {
    // SAFETY: the kernel reads `name.len()` bytes of a string that lives through the call.
    check("sethostname", unsafe { syscall!(Sysno::sethostname, name.as_ptr(), name.len()) }).map(drop)
}

/// Sets IFF_UP on `lo`.
pub(crate) fn loopback_up() -> Result<()> {
    // SAFETY: socket touches no memory.
    let socket = OwnedFd::made("socket", unsafe {
        syscall!(Sysno::socket, libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
    })?;
    // SAFETY: ifreq is plain data; all zero is a valid value of it.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq that lives through the call.
    check("ioctl(SIOCSIFFLAGS)", unsafe {
        syscall!(Sysno::ioctl, socket.as_fd().number(), libc::SIOCSIFFLAGS, &raw const request)
    })
    .map(drop)
}

/// setrlimit(2). `u64::MAX` is unlimited.
pub(crate) fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads one rlimit that lives through the call; u64::MAX is RLIM_INFINITY.
    check("setrlimit", unsafe { syscall!(Sysno::prlimit64, 0, resource, &raw const limit, 0) }).map(drop)
}

/// umask(2).
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: umask touches no memory and cannot fail.
    unsafe { syscall!(Sysno::umask, mask) }.ok();
}

/// chdir(2).
pub(crate) fn change_directory(path: &str) -> Result<()> {
    let path = c_string("chdir", path)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("chdir", unsafe { syscall!(Sysno::chdir, path.as_ptr()) }).map(drop)
}
