//! From a case to what an engine is asked to do: presets, and the runtime-spec document of each container.

mod accounts;
mod capabilities;
mod devices;
mod mounts;
mod namespaces;
pub(crate) mod preset;
mod process;
mod resources;
mod rootfs;
mod seccomp;
pub mod sysctls;
mod system_paths;

use std::time::Duration;

use caplab_init::wire::{Device, Disk, IdMap, Probe};
use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxIdMappingBuilder, LinuxResources, LinuxSeccomp, Root, Spec};

use crate::{
    capability::CapSet,
    engine::{ContainerJob, Job, Program, StepJob, StepJobKind},
    host::{CgroupVersion, Machine, fixture, requirement::program},
    image::{self, Image, Tree},
    scenario::{
        image::{Base, Build},
        model::{Action, Case, Container, FromImage, Host, IdOrName, Owner, Preset, Rootfs, Step, User},
    },
};
use accounts::{Accounts, Identity};
use preset::Facts;
pub(crate) use process::PATH;
use process::{Common, Role};

/// A case that is valid and still cannot be asked for: it names something that the container or the fixture host does
/// not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unresolvable(pub String);

/// Everything about a container that its Spec and the processes of its steps are made from.
struct Resolved<'a> {
    container: &'a Container,
    siblings: &'a [Container],
    facts: &'static Facts,
    accounts: Accounts,
    own: Identity,
    /// Groups that list its own user before the engine names anybody.
    memberships: Vec<u32>,
    ceiling: CapSet,
    machine: CapSet,
    hostname: String,
}

/// What an engine is asked to do for a case. `default_timeout` is a step's where the author gave none.
///
/// # Errors
/// A user, group or volume source that is not there.
pub fn job(case: &Case, machine: &Machine, default_timeout: Duration) -> Result<Job, Unresolvable> {
    let machine = &*machine.for_case(case);
    let containers = case
        .containers
        .iter()
        .map(|one| Resolved::new(one, &case.containers, machine))
        .collect::<Result<Vec<_>, _>>()?;
    let memories = containers.iter();
    let memories = memories.map(|one| namespaces::shared_memory(one.container, &case.host, one.facts, one.siblings));
    Ok(Job {
        fixture: fixture::entries(&case.host),
        disk: disk(case)?,
        apart: case.host.apart,
        sysctls: case.host.sysctls.clone(),
        shared_memory: memories.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        containers: containers.iter().map(|one| one.job(&case.host, machine)).collect::<Result<_, _>>()?,
        steps: case.steps.iter().map(|one| step(one, case, &containers, default_timeout)).collect::<Result<_, _>>()?,
        capture: false,
    })
}

/// The fixture host's disk, and where it is mounted.
fn disk(case: &Case) -> Result<Option<(Disk, String)>, Unresolvable> {
    if let Some((_, error)) = asks_for_no_disk(case) {
        return Err(error);
    }
    Ok(case.host.disk.as_ref().map(|disk| {
        let mkfs = program("mke2fs").map_or_else(|| "mke2fs".to_owned(), |path| path.to_string_lossy().into_owned());
        (Disk { size: disk.size, mkfs }, disk.at.clone())
    }))
}

/// A probe for a disk that the host does not have: the step's line, and what is said of it.
fn asks_for_no_disk(case: &Case) -> Option<(usize, Unresolvable)> {
    let asks = |step: &&Step| {
        matches!(&step.action, Action::Probe { probe: Probe::OpenDevice { device: Device::Disk { .. } }, .. })
    };
    let step = case.steps.iter().find(asks).filter(|_| case.host.disk.is_none())?;
    let error = Unresolvable(format!(
        "step {} (line {}): the host has no disk; `host: {{disks: {{decoy: {{at: /srv}}}}}}` gives it one",
        step.id, step.line
    ));
    Some((step.line, error))
}

/// All that stands in the way of a case: what is said of it, and the line of the container or the step.
#[must_use]
pub fn problems(case: &Case, machine: &Machine) -> Vec<(usize, Unresolvable)> {
    let machine = &*machine.for_case(case);
    let mut found = Vec::new();
    let mut ready = Vec::new();
    // What is built is there only after it was built.
    let unbuilt =
        |one: &&Container| one.image.as_ref().is_none_or(|image| image.made.is_some() || image.build().is_none());
    for container in case.containers.iter().filter(unbuilt) {
        let made = Resolved::new(container, &case.containers, machine)
            .and_then(|one| one.job(&case.host, machine).map(|_| one))
            .and_then(|one| namespaces::shared_memory(container, &case.host, one.facts, one.siblings).map(|_| one));
        match made {
            Ok(made) => ready.push(made),
            Err(error) => found.push((container.line, error)),
        }
    }
    // Steps name containers by their place.
    if found.is_empty() && ready.len() == case.containers.len() {
        let steps = case.steps.iter().map(|one| (one.line, step(one, case, &ready, Duration::ZERO)));
        found.extend(steps.filter_map(|(line, made)| made.err().map(|error| (line, error))));
    }
    found.extend(asks_for_no_disk(case));
    found
}

impl<'a> Resolved<'a> {
    fn new(container: &'a Container, siblings: &'a [Container], machine: &Machine) -> Result<Self, Unresolvable> {
        let facts = preset::facts(container.preset);
        let mut accounts = match made(container)? {
            Some(image) => Accounts::of_image(image),
            None => Accounts::new(),
        };
        let user = container.user.as_ref();
        let mut own = accounts.resolve(user).map_err(|error| named(container, error))?;
        let memberships = own.memberships.clone();
        if facts.names_unknown_user {
            accounts.name_unknown(user, &own, container.working_dir.as_deref());
            own = accounts.resolve(user).map_err(|error| named(container, error))?;
        }
        Ok(Self {
            container,
            siblings,
            facts,
            accounts,
            own,
            memberships,
            ceiling: capabilities::ceiling(container, facts, machine.bounding),
            machine: machine.bounding,
            hostname: namespaces::hostname(container, siblings),
        })
    }

    fn common(&self) -> Common<'_> {
        Common {
            container: self.container,
            facts: self.facts,
            accounts: &self.accounts,
            ceiling: self.ceiling,
            machine: self.machine,
            own: &self.own,
            memberships: &self.memberships,
            hostname: &self.hostname,
        }
    }

    fn job(&self, host: &Host, machine: &Machine) -> Result<ContainerJob, Unresolvable> {
        let container = self.container;
        let mut root = Root::default();
        root.set_path("rootfs".into()).set_readonly(Some(container.read_only));
        let args = container.command.clone().unwrap_or_default();
        let process = process::process(&self.common(), Role::Init, args).map_err(|error| named(container, error))?;
        let mut mounts = mounts::all(container, host, self.facts).map_err(|error| named(container, error))?;
        namespaces::shm(container, &mut mounts, self.siblings);
        if container.read_only {
            mounts.extend(mounts::accounts(container, &self.accounts));
        }
        let has_own_name = container.sharing.uts == Owner::Own;
        let mut spec = Spec::default();
        spec.set_root(Some(root))
            .set_hostname(has_own_name.then(|| self.hostname.clone()))
            .set_process(Some(process))
            .set_mounts(Some(mounts))
            .set_linux(Some(self.linux(host, machine)?));
        Ok(ContainerJob {
            name: container.name.clone(),
            spec,
            asked: container.clone(),
            seccomp_profile: match &container.seccomp_profile {
                Some(file) => Some(file.text.clone().into()),
                None => self.facts.seccomp.map(|built_in| built_in.document().into()),
            },
            root: rootfs::tree(container, &self.accounts, &self.hostname),
            pause: container.command.as_ref().is_none_or(Vec::is_empty),
            init: container.init,
        })
    }

    fn linux(&self, host: &Host, machine: &Machine) -> Result<Linux, Unresolvable> {
        let container = self.container;
        let (uids, gids) = maps(container, host).map_err(|error| named(container, error))?;
        let user_namespace = !uids.is_empty();
        let own_cgroup = self.facts.always_cgroup_namespace || machine.cgroups.version() == CgroupVersion::V2;
        let sysctls = sysctls::all(container, self.facts, &gids, machine);
        let (masked, read_only) = system_paths::of(container, self.facts);
        let nodes = devices::nodes(container, host).map_err(|error| named(container, error))?;
        let mut linux = Linux::default();
        linux
            .set_resources(self.resources(host, machine)?)
            .set_devices((!nodes.is_empty()).then_some(nodes))
            .set_namespaces(Some(namespaces::all(container, self.siblings, own_cgroup)))
            .set_uid_mappings(user_namespace.then(|| in_spec(&uids)).transpose()?)
            .set_gid_mappings(user_namespace.then(|| in_spec(&gids)).transpose()?)
            .set_sysctl((!sysctls.is_empty()).then_some(sysctls))
            .set_readonly_paths(Some(read_only))
            .set_masked_paths(Some(masked))
            .set_rootfs_propagation(mounts::of_the_root(container).map(str::to_owned))
            .set_seccomp(self.seccomp(machine));
        Ok(linux)
    }
}

impl Resolved<'_> {
    /// The device list, and limits.
    ///
    /// An engine that an ordinary user runs has none to give: to load a list is root's, and so are control groups.
    fn resources(&self, host: &Host, machine: &Machine) -> Result<Option<LinuxResources>, Unresolvable> {
        if self.container.rootless.is_some() {
            return Ok(None);
        }
        let mut resources = LinuxResources::default();
        let list = devices::list(self.container, host, self.facts).map_err(|error| named(self.container, error))?;
        resources.set_devices(Some(list));
        resources::add(&mut resources, self.container, self.facts, machine);
        Ok(Some(resources))
    }

    /// The author's profile, else the preset's, for the container's bounding set. Both docker and podman leave a privileged container without.
    fn seccomp(&self, machine: &Machine) -> Option<LinuxSeccomp> {
        let container = self.container;
        if !container.has_seccomp() {
            return None;
        }
        let bounding = self.ceiling.union(container.altered.lifted).difference(container.altered.withheld);
        let kernel = machine.kernel_version();
        match &container.seccomp_profile {
            Some(file) => seccomp::resolve(&file.profile, bounding, kernel),
            None if container.seccomp_runtime_default => seccomp::CONTAINERD.resolve(bounding, kernel),
            None => self.facts.seccomp?.resolve(bounding, kernel),
        }
    }
}

/// What docker gives a container, and every RUN of a build.
#[must_use]
pub fn docker_capabilities() -> CapSet {
    preset::facts(Preset::Docker).capabilities.unwrap_or_default()
}

/// Whether what a WORKDIR makes is the USER's before it, in an image for containers of this preset.
#[must_use]
pub fn workdir_is_users(preset: Preset) -> bool {
    preset::facts(preset).workdir_is_users
}

/// The paths that docker masks, and those that it makes read-only: what a container without them can be given.
#[must_use]
pub fn covers() -> (&'static [&'static str], &'static [&'static str]) {
    let facts = preset::facts(Preset::Docker);
    (facts.masked_paths, facts.readonly_paths)
}

/// uid_map and gid_map; where only one is given the other is the same, as podman does. A rootless engine's is its user, and his
/// subordinate ids after him.
fn maps(container: &Container, host: &Host) -> Result<(Vec<IdMap>, Vec<IdMap>), Unresolvable> {
    let (uids, gids) = (&container.uidmap, &container.gidmap);
    let Some(user) = &container.rootless else {
        return Ok(match (uids.is_empty(), gids.is_empty()) {
            (_, true) => (uids.clone(), uids.clone()),
            (true, false) => (gids.clone(), gids.clone()),
            (false, false) => (uids.clone(), gids.clone()),
        });
    };
    let map = fixture::map_of(host, user).ok_or_else(|| {
        Unresolvable(format!(
            "the fixture host has no ordinary user `{user}` to run the engine: `host: {{users: {{{user}: 1001}}}}`"
        ))
    })?;
    Ok((map.to_vec(), map.to_vec()))
}

fn in_spec(lines: &[IdMap]) -> Result<Vec<LinuxIdMapping>, Unresolvable> {
    let one = |line: &IdMap| {
        let builder = LinuxIdMappingBuilder::default();
        builder.container_id(line.inside).host_id(line.outside).size(line.count).build()
    };
    lines.iter().map(one).collect::<Result<_, _>>().map_err(|error| Unresolvable(format!("the id map: {error}")))
}

/// What a Dockerfile starts from: nothing, caplab's own root as an image's, or an image.
///
/// # Errors
/// An image that cannot be read.
pub fn base(build: &Build) -> Result<Image, String> {
    let own = |rootfs| rootfs::base(&Container { rootfs, ..Container::of_docker("base") });
    let tree = match &build.dockerfile.from {
        Base::Scratch => Tree::default(),
        Base::Toolbox => own(Rootfs::Toolbox),
        Base::Host => own(Rootfs::Host),
        Base::Image(name) => {
            let folder = build.folder.as_deref();
            return image::beside(
                folder.ok_or_else(|| format!("FROM {name}: the scenario came with the binary"))?,
                name,
            );
        }
    };
    Ok(Image { tree, ..Image::default() })
}

/// The machine's directories and files that a container of `rootfs: host` has, read-only, at the same paths.
#[must_use]
pub fn programs() -> Vec<String> {
    rootfs::programs()
}

/// uid and gid of `--chown`, by the names of an image. Who names no group means that of the user's number, says docker's reference.
///
/// # Errors
/// A name that the image does not have.
pub fn owner(image: &Image, user: &User) -> Result<(u32, u32), Unresolvable> {
    let found = Accounts::of_image(image).resolve(Some(user))?;
    Ok((found.uid, if user.group.is_some() { found.gid } else { found.uid }))
}

/// Whether a name in `group_add` is that of a group which is there already, in a number or a name.
#[must_use]
pub fn repeats_a_group(container: &Container) -> bool {
    let accounts = match made(container) {
        Ok(Some(image)) => Accounts::of_image(image),
        Ok(None) => Accounts::new(),
        Err(_) => return false,
    };
    let gids: Vec<_> = container.group_add.iter().map(|group| accounts.group(group).ok()).collect();
    let mut names = container.group_add.iter().enumerate().filter(|(_, group)| matches!(group, IdOrName::Name(_)));
    names.any(|(at, _)| gids[..at].contains(&gids[at]))
}

/// Whether a user of an image is asked for by another name than the first that his number has.
#[must_use]
pub fn is_further_name(image: &Image, user: &User) -> bool {
    let accounts = Accounts::of_image(image);
    let found = accounts.resolve(Some(user));
    matches!(user.user, IdOrName::Name(_)) && found.is_ok_and(|found| accounts.home(found.uid) != found.home)
}

/// The image that a container is made of.
fn made(container: &Container) -> Result<Option<&Image>, Unresolvable> {
    match &container.image {
        None => Ok(None),
        Some(FromImage { made: Some(image), .. }) => Ok(Some(image)),
        Some(_) => Err(named(container, Unresolvable("its image has not been made".to_owned()))),
    }
}

fn named(container: &Container, error: Unresolvable) -> Unresolvable {
    Unresolvable(format!("container {} (line {}): {error}", container.name, container.line))
}

fn step(
    step: &Step,
    case: &Case,
    containers: &[Resolved<'_>],
    default_timeout: Duration,
) -> Result<StepJob, Unresolvable> {
    let exec = |program: Program, args: Vec<String>| {
        let resolved = &containers[step.within];
        let who = match &step.as_user {
            Some(user) => Some(resolved.accounts.resolve(Some(user)).map_err(|Unresolvable(message)| {
                // One of no file is a process that `caplab shell` is asked for.
                Unresolvable(match step.line {
                    0 => format!("--as {user}: {message}"),
                    line => format!("step {} (line {line}): {message}", step.id),
                })
            })?),
            None => None,
        };
        let process = process::process(&resolved.common(), Role::Exec(who.as_ref()), args)?;
        Ok(StepJobKind::Exec {
            container: step.within,
            process: Box::new(process),
            as_user: step.as_user.clone(),
            program,
        })
    };
    let kind = match &step.action {
        Action::Run { argv, through: None, .. } => exec(Program::Args, argv.clone())?,
        Action::Run { argv, through: Some(path), .. } => match &case.host.runtime {
            Some(runtime) if runtime.path == *path => {
                exec(Program::Through(path.clone(), runtime.start), argv.clone())?
            }
            _ => {
                return Err(Unresolvable(format!(
                    "step {} (line {}): the host has no runtime {path}; `host: {{runtimes: {{{path}: {{start: file}}}}}}` gives it one",
                    step.id, step.line
                )));
            }
        },
        Action::Probe { probe, .. } => exec(Program::Probe(probe.clone()), Vec::new())?,
        Action::Inspect(_) => exec(Program::Inspect, Vec::new())?,
        Action::HostProcess { container, .. } => StepJobKind::HostProcess { container: *container },
        Action::HostFile { path, .. } => StepJobKind::HostFile { path: path.clone() },
    };
    Ok(StepJob { timeout: step.timeout.unwrap_or(default_timeout), kind })
}

#[cfg(test)]
mod tests;
