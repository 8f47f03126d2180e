//! Descriptors: pipes, polls, reads and writes.

use alloc::vec::Vec;
use core::{marker::PhantomData, mem, ptr, time::Duration};

use syscalls::{Errno, Sysno, syscall};

use super::{Result, check, clock::Instant};

/// The number of a descriptor.
pub(crate) type RawFd = i32;

/// A descriptor that is closed with its owner.
pub(crate) struct OwnedFd(RawFd);

impl OwnedFd {
    /// What a call that makes a descriptor returned.
    pub(super) fn made(call: &'static str, done: core::result::Result<usize, Errno>) -> Result<Self> {
        check(call, done).map(|number| Self(number as RawFd))
    }

    /// One that the kernel has told by other means.
    pub(super) fn known(number: RawFd) -> Self {
        Self(number)
    }

    /// Lent out.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        BorrowedFd(self.0, PhantomData)
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        // SAFETY: close touches no memory. Nobody can be told of a failure, after which the descriptor is gone all the same.
        unsafe { syscall!(Sysno::close, self.0) }.ok();
    }
}

/// A descriptor that somebody else closes.
#[derive(Clone, Copy)]
pub(crate) struct BorrowedFd<'a>(RawFd, PhantomData<&'a OwnedFd>);

impl BorrowedFd<'_> {
    /// Its number.
    pub(super) fn number(self) -> RawFd {
        self.0
    }
}

/// Standard input.
pub(crate) const INPUT: BorrowedFd<'static> = BorrowedFd(0, PhantomData);
/// Standard output.
pub(crate) const OUTPUT: BorrowedFd<'static> = BorrowedFd(1, PhantomData);
/// Standard error.
pub(crate) const ERROR: BorrowedFd<'static> = BorrowedFd(2, PhantomData);

/// A close-on-exec pipe: read end, write end.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors into an array of two.
    check("pipe2", unsafe { syscall!(Sysno::pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((OwnedFd(ends[0]), OwnedFd(ends[1])))
}

/// dup3(2): `to` becomes another name of `from`, kept across execve. Where they are the same one it stays as it is.
pub(crate) fn duplicate_onto(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    if from.0 == to.0 {
        return Ok(());
    }
    // SAFETY: dup3 touches no memory. Closing what `to` was is the caller's intent.
    check("dup3", unsafe { syscall!(Sysno::dup3, from.0, to.0, 0) }).map(drop)
}

/// A close-on-exec duplicate that is above the standard streams.
pub(crate) fn duplicate(from: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: fcntl(F_DUPFD_CLOEXEC) touches no memory.
    OwnedFd::made("fcntl", unsafe { syscall!(Sysno::fcntl, from.0, libc::F_DUPFD_CLOEXEC, 3) })
}

/// Writes everything.
pub(crate) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads at most `bytes.len()` bytes of a slice that lives through the call.
        match check("write", unsafe { syscall!(Sysno::write, fd.0, bytes.as_ptr(), bytes.len()) }) {
            Err(fail) if fail.errno == libc::EINTR => {}
            Err(fail) => return Err(fail),
            Ok(written) => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// Reads what there is, at most the buffer; 0 is the end.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    loop {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into a slice that lives through the call.
        match check("read", unsafe { syscall!(Sysno::read, fd.0, buffer.as_mut_ptr(), buffer.len()) }) {
            Err(fail) if fail.errno == libc::EINTR => {}
            done => return done,
        }
    }
}

/// Fills the buffer; says how much there was before the end.
pub(crate) fn read_full(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    let mut full = 0;
    while full < buffer.len() {
        match read(fd, &mut buffer[full..])? {
            0 => break,
            count => full += count,
        }
    }
    Ok(full)
}

/// Reads to the end.
pub(crate) fn read_to_end(fd: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match read(fd, &mut buffer)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// poll(2): which of the descriptors have something to read or have hung up. Nothing where the time is over;
/// `None` waits for ever.
pub(crate) fn poll<const N: usize>(fds: [Option<BorrowedFd<'_>>; N], deadline: Option<Instant>) -> Result<[bool; N]> {
    let entries = fds.map(|fd| libc::pollfd { fd: fd.map_or(-1, |fd| fd.0), events: libc::POLLIN, revents: 0 });
    wait(entries, deadline)
}

/// poll(2) without a time limit for the end of things: a pidfd's process ended, a socket's other side is gone. Data
/// to read is not of interest.
pub(crate) fn poll_end(process: BorrowedFd<'_>, socket: BorrowedFd<'_>) -> Result<[bool; 2]> {
    let entry = |fd: BorrowedFd<'_>, events| libc::pollfd { fd: fd.0, events, revents: 0 };
    wait([entry(process, libc::POLLIN), entry(socket, libc::POLLRDHUP)], None)
}

/// The same of as many as there are.
pub(crate) fn poll_all(fds: &[BorrowedFd<'_>], deadline: Instant) -> Result<Vec<bool>> {
    let entry = |fd: &BorrowedFd<'_>| libc::pollfd { fd: fd.0, events: libc::POLLIN, revents: 0 };
    let mut polled: Vec<libc::pollfd> = fds.iter().map(entry).collect();
    wait_for(&mut polled, Some(deadline))?;
    Ok(polled.iter().map(|entry| entry.revents != 0).collect())
}

fn wait<const N: usize>(mut polled: [libc::pollfd; N], deadline: Option<Instant>) -> Result<[bool; N]> {
    wait_for(&mut polled, deadline)?;
    Ok(polled.map(|entry| entry.revents != 0))
}

fn wait_for(polled: &mut [libc::pollfd], deadline: Option<Instant>) -> Result<()> {
    loop {
        let left = deadline.map(|deadline| {
            let left: Duration = deadline.left();
            libc::timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos().into() }
        });
        let time = left.as_ref().map_or(ptr::null(), ptr::from_ref);
        let count = polled.len();
        // SAFETY: the kernel reads and writes as many entries as the slice has and reads one timespec; both live through the call.
        match check("ppoll", unsafe { syscall!(Sysno::ppoll, polled.as_mut_ptr(), count, time, ptr::null::<u8>(), 0) })
        {
            Err(fail) if fail.errno == libc::EINTR => {}
            Err(fail) => return Err(fail),
            Ok(_) => return Ok(()),
        }
    }
}

/// Hands a descriptor's file to a user, so that reopening it as /dev/stdout is allowed to a process of that user.
pub(crate) fn change_owner(fd: BorrowedFd<'_>, uid: u32) -> Result<()> {
    // SAFETY: fchown touches no memory.
    check("fchown", unsafe { syscall!(Sysno::fchown, fd.0, uid, u32::MAX) }).map(drop)
}

/// close_range(2): every descriptor from this number on.
pub(crate) fn close_from(first: u32) -> Result<()> {
    // SAFETY: only numbers. The caller has no descriptor of its own yet.
    check("close_range", unsafe { syscall!(Sysno::close_range, first, u32::MAX, 0) }).map(drop)
}

/// flock(2) LOCK_EX, without waiting. Held until the last descriptor of this open file is closed.
pub(crate) fn lock(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: flock touches no memory.
    check("flock", unsafe { syscall!(Sysno::flock, fd.0, libc::LOCK_EX | libc::LOCK_NB) }).map(drop)
}

/// fstat(2).
pub(crate) fn status(fd: BorrowedFd<'_>) -> Result<libc::stat> {
    // SAFETY: stat is plain integers; all zero is a valid value of it.
    let mut status: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes one stat into one that lives through the call.
    check("fstat", unsafe { syscall!(Sysno::fstat, fd.0, &raw mut status) })?;
    Ok(status)
}

/// statx(2): whether a handle is on the root of a mount, Linux 5.8.
pub(crate) fn is_mount(fd: BorrowedFd<'_>) -> Result<bool> {
    // SAFETY: statx is plain integers; all zero is a valid value of it.
    let mut status: libc::statx = unsafe { mem::zeroed() };
    // SAFETY: the kernel reads an empty static string and writes one statx into one that lives through the call.
    check("statx", unsafe {
        syscall!(Sysno::statx, fd.0, c"".as_ptr(), libc::AT_EMPTY_PATH, libc::STATX_BASIC_STATS, &raw mut status)
    })?;
    Ok(status.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0)
}
