//! What a case needs of the machine, and what of it is not there.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use caplab_init::wire::{Firewall, Namespace, Probe};

use super::{Controller, Machine, device, lab::LabRoot, shell};
use crate::{
    capability::CapSet,
    engine::Kind,
    result::Skip,
    scenario::{
        describe,
        image::{Base, Build, Command as Run},
        model::{Action, Case, Container, Control, Host, Owner, Requirement, Rootfs, Sharing, VolumeSource},
    },
    text::nearest,
};

/// Where a container of `rootfs: host` finds programs, and where they then are on the machine.
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Debian's package of a program. Of one that is not listed it is not known whether any has it.
const PACKAGES: [(&str, &str); 18] = [
    ("iptables", "iptables"),
    ("gcc", "gcc"),
    ("perl", "perl"),
    ("python3", "python3"),
    ("strace", "strace"),
    ("useradd", "passwd"),
    ("groupadd", "passwd"),
    ("usermod", "passwd"),
    ("setcap", "libcap2-bin"),
    ("mke2fs", "e2fsprogs"),
    ("ps", "procps"),
    ("pgrep", "procps"),
    ("sysctl", "procps"),
    ("ip", "iproute2"),
    ("capsh", "libcap2-bin"),
    ("ping", "iputils-ping"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
];

/// Since when processes are counted for a user of a user namespace (21d1c5e386bc, "Reimplement RLIMIT_NPROC on top of ucounts").
const COUNTS: (u32, u32) = (5, 14);

/// Everything a case needs: what the author says and what is derived from what it does.
#[must_use]
pub fn all(case: &Case) -> BTreeSet<Requirement> {
    let mut needed: BTreeSet<Requirement> = case.requires.iter().cloned().collect();
    needed.insert(Requirement::LabHost);
    needed.extend(case.host.apart.then_some(Requirement::OwnCounts));
    needed.extend(case.host.apart.then_some(Requirement::Userns));
    if case.host.disk.is_some() {
        needed.insert(Requirement::Command("mke2fs".to_owned()));
        needed.insert(Requirement::Device("/dev/loop-control".to_owned()));
    }
    for container in &case.containers {
        of_container(container, &case.host, &mut needed);
    }
    for step in &case.steps {
        of_step(&step.action, &case.containers[step.within], &mut needed);
    }
    needed
}

fn of_container(container: &Container, host: &Host, needed: &mut BTreeSet<Requirement>) {
    let userns = container.has_user_namespace();
    if userns {
        needed.insert(Requirement::Userns);
    } else {
        // A user namespace has every capability to give, whoever made it.
        needed.extend(container.cap_add.named.names().into_iter().map(Requirement::Capability));
    }
    if let Some(image) = &container.image {
        needed.insert(Requirement::Ids);
        let build = image.build().filter(|build| build.dockerfile.from == Base::Host);
        for command in build.into_iter().flat_map(Build::commands) {
            let programs = match command {
                Run::Shell(text) => shell::programs(text),
                Run::Exec(argv) => argv.first().cloned().into_iter().collect(),
            };
            needed.extend(programs.into_iter().filter(|name| is_the_machines(name)).map(Requirement::Command));
        }
    }
    let limits = container.resources;
    for (controller, asked) in [
        (Controller::Pids, limits.pids.is_some_and(|pids| pids != u64::MAX)),
        (Controller::Memory, limits.memory.is_some()),
        (Controller::Cpu, limits.nano_cpus.is_some()),
    ] {
        needed.extend(asked.then_some(Requirement::Controller(controller)));
    }
    for volume in &container.volumes {
        if let VolumeSource::RealHost(path) = &volume.source {
            needed.insert(Requirement::TrustHost(path.clone()));
        }
    }
    for which in Sharing::SHARED {
        if *container.sharing.owner(which) == Owner::Host {
            needed.insert(Requirement::HostNamespace(which));
        }
    }
    needed.extend(device::needing_trust(container, host).into_iter().map(Requirement::TrustHost));
    let machines = container.devices.iter().filter(|device| !device::is_fixture(device, host));
    needed.extend(machines.map(|device| Requirement::Device(device.source.clone())));
    // Behind an image's entry point a command is only its arguments.
    let is_whole = container.image.as_ref().is_none_or(|image| image.own_entrypoint);
    if let Some(command) = container.command.as_ref().filter(|_| container.rootfs == Rootfs::Host && is_whole) {
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
                needed.extend(programs.into_iter().filter(|name| is_the_machines(name)).map(Requirement::Command));
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
        Action::Inspect(facts) => {
            for (controller, asked) in [
                (Controller::Pids, facts.resources.pids.is_some()),
                (Controller::Memory, facts.resources.memory.is_some()),
                (Controller::Cpu, facts.resources.cpu.is_some()),
            ] {
                needed.extend(asked.then_some(Requirement::Controller(controller)));
            }
            return;
        }
        _ => return,
    };
    // A capability that its machine's root does not have can be given to nobody outside of a user namespace.
    let named = because.controls().iter().filter_map(|control| match control {
        Control::Capability(capability) => Some(Requirement::Capability(capability.to_string())),
        _ => None,
    });
    needed.extend(named.filter(|_| !container.has_user_namespace()));
}

/// A path elsewhere than where `rootfs: host` has the machine's programs is a file of the container's own.
fn is_the_machines(program: &str) -> bool {
    !program.starts_with('/') || ["/usr/", "/bin/", "/sbin/"].iter().any(|dir| program.starts_with(dir))
}

/// What the machine lacks of it; `None` where it has everything.
#[must_use]
pub fn unmet(case: &Case, machine: &Machine) -> Option<Skip> {
    all(case).iter().find_map(|needed| lacking(needed, machine))
}

fn lacking(needed: &Requirement, machine: &Machine) -> Option<Skip> {
    let skip = |reason: String, remedy: Option<String>| Some(Skip { reason, remedy });
    match needed {
        Requirement::LabHost if machine.kernel_version().is_some_and(|version| version < super::doctor::KERNEL) => {
            skip(format!("needs Linux 5.12 or later, this is {}", machine.kernel), None)
        }
        Requirement::LabHost => {
            let obstacle = machine.obstacle.as_ref()?;
            let remedy = obstacle.remedy().map(|command| format!("{command}, or as root: sudo -E caplab run"));
            skip(format!("needs root or a user namespace: {}", obstacle.reason()), remedy)
        }
        Requirement::OwnCounts if machine.kernel_version().is_some_and(|version| version < COUNTS) => skip(
            format!(
                "needs Linux 5.14 or later, this is {}: before, a user's processes of all user namespaces are counted together",
                machine.kernel
            ),
            None,
        ),
        Requirement::Root if machine.lab.is_made() => {
            skip("needs root: its author says so".into(), Some("run as root: sudo -E caplab run".into()))
        }
        Requirement::Ids => match &machine.lab.root {
            LabRoot::Single(lacking) => skip(
                format!("needs subordinate ids, for the owners of an image's files: {}", lacking.reason()),
                lacking.remedy().or_else(|| Some("run as root: sudo -E caplab run".into())),
            ),
            _ => None,
        },
        Requirement::Userns if !machine.userns => {
            skip("needs user namespaces".into(), Some("sysctl -w user.max_user_namespaces=15000".into()))
        }
        Requirement::Command(name) if program(name).is_none() => {
            skip(format!("needs the command {name}"), Some(bring(name)))
        }
        Requirement::Capability(name) if !has(machine.bounding, name) => {
            skip(format!("needs {name}, which this machine's root does not have to give"), None)
        }
        Requirement::NfTables if !super::doctor::has_nf_tables() => {
            skip("needs the kernel's nf_tables".into(), Some("modprobe nf_tables".into()))
        }
        Requirement::Controller(_) if machine.lab.is_made() => {
            skip("needs root (control-groups): an ordinary user has no part of their tree".into(), None)
        }
        Requirement::Controller(controller) if machine.cgroups.controllers().home(*controller).is_none() => skip(
            format!("needs the {} controller of control groups", controller.name()),
            Some(machine.cgroups.controllers().remedy(*controller)),
        ),
        Requirement::Device(path) if device::node(path).is_none() => skip(
            format!("needs the device {path}"),
            Some(match path.rsplit('/').next().unwrap_or(path) {
                "loop-control" => "modprobe loop".to_owned(),
                name => format!("modprobe {name}"),
            }),
        ),
        Requirement::TrustHost(path) if !machine.trust_host => {
            skip(format!("looks at {path} of the real machine"), Some("--trust-host, if you trust the scenario".into()))
        }
        Requirement::HostNamespace(which) if !machine.trust_host => skip(
            format!("is in the {} namespace of the real machine", describe::namespace(*which)),
            Some("--trust-host, if you trust the scenario".into()),
        ),
        // Who may not mount a sysfs or a mqueue for them has none of a container's mounts.
        Requirement::HostNamespace(which @ (Namespace::Network | Namespace::Ipc)) if !machine.lab.initial => skip(
            format!("the host's {} namespace belongs to its root", describe::namespace(*which)),
            Some("run as root: sudo -E caplab run".into()),
        ),
        _ => None,
    }
}

/// Why a case is not for this engine; `None` where it is for it.
#[must_use]
pub fn for_another_engine(case: &Case, engine: Kind) -> Option<Skip> {
    case.requires.iter().find_map(|needed| match needed {
        Requirement::Engine(engines) if !engines.contains(&engine) => {
            let names = engines.iter().map(|one| one.name()).collect::<Vec<_>>();
            let remedy = engines.first().map(|one| format!("--engine {one}"));
            Some(Skip { reason: format!("is about {}", names.join(", ")), remedy })
        }
        _ => None,
    })
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

/// Where an engine lies: where whoever calls caplab would find it, or where packages put it, which sudo or cron may leave out of PATH.
pub(crate) fn engine(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    on_path(&own, name).or_else(|| program(name))
}

/// The first that can be executed in the absolute directories of a PATH.
fn on_path(path: &OsStr, name: &str) -> Option<PathBuf> {
    let places = std::env::split_paths(path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name));
    let is_executable =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    places.into_iter().find(is_executable)
}

/// What brings a command. The name of one that is not known here may be a slip of the pen, and is no package's for certain.
fn bring(name: &str) -> String {
    if let Some((_, package)) = PACKAGES.iter().find(|(program, _)| *program == name) {
        return format!("apt-get install {package}");
    }
    let there: Vec<String> = PATH
        .iter()
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect();
    match nearest(name, there.iter().map(String::as_str)) {
        Some(near) => format!("`{near}` is there: correct the name, or install the package that has {name}"),
        None => format!("install the package that has {name}, if it is spelt so"),
    }
}

/// A requirement in a word or two, `command:iptables`.
#[must_use]
pub fn name(requirement: &Requirement) -> String {
    match requirement {
        Requirement::LabHost => "lab-host".to_owned(),
        Requirement::OwnCounts => "own-counts".to_owned(),
        Requirement::Ids => "subordinate-ids".to_owned(),
        Requirement::Root => "root".to_owned(),
        Requirement::Userns => "userns".to_owned(),
        Requirement::Command(name) => format!("command:{name}"),
        Requirement::Capability(name) => format!("capability:{name}"),
        Requirement::NfTables => "nf_tables".to_owned(),
        Requirement::Controller(controller) => format!("controller:{}", controller.name()),
        Requirement::Device(path) => format!("device:{path}"),
        Requirement::TrustHost(path) => format!("trust-host:{path}"),
        Requirement::HostNamespace(which) => format!("trust-host:{}", describe::namespace(*which)),
        Requirement::Engine(engines) => {
            format!("engine:{}", engines.iter().map(|one| one.name()).collect::<Vec<_>>().join("|"))
        }
    }
}
