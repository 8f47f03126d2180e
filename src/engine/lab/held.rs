//! A case that stays: its containers run until this is dropped, and processes are executed in them for people.

use std::{
    collections::VecDeque,
    os::fd::{BorrowedFd, OwnedFd},
};

use caplab_init::wire::{
    Case, ContainerReport, Phase, Request, Response, Session, SessionReport, StepKind, Streams, Window,
};

use super::{Launcher, unasked, words};
use crate::{
    engine::{EngineError, Observation},
    errno::{Errno, Signal},
};

/// Containers that run.
#[derive(Debug)]
pub struct Held {
    launcher: Launcher,
    case: Case,
    seen: Observation,
    next: u32,
    /// What was said while something else was waited for.
    ended: VecDeque<Ended>,
}

/// A process for a person.
#[derive(Debug)]
pub struct Opened {
    /// What it is called in [`Ended`].
    pub session: u32,
    /// Of what kind its streams are.
    pub streams: Streams,
    /// Their other side: a terminal's master, or to its input, from its output, from its error.
    pub descriptors: Vec<OwnedFd>,
}

/// Why a process was not made.
#[derive(Debug)]
pub enum Unopened {
    /// Its container has ended or was refused; what is said of that.
    NotRunning(String),
    /// The program cannot be executed.
    Exec {
        /// Of execve(2).
        errno: Errno,
        /// What is said.
        words: String,
    },
    /// Anything else.
    Other(String),
}

impl From<EngineError> for Unopened {
    fn from(EngineError(words): EngineError) -> Self {
        Self::Other(words)
    }
}

/// The end of a process.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Which.
    pub session: u32,
    /// Its exit status, or the signal that killed it.
    pub exit: Result<i32, Signal>,
    /// With its container: the pid 1 of that has ended, and the kernel has killed everybody in it.
    pub with_container: bool,
}

impl Held {
    pub(super) fn new(launcher: Launcher, case: Case, seen: Observation) -> Self {
        Self { launcher, case, seen, next: 0, ended: VecDeque::new() }
    }

    /// What came of the containers.
    #[must_use]
    pub fn seen(&self) -> &Observation {
        &self.seen
    }

    /// How many containers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.case.containers.len()
    }

    /// Makes one more container, the only one of a case that was planned for the same lab host; gives its index.
    ///
    /// # Errors
    /// Where it cannot be made, in words.
    pub fn make(&mut self, planned: Case) -> Result<usize, EngineError> {
        let [container] = planned.containers.as_slice() else { return Err(unasked()) };
        let container = container.clone();
        self.launcher.send(&Request::Make(Box::new(container.clone())))?;
        match self.answer()? {
            Response::Made(ContainerReport::Running(_)) => {
                self.case.containers.push(container);
                Ok(self.count() - 1)
            }
            Response::Made(ContainerReport::Refused(refusal)) => {
                Err(EngineError(words::container(&planned, &container, &refusal)))
            }
            _ => Err(unasked()),
        }
    }

    /// Executes a process, the only step of a case that was planned for the same lab host, in a container of this one.
    ///
    /// # Errors
    /// Where that was refused.
    pub fn open(&mut self, container: usize, planned: &Case, window: Option<Window>) -> Result<Opened, Unopened> {
        let process = planned.steps.iter().find_map(|step| match &step.kind {
            StepKind::Exec { process, .. } => Some(process.clone()),
            _ => None,
        });
        let index = u16::try_from(container).ok();
        let (Some(process), Some(container)) = (process, index) else { return Err(unasked().into()) };
        let id = self.next;
        self.next += 1;
        self.launcher.send(&Request::Open(Session { id, container, process, window }))?;
        match self.answer()? {
            Response::Session { session, report: SessionReport::Opened(streams) } => {
                Ok(Opened { session, streams, descriptors: self.launcher.descriptors(streams.count())? })
            }
            Response::Session { report: SessionReport::Refused(refusal), .. } => {
                let words = words::step(planned, 0, &refusal);
                Err(match refusal.phase {
                    Phase::Exec => Unopened::Exec { errno: Errno(refusal.errno), words },
                    _ => Unopened::Other(words),
                })
            }
            Response::Session { report: SessionReport::NotRunning, .. } => {
                Err(Unopened::NotRunning(words::ended(&self.case, container)))
            }
            _ => Err(unasked().into()),
        }
    }

    /// Nobody listens to that process any more: it is killed.
    ///
    /// # Errors
    /// Where the launcher is gone.
    pub fn close(&mut self, session: u32) -> Result<(), EngineError> {
        self.launcher.send(&Request::Close { session })
    }

    /// Readable when something has ended.
    #[must_use]
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.launcher.as_fd()
    }

    /// What has ended and was said while something else was waited for.
    pub fn ended_meanwhile(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// What has ended; to be asked where [`Self::as_fd`] is readable.
    ///
    /// # Errors
    /// Where the launcher is gone.
    pub fn ended(&mut self) -> Result<Ended, EngineError> {
        ended(&self.launcher.answer()?).ok_or_else(unasked)
    }

    /// The answer to what was asked last; what has ended meanwhile is kept.
    fn answer(&mut self) -> Result<Response, EngineError> {
        loop {
            let response = self.launcher.answer()?;
            match ended(&response) {
                Some(ended) => self.ended.push_back(ended),
                None => return Ok(response),
            }
        }
    }
}

fn ended(response: &Response) -> Option<Ended> {
    use caplab_init::wire::Exit;
    match response {
        Response::Session { session, report: SessionReport::Ended { exit, with_container } } => Some(Ended {
            session: *session,
            exit: match exit {
                Exit::Code(code) => Ok(*code),
                Exit::Signal(signal) => Err(Signal(*signal)),
                Exit::TimedOut => Err(Signal(nix::libc::SIGKILL)),
            },
            with_container: *with_container,
        }),
        _ => None,
    }
}
