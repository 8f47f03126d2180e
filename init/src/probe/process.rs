//! Probes of credentials, namespaces and other processes. What they change is this process, which ends.

use alloc::format;

use caplab_init::wire::{Answer, Namespace};

use super::Meaning;
use crate::sys::{attempt, credentials, process};

/// A process that is not there.
const NOBODY: [i32; 1] = [libc::ESRCH];

pub(super) fn setuid(uid: u32) -> Answer {
    Meaning::default().of(&format!("setresuid({uid})"), credentials::set_uid(uid))
}

pub(super) fn setgroups(groups: &[u32]) -> Answer {
    Meaning::default().of(&format!("setgroups({groups:?})"), credentials::set_groups(groups))
}

pub(super) fn unshare(namespace: Namespace) -> Answer {
    let (name, flag) = match namespace {
        Namespace::Cgroup => ("CLONE_NEWCGROUP", libc::CLONE_NEWCGROUP),
        Namespace::Ipc => ("CLONE_NEWIPC", libc::CLONE_NEWIPC),
        Namespace::Mount => ("CLONE_NEWNS", libc::CLONE_NEWNS),
        Namespace::Network => ("CLONE_NEWNET", libc::CLONE_NEWNET),
        Namespace::Pid => ("CLONE_NEWPID", libc::CLONE_NEWPID),
        // libc has no name for it on gnu: linux/sched.h.
        Namespace::Time => ("CLONE_NEWTIME", 0x80),
        Namespace::User => ("CLONE_NEWUSER", libc::CLONE_NEWUSER),
        Namespace::Uts => ("CLONE_NEWUTS", libc::CLONE_NEWUTS),
    };
    // EINVAL: a kernel without this namespace. ENOSPC, a limit that is reached, stays unclear: it is no permission.
    let meaning = Meaning { unavailable: &[libc::EINVAL], ..Meaning::default() };
    meaning.of(&format!("unshare({name})"), process::unshare(flag))
}

pub(super) fn ptrace(pid: u32) -> Answer {
    let meaning = Meaning { unavailable: &NOBODY, ..Meaning::default() };
    meaning.of(&format!("ptrace(PTRACE_SEIZE, {pid})"), attempt::seize(pid as i32))
}

pub(super) fn kill(pid: u32) -> Answer {
    let meaning = Meaning { unavailable: &NOBODY, ..Meaning::default() };
    meaning.of(&format!("kill({pid}, 0)"), attempt::may_signal(pid as i32))
}
