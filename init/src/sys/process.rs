//! Processes: clone3, setns, execve, wait, signals.

use alloc::{ffi::CString, vec::Vec};
use core::{
    ffi::{CStr, c_char},
    ptr,
};

use syscalls::{Sysno, syscall};

use super::{
    Fail, Result, check,
    fd::{self, BorrowedFd, OwnedFd},
};

/// Whether a wait may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// Which side of a clone one is.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The old one; the new one by pid and by descriptor.
    Parent(i32, OwnedFd),
}

/// `CLONE_INTO_CGROUP`, linux/sched.h, Linux 5.7.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// struct clone_args of clone3(2), as of Linux 5.7.
#[repr(C)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// clone3(2) without a stack: a fork into new namespaces, and into a control group where one is given.
pub(crate) fn clone(namespaces: u64, group: Option<BorrowedFd<'_>>) -> Result<Side> {
    clone3(namespaces | if group.is_some() { INTO_CGROUP } else { 0 }, libc::SIGCHLD, group)
}

/// The same, of a child of this process's parent. The signal at its end is the one that this process has for its own
/// (`copy_process`); to ask for one is EINVAL.
pub(crate) fn clone_sibling(namespaces: u64) -> Result<Side> {
    clone3(namespaces | libc::CLONE_PARENT as u64, 0, None)
}

fn clone3(flags: u64, exit_signal: i32, group: Option<BorrowedFd<'_>>) -> Result<Side> {
    let mut pidfd: i32 = -1;
    let args = CloneArgs {
        flags: flags | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: exit_signal as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: group.map_or(0, |group| group.number() as u64),
    };
    // SAFETY: the kernel reads one clone_args and writes one descriptor through `pidfd`; both live through the call.
    // Without CLONE_VM the child has a copy of everything, and this program has one thread.
    let pid = check("clone3", unsafe { syscall!(Sysno::clone3, &raw const args, size_of::<CloneArgs>()) })?;
    if pid == 0 {
        return Ok(Side::Child);
    }
    Ok(Side::Parent(pid as i32, OwnedFd::known(pidfd)))
}

/// clone(2) as fork(2) is it: where clone3(2) may not be called, as docker's containers may not. `None` is the new process.
pub(crate) fn fork() -> Result<Option<i32>> {
    // SAFETY: only numbers. Without CLONE_VM the child has a copy of everything, and this program has one thread.
    let pid = check("fork", unsafe { syscall!(Sysno::clone, libc::SIGCHLD, 0, 0, 0, 0) })?;
    Ok((pid != 0).then_some(pid as i32))
}

/// pidfd_open(2).
pub(crate) fn descriptor(pid: i32) -> Result<OwnedFd> {
    // SAFETY: only numbers.
    OwnedFd::made("pidfd_open", unsafe { syscall!(Sysno::pidfd_open, pid, 0) })
}

/// setns(2), into the namespaces of a process or into one namespace.
pub(crate) fn enter(namespace: BorrowedFd<'_>, flags: u64) -> Result<()> {
    // SAFETY: setns touches no memory.
    check("setns", unsafe { syscall!(Sysno::setns, namespace.number(), flags as i32) }).map(drop)
}

/// unshare(2).
pub(crate) fn unshare(namespace: i32) -> Result<()> {
    // SAFETY: only numbers; this process has one thread.
    check("unshare", unsafe { syscall!(Sysno::unshare, namespace) }).map(drop)
}

/// setsid(2): terminal signals no longer arrive.
pub(crate) fn new_session() {
    // SAFETY: setsid touches no memory. It fails only for the leader of a group, which then keeps its session.
    unsafe { syscall!(Sysno::setsid) }.ok();
}

/// The kernel's struct sigaction, of which only the handler matters here.
#[repr(C)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// A set of this signal alone, as the kernel's sigset_t has it.
const fn set_of(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// sigprocmask(2); it cannot fail on a set that lives.
fn mask(how: i32, set: u64) {
    // SAFETY: the kernel reads one set that lives through the call.
    unsafe { syscall!(Sysno::rt_sigprocmask, how, &raw const set, ptr::null::<u64>(), size_of::<u64>()) }.ok();
}

/// Gives signals the dispositions and the mask that a fresh process expects: Rust's runtime ignores SIGPIPE in the program
/// that started this one, and what is ignored stays so across execve.
pub(crate) fn default_signals() {
    default_actions([libc::SIGPIPE, libc::SIGCHLD]);
    mask(libc::SIG_SETMASK, 0);
}

/// The same for all that a shell in the background or nohup(1) has ignored: who is at a terminal wants Ctrl-C to arrive.
pub(crate) fn all_default_signals() {
    default_actions(1..=64);
}

fn default_actions(signals: impl IntoIterator<Item = i32>) {
    let default = Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    for signal in signals {
        // SAFETY: no handler is installed; the kernel reads one action that lives through the call.
        unsafe { syscall!(Sysno::rt_sigaction, signal, &raw const default, ptr::null::<Action>(), size_of::<u64>()) }
            .ok();
    }
}

/// A signal to a process by descriptor; one that has ended is fine.
pub(crate) fn kill(process: BorrowedFd<'_>, signal: i32) {
    // SAFETY: a null siginfo asks for what kill(2) would send.
    unsafe { syscall!(Sysno::pidfd_send_signal, process.number(), signal, ptr::null::<u8>(), 0) }.ok();
}

/// SIGKILL to a process group.
pub(crate) fn kill_group(leader: i32) {
    // SAFETY: kill touches no memory. `leader` is a child that has not been waited for, so its number is not reused.
    unsafe { syscall!(Sysno::kill, -leader, libc::SIGKILL) }.ok();
}

/// SIGKILL to everybody in this pid namespace and below, but for pid 1 of it, which this process is.
pub(crate) fn kill_everybody() {
    // SAFETY: kill touches no memory. Where there is nobody it says ESRCH.
    unsafe { syscall!(Sysno::kill, -1i32, libc::SIGKILL) }.ok();
}

/// How a child ended.
pub(crate) enum Ended {
    /// exit status
    Code(i32),
    /// signal number
    Signal(i32),
    /// It is stopped by a signal for its tracer.
    Stopped,
}

/// Waits for a child; `None` where it may not wait and the child runs.
pub(crate) fn wait(pid: i32, block: Block) -> Result<Option<Ended>> {
    Ok(wait_which(pid, block)?.map(|(_, ended)| ended))
}

/// The next child that has ended, whichever it is; `None` where none has.
pub(crate) fn wait_next() -> Option<(i32, Ended)> {
    wait_which(-1, Block::No).ok().flatten()
}

fn wait_which(pid: i32, block: Block) -> Result<Option<(i32, Ended)>> {
    let mut status = 0i32;
    let flags = if block == Block::Yes { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: the kernel writes one int that lives through the call.
        return match check("wait4", unsafe { syscall!(Sysno::wait4, pid, &raw mut status, flags, 0) }) {
            Err(fail) if fail.errno == libc::EINTR => continue,
            Err(fail) => Err(fail),
            Ok(0) => Ok(None),
            Ok(which) => {
                let ended = if libc::WIFEXITED(status) {
                    Ended::Code(libc::WEXITSTATUS(status))
                } else if libc::WIFSIGNALED(status) {
                    Ended::Signal(libc::WTERMSIG(status))
                } else {
                    Ended::Stopped
                };
                Ok(Some((which as i32, ended)))
            }
        };
    }
}

/// Reaps one child, whichever.
///
/// # Errors
/// ECHILD where there is none; EAGAIN where it may not wait and none has ended.
pub(crate) fn reap_any(block: Block) -> Result<()> {
    match wait(-1, block)? {
        Some(_) => Ok(()),
        None => Err(Fail::new("wait4", libc::EAGAIN)),
    }
}

/// Reaps one child, whichever; false where it may not wait and none has ended.
///
/// # Errors
/// ECHILD where there is none.
pub(crate) fn wait_any(block: Block) -> Result<bool> {
    match wait(-1, block) {
        Err(fail) if fail.errno == libc::ECHILD && block == Block::No => Ok(false),
        waited => waited.map(|ended| ended.is_some()),
    }
}

/// SIGCHLD: blocks it (`No`), so that it is kept, or sleeps until it arrives (`Yes`).
pub(crate) fn child_signal(block: Block) {
    let set = set_of(libc::SIGCHLD);
    if block == Block::No {
        return mask(libc::SIG_BLOCK, set);
    }
    // SAFETY: the kernel reads one set that lives through the call; null asks for no siginfo and no time limit. Woken for
    // another reason the caller looks and comes back.
    unsafe { syscall!(Sysno::rt_sigtimedwait, &raw const set, ptr::null::<u8>(), ptr::null::<u8>(), size_of::<u64>()) }
        .ok();
}

/// What of itself a program gets by its own fault, and what a terminal says to whoever is not in front of it: none of these is for its
/// child. tini and catatonit leave out the same.
const OWN_SIGNALS: [i32; 9] = [
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// All that can be handed on, and SIGCHLD.
fn handed_on() -> u64 {
    OWN_SIGNALS.into_iter().fold(!0, |set, signal| set & !set_of(signal))
}

/// Blocks all that can be handed on, so that they are kept for [`next_signal`]: what is blocked the kernel keeps for a pid 1 too, for
/// which it drops what has no handler.
pub(crate) fn keep_signals() {
    mask(libc::SIG_SETMASK, handed_on());
}

/// Sleeps until one of them arrives.
pub(crate) fn next_signal() -> i32 {
    let set = handed_on();
    loop {
        // SAFETY: the kernel reads one set that lives through the call; null asks for no siginfo and no time limit.
        let arrived = unsafe {
            syscall!(Sysno::rt_sigtimedwait, &raw const set, ptr::null::<u8>(), ptr::null::<u8>(), size_of::<u64>())
        };
        if let Ok(signal) = arrived {
            return signal as i32;
        }
    }
}

/// A signal to a child that has not been waited for, so that its number is not reused.
pub(crate) fn signal_child(child: i32, signal: i32) {
    // SAFETY: kill touches no memory. A child that has ended takes none, and nobody need be told.
    unsafe { syscall!(Sysno::kill, child, signal) }.ok();
}

/// setpgid(2): a group of its own.
pub(crate) fn new_group() {
    // SAFETY: only numbers. It cannot fail for a process that has just been forked.
    unsafe { syscall!(Sysno::setpgid, 0, 0) }.ok();
}

/// PTRACE_TRACEME: this process stops after its execve, before the program's first instruction.
pub(crate) fn stop_at_exec() -> Result<()> {
    // SAFETY: PTRACE_TRACEME ignores its pointers.
    check("ptrace(PTRACE_TRACEME)", unsafe { syscall!(Sysno::ptrace, libc::PTRACE_TRACEME, 0, 0, 0) }).map(drop)
}

/// PTRACE_DETACH: lets a stopped child go on.
pub(crate) fn let_go(pid: i32) -> Result<()> {
    // SAFETY: PTRACE_DETACH takes a signal number as its data, here none, and no pointer.
    check("ptrace(PTRACE_DETACH)", unsafe { syscall!(Sysno::ptrace, libc::PTRACE_DETACH, pid, 0, 0) }).map(drop)
}

/// Null-terminated pointers into strings, as execve(2) takes them.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// execve(2) of a path; returns only where it failed.
pub(crate) fn execute(path: &CStr, args: &[CString], env: &[CString]) -> Fail {
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: the path and both null-terminated arrays of strings live through the call.
    let failed = unsafe { syscall!(Sysno::execve, path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    check("execve", failed).err().unwrap_or_else(|| Fail::new("execve", 0))
}

/// execveat(2) of an open file; returns only where it failed.
pub(crate) fn execute_file(file: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> Fail {
    let (list, variables) = (pointers(args), pointers(env));
    // SAFETY: the empty path is static; both null-terminated arrays of strings live through the call.
    let failed = unsafe {
        syscall!(Sysno::execveat, file.number(), c"".as_ptr(), list.as_ptr(), variables.as_ptr(), libc::AT_EMPTY_PATH)
    };
    // A seccomp profile may have execve alone, which is all that a runtime needs: then by the name that /proc has for the file.
    if let Ok(name) = super::c_string("execve", &alloc::format!("/proc/self/fd/{}", file.number())) {
        execute(&name, args, env);
    }
    check("execveat", failed).err().unwrap_or_else(|| Fail::new("execveat", 0))
}

/// exit_group(2).
pub(crate) fn exit_now(status: i32) -> ! {
    loop {
        // SAFETY: it touches no memory and does not return.
        unsafe { syscall!(Sysno::exit_group, status) }.ok();
        // It has returned: a seccomp profile refuses it. An instruction that there is not is the end of any process, pid 1 too
        // (force_sig_info takes SIGNAL_UNKILLABLE away).
        #[cfg(target_arch = "x86_64")]
        // SAFETY: it touches no memory and does not return.
        unsafe {
            core::arch::asm!("ud2")
        };
        #[cfg(target_arch = "aarch64")]
        // SAFETY: it touches no memory and does not return.
        unsafe {
            core::arch::asm!("udf #0")
        };
    }
}

/// A line for whoever reads standard error; where that is gone, for nobody.
pub(crate) fn complain(message: &str) {
    fd::write_all(fd::ERROR, alloc::format!("caplab-init: {message}\n").as_bytes()).ok();
}

/// getpid(2).
pub(crate) fn id() -> u32 {
    // SAFETY: it touches no memory, and cannot fail.
    unsafe { syscall!(Sysno::getpid) }.unwrap_or(0) as u32
}

/// prctl(2) PR_SET_NAME: else ps(1) shows the number of the descriptor that was executed.
pub(crate) fn set_name() {
    // SAFETY: a static C string. It cannot fail on one.
    unsafe { syscall!(Sysno::prctl, libc::PR_SET_NAME, c"caplab-init".as_ptr(), 0, 0, 0) }.ok();
}
