//! From a case to what an engine is asked to do: presets, and the runtime-spec document of each container.

mod accounts;
mod capabilities;
mod mounts;
mod preset;
mod process;
mod rootfs;
mod seccomp;

use std::{collections::HashMap, time::Duration};

use caplab_init::wire::IdMap;
use oci_spec::runtime::{
    Linux, LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespace, LinuxNamespaceType, LinuxResources, LinuxSeccomp,
    Root, Spec,
};

use crate::{
    engine::{ContainerJob, Job, Program, StepJob, StepJobKind},
    host::{CgroupVersion, Machine, fixture},
    scenario::model::{Action, Case, Container, Host, Step},
};
use accounts::{Accounts, Identity};
use preset::{DeviceRule, Facts};
use process::Common;

/// A case that is valid and still cannot be asked for: it names something that the container or the fixture host does
/// not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unresolvable(pub String);

/// Everything about a container that its Spec and the processes of its steps are made from.
struct Resolved<'a> {
    container: &'a Container,
    facts: &'static Facts,
    accounts: Accounts,
    own: Identity,
    ceiling: crate::capability::CapSet,
    hostname: String,
}

/// What an engine is asked to do for a case. `default_timeout` is a step's where the author gave none.
///
/// # Errors
/// A user, group or volume source that is not there.
pub fn job(case: &Case, machine: &Machine, default_timeout: Duration) -> Result<Job, Unresolvable> {
    let containers = case.containers.iter().map(|one| Resolved::new(one, machine)).collect::<Result<Vec<_>, _>>()?;
    Ok(Job {
        fixture: fixture::entries(&case.host),
        containers: containers.iter().map(|one| one.job(&case.host, machine)).collect::<Result<_, _>>()?,
        steps: case.steps.iter().map(|one| step(one, &containers, default_timeout)).collect::<Result<_, _>>()?,
    })
}

impl<'a> Resolved<'a> {
    fn new(container: &'a Container, machine: &Machine) -> Result<Self, Unresolvable> {
        let facts = preset::facts(container.preset);
        let mut accounts = Accounts::new();
        let own = accounts.resolve(container.user.as_ref()).map_err(|error| named(container, error))?;
        if facts.names_unknown_user {
            accounts.name_unknown(&own);
        }
        Ok(Self {
            container,
            facts,
            accounts,
            own,
            ceiling: capabilities::ceiling(container, facts, machine.bounding),
            hostname: container.hostname.clone().unwrap_or_else(|| container.name.clone()),
        })
    }

    fn common(&self) -> Common<'_> {
        Common {
            container: self.container,
            facts: self.facts,
            accounts: &self.accounts,
            ceiling: self.ceiling,
            own: &self.own,
            hostname: &self.hostname,
        }
    }

    fn job(&self, host: &Host, machine: &Machine) -> Result<ContainerJob, Unresolvable> {
        let container = self.container;
        let mut root = Root::default();
        root.set_path("rootfs".into()).set_readonly(Some(container.read_only));
        let args = container.command.clone().unwrap_or_default();
        let process = process::process(&self.common(), None, args).map_err(|error| named(container, error))?;
        let mut spec = Spec::default();
        spec.set_root(Some(root))
            .set_hostname(Some(self.hostname.clone()))
            .set_process(Some(process))
            .set_mounts(Some(mounts::all(container, host, self.facts).map_err(|error| named(container, error))?))
            .set_linux(Some(self.linux(machine)?));
        Ok(ContainerJob {
            name: container.name.clone(),
            spec,
            root: rootfs::tree(container, &self.accounts, &self.hostname),
            pause: container.command.is_none(),
        })
    }

    fn linux(&self, machine: &Machine) -> Result<Linux, Unresolvable> {
        let container = self.container;
        let (uids, gids) = maps(container);
        let user_namespace = !uids.is_empty();
        let own_cgroup = self.facts.always_cgroup_namespace || machine.cgroup == CgroupVersion::V2;
        let mut namespaces = vec![
            LinuxNamespaceType::Mount,
            LinuxNamespaceType::Network,
            LinuxNamespaceType::Uts,
            LinuxNamespaceType::Pid,
            LinuxNamespaceType::Ipc,
        ];
        namespaces.extend(user_namespace.then_some(LinuxNamespaceType::User));
        namespaces.extend(own_cgroup.then_some(LinuxNamespaceType::Cgroup));
        let namespaces = namespaces.into_iter().map(|typ| {
            let mut namespace = LinuxNamespace::default();
            namespace.set_typ(typ);
            namespace
        });
        // A range of groups that the map does not have cannot be written from inside (moby, WithSysctls).
        let sysctls: HashMap<String, String> = self
            .facts
            .sysctls
            .iter()
            .filter(|(name, _)| !(user_namespace && *name == "net.ipv4.ping_group_range"))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let paths = |list: &[&str]| {
            let list = if container.privileged { &[] } else { list };
            Some(list.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
        };
        let mut linux = Linux::default();
        linux
            .set_resources(self.resources())
            .set_namespaces(Some(namespaces.collect()))
            .set_uid_mappings(user_namespace.then(|| in_spec(uids)).transpose()?)
            .set_gid_mappings(user_namespace.then(|| in_spec(gids)).transpose()?)
            .set_sysctl((!sysctls.is_empty()).then_some(sysctls))
            .set_readonly_paths(paths(self.facts.readonly_paths))
            .set_masked_paths(paths(self.facts.masked_paths))
            .set_seccomp(self.seccomp(machine));
        Ok(linux)
    }
}

impl Resolved<'_> {
    /// The device list. For a privileged container docker's and podman's is one that allows everything; without a list a runtime
    /// would allow nothing but its own.
    fn resources(&self) -> Option<LinuxResources> {
        let unlimited = self.container.privileged || self.container.all_devices;
        let list = if unlimited { preset::ALL_DEVICES } else { self.facts.devices };
        let mut resources = LinuxResources::default();
        resources.set_devices(Some(list.iter().map(DeviceRule::in_spec).collect()));
        Some(resources)
    }

    /// The preset's profile for the container's bounding set. Both docker and podman leave a privileged container without.
    fn seccomp(&self, machine: &Machine) -> Option<LinuxSeccomp> {
        if self.container.privileged || self.container.seccomp_unconfined {
            return None;
        }
        let container = self.container;
        let bounding = self.ceiling.union(container.lifted).difference(container.withheld);
        self.facts.seccomp?.resolve(bounding, machine.kernel_version())
    }
}

/// uid_map and gid_map; where only one is given the other is the same, as podman does.
fn maps(container: &Container) -> (&[IdMap], &[IdMap]) {
    match (container.uidmap.as_slice(), container.gidmap.as_slice()) {
        (uids, []) => (uids, uids),
        ([], gids) => (gids, gids),
        both => both,
    }
}

fn in_spec(lines: &[IdMap]) -> Result<Vec<LinuxIdMapping>, Unresolvable> {
    let one = |line: &IdMap| {
        let builder = LinuxIdMappingBuilder::default();
        builder.container_id(line.inside).host_id(line.outside).size(line.count).build()
    };
    lines.iter().map(one).collect::<Result<_, _>>().map_err(|error| Unresolvable(format!("the id map: {error}")))
}

fn named(container: &Container, error: Unresolvable) -> Unresolvable {
    Unresolvable(format!("container {} (line {}): {error}", container.name, container.line))
}

fn step(step: &Step, containers: &[Resolved<'_>], default_timeout: Duration) -> Result<StepJob, Unresolvable> {
    let exec = |program: Program, args: Vec<String>| {
        let resolved = &containers[step.within];
        let who = match &step.as_user {
            Some(user) => Some(resolved.accounts.resolve(Some(user)).map_err(|Unresolvable(message)| {
                Unresolvable(format!("step {} (line {}): {message}", step.id, step.line))
            })?),
            None => None,
        };
        let process = process::process(&resolved.common(), who.as_ref(), args)?;
        Ok(StepJobKind::Exec { container: step.within, process: Box::new(process), program })
    };
    let kind = match &step.action {
        Action::Run { argv, .. } => exec(Program::Args, argv.clone())?,
        Action::Probe { probe, .. } => exec(Program::Probe(probe.clone()), Vec::new())?,
        Action::Inspect(_) => exec(Program::Inspect, Vec::new())?,
        Action::HostProcess { container, .. } => StepJobKind::HostProcess { container: *container },
        Action::HostFile { path, .. } => StepJobKind::HostFile { path: path.clone() },
    };
    Ok(StepJob { timeout: step.timeout.unwrap_or(default_timeout), kind })
}

#[cfg(test)]
mod tests;
