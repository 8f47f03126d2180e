//! A disk of the fixture host: a loop device over memory of this process.
//!
//! The device is cleared by the kernel when its last opener and its last mount are gone (LO_FLAGS_AUTOCLEAR). Both are this
//! process's and the containers', and whatever ends them, it is released: there is nothing to clean up.

use alloc::{borrow::ToOwned, format, string::String};
use core::time::Duration;

use caplab_init::wire::{Disk, ExecReport, Exit, Phase, Refusal};

use super::{Lab, exec};
use crate::{
    setup::refusal,
    sys::{
        Fail, Result, c_string, c_strings,
        fd::{self, OwnedFd},
        file, loops, path, process,
    },
};

/// How long mke2fs(8) may take for some megabytes of memory.
const PATIENCE: Duration = Duration::from_secs(30);
/// The node of the device, on the lab's own tmpfs: the machine's /dev may not have it.
const NODE: &str = "disk";
/// The same as a path.
pub(super) const PATH: &str = "/mnt/disk";

/// A disk that is there while this is.
pub(super) struct Attached {
    device: Option<OwnedFd>,
    /// Its number, and whether the kernel made the device for it.
    number: (u32, bool),
    /// Major and minor.
    pub(super) numbers: (u32, u32),
}

/// Makes one, with a new file system.
pub(super) fn attach(lab: &Lab, disk: &Disk) -> core::result::Result<Attached, Refusal> {
    let failed = |fail| refusal(Phase::Disk, fail);
    let memory = file::memory("caplab-disk", disk.size).map_err(failed)?;
    let made = exec::on_the_lab_host(lab, PATIENCE, exec::LAST_WORDS, 4 << 10, || {
        let arguments = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "/proc/self/fd/0"];
        let become_it = || -> Result<core::convert::Infallible> {
            fd::duplicate_onto(memory.as_fd(), fd::INPUT)?;
            Err(process::execute(&c_string("execve", &disk.mkfs)?, &c_strings(arguments)?, &[]))
        };
        match become_it() {
            Ok(never) => match never {},
            Err(fail) => failed(fail),
        }
    })?;
    said(&made).map_err(failed)?;
    device(memory).map_err(failed)
}

fn said(made: &ExecReport) -> Result<()> {
    match made.exit {
        Exit::Code(0) => Ok(()),
        _ => Err(Fail::new("mke2fs", libc::EIO).with(String::from_utf8_lossy(&made.stderr).trim())),
    }
}

/// A free loop device over this file, opened.
fn device(memory: OwnedFd) -> Result<Attached> {
    let control = file::open("/dev/loop-control", libc::O_RDWR)?;
    loop {
        let known = file::names("/sys/block")?;
        let number = loops::free(control.as_fd())?;
        let name = format!("loop{number}");
        let fresh = !known.contains(&name);
        let numbers = numbers(&file::read_text(&format!("/sys/block/{name}/dev"))?)?;
        let lab = path::directory(super::LAB)?;
        file::remove(PATH).ok();
        path::make_device(lab.as_fd(), NODE, libc::S_IFBLK | 0o600, numbers.0, numbers.1)?;
        let device = file::open(PATH, libc::O_RDWR)?;
        match loops::configure(device.as_fd(), memory.as_fd()) {
            Ok(()) => return Ok(Attached { device: Some(device), number: (number, fresh), numbers }),
            // Somebody else was given the same number.
            Err(fail) if fail.errno == libc::EBUSY => {}
            Err(fail) => return Err(fail),
        }
    }
}

/// `7:3`.
fn numbers(text: &str) -> Result<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':').unwrap_or_default();
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => Ok((major, minor)),
        _ => Err(Fail::new("read", libc::EINVAL).with("/sys/block/loop/dev".to_owned())),
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        drop(self.device.take());
        let (number, fresh) = self.number;
        // One that the machine had before stays; one that is still in use is the kernel's to keep.
        if fresh && let Ok(control) = file::open("/dev/loop-control", libc::O_RDWR) {
            loops::remove(control.as_fd(), number).ok();
        }
    }
}
