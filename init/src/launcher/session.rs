//! A session's process: enter the container, take a terminal or pipes, become the program.

use caplab_init::wire::{Exit, Phase, Refusal, Session, SessionReport, Streams, Window};

use super::{FIXTURE, Lab, ROOT, child, container::Running, exec};
use crate::{
    setup::{Place, refusal},
    sys::{
        Fail, Result, credentials,
        fd::{self, BorrowedFd, OwnedFd},
        process::{self, Block, Ended, Side},
        terminal, unix,
    },
};

/// One that runs.
pub(super) struct Open {
    /// What it is called.
    pub(super) id: u32,
    /// Index of its container.
    pub(super) container: u16,
    /// Its leader as the lab host numbers it.
    pub(super) pid: i32,
    /// The same by descriptor.
    pub(super) pidfd: OwnedFd,
}

/// The other side of its standard streams.
pub(super) enum Ends {
    /// A terminal's master.
    Terminal(OwnedFd),
    /// To its input, from its output, from its error.
    Pipes([OwnedFd; 3]),
}

impl Ends {
    /// What follows the message.
    pub(super) fn kind(&self) -> Streams {
        match self {
            Self::Terminal(_) => Streams::Terminal,
            Self::Pipes(_) => Streams::Pipes,
        }
    }

    /// Hands them on.
    pub(super) fn send(&self, connection: BorrowedFd<'_>) -> Result<()> {
        match self {
            Self::Terminal(master) => unix::send_descriptors(connection, [master.as_fd()]),
            Self::Pipes(ends) => unix::send_descriptors(connection, ends.each_ref().map(OwnedFd::as_fd)),
        }
    }
}

impl Open {
    /// Executes its process in a running container.
    pub(super) fn start(lab: &Lab, running: &Running, asked: &Session) -> core::result::Result<(Self, Ends), Refusal> {
        match asked.window {
            None => Self::with_pipes(lab, running, asked),
            Some(window) => Self::with_terminal(lab, running, asked, window),
        }
    }

    fn with_terminal(
        lab: &Lab,
        running: &Running,
        asked: &Session,
        window: Window,
    ) -> core::result::Result<(Self, Ends), Refusal> {
        let (ours, theirs) = unix::pair().map_err(plumbing)?;
        let opened = Self::start_with(lab, running, asked, || {
            exec::enter(running)?;
            // What is opened belongs to who opens it, and the lab host's root may have no number here. An execve follows, and a
            // change of user before it, that takes all this away again.
            if !running.uid_map.is_empty() {
                credentials::set_gid(0)?;
                credentials::set_uid(0)?;
                // Where fs.suid_dumpable is 1 the change of user has undone it (commit_creds).
                credentials::set_undumpable()?;
            }
            let (master, slave) = terminal::open()?;
            terminal::set_size(master.as_fd(), window.rows, window.columns)?;
            // As `docker exec -u` has it: the user may open his own terminal by its name.
            if let Some(uid) = exec::user_of(&asked.process) {
                fd::change_owner(slave.as_fd(), uid)?;
            }
            unix::send_descriptors(theirs.as_fd(), [master.as_fd()])?;
            terminal::control(slave.as_fd())
        })?;
        drop(theirs);
        match unix::receive_descriptor(ours.as_fd()).map_err(plumbing)? {
            Some(master) => Ok((opened, Ends::Terminal(master))),
            None => Err(plumbing(Fail::new("recvmsg", libc::EBADMSG))),
        }
    }

    fn with_pipes(lab: &Lab, running: &Running, asked: &Session) -> core::result::Result<(Self, Ends), Refusal> {
        let (input, input_end) = fd::pipe().map_err(plumbing)?;
        let (output_end, output) = fd::pipe().map_err(plumbing)?;
        let (error_end, error) = fd::pipe().map_err(plumbing)?;
        let owner = exec::user_of(&asked.process).and_then(|uid| running.host_uid(uid)).unwrap_or(0);
        for end in [&input, &output, &error] {
            fd::change_owner(end.as_fd(), owner).map_err(plumbing)?;
        }
        let opened = Self::start_with(lab, running, asked, || {
            exec::enter(running)?;
            fd::duplicate_onto(input.as_fd(), fd::INPUT)?;
            child::streams(output.as_fd(), error.as_fd())
        })?;
        Ok((opened, Ends::Pipes([input_end, output_end, error_end])))
    }

    /// Forks; the child does what is to be done before its program.
    fn start_with(
        lab: &Lab,
        running: &Running,
        asked: &Session,
        enter: impl FnOnce() -> Result<()>,
    ) -> core::result::Result<Self, Refusal> {
        let (status, status_end) = fd::pipe().map_err(plumbing)?;
        let forked = exec::fork_into(lab, running).map_err(|fail| refusal(Phase::Enter, fail))?;
        let (pid, pidfd) = match forked {
            Side::Child => {
                process::all_default_signals();
                let refused = match enter() {
                    Ok(()) => child::execute(lab.helper.as_fd(), &mut Place::new(ROOT, FIXTURE), &asked.process),
                    Err(fail) => refusal(Phase::Enter, fail),
                };
                child::refuse(status_end.as_fd(), &refused)
            }
            Side::Parent(pid, pidfd) => (pid, pidfd),
        };
        drop(status_end);
        let said = fd::read_to_end(status.as_fd()).map_err(plumbing)?;
        match child::refused(&said) {
            Some(refused) => {
                // It ends by itself, having said so.
                process::wait(pid, Block::Yes).ok();
                Err(refused)
            }
            None => Ok(Self { id: asked.id, container: asked.container, pid, pidfd }),
        }
    }

    /// Its end, in words.
    pub(super) fn ended(ended: &Ended, with_container: bool) -> SessionReport {
        let exit = match ended {
            Ended::Code(code) => Exit::Code(*code),
            Ended::Signal(signal) => Exit::Signal(*signal),
            // Nobody traces it.
            Ended::Stopped => Exit::TimedOut,
        };
        SessionReport::Ended { exit, with_container }
    }

    /// Nobody listens any more: the leader of the session is killed, and with it the kernel hangs up its terminal.
    pub(super) fn end(&self) {
        process::kill_group(self.pid);
        process::kill(self.pidfd.as_fd(), libc::SIGKILL);
    }
}

fn plumbing(fail: Fail) -> Refusal {
    refusal(Phase::Plumbing, fail)
}
