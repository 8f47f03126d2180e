//! The controls: whether and which way each can be changed in a case, and how. What a reader is told of it is in words.rs. A new
//! one is a variant of [`Control`] and an arm in each `match` of these two files; list.rs finds it in a case.

use caplab_init::wire::{IdMap, Start};

use super::Scene;
use crate::{
    capability::CapSet,
    observe::{Sense, outside},
    scenario::{
        describe,
        model::{
            Case, Container, Control, IdOrName, Limit, Owner, Propagation, SystemPaths, User, Volume, VolumeSource,
        },
        sysctl::{self, Switch},
    },
};

/// The user that root becomes where being root is taken away: the course note's ordinary user.
pub(super) const ORDINARY: u32 = 6667;
/// The user namespace that a container without one is given: docker's userns-remap and Debian's first range of /etc/subuid.
pub(super) const REMAP: IdMap = IdMap { inside: 0, outside: 100_000, count: 65_536 };

/// Which way a control is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The protection is there, and is taken away.
    Lift,
    /// It is not there, and is put in place.
    Impose,
}

/// A control, changed to its opposite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub control: Control,
    /// Which way.
    pub direction: Direction,
}

/// How a control can be changed in a case.
///
/// # Errors
/// Why there is nothing to change, for a reader: "there is no volume at /mnt".
pub fn change_of(control: &Control, scene: &Scene) -> Result<Change, String> {
    use Direction::{Impose, Lift};
    let container = scene.container();
    let linux = scene.linux();
    let toggle = |there: bool| Ok(if there { Lift } else { Impose });
    let direction = match control {
        // What was denied may want what is not effective; of what was allowed the bounding set may have been enough, for a program
        // that raises its own.
        Control::Capability(one) => {
            let sets = scene.capabilities();
            let has = match scene.sense {
                Sense::Denied => sets.effective,
                Sense::Allowed => sets.effective.union(sets.bounding),
            };
            toggle(!has.contains(*one))
        }
        Control::User => toggle(scene.process().user().uid() != 0),
        Control::Uidmap => toggle(linux.uid_mappings().is_some()),
        Control::Rootless if container.rootless.is_some() => Ok(Lift),
        Control::Rootless => Err("the host's root runs its engine".to_owned()),
        Control::Runtime => match &scene.case.host.runtime {
            Some(runtime) => toggle(runtime.start != Start::File),
            None => Err("the host has no runtime of its own".to_owned()),
        },
        Control::SystemPaths => {
            let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
            let there = some(linux.masked_paths()) || some(linux.readonly_paths());
            if there { Ok(Lift) } else { Err("no path of it is masked or read-only".to_owned()) }
        }
        Control::Privileged => toggle(!container.privileged),
        Control::ReadOnlyMount(target) => {
            let at = |mount: &&oci_spec::runtime::Mount| mount.destination().to_string_lossy() == *target;
            let mount = scene.mounts().iter().rev().find(at).ok_or_else(|| format!("there is no mount at {target}"))?;
            let read_only = mount.options().iter().flatten().any(|word| word == "ro");
            let own = container.volumes.iter().any(|volume| volume.target == *target);
            if !own && (!read_only || mount.typ().as_deref() == Some("bind")) {
                return Err(format!("{target} is no read-only mount, and no volume"));
            }
            toggle(read_only)
        }
        Control::Volume(target) if container.volumes.iter().any(|volume| volume.target == *target) => Ok(Impose),
        Control::Volume(target) => Err(format!("there is no volume at {target}")),
        Control::Sysctl(name) => {
            let which = sysctl::namespace(name);
            let set = linux.sysctl().as_ref().and_then(|set| set.get(name));
            let now = set.map(|value| sysctl::words(value));
            let becomes = |switch: &Switch| match scene.sense {
                Sense::Denied => (switch.open, Lift),
                Sense::Allowed => (switch.closed, Impose),
            };
            match (sysctl::switch(name), now) {
                _ if *container.sharing.owner(which) != Owner::Own => {
                    Err(format!("its {} namespace is not its own", describe::namespace(which)))
                }
                (Some(switch), now) if now.as_deref().unwrap_or(switch.closed) == becomes(switch).0 => {
                    Err(format!("{name} is {} anyway", becomes(switch).0))
                }
                (Some(switch), _) => Ok(becomes(switch).1),
                (None, Some(_)) => Ok(match scene.sense {
                    Sense::Denied => Lift,
                    Sense::Allowed => Impose,
                }),
                (None, None) => Err(format!("it sets no sysctl {name}")),
            }
        }
        Control::Propagation(target) => match container.volumes.iter().find(|volume| volume.target == *target) {
            Some(Volume { source: VolumeSource::RealHost(_), .. }) => {
                Err(format!("the volume at {target} is the real machine's"))
            }
            Some(volume) => toggle(!volume.propagates()),
            None => Err(format!("there is no volume at {target}")),
        },
        Control::ReadOnlyRoot => toggle(container.read_only),
        Control::NoNewPrivs => toggle(container.no_new_privs),
        Control::Seccomp if linux.seccomp().is_some() => Ok(Lift),
        Control::Seccomp if container.privileged => Err("a privileged container has no seccomp profile".to_owned()),
        Control::Seccomp if container.seccomp_unconfined => Ok(Impose),
        Control::Seccomp => Err("its preset has no seccomp profile".to_owned()),
        Control::Devices if scene.sense == Sense::Allowed && adds_devices(container) => Ok(Impose),
        Control::Devices => {
            let list = linux.resources().as_ref().and_then(|resources| resources.devices().as_ref());
            let limited = list.is_some_and(|rules| rules.first().is_some_and(|rule| !rule.allow()));
            if limited { Ok(Lift) } else { Err("it has no device list".to_owned()) }
        }
        Control::MaskedPath(path) => toggle(has(linux.masked_paths(), path)),
        Control::ReadonlyPath(path) => toggle(has(linux.readonly_paths(), path)),
        Control::Limit(limit) if limits(scene).contains(limit) => Ok(Lift),
        Control::Limit(limit) => Err(format!("it has no limit {}", limit.name())),
        Control::Group(gid) => {
            let process = scene.process();
            if process.user().gid() == *gid {
                return Err(format!("{gid} is the process's own group, which goes with its user"));
            }
            toggle(!process.user().additional_gids().iter().flatten().any(|own| own == gid))
        }
        Control::Namespace(which) if *container.sharing.owner(*which) == Owner::Own => {
            Err(format!("it shares no {} namespace", describe::namespace(*which)))
        }
        // One of its own takes away what is seen, and what is in the way.
        Control::Namespace(_) => Ok(match scene.sense {
            Sense::Denied => Lift,
            Sense::Allowed => Impose,
        }),
        Control::File(path) if scene.file(path).is_none() => Err(format!("the fixture host has nothing at {path}")),
        Control::File(_) => Ok(match scene.sense {
            Sense::Denied => Lift,
            Sense::Allowed => Impose,
        }),
    }?;
    Ok(Change { control: control.clone(), direction })
}

fn adds_devices(container: &Container) -> bool {
    !(container.devices.is_empty() && container.device_cgroup_rules.is_empty())
}

fn has(list: &Option<Vec<String>>, path: &str) -> bool {
    list.iter().flatten().any(|known| known == path)
}

/// The case with these controls changed, and nothing else.
#[must_use]
pub fn apply(changes: &[Change], scene: &Scene) -> Case {
    let mut case = scene.case.clone();
    let mut ordered: Vec<&Change> = changes.iter().collect();
    // How a capability is given depends on who the user then is; everything else is independent of each other.
    ordered.sort_by_key(|change| match change.control {
        Control::Privileged => 0,
        Control::User => 1,
        Control::Capability(_) => 3,
        _ => 2,
    });
    for change in ordered {
        make(change, scene, &mut case);
    }
    case
}

fn make(change: &Change, scene: &Scene, case: &mut Case) {
    let lift = change.direction == Direction::Lift;
    let last = case.steps.len() - 1;
    let within = case.steps[last].within;
    let as_user = &mut case.steps[last].as_user;
    let container = &mut case.containers[within];
    match &change.control {
        Control::Capability(capability) => {
            let one = CapSet::EMPTY.with(*capability);
            if User::is_root(as_user.as_ref().or(container.user.as_ref())) && !container.privileged {
                tweak(container, one, lift);
            } else if lift {
                container.altered.lifted = container.altered.lifted.union(one);
            } else {
                container.altered.withheld = container.altered.withheld.union(one);
            }
        }
        Control::User => {
            let uid = if lift { 0 } else { ORDINARY };
            let other = Some(User { user: IdOrName::Id(uid), group: Some(IdOrName::Id(uid)) });
            // The user that counts is the step's own, where it has one.
            if as_user.is_some() {
                *as_user = other;
            } else {
                container.user = other;
            }
        }
        Control::Uidmap => {
            container.gidmap.clear();
            container.uidmap = if lift { Vec::new() } else { vec![REMAP] };
        }
        Control::Rootless => container.rootless = None,
        Control::Runtime => {
            if let Some(runtime) = &mut case.host.runtime {
                runtime.start = if lift { Start::File } else { Start::Memfd };
            }
        }
        Control::SystemPaths => {
            container.system_paths = SystemPaths { unconfined: true, ..SystemPaths::default() };
        }
        Control::Privileged => {
            container.privileged = lift;
            if lift {
                // docker ignores what is dropped beside it.
                container.cap_drop = Default::default();
            }
        }
        Control::ReadOnlyMount(target) => match container.volumes.iter_mut().find(|volume| volume.target == *target) {
            Some(volume) => volume.read_only = !lift,
            None => container.altered.writable.push(target.clone()),
        },
        Control::Volume(target) => container.volumes.retain(|volume| volume.target != *target),
        Control::Sysctl(name) => {
            container.sysctls.retain(|(own, _)| own != name);
            if let Some(switch) = sysctl::switch(name) {
                let value = if lift { switch.open } else { switch.closed };
                container.sysctls.push((name.clone(), value.to_owned()));
            }
        }
        Control::Propagation(target) => {
            let volume = container.volumes.iter_mut().find(|volume| volume.target == *target);
            let becomes = if lift { Propagation::Rshared } else { Propagation::Rprivate };
            volume.into_iter().for_each(|volume| volume.propagation = Some(becomes));
        }
        Control::ReadOnlyRoot => container.read_only = !lift,
        Control::NoNewPrivs => container.no_new_privs = !lift,
        Control::Seccomp => container.seccomp_unconfined = lift,
        Control::Devices if lift => container.altered.all_devices = true,
        Control::Devices => {
            container.devices.clear();
            container.device_cgroup_rules.clear();
        }
        Control::MaskedPath(path) if lift => container.altered.uncovered.push(path.clone()),
        Control::MaskedPath(path) => container.altered.masked.push(path.clone()),
        Control::ReadonlyPath(path) if lift => container.altered.uncovered.push(path.clone()),
        Control::ReadonlyPath(path) => container.altered.readonly.push(path.clone()),
        Control::Limit(Limit::Pids) => container.resources.pids = Some(u64::MAX),
        Control::Limit(Limit::Memory) => (container.resources.memory, container.resources.memory_swap) = (None, None),
        Control::Limit(Limit::Ulimit(name)) => container.ulimits.retain(|limit| limit.name != *name),
        Control::Namespace(which) => container.sharing.take_own(*which),
        Control::Group(gid) if lift => container.group_add.push(IdOrName::Id(*gid)),
        Control::Group(gid) => container.altered.without_groups.push(*gid),
        Control::File(path) => {
            let permissions = if lift { (0o777, owner(scene).0, owner(scene).1) } else { (0, 0, 0) };
            case.host.permissions.insert(path.clone(), permissions);
        }
    }
}

/// The limits that can be lifted.
pub(super) fn limits(scene: &Scene) -> Vec<Limit> {
    let linux = scene.linux();
    let resources = linux.resources().clone().unwrap_or_default();
    let pids = resources.pids().as_ref().is_some_and(|pids| pids.limit() > 0).then_some(Limit::Pids);
    let memory = scene.container().resources.memory.is_some().then_some(Limit::Memory);
    let own = scene.container().ulimits.iter().map(|limit| Limit::Ulimit(limit.name));
    pids.into_iter().chain(memory).chain(own).collect()
}

/// Who the step's process is on the host; the host's root where the id map does not say.
fn owner(scene: &Scene) -> (u32, u32) {
    let linux = scene.linux();
    let map = |lines: &Option<Vec<oci_spec::runtime::LinuxIdMapping>>| {
        let line = |line: &oci_spec::runtime::LinuxIdMapping| IdMap {
            inside: line.container_id(),
            outside: line.host_id(),
            count: line.size(),
        };
        lines.iter().flatten().map(line).collect::<Vec<_>>()
    };
    let process = scene.process();
    let uid = outside(&map(linux.uid_mappings()), process.user().uid());
    let gid = outside(&map(linux.gid_mappings()), process.user().gid());
    (uid.unwrap_or_default(), gid.unwrap_or_default())
}

/// What an author would write: `cap_add` and `cap_drop` reach root, unless it is privileged.
fn tweak(container: &mut Container, one: CapSet, give: bool) {
    let Container { cap_add, cap_drop, .. } = container;
    let (to, from) = if give { (cap_add, cap_drop) } else { (cap_drop, cap_add) };
    to.named = to.named.union(one);
    from.named = from.named.difference(one);
}
