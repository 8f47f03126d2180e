//! The launcher: pid 1 of a *lab host*, which makes containers and takes steps in them.
//!
//! Three processes stand behind each other. The *guard* is what caplab starts: it makes a pid namespace and a
//! mount namespace, forks the *launcher* into them and waits for it or for the end of the connection. The
//! launcher is pid 1 there, so that the kernel itself kills everything and drops every mount when it dies,
//! whatever killed it. A container's pid 1 is a child of the launcher.
//!
//! For an ordinary user the guard makes a user namespace as well, whose root stands for the host's ([`user`]).

mod capture;
mod case;
mod child;
mod container;
mod disk;
mod exec;
mod fixture;
mod groups;
mod hold;
mod join;
mod look;
mod rootless;
mod runtime;
mod session;
mod shm;
mod socket;
pub(crate) mod through;
pub(crate) mod user;

pub(crate) use child::command;
pub(crate) use look::read;

use alloc::{string::String, vec, vec::Vec};

use core::time::Duration;

use caplab_init::wire::{Image, Phase, Refusal, Request, Response, frame, runtime::cgroups};

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
    /// The images it was given.
    images: Vec<Image>,
}

impl Lab {
    /// A fork into new namespaces, and into the control group that has this list of devices, or this container's own. Groups of
    /// version 1 nobody can be born into: [`groups::Own::join`] is what the child has to do first.
    fn clone(&self, namespaces: u64, devices: Option<&[u64]>, own: Option<&groups::Own>) -> Result<Side> {
        self.groups.with(devices, own, |group| process::clone(namespaces, group))
    }
}

/// Serves requests from standard input, a socket, until the other side closes it.
pub(crate) fn main() -> i32 {
    // A guard has caplab above it; pid 1 is the launcher of an ordinary user, executed once more.
    if process::id() == 1 { user::lab() } else { begin(|| guard(false)) }
}

/// The same for one that has an OCI runtime make containers.
pub(crate) fn of_runtime() -> i32 {
    begin(|| guard(true))
}

/// What every guard does first.
fn begin(guard: fn() -> Result<i32>) -> i32 {
    // Whatever else the caller had open is none of a container's business.
    if fd::close_from(3).is_err() {
        return super::FAILED;
    }
    process::default_signals();
    process::set_name();
    process::new_session();
    guard().unwrap_or_else(|fail| super::failed(&alloc::format!("{}: errno {}", fail.call, fail.errno)))
}

/// The connection to caplab, out of the way of the standard streams.
fn connection() -> Result<OwnedFd> {
    let connection = fd::duplicate(fd::INPUT)?;
    fd::duplicate_onto(file::open("/dev/null", libc::O_RDONLY)?.as_fd(), fd::INPUT)?;
    Ok(connection)
}

/// Starts the launcher and outlives it.
fn guard(has_runtime: bool) -> Result<i32> {
    let connection = connection()?;
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
    let ended = watch(pid, pidfd.as_fd(), connection.as_fd(), || {
        if has_runtime {
            runtime::thaw(&cgroups(id));
        }
    });
    if has_runtime {
        runtime::sweep();
    }
    ended
}

/// Waits for the launcher's end; kills it when caplab is gone, even in the middle of a case. What `thaw` lets go on could keep it
/// from dying.
fn watch(pid: i32, pidfd: BorrowedFd<'_>, connection: BorrowedFd<'_>, thaw: impl Fn()) -> Result<i32> {
    loop {
        let [ended, gone] = fd::poll_end(pidfd, connection)?;
        if gone && !ended {
            process::kill(pidfd, libc::SIGKILL);
        }
        if ended || gone {
            let ended = loop {
                thaw();
                let [ended] = fd::poll([Some(pidfd)], Some(Instant::now() + THAW))?;
                if ended {
                    break process::wait(pid, Block::Yes)?;
                }
            };
            // Now nobody is in them.
            groups::sweep();
            return Ok(match ended {
                Some(Ended::Code(code)) => code,
                _ => 1,
            });
        }
    }
}

/// The launcher: makes the lab and serves.
fn launch(connection: OwnedFd, guard: u32) -> i32 {
    let mut lab = match credentials::die_with_parent().and_then(|()| prepare()) {
        Ok((helper, pids)) => Lab {
            connection,
            helper,
            pids,
            namespaces: look::namespaces("self"),
            groups: Groups::new(guard),
            images: Vec::new(),
        },
        Err(fail) => {
            refuse(connection.as_fd(), refusal(Phase::Plumbing, fail));
            return 1;
        }
    };
    let mut disk = None;
    loop {
        match receive(lab.connection.as_fd()) {
            Ok(Some(Request::Attach(asked))) => {
                let answer = match disk::attach(&lab, &asked) {
                    Ok(attached) => {
                        let (major, minor) = attached.numbers;
                        disk = Some(attached);
                        Response::Attached { major, minor }
                    }
                    Err(refused) => Response::Failed(refused),
                };
                if send(lab.connection.as_fd(), &answer).is_err() {
                    return 1;
                }
            }
            Ok(Some(Request::Keep(image))) => lab.images.push(image),
            Ok(Some(Request::Forget)) => lab.images.clear(),
            Ok(Some(Request::Run(request))) => {
                let answered = case::run(&lab, &request, |report| {
                    send(lab.connection.as_fd(), &report.map_or_else(Response::Failed, Response::Done))
                });
                drop(disk.take());
                if answered.is_err() {
                    return 1;
                }
            }
            Ok(Some(Request::Hold(asked))) => {
                let served = hold::serve(&lab, &asked);
                drop(disk.take());
                if served.is_err() {
                    return 1;
                }
            }
            // What is asked of a launcher only before it serves, or while it holds a case, says nothing to one that does not.
            Ok(Some(Request::Mapped { .. } | Request::Make(_) | Request::Open(_) | Request::Close { .. })) => {}
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
    path::make_directory(lab.as_fd(), "shm", 0o755)?;
    Ok((file::open("/proc/self/exe", libc::O_RDONLY)?, file::open("/proc/self/ns/pid", libc::O_RDONLY)?))
}

/// Answers the first request, whatever it is, with why nothing can be done.
fn refuse(connection: BorrowedFd<'_>, refusal: Refusal) {
    while let Ok(Some(request)) = receive(connection) {
        // What has no answer comes before what has one.
        match request {
            Request::Keep(_) | Request::Forget => {}
            Request::Run(_) | Request::Hold(_) => {
                // Nobody is left to tell where this fails.
                send(connection, &Response::Failed(refusal)).ok();
                return;
            }
            _ => return,
        }
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
