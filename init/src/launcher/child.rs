//! The new process's side: walk the operations, become the program, or say on the status pipe what was refused.

use alloc::{ffi::CString, string::String, vec, vec::Vec};

use caplab_init::wire::{Phase, Process, Program, Refusal};

use super::through;
use crate::{
    setup::{self, Place, REFUSED, refusal},
    sys::{
        Fail, Result, c_strings,
        fd::{self, BorrowedFd},
        file, process,
    },
};

/// Performs the process's operations and executes its program. Returns only where that was refused.
pub(super) fn execute(helper: BorrowedFd<'_>, place: &mut Place<'_>, process: &Process) -> Refusal {
    if let Err(refused) = setup::walk(place, &process.ops, Phase::Process) {
        return refused;
    }
    let fail = match arguments(process) {
        Ok((args, env)) => match &process.program {
            Program::Command(_) => command(&args, &env),
            // Of one that goes through a runtime it is that.
            Program::Pause | Program::Init(_) | Program::Probe(_) | Program::Inspect | Program::Through { .. } => {
                process::execute_file(helper, &args, &env)
            }
        },
        Err(fail) => fail,
    };
    refusal(Phase::Exec, fail)
}

/// Says what was refused, and ends.
pub(super) fn refuse(status: BorrowedFd<'_>, refused: &Refusal) -> ! {
    let bytes = postcard::to_extend(refused, vec![REFUSED]).unwrap_or_default();
    // The launcher is the only reader; where it is gone nobody is left to tell.
    fd::write_all(status, &bytes).ok();
    process::exit_now(125)
}

/// What the other side of [`refuse`] reads.
pub(super) fn refused(bytes: &[u8]) -> Option<Refusal> {
    let (REFUSED, rest) = bytes.split_first().map(|(first, rest)| (*first, rest))? else { return None };
    postcard::from_bytes(rest).ok()
}

fn arguments(process: &Process) -> Result<(Vec<CString>, Vec<CString>)> {
    let args = match &process.program {
        Program::Through { command, .. } => through::arguments(&process.env, command),
        program => program.args("caplab-init").map_err(|_| Fail::new("postcard", libc::EINVAL))?,
    };
    let strings = |list: &[String]| c_strings(list.iter().map(String::as_str));
    Ok((strings(&args)?, strings(&process.env)?))
}

/// execve(2) of a command, a name without a slash searched in PATH as execvp(3) does.
pub(crate) fn command(args: &[CString], env: &[CString]) -> Fail {
    let Some(name) = args.first() else { return Fail::new("execve", libc::EINVAL) };
    if name.as_bytes().contains(&b'/') {
        return process::execute(name, args, env);
    }
    let path = env.iter().find_map(|entry| entry.to_str().ok()?.strip_prefix("PATH=")).unwrap_or("/bin:/usr/bin");
    let mut worst = Fail::new("execve", libc::ENOENT);
    for directory in path.split(':') {
        let Ok(candidate) = CString::new([directory.as_bytes(), b"/", name.as_bytes()].concat()) else { continue };
        let fail = process::execute(&candidate, args, env);
        if fail.errno != libc::ENOENT && fail.errno != libc::ENOTDIR {
            worst = fail;
        }
    }
    worst
}

/// Standard streams of a new process: input from nowhere, output as given.
pub(super) fn streams(output: BorrowedFd<'_>, error: BorrowedFd<'_>) -> Result<()> {
    fd::duplicate_onto(output, fd::OUTPUT)?;
    fd::duplicate_onto(error, fd::ERROR)
}

/// Silences a new process.
pub(super) fn silence() -> Result<()> {
    let null = file::open("/dev/null", libc::O_RDWR)?;
    streams(null.as_fd(), null.as_fd())
}
