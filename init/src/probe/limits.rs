//! Probes of limits: how many, how much. What they take is given back, at the latest by this process's end.

use alloc::{format, vec::Vec};

use caplab_init::wire::Answer;

use super::Meaning;
use crate::sys::{
    Fail, Result, attempt,
    fd::{self, OwnedFd},
    process::{self, Block},
};

pub(super) fn fork(count: u32) -> Answer {
    let call = |alive: u32| format!("fork() beside {alive} children");
    let mut alive = 0;
    let forked = children(count, &mut alive);
    // Of the kernel's limits of processes, the control group's, the user's and the machine's, each says EAGAIN.
    let meaning = Meaning { denied: &[libc::EAGAIN], ..Meaning::default() };
    meaning.of(&call(alive), forked)
}

/// Forks children that wait for the end of a pipe, of which this process has the only other end: they end with it, whatever
/// becomes of it.
fn children(count: u32, alive: &mut u32) -> Result<()> {
    let (end, held) = fd::pipe()?;
    let mut held = Some(held);
    let mut forked = Ok(());
    while *alive < count && forked.is_ok() {
        match process::fork() {
            Ok(None) => {
                drop(held.take());
                fd::read_to_end(end.as_fd()).ok();
                process::exit_now(0);
            }
            Ok(Some(_)) => *alive += 1,
            Err(fail) => forked = Err(fail),
        }
    }
    // One that ended by itself, killed, would have made room for another: then they were not alive at once.
    let died = process::wait_any(Block::No)?;
    drop(held);
    for _ in u32::from(died)..*alive {
        process::wait_any(Block::Yes)?;
    }
    if died { Err(Fail::new("fork", libc::ESRCH)) } else { forked }
}

pub(super) fn open_files(count: u32) -> Answer {
    // Beside the standard streams nothing is open: whatever else there was is closed on execve.
    let mut open: Vec<OwnedFd> = Vec::new();
    let opened = (3..count).try_for_each(|_| fd::duplicate(fd::INPUT).map(|descriptor| open.push(descriptor)));
    let meaning = Meaning { denied: &[libc::EMFILE], ..Meaning::default() };
    meaning.of(&format!("fcntl(F_DUPFD_CLOEXEC) beside {} descriptors", 3 + open.len()), opened)
}

pub(super) fn inotify(count: u32) -> Answer {
    let mut open: Vec<OwnedFd> = Vec::new();
    let made = (0..count).try_for_each(|_| attempt::inotify().map(|instance| open.push(instance)));
    let call = format!("inotify_init1() beside {} instances", open.len());
    // EMFILE is also what a process without a free descriptor is told: then it says nothing about the user's instances.
    let own = made.is_err() && fd::duplicate(fd::INPUT).is_err();
    let denied: &[i32] = if own { &[] } else { &[libc::EMFILE] };
    let meaning = Meaning { denied, unavailable: &[libc::ENOSYS], ..Meaning::default() };
    meaning.of(&call, made)
}

pub(super) fn allocate(bytes: u64) -> Answer {
    // ENOMEM is of several limits, and of the machine's own want of memory: that stays unclear. A control group without memory
    // says nothing: the kernel kills.
    Meaning::default().of(&format!("mmap({bytes} bytes)"), attempt::touch_memory(bytes))
}
