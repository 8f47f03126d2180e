//! A container's life: clone, id maps, setup, pid 1, end.

use alloc::{format, string::String, vec::Vec};
use core::{cell::Cell, mem, time::Duration};

use caplab_init::wire::{Container, IdMap, Op, Phase, Process, Program, Refusal};

use super::{FIXTURE, Lab, ROOT, child, groups::Own, join, rootless};
use crate::{
    setup::{self, Place, image::Owners, refusal},
    sys::{
        Fail, Result,
        clock::Instant,
        credentials,
        fd::{self, BorrowedFd, OwnedFd},
        file,
        process::{self, Block, Ended, Side},
        system,
    },
};

/// A pid 1 under its filter that has not said by then that it runs never will: executing the helper takes a millisecond.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// So many times as long the setup before it may take, which may copy files and waits for other people's file systems.
const SETUP_TIMES: usize = 12;

/// A container that runs.
pub(super) struct Running {
    /// Pid 1 as the lab host numbers it.
    pub(super) pid: i32,
    /// The same by descriptor.
    pub(super) pidfd: OwnedFd,
    /// `CLONE_NEW*` flags of its namespaces that are not the host's: its own and those it shares.
    pub(super) namespaces: u64,
    /// Its pid namespace is another container's.
    member: bool,
    /// Its end has been waited for.
    reaped: Cell<bool>,
    /// uid_map, for handing files to its users.
    pub(super) uid_map: Vec<IdMap>,
    /// Its list of devices.
    pub(super) devices: Option<Vec<u64>>,
    /// Its own control groups.
    pub(super) limits: Option<Own>,
    /// Pid 1 is stopped before its first instruction and waits to be let go.
    stopped: bool,
    /// Of one that is an init: the end of this is that its command has been executed.
    begun: Option<OwnedFd>,
}

/// Whether pid 1 stops at its execve until it has been looked at; a pause says a byte instead.
fn stops(program: &Program) -> bool {
    matches!(program, Program::Command(_) | Program::Init(_))
}

impl Running {
    /// Makes the container and waits until its pid 1 has become what it should be.
    pub(super) fn start(
        lab: &Lab,
        container: &Container,
        owners: &[(&Self, u64)],
    ) -> core::result::Result<Self, Refusal> {
        let plumbing = |fail| refusal(Phase::Plumbing, fail);
        let (status, status_end) = fd::pipe().map_err(plumbing)?;
        let (go_end, go) = fd::pipe().map_err(plumbing)?;
        let has_init = matches!(container.init.program, Program::Init(_));
        let (begun, begun_end) = has_init.then(fd::pipe).transpose().map_err(plumbing)?.unzip();
        let limits = lab.groups.make(container).map_err(|fail| refusal(Phase::ControlGroup, fail))?;
        let at_once = container.namespaces & !container.unshared();
        let cloned = match container.engine {
            Some(user) => rootless::clone(lab, user, at_once),
            None => {
                join::fork_within(lab, owners, || lab.clone(at_once, container.devices.as_deref(), limits.as_ref()))
            }
        };
        let (pid, pidfd) = match cloned {
            Ok(Side::Child) => {
                drop(go);
                let says = begun_end.as_ref().unwrap_or(&status_end);
                let refused = match limits.as_ref().map_or(Ok(()), Own::join) {
                    Ok(()) => become_init(lab, container, says.as_fd(), go_end.as_fd()),
                    Err(fail) => refusal(Phase::ControlGroup, fail),
                };
                child::refuse(status_end.as_fd(), &refused);
            }
            Ok(Side::Parent(pid, pidfd)) => (pid, pidfd),
            Err(fail) => {
                if let Some(own) = limits {
                    lab.groups.remove(&own);
                }
                return Err(refusal(Phase::Clone, fail));
            }
        };
        drop((status_end, go_end, begun_end));
        let running = Self {
            pid,
            pidfd,
            namespaces: joined(container) | container.namespaces,
            member: joined(container) & libc::CLONE_NEWPID as u64 != 0,
            reaped: Cell::new(false),
            uid_map: container.uid_map.clone(),
            devices: container.devices.clone(),
            limits,
            stopped: stops(&container.init.program),
            begun,
        };
        match running.bring_up(container, &status, go) {
            Ok(()) => Ok(running),
            Err(refused) => {
                running.end(lab);
                Err(refused)
            }
        }
    }

    fn bring_up(&self, container: &Container, status: &OwnedFd, go: OwnedFd) -> core::result::Result<(), Refusal> {
        if !container.uid_map.is_empty() {
            write_map(self.pid, "gid_map", &container.gid_map)
                .and_then(|()| write_map(self.pid, "uid_map", &container.uid_map))
                .map_err(|fail| refusal(Phase::IdMap, fail))?;
        }
        drop(go);
        let plumbing = |fail| refusal(Phase::Plumbing, fail);
        // A pause says one byte when it runs; a command's end of the pipe is closed by its execve, and then it
        // stops for its tracer. Only then has the kernel given it its new credentials: the pipe is closed before.
        let said = match stops(&container.init.program) {
            true => fd::read_to_end(status.as_fd()).map_err(plumbing)?,
            false => {
                if !self.says_something(status).map_err(plumbing)? {
                    return Err(silent(container, libc::ETIMEDOUT));
                }
                let mut first = [0; 4096];
                let count = fd::read(status.as_fd(), &mut first).map_err(plumbing)?;
                first[..count].to_vec()
            }
        };
        if let Some(refused) = child::refused(&said) {
            return Err(refused);
        }
        if self.stopped {
            match process::wait(self.pid, Block::Yes).map_err(plumbing)? {
                Some(Ended::Stopped) => Ok(()),
                _ => Err(silent(container, libc::ESRCH)),
            }
        } else if said.first() == Some(&setup::READY) {
            Ok(())
        } else {
            Err(silent(container, libc::ESRCH))
        }
    }

    /// Whether pid 1 says something or ends; if not, its filter keeps it from that.
    fn says_something(&self, status: &OwnedFd) -> Result<bool> {
        for _ in 0..SETUP_TIMES {
            let until = Some(Instant::now() + READY_WITHIN);
            if fd::poll([Some(status.as_fd()), Some(self.pidfd.as_fd())], until)? != [false, false] {
                return Ok(true);
            }
            if filters(&format!("{}", self.pid))? > filters("self")? {
                return Ok(false);
            }
        }
        Err(Fail::new("poll", libc::ETIMEDOUT).with("its setup takes more than two minutes"))
    }

    /// One that a runtime has made.
    pub(super) fn of_runtime(pid: i32, pidfd: OwnedFd, container: &Container) -> Self {
        let member = joined(container) & libc::CLONE_NEWPID as u64 != 0;
        let (namespaces, uid_map) = (container.namespaces, container.uid_map.clone());
        let reaped = Cell::new(false);
        Self {
            pid,
            pidfd,
            namespaces,
            member,
            reaped,
            uid_map,
            devices: None,
            limits: None,
            stopped: false,
            begun: None,
        }
    }

    /// Lets pid 1 take its first instruction, once it has been looked at; where that is an init waits until its command has been
    /// executed, so that a step finds it there.
    pub(super) fn let_go(&mut self) -> Result<()> {
        if mem::take(&mut self.stopped) {
            process::let_go(self.pid)?;
        }
        let until = Instant::now() + READY_WITHIN;
        while let Some(begun) = &self.begun
            && fd::poll([Some(begun.as_fd())], Some(until))? == [true]
            && fd::read(begun.as_fd(), &mut [0])? > 0
        {}
        self.begun = None;
        Ok(())
    }

    /// Whether pid 1 runs.
    pub(super) fn alive(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }

    /// Whether pid 1 has ended or does so soon. It is a zombie only after everybody else in its pid namespace is gone,
    /// which a process that was just seen to be killed may be a sign of.
    pub(super) fn ends_within(&self, time: Duration) -> bool {
        fd::poll([Some(self.pidfd.as_fd())], Some(Instant::now() + time)).is_ok_and(|[ended]| ended)
    }

    /// Waits for the end of one that is in another container's pid namespace and has ended. The pid 1 of that namespace stays
    /// until everybody else in it has been waited for (zap_pid_ns_processes), and this one is the launcher's child.
    pub(super) fn settle(&self) {
        if self.member && !self.reaped.get() && !self.alive() {
            process::wait(self.pid, Block::No).ok();
            self.reaped.set(true);
        }
    }

    /// Its end has been waited for by somebody who waits for everybody.
    pub(super) fn was_reaped(&self) {
        self.reaped.set(true);
    }

    /// Whether that has been done.
    pub(super) fn is_settled(&self) -> bool {
        self.reaped.get()
    }

    /// Kills pid 1, and with it, says pid_namespaces(7), every process of the container; waits until they are gone.
    pub(super) fn end(self, lab: &Lab) {
        if !self.reaped.get() {
            process::kill(self.pidfd.as_fd(), libc::SIGKILL);
            // It is this process's child and has been sent SIGKILL, so that the wait ends, and ends with it.
            while let Ok(Some(Ended::Stopped)) = process::wait(self.pid, Block::Yes) {}
        }
        if let Some(own) = &self.limits {
            lab.groups.remove(own);
        }
    }

    /// The uid of the host that an id of the container is.
    pub(super) fn host_uid(&self, uid: u32) -> Option<u32> {
        if self.uid_map.is_empty() {
            return Some(uid);
        }
        self.uid_map.iter().find_map(|line| line.outside(uid))
    }
}

/// Pid 1 neither ran nor said why. That is what a seccomp profile makes of it that refuses what it needs to say it, or to run.
fn silent(container: &Container, errno: i32) -> Refusal {
    let filter = container.init.ops.iter().position(|op| matches!(op, Op::Seccomp(_)));
    let phase = filter.map_or(Phase::Exec, |index| Phase::Process(index as u32));
    refusal(phase, Fail::new("execve", errno))
}

/// How many seccomp filters a process is under: caplab itself is in an outer container.
fn filters(pid: &str) -> Result<u32> {
    let status = file::read_text(&format!("/proc/{pid}/status"))?;
    let number = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:")?.trim().parse().ok());
    number.ok_or_else(|| Fail::new("read", libc::ENODATA).with("Seccomp_filters of /proc/PID/status"))
}

/// `CLONE_NEW*` flags of the namespaces that are other containers'.
fn joined(container: &Container) -> u64 {
    container.joins.iter().fold(0, |all, join| all | join.namespaces)
}

/// The child's side: everything up to execve. The helper has `says` as its standard output.
fn become_init(lab: &Lab, container: &Container, says: BorrowedFd<'_>, go: BorrowedFd<'_>) -> Refusal {
    let mut place = Place::new(ROOT, FIXTURE).with_images(&lab.images, Owners::default());
    let prepared = enter_maps(container, go).map_err(|fail| refusal(Phase::IdMap, fail)).and_then(|()| {
        system::set_umask(0);
        child::silence().map_err(|fail| refusal(Phase::Plumbing, fail))?;
        setup::walk(&mut place, &container.setup, Phase::Setup)
    });
    if let Err(refused) = prepared {
        return refused;
    }
    let Process { program, .. } = &container.init;
    let told = match program {
        Program::Command(_) => Ok(()),
        _ => fd::duplicate_onto(says, fd::OUTPUT),
    };
    let told = told.and_then(|()| if stops(program) { process::stop_at_exec() } else { Ok(()) });
    match told {
        Ok(()) => child::execute(lab.helper.as_fd(), &mut place, &container.init),
        Err(fail) => refusal(Phase::Plumbing, fail),
    }
}

/// In a new user namespace: waits for the maps, then becomes its root, so that what is mounted belongs to it. Then makes the
/// namespaces that are made last.
fn enter_maps(container: &Container, go: BorrowedFd<'_>) -> Result<()> {
    if !container.uid_map.is_empty() {
        fd::read_to_end(go)?;
        credentials::set_groups(&[])?;
        credentials::set_gid(0)?;
        credentials::set_uid(0)?;
    }
    match container.unshared() {
        0 => Ok(()),
        flags => process::unshare(flags as i32),
    }
}

fn write_map(pid: i32, name: &'static str, lines: &[IdMap]) -> Result<()> {
    let text: String = lines.iter().map(|line| format!("{} {} {}\n", line.inside, line.outside, line.count)).collect();
    file::write(&format!("/proc/{pid}/{name}"), text.as_bytes()).map_err(|fail| fail.with(name))
}
