//! Namespaces that are another container's.

use alloc::vec::Vec;

use caplab_init::wire::{Container, Phase, Refusal};

use super::{Lab, container::Running};
use crate::{
    setup::refusal,
    sys::{
        Fail, Result,
        fd::{BorrowedFd, OwnedFd},
        file,
        process::{self, Side, complain},
    },
};

const PID: u64 = libc::CLONE_NEWPID as u64;

/// Those that can be shared, and the kernel's name of each in /proc/PID/ns. The pid namespace the launcher has open.
const SHARED: [(u64, &str); 3] =
    [(libc::CLONE_NEWIPC as u64, "ipc"), (libc::CLONE_NEWNET as u64, "net"), (libc::CLONE_NEWUTS as u64, "uts")];

/// The containers whose namespaces a container joins, each with the `CLONE_NEW*` flags of those.
///
/// # Errors
/// One that was refused or has ended.
pub(super) fn owners<'a>(
    container: &Container,
    running: &'a [Option<Running>],
) -> core::result::Result<Vec<(&'a Running, u64)>, Refusal> {
    let gone = || refusal(Phase::Join, Fail::new("setns", libc::ESRCH));
    let one = |join: &caplab_init::wire::Join| {
        let found = running.get(usize::from(join.container)).and_then(Option::as_ref);
        found.filter(|owner| owner.alive()).map(|owner| (owner, join.namespaces)).ok_or_else(gone)
    };
    container.joins.iter().map(one).collect()
}

/// Forks while this process is in others' namespaces, and comes back. A user namespace of the child's own has no say in
/// namespaces that were made outside of it, so that the child itself could not enter them.
pub(super) fn fork_within(lab: &Lab, owners: &[(&Running, u64)], fork: impl FnOnce() -> Result<Side>) -> Result<Side> {
    within(lab, owners, fork, |forked| matches!(forked, Ok(Side::Child)))
}

/// Does something while this process is in others' namespaces, and comes back unless it is who stays there.
pub(super) fn within<T>(
    lab: &Lab,
    owners: &[(&Running, u64)],
    work: impl FnOnce() -> Result<T>,
    stays: impl FnOnce(&Result<T>) -> bool,
) -> Result<T> {
    let flags = owners.iter().fold(0, |all, (_, flags)| all | flags);
    let own: Vec<(u64, OwnedFd)> = SHARED
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(flag, name)| Ok((*flag, file::open(&alloc::format!("/proc/self/ns/{name}"), libc::O_RDONLY)?)))
        .collect::<Result<_>>()?;
    let entered = owners.iter().try_for_each(|(owner, flags)| process::enter(owner.pidfd.as_fd(), *flags));
    let done = entered.and_then(|()| work());
    if !stays(&done) {
        if flags & PID != 0 {
            come_back(lab.pids.as_fd(), PID);
        }
        own.iter().for_each(|(flag, namespace)| come_back(namespace.as_fd(), *flag));
    }
    done
}

/// A launcher that stays in a container's namespaces would take them for the host's: it ends, and its case is an error.
fn come_back(namespace: BorrowedFd<'_>, flag: u64) {
    if let Err(fail) = process::enter(namespace, flag) {
        complain(&alloc::format!("coming back from a container's namespace: {}: errno {}", fail.call, fail.errno));
        process::exit_now(1);
    }
}
