//! Processes: clone3, setns, execve, wait, signals.

use std::{
    ffi::{CStr, CString},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::{Fail, Result, check};

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

/// struct clone_args of clone3(2), its first version.
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
}

/// clone3(2) without a stack: a fork into new namespaces.
pub(crate) fn clone(namespaces: u64) -> Result<Side> {
    let mut pidfd: i32 = -1;
    let args = CloneArgs {
        flags: namespaces | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
    };
    // SAFETY: the kernel reads one clone_args and writes one descriptor through `pidfd`; both live through the call.
    // Without CLONE_VM the child has a copy of everything. This program has one thread, so no lock of the
    // allocator or of libc is held by a thread that the child does not have.
    let pid =
        check("clone3", unsafe { libc::syscall(libc::SYS_clone3, &raw const args, std::mem::size_of::<CloneArgs>()) })?;
    if pid == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: the kernel has just made the descriptor and nobody else knows it.
    Ok(Side::Parent(pid as i32, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// setns(2), into the namespaces of a process or into one namespace.
pub(crate) fn enter(namespace: BorrowedFd<'_>, flags: u64) -> Result<()> {
    // SAFETY: setns touches no memory.
    check("setns", unsafe { libc::setns(namespace.as_raw_fd(), flags as i32) }).map(drop)
}

/// setsid(2): terminal signals no longer arrive.
pub(crate) fn new_session() {
    // SAFETY: setsid touches no memory. It fails only for the leader of a group, which then keeps its session.
    unsafe { libc::setsid() };
}

/// Gives signals the dispositions and the mask that a fresh process expects: Rust's runtime ignores SIGPIPE, and
/// what is ignored stays so across execve.
pub(crate) fn default_signals() {
    // SAFETY: no handler is installed; an empty set is built before it is used.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// A signal to a process by descriptor; one that has ended is fine.
pub(crate) fn kill(process: BorrowedFd<'_>, signal: i32) {
    // SAFETY: a null siginfo asks for what kill(2) would send.
    unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0);
    }
}

/// SIGKILL to a process group.
pub(crate) fn kill_group(leader: i32) {
    // SAFETY: kill touches no memory. `leader` is a child that has not been waited for, so its number is not reused.
    unsafe { libc::kill(-leader, libc::SIGKILL) };
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
    let mut status = 0;
    let flags = if block == Block::Yes { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: the kernel writes one int that lives through the call.
        return match check("waitpid", unsafe { libc::waitpid(pid, &raw mut status, flags) }) {
            Err(fail) if fail.errno == libc::EINTR => continue,
            Err(fail) => Err(fail),
            Ok(0) => Ok(None),
            Ok(_) if libc::WIFEXITED(status) => Ok(Some(Ended::Code(libc::WEXITSTATUS(status)))),
            Ok(_) if libc::WIFSIGNALED(status) => Ok(Some(Ended::Signal(libc::WTERMSIG(status)))),
            Ok(_) => Ok(Some(Ended::Stopped)),
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
        None => Err(Fail::new("waitpid", libc::EAGAIN)),
    }
}

/// SIGCHLD: blocks it (`No`), so that it is kept, or sleeps until it arrives (`Yes`).
pub(crate) fn child_signal(block: Block) {
    // SAFETY: the set is built before it is used; a null siginfo asks for none to be written.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if block == Block::No {
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        } else {
            libc::sigwaitinfo(&raw const set, std::ptr::null_mut());
        }
    }
}

/// PTRACE_TRACEME: this process stops after its execve, before the program's first instruction.
pub(crate) fn stop_at_exec() -> Result<()> {
    // SAFETY: PTRACE_TRACEME ignores its pointers.
    check("ptrace(PTRACE_TRACEME)", unsafe {
        libc::ptrace(libc::PTRACE_TRACEME, 0, std::ptr::null_mut::<u8>(), std::ptr::null_mut::<u8>())
    })
    .map(drop)
}

/// PTRACE_DETACH: lets a stopped child go on.
pub(crate) fn let_go(pid: i32) -> Result<()> {
    // SAFETY: PTRACE_DETACH takes a signal number as its data, here none, and no pointer.
    check("ptrace(PTRACE_DETACH)", unsafe {
        libc::ptrace(libc::PTRACE_DETACH, pid, std::ptr::null_mut::<u8>(), std::ptr::null_mut::<u8>())
    })
    .map(drop)
}

/// Null-terminated pointers into strings, as execve(2) takes them.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}

/// execve(2) of a path; returns only where it failed.
pub(crate) fn execute(path: &CStr, args: &[CString], env: &[CString]) -> Fail {
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: the path and both null-terminated arrays of strings live through the call.
    let failed = unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    check("execve", failed).err().unwrap_or_else(|| Fail::new("execve", 0))
}

/// execveat(2) of an open file; returns only where it failed.
pub(crate) fn execute_file(file: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> Fail {
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: the empty path is static; both null-terminated arrays of strings live through the call.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            args.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    check("execveat", failed).err().unwrap_or_else(|| Fail::new("execveat", 0))
}

/// Ends this process without running anything that its parent's copy registered.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: _exit touches no memory and does not return.
    unsafe { libc::_exit(status) }
}

/// prctl(2) PR_SET_NAME: else ps(1) shows the number of the descriptor that was executed.
pub(crate) fn set_name() {
    // SAFETY: a static C string. It cannot fail on one.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"caplab-init".as_ptr()) };
}
