//! Which controls a case has.

use std::{fs, path::Path};

use caplab_init::wire::Probe;

use super::{Change, Direction, Scene, change_of, control::limits};
use crate::{
    capability::Capability,
    host::Machine,
    observe::Sense,
    scenario::{
        model::{Action, Control, Sharing},
        sysctl,
    },
    spec,
};

/// The controls of a case.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// Those that can be changed on this machine, the ones first that a reader would think of first. What can turn the step's outcome
    /// comes before what can only go further the same way.
    pub changes: Vec<Change>,
    /// Those that could turn it and are not changed, because a command could then reach the real machine.
    pub withheld: Vec<Control>,
}

/// Finds them.
#[must_use]
pub fn all(scene: &Scene, machine: &Machine) -> Listed {
    let mut controls = Vec::new();
    let container = scene.container();
    let linux = scene.linux();
    let own_users = linux.uid_mappings().is_some();
    // A user namespace has every capability to give; without one no more can be given than this machine's root has.
    let there = if own_users { machine.kernel_capabilities } else { machine.bounding };
    controls.extend(Capability::all().filter(|one| there.contains(*one)).map(Control::Capability));
    controls.extend([
        Control::Rootless,
        Control::Runtime,
        Control::Uidmap,
        Control::User,
        Control::Seccomp,
        Control::NoNewPrivs,
        Control::Devices,
    ]);
    let preset = scene.mounts().iter().filter(|mount| mount.typ().as_deref() != Some("bind"));
    let preset = preset.map(|mount| mount.destination().to_string_lossy().into_owned());
    let volumes = container.volumes.iter().map(|volume| volume.target.clone());
    controls.extend(volumes.clone().chain(preset).map(Control::ReadOnlyMount));
    controls.extend(volumes.clone().map(Control::Propagation));
    controls.push(Control::ReadOnlyRoot);
    controls.extend(Sharing::OWN_OR_SHARED.map(Control::Namespace));
    let own = container.sysctls.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = own.chain(sysctl::of_step(&scene.step().action)).collect();
    names.sort_unstable();
    names.dedup();
    controls.extend(names.into_iter().map(|name| Control::Sysctl(name.to_owned())));
    controls.extend(files(scene).into_iter().map(Control::File));
    controls.extend(groups(scene).into_iter().map(Control::Group));
    controls.extend(limits(scene).into_iter().map(Control::Limit));
    // What this kernel does not have needs no cover.
    let real = |path: &&&str| fs::symlink_metadata(path).is_ok();
    let (masked, readonly) = spec::covers();
    let further = |list: &Option<Vec<String>>, known: &[&str]| {
        list.iter()
            .flatten()
            .filter(|path| !known.contains(&path.as_str()) && Path::new(path).exists())
            .cloned()
            .collect::<Vec<_>>()
    };
    controls.extend(masked.iter().filter(real).map(|path| Control::MaskedPath((*path).to_owned())));
    controls.extend(further(linux.masked_paths(), masked).into_iter().map(Control::MaskedPath));
    controls.extend(readonly.iter().filter(real).map(|path| Control::ReadonlyPath((*path).to_owned())));
    controls.extend(further(linux.readonly_paths(), readonly).into_iter().map(Control::ReadonlyPath));
    controls.extend(volumes.map(Control::Volume));
    controls.push(Control::Privileged);

    let changes = controls.iter().filter_map(|control| change_of(control, scene).ok());
    let possible = |change: &Change| match (&change.control, change.direction) {
        (Control::Uidmap, Direction::Impose) => machine.userns,
        // No more than it has can be given to it, nor less than it has taken away.
        (Control::Capability(_), _) => towards(change, scene.sense),
        _ => true,
    };
    let guarded = !machine.trust_host && runs_a_program(scene);
    let (held, changes): (Vec<_>, Vec<_>) =
        changes.filter(possible).partition(|change| guarded && reaches_the_machine(change, scene));
    let (towards, beyond): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| towards(change, scene.sense));
    Listed {
        changes: towards.into_iter().chain(beyond).collect(),
        withheld: held
            .into_iter()
            .filter(|change| self::towards(change, scene.sense))
            .map(|change| change.control)
            .collect(),
    }
}

/// Whether anything but probes, which harm nothing whatever they are allowed, is executed in the case up to the step.
fn runs_a_program(scene: &Scene) -> bool {
    let runs = scene.case.steps.iter().any(|step| matches!(step.action, Action::Run { .. }));
    runs || scene.case.containers.iter().any(|container| container.command.is_some())
}

/// Whether a program could do something to the real machine once this is lifted: write a disk or a sysctl of the whole kernel, set the
/// clock, load a module. An author who gives it does so with open eyes; here nobody asked for it. `echo b > /proc/sysrq-trigger`
/// is a good example of a denied step.
fn reaches_the_machine(change: &Change, scene: &Scene) -> bool {
    const CAPABILITIES: [&str; 17] = [
        "AUDIT_CONTROL",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "DAC_READ_SEARCH",
        "IPC_OWNER",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "PERFMON",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYSLOG",
        "WAKE_ALARM",
    ];
    let reaches = |one: Capability| CAPABILITIES.contains(&one.short_name());
    // What a namespace or a user holds back of a container that has all of that is held back by nothing else.
    let bounding = scene.capabilities().bounding;
    let has_much = Capability::all().any(|one| reaches(one) && bounding.contains(one));
    change.direction == Direction::Lift
        && match &change.control {
            Control::Capability(one) => reaches(*one),
            Control::Privileged | Control::Devices | Control::MaskedPath(_) | Control::ReadonlyPath(_) => true,
            Control::Uidmap | Control::User | Control::Seccomp => has_much,
            // The preset's own; a volume is the fixture host's, and one of the real machine needs --trust-host to be there.
            Control::ReadOnlyMount(target) => ["/sys", "/proc"].iter().any(|own| target.starts_with(own)),
            _ => false,
        }
}

/// Whether a change goes where such an outcome could turn: less protection for what was denied, more of it for what was allowed. The
/// others are tried alone only. A user namespace takes rights on the host away and gives them in itself, so that both ways turn
/// something; changed together with everything else the wrong way would hide what the others do.
pub(super) fn towards(change: &Change, sense: Sense) -> bool {
    let wanted = match sense {
        Sense::Denied => Direction::Lift,
        Sense::Allowed => Direction::Impose,
    };
    change.direction == wanted
}

/// What of the fixture host the container sees; where the step names a path, what lies on the way to it.
fn files(scene: &Scene) -> Vec<String> {
    let named = match &scene.step().action {
        Action::Probe { probe, .. } => match probe {
            Probe::Open { path, .. }
            | Probe::Chown { path, .. }
            | Probe::Chmod { path, .. }
            | Probe::Chroot { path } => Some(path.as_str()),
            Probe::Mknod { dir } => Some(dir.as_str()),
            // No other asks for a path of the host's.
            _ => return Vec::new(),
        },
        Action::Run { .. } => None,
        // A look asks for nothing.
        Action::Inspect(_) | Action::HostProcess { .. } | Action::HostFile { .. } => return Vec::new(),
    };
    let on_the_way = |seen: &String| named.is_none_or(|path| Path::new(path).starts_with(seen));
    let visible = scene.visible().into_iter().filter(|(_, seen)| on_the_way(seen));
    let mut files: Vec<String> = visible.map(|(path, _)| path.to_owned()).collect();
    files.dedup();
    files
}

/// Groups that the process is in, and those to which something that it sees belongs.
fn groups(scene: &Scene) -> Vec<u32> {
    let mut groups: Vec<u32> = scene.process().user().additional_gids().iter().flatten().copied().collect();
    let seen = files(scene);
    groups.extend(seen.iter().filter_map(|path| scene.file(path)).map(|(_, _, gid)| gid).filter(|gid| *gid != 0));
    groups.sort_unstable();
    groups.dedup();
    groups
}
