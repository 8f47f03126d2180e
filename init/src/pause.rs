//! A container's pid 1 where it has no command of its own: waits, and reaps as pid 1 must.

use crate::sys::{
    fd,
    process::{self, Block},
};

/// Says on standard output that it runs (by then the kernel has given it the credentials of its execve), lets
/// go of it, and reaps until it is killed.
pub(crate) fn main() -> i32 {
    fd::write_all(fd::OUTPUT, &[super::setup::READY]).ok();
    fd::duplicate_onto(fd::INPUT, fd::OUTPUT).ok();
    fd::duplicate_onto(fd::INPUT, fd::ERROR).ok();
    // Orphans of the container become this process's children.
    process::child_signal(Block::No);
    loop {
        while process::reap_any(Block::No).is_ok() {}
        process::child_signal(Block::Yes);
    }
}
