//! Probes of credentials, namespaces and other processes. What they change is this process, which ends.

use alloc::format;

use caplab_init::wire::{Answer, Namespace};

use super::Meaning;
use crate::sys::{attempt, credentials, file, process};

/// A process that is not there.
const NOBODY: [i32; 1] = [libc::ESRCH];

pub(super) fn setuid(uid: u32) -> Answer {
    Meaning::default().of(&format!("setresuid({uid})"), credentials::set_uid(uid))
}

pub(super) fn setgroups(groups: &[u32]) -> Answer {
    Meaning::default().of(&format!("setgroups({groups:?})"), credentials::set_groups(groups))
}

pub(super) fn unshare(namespace: Namespace) -> Answer {
    let (name, flag, _) = words(namespace);
    // EINVAL: a kernel without this namespace. ENOSPC, a limit that is reached, stays unclear: it is no permission.
    let meaning = Meaning { unavailable: &[libc::EINVAL], ..Meaning::default() };
    meaning.of(&format!("unshare({name})"), process::unshare(flag))
}

/// The clone(2) flag of a namespace, its name, and the kernel's name of it in /proc/PID/ns.
fn words(namespace: Namespace) -> (&'static str, i32, &'static str) {
    match namespace {
        Namespace::Cgroup => ("CLONE_NEWCGROUP", libc::CLONE_NEWCGROUP, "cgroup"),
        Namespace::Ipc => ("CLONE_NEWIPC", libc::CLONE_NEWIPC, "ipc"),
        Namespace::Mount => ("CLONE_NEWNS", libc::CLONE_NEWNS, "mnt"),
        Namespace::Network => ("CLONE_NEWNET", libc::CLONE_NEWNET, "net"),
        Namespace::Pid => ("CLONE_NEWPID", libc::CLONE_NEWPID, "pid"),
        // libc has no name for it on gnu: linux/sched.h.
        Namespace::Time => ("CLONE_NEWTIME", 0x80, "time"),
        Namespace::User => ("CLONE_NEWUSER", libc::CLONE_NEWUSER, "user"),
        Namespace::Uts => ("CLONE_NEWUTS", libc::CLONE_NEWUTS, "uts"),
    }
}

pub(super) fn setns(pid: u32, namespace: Namespace) -> Answer {
    let (name, flag, link) = words(namespace);
    let path = format!("/proc/{pid}/ns/{link}");
    // Nobody of that number, or a kernel without this namespace.
    let meaning = Meaning { unavailable: &[libc::ENOENT, libc::ESRCH], ..Meaning::default() };
    // The link itself is looked at as ptrace(2) would: proc_ns_get_link says EACCES. setns(2) says EPERM.
    let opened = match file::open(&path, libc::O_RDONLY) {
        Ok(opened) => opened,
        Err(fail) => return meaning.of::<()>(&format!("open({path})"), Err(fail)),
    };
    meaning.of(&format!("setns({path}, {name})"), process::enter(opened.as_fd(), flag as u64))
}

pub(super) fn ptrace(pid: u32) -> Answer {
    let meaning = Meaning { unavailable: &NOBODY, ..Meaning::default() };
    meaning.of(&format!("ptrace(PTRACE_SEIZE, {pid})"), attempt::seize(pid as i32))
}

pub(super) fn kill(pid: u32) -> Answer {
    let meaning = Meaning { unavailable: &NOBODY, ..Meaning::default() };
    meaning.of(&format!("kill({pid}, 0)"), attempt::may_signal(pid as i32))
}
