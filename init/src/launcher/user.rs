//! The lab host of an ordinary user: an outer user namespace, whose root stands for the host's.
//!
//! An ordinary user may make a user namespace and in it everything else, but not say which ids it has: that is caplab's to
//! arrange with newuidmap(1), from outside, while the new process waits. Then it becomes root there and executes itself once
//! more. Until an execve the kernel counts its memory as the first user namespace's (`mm_struct::user_ns`), and with that its
//! files under /proc, and its children's, as those of a root that has no number here.

use alloc::borrow::ToOwned;

use caplab_init::wire::{Phase, Refusal, Request, Response};

use super::{begin, connection, launch, receive, refuse, send, watch};
use crate::{
    setup::refusal,
    sys::{
        Result, credentials,
        fd::{self, OwnedFd},
        file,
        process::{self, Side},
    },
};

/// As [`super::main`], for a caller that is not root.
pub(crate) fn main() -> i32 {
    begin(|| guard(None))
}

/// As [`main`], for root: whatever is counted in the user namespace is counted for who made it, too (`struct ucounts`, linux,
/// kernel/ucount.c), and root has a use of his own for his 128 inotify instances. So it is made by a uid that nobody else is.
pub(crate) fn main_apart() -> i32 {
    begin(|| guard(Some(NOBODYS + process::id())))
}

/// Behind the last uid that systemd gives to anybody (uid_max of its containers, 0x6FFFFFFF), and room for every pid.
const NOBODYS: u32 = 0x7000_0000;

/// Starts the launcher in a user namespace, says which process waits for id maps, and outlives it.
fn guard(maker: Option<u32>) -> Result<i32> {
    let connection = connection()?;
    // What stands for the host's network, ipc and uts namespaces is the lab host's own: the launcher goes into a container's to have
    // another join it, and to those of the machine a user's root could not come back (setns(2): CAP_SYS_ADMIN over the target).
    let shared = libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    let namespaces = libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS | shared;
    // newuidmap(1) takes the owner of /proc/PID for whose process it is, and of one that is undumpable that is root.
    // Nobody of a container is there yet who could make use of it.
    // Where caplab is root of a user namespace that has no such uid it is root who makes it.
    let changed = maker.is_some_and(|uid| credentials::set_effective_uid(uid).is_ok());
    let cloned = process::clone(namespaces as u64, None);
    if changed && !matches!(cloned, Ok(Side::Child)) {
        credentials::set_effective_uid(0)?;
    }
    let (pid, pidfd) = match cloned {
        Ok(Side::Child) => process::exit_now(enter(connection)),
        Ok(Side::Parent(pid, pidfd)) => (pid, pidfd),
        Err(fail) => {
            // Nobody is left to tell where this fails.
            send(connection.as_fd(), &Response::Failed(refusal(Phase::Clone, fail))).ok();
            return Ok(0);
        }
    };
    credentials::set_undumpable()?;
    send(connection.as_fd(), &Response::Forked { pid })?;
    watch(pid, pidfd.as_fd(), connection.as_fd(), || ())
}

/// Waits for its id maps, becomes root, executes itself; returns only where that was refused.
fn enter(connection: OwnedFd) -> i32 {
    // The change of user undoes it; until then this process must not outlive the guard either.
    if credentials::die_with_parent().is_err() {
        return 1;
    }
    let set_groups = match receive(connection.as_fd()) {
        Ok(Some(Request::Mapped { set_groups })) => set_groups,
        // caplab could not have the maps written, and has said why.
        _ => return 1,
    };
    let refused = match become_root(set_groups) {
        Ok(own) => match fd::duplicate_onto(connection.as_fd(), fd::INPUT) {
            Ok(()) => execute(&own),
            Err(fail) => refusal(Phase::Plumbing, fail),
        },
        Err(fail) => refusal(Phase::IdMap, fail),
    };
    refuse(connection.as_fd(), refused);
    1
}

/// Root of the namespace; hands on this program.
fn become_root(set_groups: bool) -> Result<OwnedFd> {
    let own = file::open("/proc/self/exe", libc::O_RDONLY)?;
    if set_groups {
        credentials::set_groups(&[])?;
    }
    credentials::set_gid(0)?;
    credentials::set_uid(0)?;
    Ok(own)
}

fn execute(own: &OwnedFd) -> Refusal {
    refusal(Phase::Exec, process::execute_file(own.as_fd(), &[c"caplab-init".to_owned(), c"launcher".to_owned()], &[]))
}

/// The launcher, executed once more as the root of its user namespace. The number that control groups are told apart by is
/// any: it makes none.
pub(super) fn lab() -> i32 {
    process::set_name();
    let begun = connection().and_then(|connection| credentials::set_undumpable().map(|()| connection));
    match begun {
        Ok(connection) => launch(connection, process::id()),
        Err(_) => crate::FAILED,
    }
}
