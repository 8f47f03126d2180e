//! The launcher process: started, asked, and gone when dropped.

use std::{
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use caplab_init::wire::{Case, Request, Response, StepKind, frame};

use super::helper;
use crate::engine::EngineError;

/// Beyond the time its steps may take, a case has this long for everything else. Setup takes milliseconds; who
/// reaches this has met a kernel that hangs.
const SETUP: Duration = Duration::from_secs(60);

/// A launcher and the connection to it.
#[derive(Debug)]
pub(super) struct Launcher {
    process: Child,
    connection: Option<UnixStream>,
}

impl Launcher {
    /// Starts one.
    pub(super) fn start() -> Result<Self, EngineError> {
        let failed = |what: &str, error: &io::Error| {
            EngineError(format!(
                "the native engine's helper cannot be started: {what}: {error}; `caplab doctor` tells what it needs"
            ))
        };
        let path = helper::path().map_err(|error| failed("memfd_create", &error))?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| failed("socketpair", &error))?;
        let mut command = Command::new(path);
        command.arg0("caplab-init").arg("launcher").env_clear().stdout(Stdio::null());
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
        Ok(Self { process, connection: Some(ours) })
    }

    /// The guard's pid.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// One case.
    pub(super) fn ask(&mut self, case: &Case) -> Result<Response, EngineError> {
        let lost = |error: Option<io::Error>| {
            EngineError(match error {
                Some(error) if error.kind() == io::ErrorKind::WouldBlock => format!(
                    "the launcher did not answer within {} s: a system call of the setup hangs, see `dmesg`",
                    budget(case).as_secs()
                ),
                Some(error) => format!("the connection to the launcher broke: {error}"),
                None => "the launcher ended in the middle of a case; if the kernel's out-of-memory killer did it, \
                         `dmesg` says so"
                    .to_owned(),
            })
        };
        let Some(connection) = self.connection.as_mut() else { return Err(lost(None)) };
        connection.set_read_timeout(Some(budget(case))).map_err(|error| lost(Some(error)))?;
        send(connection, &Request::Run(case.clone())).map_err(|error| lost(Some(error)))?;
        receive(connection).map_err(|error| lost(Some(error)))?.ok_or_else(|| lost(None))
    }
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
