//! What containers with one IPC namespace share as /dev/shm: a tmpfs of the lab host for each owner. One that lies in its
//! owner's mount namespace could not be bound into another: open_tree(2) clones mounts of the caller's own only.

use alloc::format;

use caplab_init::wire::{Phase, Refusal, SharedMemory, runtime::SHARED_MEMORY};

use crate::{
    setup::refusal,
    sys::{Result, mount, path},
};

/// Mounts them.
pub(super) fn make(all: &[SharedMemory]) -> core::result::Result<(), Refusal> {
    all.iter().try_for_each(one).map_err(|fail| refusal(Phase::Plumbing, fail))
}

fn one(memory: &SharedMemory) -> Result<()> {
    let above = path::directory(SHARED_MEMORY)?;
    path::make_directory(above.as_fd(), &memory.name, 0o755)?;
    mount::attach_new_as("shm", "tmpfs", &format!("{SHARED_MEMORY}/{}", memory.name), &memory.options)?;
    path::set_owner(above.as_fd(), &memory.name, memory.owner.0, memory.owner.1)
}

/// Removes them, whoever still has them open.
pub(super) fn remove(all: &[SharedMemory]) {
    let Ok(above) = path::directory(SHARED_MEMORY) else { return };
    for memory in all {
        mount::detach(&format!("{SHARED_MEMORY}/{}", memory.name)).ok();
        path::remove_directory(above.as_fd(), &memory.name).ok();
    }
}
