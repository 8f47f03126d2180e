//! A container's init, as docker's `--init` (tini) and podman's (catatonit): pid 1 executes the command as its child, hands signals on
//! to it, reaps whoever is orphaned in the container, and ends as the command ends.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::convert::Infallible;

use crate::{
    launcher,
    setup::READY,
    sys::{
        Result, c_strings, fd, file,
        process::{self, Ended},
    },
};

/// Says on standard output that it runs, and lets go of it when the command has been executed, or could not be.
pub(crate) fn main(command: &[&str], env: &[String]) -> i32 {
    match begin(command, env) {
        Ok(child) => serve(child),
        Err(fail) => crate::failed(&alloc::format!("{}: errno {}", fail.call, fail.errno)),
    }
}

fn begin(command: &[&str], env: &[String]) -> Result<i32> {
    let says = fd::duplicate(fd::OUTPUT)?;
    fd::write_all(says.as_fd(), &[READY]).ok();
    silence();
    process::keep_signals();
    match process::fork()? {
        Some(child) => Ok(child),
        None => {
            process::default_signals();
            process::new_group();
            let Err(fail) = execute(command, env);
            // A shell's statuses, which tini and catatonit have too.
            process::exit_now(if fail.errno == libc::ENOENT { 127 } else { 126 })
        }
    }
}

/// What it and the command write nobody reads. A container may have no /dev/null; then they write into what they read from.
fn silence() {
    let null = file::open("/dev/null", libc::O_RDWR);
    let null = null.as_ref().map_or(fd::INPUT, |null| null.as_fd());
    fd::duplicate_onto(null, fd::OUTPUT).ok();
    fd::duplicate_onto(null, fd::ERROR).ok();
}

fn execute(command: &[&str], env: &[String]) -> Result<Infallible> {
    let strings = |words: &[&str]| c_strings(words.iter().copied());
    let env = strings(&env.iter().map(String::as_str).collect::<Vec<_>>())?;
    Err(match command {
        [] => process::execute(c"/proc/self/exe", &[c"caplab-init".to_owned(), c"pause".to_owned()], &env),
        command => launcher::command(&strings(command)?, &env),
    })
}

/// Waits for everybody until the command has ended; its exit status.
fn serve(child: i32) -> i32 {
    loop {
        match process::next_signal() {
            libc::SIGCHLD => {
                if let Some(status) = reap(child) {
                    return status;
                }
            }
            signal => process::signal_child(child, signal),
        }
    }
}

/// Waits for all that have ended; where this one is among them, a shell's status for it.
fn reap(child: i32) -> Option<i32> {
    let mut status = None;
    while let Some((pid, ended)) = process::wait_next() {
        match ended {
            Ended::Code(code) if pid == child => status = Some(code),
            Ended::Signal(signal) if pid == child => status = Some(128 + signal),
            _ => {}
        }
    }
    status
}
