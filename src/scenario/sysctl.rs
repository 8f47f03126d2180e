//! Sysctls of a container's namespaces, and those of them that open to everybody what else takes a capability or a group.

use caplab_init::wire::{Namespace, Probe};

use super::model::{Action, Case, Control};

/// One that is open or closed.
#[derive(Debug)]
pub struct Switch {
    /// `net.ipv4.ip_unprivileged_port_start`.
    pub name: &'static str,
    /// What lets everybody.
    pub open: &'static str,
    /// What the kernel has in a new namespace: nobody without the capability.
    pub closed: &'static str,
    /// Where to read on.
    pub man: &'static str,
    /// Whether a probe asks for it.
    decides: fn(&Probe) -> bool,
}

/// Those that are known: `inet_prot_sock` for ports, `ping_init_sock` for groups (net/ipv4).
pub const SWITCHES: [Switch; 2] = [
    Switch {
        name: "net.ipv4.ip_unprivileged_port_start",
        open: "0",
        closed: "1024",
        man: "ip(7)",
        decides: |probe| matches!(probe, Probe::BindPort { .. }),
    },
    Switch {
        name: "net.ipv4.ping_group_range",
        open: "0 2147483647",
        closed: "1 0",
        man: "icmp(7)",
        decides: |probe| matches!(probe, Probe::Ping),
    },
];

/// The one of this name.
#[must_use]
pub fn switch(name: &str) -> Option<&'static Switch> {
    SWITCHES.iter().find(|switch| switch.name == name)
}

/// The namespace that it belongs to.
#[must_use]
pub fn namespace(name: &str) -> Namespace {
    if name.starts_with("net.") { Namespace::Network } else { Namespace::Ipc }
}

/// The page about it.
#[must_use]
pub fn man(name: &str) -> &'static str {
    match switch(name) {
        Some(switch) => switch.man,
        None if name.starts_with("fs.mqueue.") => "mq_overview(7)",
        None if namespace(name) == Namespace::Ipc => "svipc(7)",
        None => "sysctl(8)",
    }
}

/// What a step may be decided by: what its probe asks for, of a command maybe all that are known.
pub fn of_step(action: &Action) -> impl Iterator<Item = &str> {
    let decide = move |switch: &&Switch| match action {
        Action::Probe { probe, .. } => (switch.decides)(probe),
        Action::Run { .. } => true,
        _ => false,
    };
    SWITCHES.iter().filter(decide).map(|switch| switch.name)
}

/// Those that a case asks for, of a container: what its author sets, what its probes are about, what a `because` names. What a command is
/// about nobody knows.
#[must_use]
pub fn of_container(case: &Case, within: usize) -> Vec<&str> {
    let mut all: Vec<&str> = case.containers[within].sysctls.iter().map(|(name, _)| name.as_str()).collect();
    for action in case.steps.iter().filter(|step| step.within == within).map(|step| &step.action) {
        if matches!(action, Action::Probe { .. }) {
            all.extend(of_step(action));
        }
        all.extend(action.because().controls().iter().filter_map(|control| match control {
            Control::Sysctl(name) => Some(name.as_str()),
            _ => None,
        }));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// A value as sysctl(8) writes it; the kernel has tabs between numbers.
#[must_use]
pub fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
