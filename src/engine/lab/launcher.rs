//! The launcher process: started, asked, and gone when dropped.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use caplab_init::wire::{Case, Disk, Image as WireImage, Request, Response, StepKind, frame};

use super::{Unstarted, helper, maps};
use crate::{
    engine::{EngineError, OF_A_PROFILE},
    host::{LabHost, lab::LabRoot},
    image::Image,
    pass,
};

/// Beyond the time its steps may take, a case has this long for everything else. Setup takes milliseconds; who
/// reaches this has met a kernel that hangs.
const SETUP: Duration = Duration::from_secs(60);

/// Where its images hold more bytes than that, a launcher forgets them before it is given another one.
const KEPT: u64 = 64 << 20;

/// This process has made the lab host of an ordinary user.
static PROVEN: OnceLock<()> = OnceLock::new();

/// Who makes containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Maker {
    /// The launcher itself.
    Launcher,
    /// An OCI runtime that it drives, whose control groups its guard removes. Not for an ordinary user's.
    Runtime,
}

/// A launcher and the connection to it.
#[derive(Debug)]
pub(super) struct Launcher {
    process: Child,
    maker: Maker,
    connection: Option<UnixStream>,
    /// The images that it was given, and how many bytes they hold together.
    images: (Vec<String>, u64),
}

/// Makes an ordinary user's lab host, where this process has not made one yet.
pub(in crate::engine) fn attempt(lab: &LabHost) -> Result<(), Unstarted> {
    if PROVEN.get().is_some() { Ok(()) } else { Launcher::start(lab, Maker::Launcher).map(drop) }
}

impl Launcher {
    /// Starts one: the root of this lab host.
    pub(super) fn start(lab: &LabHost, maker: Maker) -> Result<Self, Unstarted> {
        let failed = |what: &str, error: &io::Error| Unstarted::Helper(format!("{what}: {error}"));
        let path = helper::path().map_err(|error| failed("memfd_create", &error))?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| failed("socketpair", &error))?;
        let mut command = Command::new(path);
        command
            .arg0("caplab-init")
            .arg("launcher")
            .args(match lab.root {
                LabRoot::Own => None,
                LabRoot::Apart => Some("apart"),
                LabRoot::Mapped(_) | LabRoot::Single(_) => Some("user"),
            })
            .args((maker == Maker::Runtime).then_some("runtime"))
            .env_clear()
            .stdout(Stdio::null());
        command.stdin(OwnedFd::from(theirs));
        // Another thread of this process may at this moment be between fork and exec with the memfd open for
        // writing: then the kernel says ETXTBSY for as long as that takes.
        let mut tries = 0;
        let process = loop {
            match command.spawn() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < 100 => {
                    tries += 1;
                    thread::sleep(Duration::from_millis(1));
                }
                spawned => break spawned.map_err(|error| failed("execve of a memfd", &error))?,
            }
        };
        let mut launcher = Self { process, maker, connection: Some(ours), images: (Vec::new(), 0) };
        if lab.is_made() {
            launcher.have_mapped(lab)?;
            launcher.prove()?;
        }
        Ok(launcher)
    }

    /// Has the ids of the launcher's user namespace written, for which it waits.
    fn have_mapped(&mut self, lab: &LabHost) -> Result<(), Unstarted> {
        let lost = |error: &dyn std::fmt::Display| Unstarted::Helper(format!("the connection to it broke: {error}"));
        let Some(connection) = self.connection.as_mut() else { return Err(lost(&"closed")) };
        connection.set_read_timeout(Some(SETUP)).map_err(|error| lost(&error))?;
        match receive(connection).map_err(|error| lost(&error))? {
            Some(Response::Forked { pid }) => maps::write(lab, pid).map_err(Unstarted::Maps)?,
            Some(Response::Failed(refusal)) => return Err(Unstarted::Refused(refusal)),
            Some(_) | None => return Err(lost(&"it ended")),
        }
        send(connection, &Request::Mapped { set_groups: lab.set_groups }).map_err(|error| lost(&error))
    }

    /// Has a lab host made with nothing in it. Where one was made, the next ones are.
    fn prove(&mut self) -> Result<(), Unstarted> {
        if PROVEN.get().is_some() {
            return Ok(());
        }
        match self.ask(&Case::default()) {
            Ok(Response::Failed(refusal)) => Err(Unstarted::Refused(refusal)),
            Ok(_) => {
                PROVEN.get_or_init(|| ());
                Ok(())
            }
            Err(EngineError(words)) => Err(Unstarted::Helper(words)),
        }
    }

    /// The guard's pid.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// A disk for the next case.
    pub(super) fn attach(&mut self, disk: &Disk) -> Result<Response, EngineError> {
        self.exchange(&Request::Attach(disk.clone()), SETUP)
    }

    /// Gives it the images of a case that it does not have. They are in its memory: it keeps no more than a few.
    pub(super) fn keep<'i>(&mut self, images: impl Iterator<Item = &'i Image> + Clone) -> Result<(), EngineError> {
        let missing = |own: &Self| images.clone().any(|image| !own.images.0.contains(&image.id));
        if missing(self) && self.images.1 > KEPT {
            self.tell(&Request::Forget)?;
            self.images = (Vec::new(), 0);
        }
        for image in images.clone() {
            if self.images.0.contains(&image.id) {
                continue;
            }
            self.tell(&Request::Keep(WireImage { id: image.id.clone(), files: image.tree.files() }))?;
            self.images.0.push(image.id.clone());
            self.images.1 += image.tree.bytes();
        }
        Ok(())
    }

    /// What has no answer.
    fn tell(&mut self, request: &Request) -> Result<(), EngineError> {
        let lost = |words: String| EngineError(format!("the connection to the launcher broke: {words}"));
        let Some(connection) = self.connection.as_mut() else { return Err(lost("closed".to_owned())) };
        send(connection, request).map_err(|error| lost(error.to_string()))
    }

    /// One case.
    pub(super) fn ask(&mut self, case: &Case) -> Result<Response, EngineError> {
        self.exchange(&Request::Run(case.clone()), budget(case))
    }

    /// A case that stays.
    pub(super) fn hold(&mut self, case: &Case) -> Result<Response, EngineError> {
        self.exchange(&Request::Hold(case.clone()), SETUP)
    }

    fn exchange(&mut self, request: &Request, budget: Duration) -> Result<Response, EngineError> {
        self.send(request)?;
        self.receive(budget)
    }

    /// Asks for something.
    pub(super) fn send(&mut self, request: &Request) -> Result<(), EngineError> {
        let Some(connection) = self.connection.as_mut() else { return Err(lost(None, SETUP)) };
        send(connection, request).map_err(|error| lost(Some(error), SETUP))
    }

    /// Waits for an answer to what takes no longer than a setup.
    pub(super) fn answer(&mut self) -> Result<Response, EngineError> {
        self.receive(SETUP)
    }

    fn receive(&mut self, budget: Duration) -> Result<Response, EngineError> {
        let Some(connection) = self.connection.as_mut() else { return Err(lost(None, budget)) };
        connection.set_read_timeout(Some(budget)).map_err(|error| lost(Some(error), budget))?;
        let hangs = |error: io::Error| match (self.maker, error.kind()) {
            (Maker::Runtime, io::ErrorKind::WouldBlock) => {
                EngineError(format!("the runtime did not answer within {} s; {OF_A_PROFILE}", budget.as_secs()))
            }
            _ => lost(Some(error), budget),
        };
        receive(connection).map_err(hangs)?.ok_or_else(|| lost(None, budget))
    }

    /// The descriptors that follow an answer.
    pub(super) fn descriptors(&mut self, count: usize) -> Result<Vec<OwnedFd>, EngineError> {
        let Some(connection) = self.connection.as_ref() else { return Err(lost(None, SETUP)) };
        match pass::receive(connection.as_fd()) {
            Ok(came) if came.len() == count => Ok(came),
            Ok(_) => Err(lost(None, SETUP)),
            Err(error) => Err(lost(Some(error), SETUP)),
        }
    }

    /// To wait for what it says unasked; none once it is gone.
    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().map(UnixStream::as_fd)
    }
}

fn lost(error: Option<io::Error>, budget: Duration) -> EngineError {
    EngineError(match error {
        Some(error) if error.kind() == io::ErrorKind::WouldBlock => format!(
            "the launcher did not answer within {} s: a system call of the setup hangs, see `dmesg`",
            budget.as_secs()
        ),
        Some(error) => format!("the connection to the launcher broke: {error}"),
        None => {
            "the launcher ended in the middle of a case; if the kernel's out-of-memory killer did it, `dmesg` says so"
                .to_owned()
        }
    })
}

/// One message.
fn send(connection: &mut UnixStream, message: &Request) -> io::Result<()> {
    let bytes = frame::encode(message).map_err(|malformed| io::Error::new(io::ErrorKind::InvalidData, malformed))?;
    connection.write_all(&bytes)
}

/// One message; `None` where the other side closed the connection before it.
fn receive(connection: &mut UnixStream) -> io::Result<Option<Response>> {
    let invalid = |malformed| io::Error::new(io::ErrorKind::InvalidData, malformed);
    let mut prefix = [0; frame::PREFIX];
    match connection.read_exact(&mut prefix) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut document = vec![0; frame::length(prefix).map_err(invalid)?];
    connection.read_exact(&mut document)?;
    frame::decode(&document).map(Some).map_err(invalid)
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // The end of the connection is what tells the other side to go; then it is waited for, so that nothing of a
        // run is there when the run has ended. A guard that was killed is waited for as well.
        drop(self.connection.take());
        self.process.wait().ok();
    }
}

fn budget(case: &Case) -> Duration {
    let steps: u64 = case
        .steps
        .iter()
        .filter(|step| matches!(step.kind, StepKind::Exec { .. }))
        .map(|step| u64::from(step.timeout_ms))
        .sum();
    SETUP + Duration::from_millis(steps)
}
