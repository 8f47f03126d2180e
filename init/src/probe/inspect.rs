//! What an inspect step executes: it reads itself. Which namespaces are the host's it cannot see; the launcher adds them.

use alloc::{format, string::String, vec::Vec};

use caplab_init::wire::ProcessText;

use crate::sys::{attempt, file, process};

/// Processes beyond this are not listed.
const MAX_PROCESSES: usize = 1000;

/// This process, its host name and everybody else that it sees.
pub(crate) fn read() -> ProcessText {
    ProcessText {
        hostname: attempt::hostname().unwrap_or_default(),
        processes: processes(),
        cgroup: file::read_text("/proc/self/cgroup").unwrap_or_default(),
        init_cgroup: file::read_text("/proc/1/cgroup").unwrap_or_default(),
        ..crate::launcher::read("self")
    }
}

/// Everybody that /proc lists, this process apart.
fn processes() -> Vec<(String, Vec<u8>)> {
    let own = process::id();
    let mut pids: Vec<u32> = file::names("/proc")
        .unwrap_or_default()
        .iter()
        .filter_map(|name| name.parse().ok())
        .filter(|pid| *pid != own)
        .collect();
    pids.sort_unstable();
    pids.truncate(MAX_PROCESSES);
    pids.into_iter()
        .filter_map(|pid| {
            // One that ends meanwhile is not there.
            let status = file::read_text(&format!("/proc/{pid}/status")).ok()?;
            Some((status, file::read(&format!("/proc/{pid}/cmdline")).unwrap_or_default()))
        })
        .collect()
}
