//! A case that stays: its containers run, and people execute processes in them, until caplab closes the connection.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use caplab_init::wire::{Case, Container, Request, Response, Session, SessionReport};

use super::{
    Lab, case,
    container::Running,
    receive, send,
    session::{Ends, Open},
};
use crate::sys::{
    Result,
    clock::Instant,
    fd,
    process::{self, Ended},
};

/// How often it is looked whether an orphan of the lab host has ended: nothing but a signal would tell.
const LOOK: Duration = Duration::from_secs(1);

/// Makes the containers and serves until the connection ends.
///
/// # Errors
/// A connection that broke.
pub(super) fn serve(lab: &Lab, asked: &Case) -> Result<()> {
    case::on_its_host(lab, asked, |made, running| {
        let answer = match made {
            Err(refused) => Response::Failed(refused),
            Ok(()) => Response::Held(case::make(lab, asked, running)),
        };
        send(lab.connection.as_fd(), &answer)?;
        if matches!(answer, Response::Failed(_)) {
            return Ok(());
        }
        // What is removed with the case is what the case has.
        let of_case = running.len();
        let mut held = Held { lab, running, sessions: Vec::new() };
        let served = held.serve();
        let Held { running, .. } = held;
        running.drain(of_case..).flatten().for_each(|later| later.end(lab));
        served
    })
}

struct Held<'a> {
    lab: &'a Lab,
    running: &'a mut Vec<Option<Running>>,
    sessions: Vec<Open>,
}

impl Held<'_> {
    fn serve(&mut self) -> Result<()> {
        loop {
            let mut fds = vec![self.lab.connection.as_fd()];
            fds.extend(self.sessions.iter().map(|session| session.pidfd.as_fd()));
            let asked = fd::poll_all(&fds, Instant::now() + LOOK)?.first() == Some(&true);
            self.reap()?;
            if !asked {
                continue;
            }
            match receive(self.lab.connection.as_fd())? {
                None => return Ok(()),
                Some(Request::Make(container)) => self.make(&container)?,
                Some(Request::Open(session)) => self.open(&session)?,
                Some(Request::Close { session }) => {
                    self.sessions.iter().filter(|one| one.id == session).for_each(Open::end);
                }
                // One case at a time.
                Some(_) => {}
            }
        }
    }

    fn make(&mut self, container: &Container) -> Result<()> {
        let made = Running::start(self.lab, container, &[]);
        let report = case::look_at(self.lab, container, made, self.running);
        send(self.lab.connection.as_fd(), &Response::Made(report))
    }

    fn open(&mut self, asked: &Session) -> Result<()> {
        let found = self.running.get(usize::from(asked.container)).and_then(Option::as_ref);
        let opened = match found.filter(|one| one.alive()) {
            None => Err(SessionReport::NotRunning),
            Some(entered) => Open::start(self.lab, entered, asked).map_err(SessionReport::Refused),
        };
        match opened {
            Ok((session, ends)) => {
                self.sessions.push(session);
                self.opened(asked.id, &ends)
            }
            Err(report) => self.tell(asked.id, report),
        }
    }

    fn opened(&self, id: u32, ends: &Ends) -> Result<()> {
        self.tell(id, SessionReport::Opened(ends.kind()))?;
        ends.send(self.lab.connection.as_fd())
    }

    /// Waits for all that have ended: sessions, containers, and whoever was orphaned to this pid 1.
    fn reap(&mut self) -> Result<()> {
        while let Some((pid, ended)) = process::wait_next() {
            if let Some(at) = self.sessions.iter().position(|session| session.pid == pid) {
                let session = self.sessions.swap_remove(at);
                let killed = matches!(ended, Ended::Signal(libc::SIGKILL));
                let container = self.running.get(usize::from(session.container)).and_then(Option::as_ref);
                let with = killed && container.is_some_and(|one| case::ends_soon(self.running, one));
                self.tell(session.id, Open::ended(&ended, with))?;
            } else if let Some(container) = self.running.iter().flatten().find(|container| container.pid == pid) {
                container.was_reaped();
            }
        }
        Ok(())
    }

    fn tell(&self, session: u32, report: SessionReport) -> Result<()> {
        send(self.lab.connection.as_fd(), &Response::Session { session, report })
    }
}
