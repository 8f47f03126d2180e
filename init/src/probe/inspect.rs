//! What an inspect step executes: it reads itself. Which namespaces are the host's it cannot see; the launcher adds them.

use std::fs;

use caplab_init::wire::ProcessText;

use crate::sys::attempt;

/// Processes beyond this are not listed.
const MAX_PROCESSES: usize = 1000;

/// This process, its host name and everybody else that it sees.
pub(crate) fn read() -> ProcessText {
    ProcessText {
        hostname: attempt::hostname().unwrap_or_default(),
        processes: processes(),
        ..crate::launcher::read("self")
    }
}

/// Everybody that /proc lists, this process apart.
fn processes() -> Vec<(String, Vec<u8>)> {
    let own = std::process::id();
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .collect();
    pids.sort_unstable();
    pids.truncate(MAX_PROCESSES);
    pids.into_iter()
        .filter_map(|pid| {
            // One that ends meanwhile is not there.
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            Some((status, fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()))
        })
        .collect()
}
