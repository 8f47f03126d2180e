//! Pseudoterminals, pty(7).

use core::mem;

use syscalls::{Sysno, syscall};

use super::{
    Fail, Result, check,
    fd::{self, BorrowedFd, OwnedFd},
    path,
};

/// linux/magic.h.
const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;

/// `_IO('T', 0x41)` of asm-generic/ioctls.h, Linux 4.13; libc has it for some targets only.
const TIOCGPTPEER: u32 = 0x5441;

/// A pair of a pseudoterminal: master, slave.
pub(crate) type Pair = (OwnedFd, OwnedFd);

/// A new one of the instance of devpts that this process has at /dev/pts.
///
/// The container could have put something else there: a link, a file, an older instance. So the directory is looked at by descriptor,
/// and the slave is asked of the master (`TIOCGPTPEER`), not opened by its name. runc does so since CVE-2025-52565.
///
/// # Errors
/// ENODEV where that is no devpts, as where the container has unmounted it.
pub(crate) fn open() -> Result<Pair> {
    let directory = path::directory("/dev/pts")?;
    if magic(directory.as_fd())? != DEVPTS_SUPER_MAGIC {
        return Err(Fail::new("statfs", libc::ENODEV).with("/dev/pts"));
    }
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NOFOLLOW;
    pair(path::open_in(directory.as_fd(), "ptmx", flags, 0)?)
}

fn pair(master: OwnedFd) -> Result<Pair> {
    // Documentation/admin-guide/devices.txt: 5:2 is /dev/ptmx.
    if fd::status(master.as_fd())?.st_rdev != libc::makedev(5, 2) {
        return Err(Fail::new("fstat", libc::ENOTTY).with("ptmx is not the device 5:2"));
    }
    let (number, unlock) = (master.as_fd().number(), 0i32);
    // SAFETY: the kernel reads one int that lives through the call.
    check("ioctl(TIOCSPTLCK)", unsafe { syscall!(Sysno::ioctl, number, libc::TIOCSPTLCK, &raw const unlock) })?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags as its argument, and no pointer.
    let slave = OwnedFd::made("ioctl(TIOCGPTPEER)", unsafe { syscall!(Sysno::ioctl, number, TIOCGPTPEER, flags) })?;
    Ok((master, slave))
}

/// TIOCSWINSZ.
pub(crate) fn set_size(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one winsize that lives through the call.
    check("ioctl(TIOCSWINSZ)", unsafe { syscall!(Sysno::ioctl, terminal.number(), libc::TIOCSWINSZ, &raw const size) })
        .map(drop)
}

/// Makes it the controlling terminal of this process's session, whose leader it is, and its standard streams.
pub(crate) fn control(slave: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: TIOCSCTTY takes a number, here that nobody's terminal is to be stolen, and no pointer.
    check("ioctl(TIOCSCTTY)", unsafe { syscall!(Sysno::ioctl, slave.number(), libc::TIOCSCTTY, 0) })?;
    [fd::INPUT, fd::OUTPUT, fd::ERROR].into_iter().try_for_each(|stream| fd::duplicate_onto(slave, stream))
}

/// Of which kind a file system is, statfs(2) `f_type`.
fn magic(within: BorrowedFd<'_>) -> Result<i64> {
    // SAFETY: statfs is plain integers; all zero is a valid value of it.
    let mut status: libc::statfs = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes one statfs that lives through the call.
    check("fstatfs", unsafe { syscall!(Sysno::fstatfs, within.number(), &raw mut status) })?;
    Ok(status.f_type)
}
