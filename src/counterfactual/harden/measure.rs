//! What can be given up, and a config taken apart into it.

use std::time::Duration;

use crate::{
    capability::{CapSet, Capability},
    counterfactual::control::{ORDINARY, REMAP},
    host::Machine,
    scenario::{
        describe,
        model::{CapList, Case, Container, Control, IdOrName, Limit, Owner, Propagation, Sharing, SystemPaths, User},
    },
    spec,
};

/// One thing that a container need not have, as the control that is imposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Index of the container.
    pub within: usize,
    /// The control.
    pub control: Control,
    /// What is given up, for a reader: `CAP_CHOWN`, `being root`.
    pub what: String,
    /// Of [`Control::Devices`]: every device, and not those that the container names.
    every_device: bool,
}

/// A case whose containers name everything that they grant.
///
/// # Errors
/// Where it cannot be resolved.
pub(super) fn apart(case: &Case, machine: &Machine) -> Result<Case, String> {
    let job = spec::job(case, machine, Duration::ZERO).map_err(|error| error.to_string())?;
    let mut case = case.clone();
    for (container, job) in case.containers.iter_mut().zip(&job.containers) {
        let capabilities = job.spec.process().as_ref().and_then(|process| process.capabilities().clone());
        let granted: CapSet = capabilities.unwrap_or_default().bounding().iter().flatten().collect();
        container.cap_drop = CapList { all: true, named: CapSet::EMPTY };
        container.cap_add = CapList { all: false, named: granted };
        // What its preset covers and it has not, because it is privileged or its author says so.
        let linux = job.spec.linux().clone().unwrap_or_default();
        let covered = |path: &String| {
            [linux.masked_paths(), linux.readonly_paths()].into_iter().flatten().any(|list| list.contains(path))
        };
        let (masked, readonly) = lists(container, machine)?;
        container.altered.uncovered = masked.into_iter().chain(readonly).filter(|path| !covered(path)).collect();
        container.system_paths = SystemPaths { mask: container.system_paths.mask.clone(), ..SystemPaths::default() };
        if container.privileged {
            container.privileged = false;
            container.seccomp_unconfined = true;
            container.altered.all_devices = true;
            container.altered.writable.push("/sys".to_owned());
        }
    }
    Ok(case)
}

/// What a container of this preset that is not privileged has masked and read-only.
fn lists(container: &Container, machine: &Machine) -> Result<(Vec<String>, Vec<String>), String> {
    let host = crate::scenario::model::Host::default();
    let plain =
        Container { privileged: false, volumes: Vec::new(), system_paths: SystemPaths::default(), ..container.clone() };
    let case = Case { name: None, host, containers: vec![plain], steps: Vec::new(), requires: Vec::new() };
    let job = spec::job(&case, machine, Duration::ZERO).map_err(|error| error.to_string())?;
    let linux = job.containers.first().and_then(|one| one.spec.linux().clone()).unwrap_or_default();
    Ok((linux.masked_paths().clone().unwrap_or_default(), linux.readonly_paths().clone().unwrap_or_default()))
}

/// Everything that the containers of a case, taken apart, could give up; what matters most first, for of two that exclude each other
/// the first is given up.
pub(super) fn measures(case: &Case) -> Vec<Measure> {
    let of = |(within, container): (usize, &Container)| {
        let all_devices =
            Measure { within, control: Control::Devices, what: "every device".to_owned(), every_device: true };
        let others = of_container(container).into_iter().map(|control| {
            let what = words(&control, container);
            Measure { within, control, what, every_device: false }
        });
        let mut all: Vec<Measure> = others.collect();
        if container.altered.all_devices {
            let first =
                |one: &Measure| !matches!(one.control, Control::User | Control::Uidmap | Control::Capability(_));
            all.insert(all.iter().position(first).unwrap_or(all.len()), all_devices);
        }
        all
    };
    case.containers.iter().enumerate().flat_map(of).collect()
}

fn of_container(container: &Container) -> Vec<Control> {
    let mut controls = Vec::new();
    let mut add = |wanted: bool, control: Control| controls.extend(wanted.then_some(control));
    add(User::is_root(container.user.as_ref()), Control::User);
    add(!container.has_user_namespace(), Control::Uidmap);
    for capability in Capability::all().filter(|one| container.cap_add.named.contains(*one)) {
        add(true, Control::Capability(capability));
    }
    add(!(container.devices.is_empty() && container.device_cgroup_rules.is_empty()), Control::Devices);
    add(container.seccomp_unconfined, Control::Seccomp);
    for which in Sharing::OWN_OR_SHARED {
        add(*container.sharing.owner(which) != Owner::Own, Control::Namespace(which));
    }
    // A limit that is none; any other was put there to hold something back.
    add(container.resources.pids == Some(u64::MAX), Control::Limit(Limit::Pids));
    for limit in container.ulimits.iter().filter(|limit| limit.hard == u64::MAX) {
        add(true, Control::Limit(Limit::Ulimit(limit.name)));
    }
    for path in &container.altered.uncovered {
        add(true, Control::MaskedPath(path.clone()));
    }
    for target in &container.altered.writable {
        add(true, Control::ReadOnlyMount(target.clone()));
    }
    add(!container.no_new_privs, Control::NoNewPrivs);
    add(!container.read_only, Control::ReadOnlyRoot);
    for volume in &container.volumes {
        add(!volume.read_only, Control::ReadOnlyMount(volume.target.clone()));
    }
    for volume in &container.volumes {
        add(volume.propagates(), Control::Propagation(volume.target.clone()));
    }
    for volume in &container.volumes {
        add(true, Control::Volume(volume.target.clone()));
    }
    for group in &container.group_add {
        if let IdOrName::Id(gid) = group {
            add(true, Control::Group(*gid));
        }
    }
    controls
}

impl Measure {
    /// The case with this given up.
    pub(super) fn apply(&self, case: &Case) -> Case {
        let mut case = case.clone();
        let container = &mut case.containers[self.within];
        let altered = &mut container.altered;
        match &self.control {
            Control::Capability(one) => container.cap_add.named = container.cap_add.named.without(*one),
            Control::User => {
                container.user = Some(User { user: IdOrName::Id(ORDINARY), group: Some(IdOrName::Id(ORDINARY)) });
            }
            Control::Uidmap => container.uidmap = vec![REMAP],
            Control::Devices if self.every_device => altered.all_devices = false,
            Control::Devices => {
                container.devices.clear();
                container.device_cgroup_rules.clear();
            }
            Control::Namespace(which) => container.sharing.take_own(*which),
            Control::Limit(Limit::Pids) => container.resources.pids = None,
            Control::Limit(Limit::Ulimit(name)) => container.ulimits.retain(|limit| limit.name != *name),
            Control::Seccomp => container.seccomp_unconfined = false,
            Control::MaskedPath(path) => altered.uncovered.retain(|known| known != path),
            Control::ReadOnlyMount(target) => {
                altered.writable.retain(|known| known != target);
                for volume in container.volumes.iter_mut().filter(|volume| volume.target == *target) {
                    volume.read_only = true;
                }
            }
            Control::NoNewPrivs => container.no_new_privs = true,
            Control::ReadOnlyRoot => container.read_only = true,
            Control::Propagation(target) => {
                for volume in container.volumes.iter_mut().filter(|volume| volume.target == *target) {
                    volume.propagation = Some(Propagation::Rprivate);
                }
            }
            Control::Volume(target) => container.volumes.retain(|volume| volume.target != *target),
            Control::Group(gid) => container.group_add.retain(|group| *group != IdOrName::Id(*gid)),
            // No others are among the measures.
            Control::Privileged
            | Control::Rootless
            | Control::Runtime
            | Control::SystemPaths
            | Control::ReadonlyPath(_)
            | Control::Sysctl(_)
            | Control::Limit(Limit::Memory)
            | Control::File(_) => {}
        }
        case
    }
}

/// What is given up with a control.
fn words(control: &Control, container: &Container) -> String {
    match control {
        Control::Capability(capability) => capability.to_string(),
        Control::User => "being root".to_owned(),
        Control::Uidmap => "the host's user namespace".to_owned(),
        Control::Devices => "the devices that it names".to_owned(),
        Control::Namespace(which) => match container.sharing.owner(*which) {
            Owner::Container(owner) => format!("container {owner}'s {} namespace", describe::namespace(*which)),
            _ => format!("the host's {} namespace", describe::namespace(*which)),
        },
        Control::Limit(limit) => format!("no limit {}", limit.name()),
        Control::Seccomp => "seccomp unconfined".to_owned(),
        Control::MaskedPath(path) => format!("{path} as the kernel has it"),
        Control::ReadOnlyMount(target) => format!("{target} writable"),
        Control::NoNewPrivs => "new privileges by execve".to_owned(),
        Control::ReadOnlyRoot => "a writable root".to_owned(),
        Control::Propagation(target) => format!("mounts below {target} that are the host's too"),
        Control::Volume(target) => format!("the volume at {target}"),
        Control::Group(gid) => format!("group {gid}"),
        other => describe::control(other),
    }
}
