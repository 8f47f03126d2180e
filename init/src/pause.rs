//! A container's pid 1 where it has no command of its own: waits, and reaps as pid 1 must.

use std::process::ExitCode;

use crate::sys::{self, process::Block};

/// Says on standard output that it runs (by then the kernel has given it the credentials of its execve), lets
/// go of it, and reaps until it is killed.
pub(crate) fn main() -> ExitCode {
    sys::fd::write_all(1, &[super::setup::READY]).ok();
    sys::fd::duplicate_onto(0, 1).ok();
    // Orphans of the container become this process's children.
    sys::process::child_signal(Block::No);
    loop {
        while sys::process::reap_any(Block::No).is_ok() {}
        sys::process::child_signal(Block::Yes);
    }
}
