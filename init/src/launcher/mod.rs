//! The launcher: pid 1 of a *lab host*, which makes containers and takes steps in them.
//!
//! Three processes stand behind each other. The *guard* is what caplab starts: it makes a pid namespace and a
//! mount namespace, forks the *launcher* into them and waits for it or for the end of the connection. The
//! launcher is pid 1 there, so that the kernel itself kills everything and drops every mount when it dies,
//! whatever killed it. A container's pid 1 is a child of the launcher.

mod case;
mod child;
mod container;
mod exec;
mod fixture;
mod look;

pub(crate) use look::read;

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
};

use caplab_init::wire::{Phase, Refusal, Request, Response, frame};

use crate::sys::{
    Result, credentials, fd, mount, path,
    process::{self, Block, Ended, Side},
};

/// The lab's own tmpfs lies over this directory, in the lab's mount namespace only: it is there by the Filesystem
/// Hierarchy Standard, and empty on almost every machine.
const LAB: &str = "/mnt";
/// Where the fixture host is mounted.
const FIXTURE: &str = "/mnt/host";
/// Where a container mounts its root, in its own mount namespace.
const ROOT: &str = "/mnt/root";

/// What the launcher holds while it lives.
struct Lab {
    /// The connection to caplab.
    connection: File,
    /// This program, for execveat.
    helper: OwnedFd,
    /// The lab host's pid namespace, to come back to.
    pids: OwnedFd,
}

/// Serves requests from standard input, a socket, until the other side closes it.
pub(crate) fn main() -> ExitCode {
    // Whatever else the caller had open is none of a container's business.
    if fd::close_from(3).is_err() {
        return ExitCode::FAILURE;
    }
    process::default_signals();
    process::set_name();
    process::new_session();
    match guard() {
        Ok(status) => ExitCode::from(status),
        Err((call, errno)) => {
            eprintln!("caplab-init: {call}: errno {errno}");
            ExitCode::FAILURE
        }
    }
}

/// Starts the launcher and outlives it; kills it when caplab is gone, even in the middle of a case.
fn guard() -> std::result::Result<u8, (String, i32)> {
    let plain = |fail: crate::sys::Fail| (fail.call.to_owned(), fail.errno);
    let connection = fd::duplicate(0).map_err(plain)?;
    let null = File::open("/dev/null").map_err(|error| ("open".to_owned(), error.raw_os_error().unwrap_or(0)))?;
    fd::duplicate_onto(std::os::fd::AsRawFd::as_raw_fd(&null), 0).map_err(plain)?;
    credentials::set_undumpable().map_err(plain)?;
    let namespaces = libc::CLONE_NEWPID | libc::CLONE_NEWNS;
    let started = process::clone(namespaces as u64);
    let (pid, pidfd) = match started {
        Ok(Side::Child) => process::exit_now(launch(connection)),
        Ok(Side::Parent(pid, pidfd)) => (pid, pidfd),
        Err(fail) => {
            refuse(&mut File::from(connection), crate::setup::refusal(Phase::Plumbing, fail));
            return Ok(0);
        }
    };
    loop {
        let [ended, gone] = fd::poll_end(pidfd.as_fd(), connection.as_fd()).map_err(plain)?;
        if gone && !ended {
            process::kill(pidfd.as_fd(), libc::SIGKILL);
        }
        if ended || gone {
            return Ok(match process::wait(pid, Block::Yes).map_err(plain)? {
                Some(Ended::Code(code)) => code as u8,
                _ => 1,
            });
        }
    }
}

/// The launcher: makes the lab and serves.
fn launch(connection: OwnedFd) -> i32 {
    let mut connection = File::from(connection);
    let lab = credentials::die_with_parent().and_then(|()| prepare());
    let (helper, pids) = match lab {
        Ok(made) => made,
        Err(fail) => {
            refuse(&mut connection, crate::setup::refusal(Phase::Plumbing, fail));
            return 1;
        }
    };
    let mut lab = Lab { connection, helper, pids };
    loop {
        match frame::receive::<Request>(&mut lab.connection) {
            Ok(Some(Request::Run(request))) => {
                let answered = case::run(&lab, &request, |report| {
                    let response = report.map_or_else(Response::Failed, Response::Done);
                    frame::send(&mut &lab.connection, &response)
                });
                if answered.is_err() {
                    return 1;
                }
            }
            Ok(None) => return 0,
            Err(error) => {
                eprintln!("caplab-init: a request that was not understood: {error}");
                return 1;
            }
        }
    }
}

/// Gives the lab host its own mounts.
fn prepare() -> Result<(OwnedFd, OwnedFd)> {
    mount::set_propagation(libc::MS_PRIVATE)?;
    mount::attach_new("proc", "/proc", "")?;
    mount::attach_new("tmpfs", LAB, "mode=0755,size=1m")?;
    let lab = path::directory(LAB)?;
    path::make_directory(lab.as_fd(), "host", 0o755)?;
    path::make_directory(lab.as_fd(), "root", 0o755)?;
    let open = |path| File::open(path).map(OwnedFd::from).map_err(crate::sys::Fail::io("open"));
    Ok((open("/proc/self/exe")?, open("/proc/self/ns/pid")?))
}

/// Answers the first request, whatever it is, with why nothing can be done.
fn refuse(connection: &mut File, refusal: Refusal) {
    if let Ok(Some(Request::Run(_))) = frame::receive::<Request>(connection) {
        // Nobody is left to tell where this fails.
        frame::send(connection, &Response::Failed(refusal)).ok();
    }
}
