//! Every kernel feature, limit and command that matters: whether it is there, what is lost without it, what brings it.

use std::{path::Path, sync::OnceLock};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::{
    CgroupVersion, Controller, HierarchyVersion, Machine, lab::LabRoot, machine::number, requirement::program,
};

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
    found.extend(lab_host(machine));
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
    let cgroup = match machine.cgroups.version() {
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
    found.extend(Controller::ALL.map(|controller| limits(machine, controller)));
    for (name, lost, package) in [
        ("sh", "every `run` step", "dash"),
        ("id", "the course note's own commands", "coreutils"),
        ("ps", "the course note's `ps -ef`", "procps"),
        ("iptables", "the course note's `iptables -L`", "iptables"),
        ("runc", "`--engine runc`", "runc"),
        ("crun", "`--engine crun`", "crun"),
        ("podman", "`--engine podman`", "podman"),
        ("docker", "`--engine docker`", "docker.io"),
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
    let seen = match (machine.uid, machine.lab.is_made()) {
        (_, false) if machine.lab.initial => "uid 0 with CAP_SYS_ADMIN".to_owned(),
        (_, false) => "uid 0 with CAP_SYS_ADMIN, in a user namespace (a container?)".to_owned(),
        (0, true) => "uid 0 without CAP_SYS_ADMIN (a container?)".to_owned(),
        (uid, true) => format!("uid {uid}"),
    };
    point("root", machine.lab.initial, State::Less, seen, "what docs/rootless.md names", "sudo -E caplab run")
}

/// What stands for the host where this process is not root.
fn lab_host(machine: &Machine) -> Option<Finding> {
    const WHAT: &str = "lab host";
    let ids = |map: &[caplab_init::wire::IdMap]| map.iter().map(|line| u64::from(line.count)).sum::<u64>();
    if let Some(obstacle) = &machine.obstacle {
        let remedy = obstacle.remedy().unwrap_or_default();
        return Some(point(WHAT, false, State::Bad, obstacle.reason(), "every scenario of the native engine", &remedy));
    }
    Some(match &machine.lab.root {
        LabRoot::Own | LabRoot::Apart => return None,
        LabRoot::Mapped(_) => {
            let seen = format!(
                "a user namespace with {} uids and {} gids, whose root uid {} is",
                ids(&machine.lab.uids),
                ids(&machine.lab.gids),
                machine.uid
            );
            point(WHAT, true, State::Good, seen, "", "")
        }
        LabRoot::Single(lacking) => {
            let seen = format!("a user namespace with one id: {}", lacking.reason());
            let lost = "scenarios in which there is a second user or group";
            point(WHAT, false, State::Less, seen, lost, &lacking.remedy().unwrap_or_default())
        }
    })
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

/// A controller that limits something.
fn limits(machine: &Machine, controller: Controller) -> Finding {
    let (what, lost) = match controller {
        Controller::Pids => ("pids controller", "scenarios with a pids_limit"),
        Controller::Memory => ("memory controller", "scenarios with a mem_limit"),
        Controller::Cpu => ("cpu controller", "scenarios with cpus"),
    };
    let home = machine.cgroups.controllers().home(controller);
    let seen = home.map_or_else(
        || "not for new control groups".to_owned(),
        |home| {
            let version = if home.version == HierarchyVersion::V1 { "v1" } else { "v2" };
            format!("{version}, {}", home.mount)
        },
    );
    point(what, home.is_some(), State::Less, seen, lost, &machine.cgroups.controllers().remedy(controller))
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
