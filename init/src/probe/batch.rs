//! Several probe steps of one user in one container, for an engine whose `exec` takes a third of a second. Each attempt is
//! made by a process of its own, a copy of this one, so that it has the credentials that the engine gave and nothing of what
//! another attempt has changed.

use alloc::vec::Vec;

use caplab_init::wire::{ExecReport, Exit, Probe};

use super::run;
use crate::sys::{
    Fail, Result,
    clock::Instant,
    fd,
    process::{self, Block, Ended},
};

/// Makes the attempts, in order; one report each, its standard output what a single probe writes there.
///
/// # Errors
/// Where an attempt could not be begun, or is none of this version.
pub(crate) fn take(probes: &[&str]) -> Result<Vec<ExecReport>> {
    probes
        .iter()
        .map(|hex| Probe::from_hex(hex).ok_or(Fail::new("probe", libc::EINVAL)).and_then(|one| attempt(&one)))
        .collect()
}

fn attempt(probe: &Probe) -> Result<ExecReport> {
    let (read, write) = fd::pipe()?;
    let started = Instant::now();
    let Some(pid) = process::fork()? else {
        let bytes = postcard::to_allocvec(&run(probe)).unwrap_or_default();
        process::exit_now(if fd::write_all(write.as_fd(), &bytes).is_ok() { 0 } else { crate::FAILED });
    };
    drop(write);
    let stdout = fd::read_to_end(read.as_fd())?;
    let exit = match process::wait(pid, Block::Yes)? {
        Some(Ended::Code(code)) => Exit::Code(code),
        Some(Ended::Signal(signal)) => Exit::Signal(signal),
        Some(Ended::Stopped) | None => return Err(Fail::new("wait4", libc::ECHILD)),
    };
    let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(ExecReport { exit, stdout, stderr: Vec::new(), stdout_cut: false, stderr_cut: false, nanos })
}
