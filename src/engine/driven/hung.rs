//! A runtime that hangs while it makes a container of caplab's: docker and podman wait for it as long as it lives, and hold that container
//! as long, so that nobody can remove it.

use std::{fs, os::fd::OwnedFd, path::Path, time::Duration};

use caplab_init::wire::{report, runtime::HELPER};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde_json::Value;

use super::place;

/// A runtime whose own half in the container has died may clean up, and end, in this time.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// A runtime at `create`.
pub(super) struct Creating {
    pid: u32,
    process: OwnedFd,
    /// Its program: `runc`.
    pub(super) program: String,
}

/// The runtimes that are at `create` for a folder whose name `is_own` knows. Whose container it is its config says: it has that
/// folder's helper.
pub(super) fn creating(is_own: impl Fn(&str) -> bool) -> Vec<Creating> {
    let look = |pid: u32| {
        // Held before it is looked at: no other process gets its number.
        let process = pidfd_open(Pid::from_raw(pid.try_into().ok()?)?, PidfdFlags::empty()).ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let behind = words.iter().skip_while(|word| *word != "create");
        let bundle = behind.skip_while(|word| *word != "--bundle").nth(1)?;
        let folder = folder(&fs::read(Path::new(&**bundle).join("config.json")).ok()?)?;
        let program = words[0].rsplit('/').next().unwrap_or_default().to_owned();
        is_own(&folder).then_some(Creating { pid, process, program })
    };
    processes().filter_map(look).collect()
}

/// Ends those whose run is no more.
pub(super) fn end_abandoned() {
    creating(place::is_abandoned).into_iter().for_each(Creating::end);
}

/// The name of the folder that the helper of this config is in.
fn folder(config: &[u8]) -> Option<String> {
    let config: Value = serde_json::from_slice(config).ok()?;
    let mounts = config["mounts"].as_array()?;
    let helper = mounts.iter().find(|mount| mount["destination"] == HELPER)?["source"].as_str()?;
    Some(Path::new(helper).parent()?.file_name()?.to_str()?.to_owned())
}

impl Creating {
    /// Ends it: its half in the container first, whereupon it removes itself what it has made.
    pub(super) fn end(self) {
        for pid in processes().filter(|pid| parent(*pid) == Some(self.pid)) {
            let child = Pid::from_raw(pid.cast_signed()).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
            if let Some(child) = child.filter(|_| parent(pid) == Some(self.pid)) {
                pidfd_send_signal(child, Signal::KILL).ok();
            }
        }
        // Readable once it has ended.
        let time = Timespec::try_from(LAST_BREATH).ok();
        poll(&mut [PollFd::new(&self.process, PollFlags::IN)], time.as_ref()).ok();
        pidfd_send_signal(&self.process, Signal::KILL).ok();
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    report::parent(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}
