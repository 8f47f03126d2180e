//! What a case needs of the machine, and what of it is not there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use caplab_init::wire::{Firewall, Namespace, Probe};

use super::{Machine, shell};
use crate::{
    capability::CapSet,
    result::Skip,
    scenario::model::{Action, Case, Container, Control, Requirement, Rootfs, VolumeSource},
};

/// Where a container of `rootfs: host` finds programs, and where they then are on the machine.
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Debian's package of a program, where it is not named like it.
const PACKAGES: [(&str, &str); 8] = [
    ("ps", "procps"),
    ("pgrep", "procps"),
    ("sysctl", "procps"),
    ("ip", "iproute2"),
    ("capsh", "libcap2-bin"),
    ("ping", "iputils-ping"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
];

/// Everything a case needs: what the author says and what is derived from what it does.
#[must_use]
pub fn all(case: &Case) -> BTreeSet<Requirement> {
    let mut needed: BTreeSet<Requirement> = case.requires.iter().cloned().collect();
    // The native engine makes its namespaces as root.
    needed.insert(Requirement::Root);
    for container in &case.containers {
        of_container(container, &mut needed);
    }
    for step in &case.steps {
        of_step(&step.action, &case.containers[step.within], &mut needed);
    }
    needed
}

fn of_container(container: &Container, needed: &mut BTreeSet<Requirement>) {
    let userns = has_userns(container);
    if userns {
        needed.insert(Requirement::Userns);
    } else {
        // A user namespace has every capability to give, whoever made it.
        needed.extend(container.cap_add.named.names().into_iter().map(Requirement::Capability));
    }
    for volume in &container.volumes {
        if let VolumeSource::RealHost(path) = &volume.source {
            needed.insert(Requirement::TrustHost(path.clone()));
        }
    }
    if let Some(command) = container.command.as_ref().filter(|_| container.rootfs == Rootfs::Host) {
        needed.extend(command.first().filter(|name| !name.starts_with('/')).cloned().map(Requirement::Command));
    }
}

fn of_step(action: &Action, container: &Container, needed: &mut BTreeSet<Requirement>) {
    let because = match action {
        Action::Run { argv, because, .. } => {
            if container.rootfs == Rootfs::Host {
                let programs = match argv.as_slice() {
                    [shell, flag, text] if shell == "sh" && flag == "-c" => shell::programs(text),
                    argv => argv.first().cloned().into_iter().collect(),
                };
                if programs.iter().any(|program| program.starts_with("iptables") || program == "nft") {
                    needed.insert(Requirement::NfTables);
                }
                needed.extend(programs.into_iter().map(Requirement::Command));
            }
            because
        }
        Action::Probe { probe, because, .. } => {
            match probe {
                Probe::ListFirewall { api: Firewall::NfTables } => {
                    needed.insert(Requirement::NfTables);
                }
                // A machine without them refuses for another reason than the one that is asked for.
                Probe::Unshare { namespace: Namespace::User } => {
                    needed.insert(Requirement::Userns);
                }
                _ => {}
            }
            because
        }
        _ => return,
    };
    if let (Some(Control::Capability(capability)), false) = (because, has_userns(container)) {
        needed.insert(Requirement::Capability(capability.to_string()));
    }
}

fn has_userns(container: &Container) -> bool {
    !(container.uidmap.is_empty() && container.gidmap.is_empty())
}

/// What the machine lacks of it; `None` where it has everything.
#[must_use]
pub fn unmet(case: &Case, machine: &Machine) -> Option<Skip> {
    all(case).iter().find_map(|needed| lacking(needed, machine))
}

fn lacking(needed: &Requirement, machine: &Machine) -> Option<Skip> {
    let skip = |reason: String, remedy: Option<String>| Some(Skip { reason, remedy });
    match needed {
        Requirement::Root if machine.uid != 0 => skip(
            "needs root: the native engine makes its namespaces as root".into(),
            Some("run as root: sudo -E caplab run".into()),
        ),
        Requirement::Root if machine.kernel_version().is_some_and(|version| version < super::doctor::KERNEL) => {
            skip(format!("needs Linux 5.12 or later, this is {}", machine.kernel), None)
        }
        Requirement::Root if !has(machine.effective, "SYS_ADMIN") => {
            skip("needs CAP_SYS_ADMIN, which this root does not have (a container?)".into(), None)
        }
        Requirement::Userns if !machine.userns => {
            skip("needs user namespaces".into(), Some("sysctl -w user.max_user_namespaces=15000".into()))
        }
        Requirement::Command(name) if program(name).is_none() => {
            let package =
                PACKAGES.iter().find(|(program, _)| program == name).map_or(name.as_str(), |(_, package)| package);
            skip(format!("needs the command {name}"), Some(format!("apt-get install {package}")))
        }
        Requirement::Capability(name) if !has(machine.bounding, name) => {
            skip(format!("needs {name}, which this machine's root does not have to give"), None)
        }
        Requirement::NfTables if !super::doctor::has_nf_tables() => {
            skip("needs the kernel's nf_tables".into(), Some("modprobe nf_tables".into()))
        }
        Requirement::TrustHost(path) if !machine.trust_host => {
            skip(format!("looks at {path} of the real machine"), Some("--trust-host, if you trust the scenario".into()))
        }
        _ => None,
    }
}

fn has(set: CapSet, name: &str) -> bool {
    crate::capability::Capability::from_name(name).is_some_and(|capability| set.contains(capability))
}

/// Where a program of `rootfs: host` lies.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    if name.starts_with('/') {
        return Some(PathBuf::from(name)).filter(|path| path.exists());
    }
    PATH.iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists())
}

/// A requirement in a word or two, `command:iptables`.
#[must_use]
pub fn name(requirement: &Requirement) -> String {
    match requirement {
        Requirement::Root => "root".to_owned(),
        Requirement::Userns => "userns".to_owned(),
        Requirement::Command(name) => format!("command:{name}"),
        Requirement::Capability(name) => format!("capability:{name}"),
        Requirement::NfTables => "nf_tables".to_owned(),
        Requirement::TrustHost(path) => format!("trust-host:{path}"),
    }
}
