//! Every kernel feature, limit and command that matters: whether it is there, what is lost without it, what brings it.

use std::{path::Path, sync::OnceLock};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::{CgroupVersion, Machine, machine::number, requirement::program};

/// The oldest kernel that has the calls of the native engine: mount_setattr(2).
pub(super) const KERNEL: (u32, u32) = (5, 12);

/// How a point stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There.
    Good,
    /// Not there, and some of the suite is lost.
    Less,
    /// Not there, and nothing runs.
    Bad,
}

/// One point.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// How it stands.
    pub state: State,
    /// What was seen.
    pub seen: String,
    /// What of the suite is lost; empty where it is there.
    pub lost: &'static str,
    /// The command or setting that brings it; empty where nothing does, or nothing needs to.
    pub remedy: String,
}

/// Examines the machine.
#[must_use]
pub fn examine(machine: &Machine) -> Vec<Finding> {
    let mut found = vec![kernel(machine), root(machine)];
    for (file, what) in [
        ("mnt", "mount namespaces"),
        ("pid", "pid namespaces"),
        ("net", "network namespaces"),
        ("ipc", "ipc namespaces"),
        ("uts", "uts namespaces"),
        ("cgroup", "cgroup namespaces"),
    ] {
        let there = Path::new("/proc/self/ns").join(file).exists();
        found.push(point(
            what,
            there,
            State::Bad,
            yes(there),
            "every scenario",
            "a kernel built with CONFIG_NAMESPACES",
        ));
    }
    found.push(userns(machine));
    let nf_tables = has_nf_tables();
    found.push(point(
        "nf_tables",
        nf_tables,
        State::Less,
        yes(nf_tables),
        "scenarios that list the firewall",
        "modprobe nf_tables",
    ));
    found.push(capabilities(machine));
    found.push(sysctl_row());
    let overlay = std::fs::read_to_string("/proc/filesystems").unwrap_or_default().contains("\toverlay");
    found.push(point("overlay", overlay, State::Good, yes(overlay), "", ""));
    let seccomp = Path::new("/proc/sys/kernel/seccomp/actions_avail").exists();
    found.push(point("seccomp filters", seccomp, State::Good, yes(seccomp), "", ""));
    let cgroup = match machine.cgroup {
        CgroupVersion::V1 => "v1 or hybrid",
        CgroupVersion::V2 => "v2",
        CgroupVersion::None => "none mounted",
    };
    found.push(Finding {
        what: "cgroups",
        state: State::Good,
        seen: cgroup.to_owned(),
        lost: "",
        remedy: String::new(),
    });
    for (name, lost, package) in [
        ("sh", "every `run` step", "dash"),
        ("id", "the course note's own commands", "coreutils"),
        ("ps", "the course note's `ps -ef`", "procps"),
        ("iptables", "the course note's `iptables -L`", "iptables"),
        ("runc", "`--engine runc`", "runc"),
        ("crun", "`--engine crun`", "crun"),
    ] {
        let path = program(name);
        let seen = path.as_ref().map_or_else(|| "not found".to_owned(), |path| path.display().to_string());
        found.push(point(name, path.is_some(), State::Less, seen, lost, &format!("apt-get install {package}")));
    }
    found
}

fn yes(there: bool) -> String {
    if there { "yes" } else { "no" }.to_owned()
}

/// A point that is good or not.
fn point(what: &'static str, good: bool, otherwise: State, seen: String, lost: &'static str, remedy: &str) -> Finding {
    if good {
        return Finding { what, state: State::Good, seen, lost: "", remedy: String::new() };
    }
    Finding { what, state: otherwise, seen, lost, remedy: remedy.to_owned() }
}

fn kernel(machine: &Machine) -> Finding {
    let good = machine.kernel_version().is_none_or(|version| version >= KERNEL);
    point(
        "kernel",
        good,
        State::Bad,
        machine.kernel.clone(),
        "every scenario: mount_setattr(2) came with Linux 5.12",
        "a newer kernel",
    )
}

fn root(machine: &Machine) -> Finding {
    let admin = crate::capability::Capability::SYS_ADMIN;
    let good = machine.uid == 0 && machine.effective.contains(admin);
    let seen = match (machine.uid, good) {
        (_, true) => "uid 0 with CAP_SYS_ADMIN".to_owned(),
        (0, false) => "uid 0 without CAP_SYS_ADMIN".to_owned(),
        (uid, _) => format!("uid {uid}"),
    };
    point("root", good, State::Bad, seen, "every scenario of the native engine", "sudo -E caplab run")
}

fn userns(machine: &Machine) -> Finding {
    let most = number("/proc/sys/user/max_user_namespaces").unwrap_or_else(|| "no such kernel feature".to_owned());
    point(
        "user namespaces",
        machine.userns,
        State::Less,
        format!("at most {most}"),
        "scenarios with a uidmap",
        "sysctl -w user.max_user_namespaces=15000",
    )
}

fn capabilities(machine: &Machine) -> Finding {
    let missing = machine.kernel_capabilities.difference(machine.bounding);
    let seen = if missing.is_empty() { "every one of the kernel's".to_owned() } else { format!("all but {missing}") };
    let lost = "scenarios that give what root does not have";
    let state = if missing.is_empty() { State::Good } else { State::Less };
    Finding {
        what: "capabilities of root",
        state,
        seen,
        lost: if missing.is_empty() { "" } else { lost },
        remedy: String::new(),
    }
}

fn sysctl_row() -> Finding {
    let noexec = number("/proc/sys/vm/memfd_noexec").unwrap_or_else(|| "0".to_owned());
    point(
        "executable memfds",
        noexec != "2",
        State::Bad,
        format!("vm.memfd_noexec={noexec}"),
        "every scenario: the helper is executed from a memfd",
        "sysctl -w vm.memfd_noexec=0",
    )
}

/// Whether the kernel has a netfilter socket, behind which nf_tables is. Where the socket is there and nf_tables is not,
/// the probe says so when it is run.
pub(super) fn has_nf_tables() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    // Opening the socket makes a kernel with modules load nfnetlink.
    *ANSWER.get_or_init(|| {
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter).is_ok()
    })
}
