//! Copies between this process's streams and those of one elsewhere, both ways at the same time.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use caplab_init::wire::Streams;
use nix::sys::signal::Signal;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
    termios::{Winsize, tcsetwinsize},
};

use super::{Raw, Signals, size};

/// At most this is on its way: a pipe takes so much without waiting where poll(2) says that it takes something (PIPE_BUF).
const CHUNK: usize = 4096;

/// Why copying stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Something was said about the process.
    Control,
    /// This process is to end.
    Signal(Signal),
}

/// What is copied.
pub(crate) struct Relay {
    ways: Vec<Way>,
    /// The master, for its size.
    master: Option<OwnedFd>,
}

/// From one to another.
struct Way {
    from: Option<OwnedFd>,
    to: Option<OwnedFd>,
    buffer: Vec<u8>,
    /// It brings what the process writes.
    is_output: bool,
}

impl Relay {
    /// The streams of this process, and the other side of those elsewhere.
    pub(crate) fn new(streams: Streams, other: Vec<OwnedFd>) -> io::Result<Self> {
        let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
        let (input, output, error) =
            (own(io::stdin().as_fd())?, own(io::stdout().as_fd())?, own(io::stderr().as_fd())?);
        let mut other = other.into_iter();
        let mut next = || other.next().ok_or(io::ErrorKind::UnexpectedEof);
        let way = |from, to, is_output| Way { from: Some(from), to: Some(to), buffer: Vec::new(), is_output };
        Ok(match streams {
            Streams::Terminal => {
                let master = next()?;
                // Who pastes much is not read while his own text comes back: neither side may wait for the other.
                set_nonblocking(&master)?;
                let ways = vec![way(input, master.try_clone()?, false), way(master.try_clone()?, output, true)];
                Self { ways, master: Some(master) }
            }
            Streams::Pipes => {
                let (to, out, err) = (next()?, next()?, next()?);
                set_nonblocking(&to)?;
                Self { ways: vec![way(input, to, false), way(out, output, true), way(err, error, true)], master: None }
            }
        })
    }

    /// Copies until something is said on `control`, or a signal says to end.
    pub(crate) fn run(&mut self, signals: &Signals, raw: Option<&Raw>, control: BorrowedFd<'_>) -> io::Result<Woken> {
        loop {
            let [control, signal] = self.turn([Some(control), Some(signals.as_fd())], None)?;
            if signal && let Some(signal) = self.take(signals, raw) {
                return Ok(Woken::Signal(signal));
            }
            if control {
                return Ok(Woken::Control);
            }
            // The terminal is gone: that is what SIGHUP says, also where it is not sent.
            if self.master.is_some() && self.ways.iter().any(|way| !way.is_output && way.from.is_none()) {
                return Ok(Woken::Signal(Signal::SIGHUP));
            }
        }
    }

    /// The process has ended: copies what it has left, at most so long. Who it has left running may have its streams open.
    pub(crate) fn finish(&mut self, at_most: Duration) {
        let until = Instant::now() + at_most;
        self.ways.retain(|way| way.is_output);
        while self.ways.iter().any(|way| way.from.is_some() || !way.buffer.is_empty()) && Instant::now() < until {
            if self.turn::<0>([], Some(until.saturating_duration_since(Instant::now()))).is_err() {
                return;
            }
        }
    }

    /// What signals say; the one that ends this process.
    fn take(&self, signals: &Signals, raw: Option<&Raw>) -> Option<Signal> {
        while let Some(signal) = signals.next() {
            match signal {
                Signal::SIGWINCH => self.resize(),
                Signal::SIGCONT => {
                    if let Some(raw) = raw {
                        // Where it is gone the next read says so.
                        let _ = raw.again();
                    }
                    self.resize();
                }
                signal => return Some(signal),
            }
        }
        None
    }

    fn resize(&self) {
        if let Some(master) = &self.master {
            let window = size();
            let size = Winsize { ws_row: window.rows, ws_col: window.columns, ws_xpixel: 0, ws_ypixel: 0 };
            // Where it is gone the next read says so.
            let _ = tcsetwinsize(master, size);
        }
    }

    /// Waits until something can be done and does it; says which of `others` are readable.
    fn turn<const N: usize>(
        &mut self,
        others: [Option<BorrowedFd<'_>>; N],
        at_most: Option<Duration>,
    ) -> io::Result<[bool; N]> {
        let asked: Vec<_> =
            self.ways.iter().enumerate().filter_map(|(index, way)| Some((index, way.waits_for()?))).collect();
        let mut fds: Vec<PollFd<'_>> =
            asked.iter().map(|(_, (fd, flags))| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        fds.extend(others.into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = at_most.and_then(|time| time.try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok([false; N]),
            done => done?,
        };
        let (own, rest) = fds.split_at(asked.len());
        let mut rest = rest.iter().map(|fd| !fd.revents().is_empty());
        let others = others.map(|other| other.is_some() && rest.next() == Some(true));
        let ready: Vec<usize> =
            asked.iter().zip(own).filter(|(_, fd)| !fd.revents().is_empty()).map(|((index, _), _)| *index).collect();
        for index in ready {
            self.ways[index].go();
        }
        Ok(others)
    }
}

impl Way {
    /// What it waits for: to write what it has, else to read.
    fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match (&self.from, &self.to) {
            (_, Some(to)) if !self.buffer.is_empty() => Some((to.as_fd(), PollFlags::OUT)),
            (Some(from), Some(_)) => Some((from.as_fd(), PollFlags::IN)),
            _ => None,
        }
    }

    fn go(&mut self) {
        if !self.buffer.is_empty() {
            self.write();
        } else if let Some(from) = &self.from {
            let mut chunk = [0; CHUNK];
            match rustix::io::read(from, &mut chunk) {
                Ok(0) => self.end(),
                Ok(count) => {
                    self.buffer.extend_from_slice(&chunk[..count]);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                // EIO is what a terminal says whose other side is gone.
                Err(_) => self.end(),
            }
        }
    }

    fn write(&mut self) {
        let Some(to) = &self.to else { return self.buffer.clear() };
        match rustix::io::write(to, &self.buffer) {
            Ok(count) => drop(self.buffer.drain(..count)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Nobody reads any more: the process is to learn of it as it would have here, by SIGPIPE.
            Err(_) => {
                self.buffer.clear();
                self.end();
            }
        }
        if self.from.is_none() && self.buffer.is_empty() {
            self.to = None;
        }
    }

    /// Nothing more comes; what is on its way still goes.
    fn end(&mut self) {
        self.from = None;
        if self.buffer.is_empty() {
            self.to = None;
        }
    }
}

fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    Ok(fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?)
}
