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
mod groups;
mod look;
mod runtime;

pub(crate) use look::read;

use alloc::{string::String, vec, vec::Vec};

use core::time::Duration;

use caplab_init::wire::{Phase, Refusal, Request, Response, frame, runtime::cgroups};

use groups::Groups;

use crate::{
    setup::refusal,
    sys::{
        Fail, Result,
        clock::Instant,
        credentials,
        fd::{self, BorrowedFd, OwnedFd},
        file, mount, path,
        process::{self, Block, Ended, Side, complain},
    },
};

/// The lab's own tmpfs lies over this directory, in the lab's mount namespace only: it is there by the Filesystem
/// Hierarchy Standard, and empty on almost every machine.
const LAB: &str = "/mnt";
/// Where the fixture host is mounted.
const FIXTURE: &str = "/mnt/host";
/// Where a container mounts its root, in its own mount namespace.
const ROOT: &str = "/mnt/root";

/// How often the guard looks whether a runtime left something frozen, while it waits for the launcher's end.
const THAW: Duration = Duration::from_millis(50);

/// What the launcher holds while it lives.
struct Lab {
    /// The connection to caplab.
    connection: OwnedFd,
    /// This program, for execveat.
    helper: OwnedFd,
    /// The lab host's pid namespace, to come back to.
    pids: OwnedFd,
    /// The launcher's own namespaces, which stand for the host's. It never leaves them but for the pid namespace of its
    /// children.
    namespaces: Vec<(String, String)>,
    /// The control groups of its containers.
    groups: Groups,
}

impl Lab {
    /// A fork into new namespaces, and into the control group that has this list of devices.
    fn clone(&self, namespaces: u64, devices: Option<&[u64]>) -> Result<Side> {
        match devices {
            Some(program) => self.groups.with(program, |group| process::clone(namespaces, Some(group))),
            None => process::clone(namespaces, None),
        }
    }
}

/// Serves requests from standard input, a socket, until the other side closes it.
pub(crate) fn main() -> i32 {
    // Whatever else the caller had open is none of a container's business.
    if fd::close_from(3).is_err() {
        return super::FAILED;
    }
    process::default_signals();
    process::set_name();
    process::new_session();
    guard().unwrap_or_else(|fail| super::failed(&alloc::format!("{}: errno {}", fail.call, fail.errno)))
}

/// Starts the launcher and outlives it; kills it when caplab is gone, even in the middle of a case.
fn guard() -> Result<i32> {
    let connection = fd::duplicate(fd::INPUT)?;
    fd::duplicate_onto(file::open("/dev/null", libc::O_RDONLY)?.as_fd(), fd::INPUT)?;
    credentials::set_undumpable()?;
    let namespaces = libc::CLONE_NEWPID | libc::CLONE_NEWNS;
    let id = process::id();
    let (pid, pidfd) = match process::clone(namespaces as u64, None) {
        Ok(Side::Child) => process::exit_now(launch(connection, id)),
        Ok(Side::Parent(pid, pidfd)) => (pid, pidfd),
        Err(fail) => {
            refuse(connection.as_fd(), refusal(Phase::Plumbing, fail));
            return Ok(0);
        }
    };
    loop {
        let [ended, gone] = fd::poll_end(pidfd.as_fd(), connection.as_fd())?;
        if gone && !ended {
            process::kill(pidfd.as_fd(), libc::SIGKILL);
        }
        if ended || gone {
            let ended = loop {
                runtime::thaw(&cgroups(id));
                let [ended] = fd::poll([Some(pidfd.as_fd())], Some(Instant::now() + THAW))?;
                if ended {
                    break process::wait(pid, Block::Yes)?;
                }
            };
            // Now nobody is in them.
            groups::sweep();
            runtime::sweep();
            return Ok(match ended {
                Some(Ended::Code(code)) => code,
                _ => 1,
            });
        }
    }
}

/// The launcher: makes the lab and serves.
fn launch(connection: OwnedFd, guard: u32) -> i32 {
    let lab = match credentials::die_with_parent().and_then(|()| prepare()) {
        Ok((helper, pids)) => {
            Lab { connection, helper, pids, namespaces: look::namespaces("self"), groups: Groups::new(guard) }
        }
        Err(fail) => {
            refuse(connection.as_fd(), refusal(Phase::Plumbing, fail));
            return 1;
        }
    };
    loop {
        match receive(lab.connection.as_fd()) {
            Ok(Some(Request::Run(request))) => {
                let answered = case::run(&lab, &request, |report| {
                    send(lab.connection.as_fd(), &report.map_or_else(Response::Failed, Response::Done))
                });
                if answered.is_err() {
                    return 1;
                }
            }
            Ok(None) => return 0,
            Err(fail) => {
                complain(&alloc::format!("a request that was not understood: {}: {}", fail.call, fail.detail));
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
    Ok((file::open("/proc/self/exe", libc::O_RDONLY)?, file::open("/proc/self/ns/pid", libc::O_RDONLY)?))
}

/// Answers the first request, whatever it is, with why nothing can be done.
fn refuse(connection: BorrowedFd<'_>, refusal: Refusal) {
    if let Ok(Some(Request::Run(_))) = receive(connection) {
        // Nobody is left to tell where this fails.
        send(connection, &Response::Failed(refusal)).ok();
    }
}

/// One message to caplab.
fn send(connection: BorrowedFd<'_>, message: &Response) -> Result<()> {
    let bytes = frame::encode(message).map_err(|malformed| broken(&malformed))?;
    fd::write_all(connection, &bytes)
}

/// One message from caplab; `None` where it closed the connection.
fn receive(connection: BorrowedFd<'_>) -> Result<Option<Request>> {
    let mut prefix = [0; frame::PREFIX];
    if fd::read_full(connection, &mut prefix)? < prefix.len() {
        return Ok(None);
    }
    let length = frame::length(prefix).map_err(|malformed| broken(&malformed))?;
    let mut document = vec![0; length];
    if fd::read_full(connection, &mut document)? < length {
        return Ok(None);
    }
    frame::decode(&document).map(Some).map_err(|malformed| broken(&malformed))
}

fn broken(malformed: &frame::Malformed) -> Fail {
    Fail::new("postcard", libc::EBADMSG).with(alloc::format!("{malformed}"))
}
