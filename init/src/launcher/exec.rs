//! A step's process: enter the container, become the program, collect what it writes, until it ends or its time is
//! over.

use alloc::vec::Vec;
use core::time::Duration;

use caplab_init::wire::{ExecReport, Exit, Op, Phase, Process, Program, Refusal};

use super::{FIXTURE, Lab, ROOT, child, container::Running, groups::Own, join, through};
use crate::{
    setup::{Place, refusal},
    sys::{
        Result,
        clock::Instant,
        fd::{self, BorrowedFd, OwnedFd},
        process::{self, Block, Ended, Side},
    },
};

/// After a process has ended, what its background children still hold open is read for this long.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(20);

/// Executes a process in a running container.
pub(super) fn run(
    lab: &Lab,
    running: &Running,
    process: &Process,
    timeout: Duration,
    limit: usize,
) -> core::result::Result<ExecReport, Refusal> {
    let owner = user_of(process).and_then(|uid| running.host_uid(uid)).unwrap_or(0);
    watched(
        (timeout, LAST_WORDS),
        limit,
        owner,
        || fork_into(lab, running),
        |out, err| {
            let runtime = match &process.program {
                Program::Through { runtime, start, .. } => match through::open(runtime, *start) {
                    Ok(opened) => Some(opened),
                    Err(fail) => return refusal(Phase::Exec, fail),
                },
                _ => None,
            };
            let executed = runtime.as_ref().unwrap_or(&lab.helper);
            match enter(running).and_then(|()| child::streams(out, err)) {
                Ok(()) => child::execute(executed.as_fd(), &mut Place::new(ROOT, FIXTURE), process),
                Err(fail) => refusal(Phase::Enter, fail),
            }
        },
    )
}

/// Executes a program on the lab host, as its root. `last_words` is how long what it leaves running may have its streams open.
pub(super) fn on_the_lab_host(
    lab: &Lab,
    timeout: Duration,
    last_words: Duration,
    limit: usize,
    execute: impl FnOnce() -> Refusal,
) -> core::result::Result<ExecReport, Refusal> {
    watched(
        (timeout, last_words),
        limit,
        0,
        || lab.clone(0, None, None),
        |out, err| {
            process::new_session();
            match child::streams(out, err) {
                Ok(()) => execute(),
                Err(fail) => refusal(Phase::Plumbing, fail),
            }
        },
    )
}

/// Forks, and collects what the child writes until it ends or its time is over. The child's side returns only where it was refused.
fn watched(
    (timeout, last_words): (Duration, Duration),
    limit: usize,
    owner: u32,
    fork: impl FnOnce() -> Result<Side>,
    become_program: impl FnOnce(BorrowedFd<'_>, BorrowedFd<'_>) -> Refusal,
) -> core::result::Result<ExecReport, Refusal> {
    let plumbing = |fail| refusal(Phase::Plumbing, fail);
    let (status, status_end) = fd::pipe().map_err(plumbing)?;
    let (out, out_end) = fd::pipe().map_err(plumbing)?;
    let (err, err_end) = fd::pipe().map_err(plumbing)?;
    for end in [&out_end, &err_end] {
        fd::change_owner(end.as_fd(), owner).map_err(plumbing)?;
    }
    let started = Instant::now();
    let (pid, pidfd) = match fork().map_err(|fail| refusal(Phase::Enter, fail))? {
        Side::Child => child::refuse(status_end.as_fd(), &become_program(out_end.as_fd(), err_end.as_fd())),
        Side::Parent(pid, pidfd) => (pid, pidfd),
    };
    drop((status_end, out_end, err_end));
    let said = fd::read_to_end(status.as_fd()).map_err(plumbing)?;
    let mut streams = [Stream::new(out, limit), Stream::new(err, limit)];
    let collected = collect(&mut streams, pidfd.as_fd(), pid, started + timeout, last_words);
    let ended = process::wait(pid, Block::Yes).map_err(plumbing)?;
    let in_time = collected.map_err(plumbing)?;
    if let Some(refused) = child::refused(&said) {
        return Err(refused);
    }
    let [stdout, stderr] = streams;
    Ok(ExecReport {
        exit: match ended {
            _ if !in_time => Exit::TimedOut,
            Some(Ended::Code(code)) => Exit::Code(code),
            Some(Ended::Signal(signal)) => Exit::Signal(signal),
            Some(Ended::Stopped) | None => Exit::TimedOut,
        },
        stdout: stdout.kept,
        stderr: stderr.kept,
        stdout_cut: stdout.cut,
        stderr_cut: stderr.cut,
        nanos: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
    })
}

/// The uid that the process will have.
pub(super) fn user_of(process: &Process) -> Option<u32> {
    process.ops.iter().find_map(|op| match op {
        Op::Uid(uid) => Some(*uid),
        _ => None,
    })
}

/// Forks a process whose pid namespace is the container's: only a child of the one who calls setns(2) enters it.
pub(super) fn fork_into(lab: &Lab, running: &Running) -> Result<Side> {
    let pids = libc::CLONE_NEWPID as u64;
    let entered = [(running, pids)];
    let entered = if running.namespaces & pids == 0 { &[][..] } else { &entered };
    join::fork_within(lab, entered, || lab.clone(0, running.devices.as_deref(), running.limits.as_ref()))
}

/// The child's side: the container's control groups, its other namespaces, a session of its own.
pub(super) fn enter(running: &Running) -> Result<()> {
    running.limits.as_ref().map_or(Ok(()), Own::join)?;
    process::new_session();
    process::enter(running.pidfd.as_fd(), running.namespaces & !(libc::CLONE_NEWPID as u64))
}

/// A stream that is being read.
struct Stream {
    from: Option<OwnedFd>,
    kept: Vec<u8>,
    limit: usize,
    cut: bool,
}

impl Stream {
    fn new(from: OwnedFd, limit: usize) -> Self {
        Self { from: Some(from), kept: Vec::new(), limit, cut: false }
    }

    /// Reads once; beyond the limit it is read, so that the writer goes on, and thrown away.
    fn take(&mut self) -> Result<()> {
        let Some(from) = &self.from else { return Ok(()) };
        let mut buffer = [0; 16 << 10];
        let count = fd::read(from.as_fd(), &mut buffer)?;
        if count == 0 {
            self.from = None;
        }
        let room = self.limit - self.kept.len();
        self.kept.extend_from_slice(&buffer[..count.min(room)]);
        self.cut |= count > room;
        Ok(())
    }

    fn open(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().map(OwnedFd::as_fd)
    }
}

/// Reads until the process has ended and its last words are read; false where its time was over and it was killed.
fn collect(
    streams: &mut [Stream; 2],
    process: BorrowedFd<'_>,
    pid: i32,
    deadline: Instant,
    last_words: Duration,
) -> Result<bool> {
    let mut until = deadline;
    let mut ended = false;
    let mut in_time = true;
    loop {
        let [out, err, end] =
            fd::poll([streams[0].open(), streams[1].open(), (!ended).then_some(process)], Some(until))?;
        if end {
            ended = true;
            until = Instant::now() + last_words;
        }
        if out {
            streams[0].take()?;
        }
        if err {
            streams[1].take()?;
        }
        let all_read = streams.iter().all(|stream| stream.open().is_none());
        let over = Instant::now() >= until;
        if ended && (all_read || over || !(out || err || end)) {
            return Ok(in_time);
        }
        if !ended && over {
            in_time = false;
            process::kill_group(pid);
            process::kill(process, libc::SIGKILL);
            until = Instant::now() + Duration::from_secs(10);
        }
    }
}
