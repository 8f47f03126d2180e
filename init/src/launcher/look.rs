//! Processes seen from outside, through the lab host's /proc.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use caplab_init::wire::{Hierarchy, ProcessText, report};

use super::{Lab, container::Running, join};
use crate::sys::file;

/// What /proc says about a process, which namespaces are the host's included.
pub(super) fn process(lab: &Lab, pid: i32) -> ProcessText {
    ProcessText { host_namespaces: lab.namespaces.clone(), ..read(&pid.to_string()) }
}

/// What /proc says about a process, `self` the one that asks. A file that cannot be read is left empty: the parent says
/// which one it misses.
pub(crate) fn read(pid: &str) -> ProcessText {
    let path = |file: &str| format!("/proc/{pid}/{file}");
    let text = |file: &str| file::read_text(&path(file)).unwrap_or_default();
    ProcessText::read(text, file::read(&path("cmdline")).unwrap_or_default(), namespaces(pid))
}

/// The namespaces that a process is in.
pub(super) fn namespaces(pid: &str) -> Vec<(String, String)> {
    report::namespaces(|name| file::read_link(&format!("/proc/{pid}/ns/{name}")).ok())
}

/// /proc/PID/cgroup.
pub(super) fn cgroup(pid: i32) -> String {
    file::read_text(&format!("/proc/{pid}/cgroup")).unwrap_or_default()
}

/// The limits of the groups that a process is in, by its /proc/PID/cgroup: name and content of each file. One that cannot be read is
/// left empty: the parent says which one it misses.
pub(super) fn resources(hierarchies: &[Hierarchy], cgroup: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for hierarchy in hierarchies {
        let directory = hierarchy.directory(cgroup);
        for name in &hierarchy.files {
            let text = directory.as_ref().and_then(|directory| file::read_text(&format!("{directory}/{name}")).ok());
            found.push((name.clone(), text.unwrap_or_default()));
        }
    }
    found
}

/// Sysctls of a container's namespaces: the kernel shows each process those of its own, so that this one goes there and comes back. One
/// that cannot be read is left empty.
pub(super) fn sysctls(
    lab: &Lab,
    running: &Running,
    namespaces: &[(String, String)],
    names: &[String],
) -> Vec<(String, String)> {
    let flag = |name: &String| {
        if name.starts_with("net.") { ("net", libc::CLONE_NEWNET) } else { ("ipc", libc::CLONE_NEWIPC) }
    };
    let identity = |all: &[(String, String)], which: &str| all.iter().find(|(name, _)| name == which).cloned();
    let is_its_own = |which: &str| identity(namespaces, which) != identity(&lab.namespaces, which);
    let own = names.iter().map(flag).filter(|(which, _)| is_its_own(which));
    let flags = own.fold(0, |all, (_, flag)| all | flag as u64);
    let read = || {
        let value = |name: &String| {
            let text = file::read_text(&format!("/proc/sys/{}", name.replace('.', "/"))).unwrap_or_default();
            (name.clone(), text.trim_end().to_owned())
        };
        Ok(names.iter().map(value).collect())
    };
    let entered = [(running, flags)];
    join::within(lab, if flags == 0 { &[] } else { &entered }, read, |_| false).unwrap_or_default()
}

/// /proc/PID/status.
pub(super) fn status(pid: i32) -> String {
    file::read_text(&format!("/proc/{pid}/status")).unwrap_or_default()
}

/// The same of a process that has described itself; `init` is /proc/PID/cgroup of its pid 1, seen from here.
pub(super) fn resources_inside(hierarchies: &[Hierarchy], text: &ProcessText, init: &str) -> Vec<(String, String)> {
    let lines = hierarchies.iter().filter_map(|one| one.as_the_host(&text.cgroup, &text.init_cgroup, init));
    resources(hierarchies, &lines.collect::<String>())
}

/// A process and its ancestors up to the lab host's pid 1.
pub(super) fn lineage(lab: &Lab, pid: i32) -> Vec<ProcessText> {
    report::lineage(pid.cast_unsigned(), |pid| process(lab, pid.cast_signed()))
}
