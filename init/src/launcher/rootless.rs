//! A container whose engine is run by an ordinary user of the lab host, as rootless podman's is.

use super::Lab;
use crate::sys::{
    Fail, Result, credentials, fd,
    process::{self, Block, Side},
};

/// As [`Lab::clone`], by a process of that user's, which then ends: the user namespace and all that is made with it are the user's, and the new process is
/// the launcher's child.
pub(super) fn clone(lab: &Lab, user: (u32, u32), namespaces: u64) -> Result<Side> {
    let (told, tell) = fd::pipe()?;
    let engine = match lab.clone(0, None, None)? {
        Side::Child => {
            drop(told);
            let number = match fork_as(user, namespaces) {
                Ok(Side::Child) => return Ok(Side::Child),
                Ok(Side::Parent(pid, _)) => pid,
                Err(fail) => -fail.errno,
            };
            // The launcher is the only reader; where it is gone nobody is left to tell.
            fd::write_all(tell.as_fd(), &number.to_ne_bytes()).ok();
            process::exit_now(0)
        }
        Side::Parent(engine, _) => engine,
    };
    drop(tell);
    let mut number = [0; 4];
    let count = fd::read_full(told.as_fd(), &mut number);
    process::wait(engine, Block::Yes)?;
    match (count?, i32::from_ne_bytes(number)) {
        (4, pid) if pid > 0 => Ok(Side::Parent(pid, process::descriptor(pid)?)),
        (4, errno) => Err(Fail::new("clone3", -errno).with("as the user who runs the engine")),
        _ => Err(Fail::new("clone3", libc::ESRCH)),
    }
}

fn fork_as((uid, gid): (u32, u32), namespaces: u64) -> Result<Side> {
    credentials::set_groups(&[])?;
    credentials::set_gid(gid)?;
    credentials::set_uid(uid)?;
    process::clone_sibling(namespaces)
}
