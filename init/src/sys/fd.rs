//! Descriptors: pipes, polls, reads and writes.

use std::{
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    time::{Duration, Instant},
};

use super::{Result, check};

/// A close-on-exec pipe: read end, write end.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors into an array of two.
    check("pipe2", unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the kernel has just made both descriptors and nobody else knows them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// dup2(2): `to` becomes another name of `from`, kept across execve.
pub(crate) fn duplicate_onto(from: RawFd, to: RawFd) -> Result<()> {
    // SAFETY: dup2 touches no memory. Closing what `to` was is the caller's intent: only standard streams are passed.
    check("dup2", unsafe { libc::dup2(from, to) }).map(drop)
}

/// A close-on-exec duplicate that is above the standard streams.
pub(crate) fn duplicate(from: RawFd) -> Result<OwnedFd> {
    // SAFETY: fcntl(F_DUPFD_CLOEXEC) touches no memory.
    let fd = check("fcntl", unsafe { libc::fcntl(from, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the kernel has just made the descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Writes everything.
pub(crate) fn write_all(fd: RawFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads at most `bytes.len()` bytes of a slice that lives through the call.
        let written = check("write", unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as i64)?;
        bytes = &bytes[written as usize..];
    }
    Ok(())
}

/// Reads what there is, at most the buffer; 0 is the end.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes into a slice that lives through the call.
    let count = check("read", unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) } as i64)?;
    Ok(count as usize)
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
    let mut polled =
        fds.map(|fd| libc::pollfd { fd: fd.map_or(-1, |fd| fd.as_raw_fd()), events: libc::POLLIN, revents: 0 });
    loop {
        let timeout = deadline.map_or(-1, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up: a poll that ends early would spin through the last millisecond.
            i32::try_from((left + Duration::from_micros(999)).as_millis()).unwrap_or(i32::MAX)
        });
        // SAFETY: the kernel reads and writes N entries of an array of N that lives through the call.
        match check("poll", unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, timeout) }) {
            Err(fail) if fail.errno == libc::EINTR => {}
            Err(fail) => return Err(fail),
            Ok(_) => return Ok(polled.map(|entry| entry.revents != 0)),
        }
    }
}

/// poll(2) without a time limit for the end of things: a pidfd's process ended, a socket's other side is gone. Data
/// to read is not of interest.
pub(crate) fn poll_end(process: BorrowedFd<'_>, socket: BorrowedFd<'_>) -> Result<[bool; 2]> {
    let entry = |fd: BorrowedFd<'_>, events| libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let mut polled = [entry(process, libc::POLLIN), entry(socket, libc::POLLRDHUP)];
    loop {
        // SAFETY: the kernel reads and writes two entries of an array of two that lives through the call.
        match check("poll", unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) }) {
            Err(fail) if fail.errno == libc::EINTR => {}
            Err(fail) => return Err(fail),
            Ok(_) => return Ok(polled.map(|entry| entry.revents != 0)),
        }
    }
}

/// Hands a descriptor's file to a user, so that reopening it as /dev/stdout is allowed to a process of that user.
pub(crate) fn change_owner(fd: BorrowedFd<'_>, uid: u32) -> Result<()> {
    // SAFETY: fchown touches no memory.
    check("fchown", unsafe { libc::fchown(fd.as_raw_fd(), uid, u32::MAX) }).map(drop)
}

/// close_range(2): every descriptor from this number on.
pub(crate) fn close_from(first: u32) -> Result<()> {
    // SAFETY: only numbers. The caller has no descriptor of its own yet.
    check("close_range", unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) }).map(drop)
}
