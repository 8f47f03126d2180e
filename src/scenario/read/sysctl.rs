//! `sysctls`: those that belong to a namespace of the container.

use std::collections::HashSet;

use super::{container::pairs, text};
use crate::scenario::{
    diagnostic::{Fault, Place},
    problems::Problems,
    tree::Node,
};

/// Those of the IPC namespace, and what the rest begins with: docker and podman allow no others (docker/cli, opts/opts.go ValidateSysctl;
/// measured).
const OF_IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];
const BEGIN: [&str; 2] = ["net.", "fs.mqueue."];

/// A map, or a list of `name=value`.
pub(super) fn sysctls(node: &Node, problems: &Problems) -> Result<Vec<(String, String)>, Fault> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut names = HashSet::new();
    for (at, name, value) in pairs(node, "`net.ipv4.ip_forward=1`", problems)? {
        if problems.ok(check(at, &name, &value)).is_none() {
            continue;
        }
        if names.insert(name.clone()) {
            found.push((name, value));
        } else {
            problems.tell(Fault::new(at, format!("{name} is there twice")).help("only the last would count"));
        }
    }
    Ok(found)
}

/// The name of one.
pub(super) fn name(node: &Node) -> Result<String, Fault> {
    let name = text(node)?;
    check_name(node.at, name).map(|()| name.to_owned())
}

fn check(at: Place, name: &str, value: &str) -> Result<(), Fault> {
    check_name(at, name)?;
    if value.is_empty() || value.len() > 1024 || value.contains(['\n', '\r']) {
        return Err(Fault::new(at, format!("{name} needs a value, one line"))
            .help(format!("`{name}=1`, as sysctl(8) takes it")));
    }
    Ok(())
}

fn check_name(at: Place, name: &str) -> Result<(), Fault> {
    // It becomes a path below /proc/sys.
    let valid = name.split('.').all(|part| !part.is_empty())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !valid {
        return Err(
            Fault::new(at, format!("`{name}` is no sysctl")).help("`net.ipv4.ip_forward`, as sysctl(8) writes it")
        );
    }
    if !OF_IPC.contains(&name) && !BEGIN.iter().any(|begin| name.starts_with(begin)) {
        return Err(Fault::new(at, format!("sysctl {name} is not allowed: it is the machine's, not a namespace's"))
            .help(format!("docker and podman refuse it too; there are net.*, fs.mqueue.* and {}", OF_IPC.join(", "))));
    }
    Ok(())
}
