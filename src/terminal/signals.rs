//! Signals as something to read, signalfd(2): who has a terminal in raw mode must put it back before he ends.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// Those that are read and not taken.
const WATCHED: [Signal; 6] =
    [Signal::SIGWINCH, Signal::SIGCONT, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// Signals of this process.
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks them in this thread and all that it starts from now on; programs that are started get none of that
    /// (`std::process::Command` unblocks everything).
    pub(crate) fn watch() -> io::Result<Self> {
        let set: SigSet = WATCHED.into_iter().collect();
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Readable when one has come.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The next one that has come.
    pub(crate) fn next(&self) -> Option<Signal> {
        let came = self.0.read_signal().ok().flatten()?;
        i32::try_from(came.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok())
    }
}
