//! What an inspect step executes: it reads itself. Which namespaces are the host's it cannot see; the launcher adds them.

use std::fs;

use caplab_init::wire::ProcessText;

use crate::sys::attempt;

/// Processes beyond this are not listed.
const MAX_PROCESSES: usize = 1000;

/// /proc about this process. A file that cannot be read is left empty: the parent says which one it misses.
pub(crate) fn read() -> ProcessText {
    let text = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    ProcessText {
        status: text("status"),
        uid_map: text("uid_map"),
        gid_map: text("gid_map"),
        mountinfo: text("mountinfo"),
        limits: text("limits"),
        cmdline: fs::read("/proc/self/cmdline").unwrap_or_default(),
        namespaces: crate::launcher::namespaces("self"),
        host_namespaces: Vec::new(),
        hostname: attempt::hostname().unwrap_or_default(),
        processes: processes(),
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
