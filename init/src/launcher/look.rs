//! Processes seen from outside, through the lab host's /proc.

use std::fs;

use caplab_init::wire::ProcessText;

/// The names of a process's namespaces in /proc/PID/ns that say where it is (not where its children will be).
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// What /proc says about a process, which namespaces are the host's included.
pub(super) fn process(pid: i32) -> ProcessText {
    ProcessText { host_namespaces: host_namespaces().to_vec(), ..read(&pid.to_string()) }
}

/// What /proc says about a process, `self` the one that asks. A file that cannot be read is left empty: the parent says
/// which one it misses.
pub(crate) fn read(pid: &str) -> ProcessText {
    let text = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    ProcessText {
        status: text("status"),
        uid_map: text("uid_map"),
        gid_map: text("gid_map"),
        mountinfo: text("mountinfo"),
        limits: text("limits"),
        cmdline: fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
        namespaces: namespaces(pid),
        ..ProcessText::default()
    }
}

/// The launcher's own, which stand for the host's. It never leaves them but for the pid namespace of its children.
pub(super) fn host_namespaces() -> &'static [(String, String)] {
    static OWN: std::sync::OnceLock<Vec<(String, String)>> = std::sync::OnceLock::new();
    OWN.get_or_init(|| namespaces("self"))
}

/// Name and identity of each namespace of a process; one that the kernel does not have is left out.
fn namespaces(pid: &str) -> Vec<(String, String)> {
    let identity = |name: &str| fs::read_link(format!("/proc/{pid}/ns/{name}")).ok();
    NAMESPACES
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), identity(name)?.to_string_lossy().into_owned())))
        .collect()
}

/// A process and its ancestors up to the lab host's pid 1.
pub(super) fn lineage(pid: i32) -> Vec<ProcessText> {
    let mut all = Vec::new();
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|pid| *pid > 0) {
        let seen = process(pid);
        next = seen.status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
        all.push(seen);
    }
    all
}
