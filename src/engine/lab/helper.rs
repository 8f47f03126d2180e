//! The helper as a file that nobody can change: a sealed memfd, made once per process.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsRawFd, OwnedFd},
    path::PathBuf,
    sync::OnceLock,
};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// Built by build/helper.rs.
static BINARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/caplab-init"));

static SEALED: OnceLock<File> = OnceLock::new();

/// The program itself.
pub(in crate::engine) fn binary() -> &'static [u8] {
    BINARY
}

/// A path that this process's children can execute.
///
/// # Errors
/// Those of memfd_create(2): EMFILE, or EACCES where the sysctl vm.memfd_noexec is 2.
pub(super) fn path() -> io::Result<PathBuf> {
    let file = match SEALED.get() {
        Some(file) => file,
        None => {
            let made = seal()?;
            SEALED.get_or_init(|| made)
        }
    };
    Ok(proc_path(file.as_raw_fd()))
}

fn proc_path(fd: i32) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{fd}"))
}

fn seal() -> io::Result<File> {
    let memory = create()?;
    let mut writable = File::from(memory);
    writable.write_all(BINARY)?;
    fcntl_add_seals(&writable, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    // The kernel does not execute a file that somebody has open for writing (ETXTBSY).
    File::open(proc_path(writable.as_raw_fd()))
}

fn create() -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create("caplab-init", flags | MemfdFlags::EXEC) {
        // MFD_EXEC is known since Linux 6.3; before it every memfd is executable.
        Err(rustix::io::Errno::INVAL) => memfd_create("caplab-init", flags),
        made => made,
    }
}
