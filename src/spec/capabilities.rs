//! Which of the five capability sets hold what, as each engine writes it into its Spec. The kernel transforms them
//! once more at execve(2).

use oci_spec::runtime::{Capabilities, LinuxCapabilities};

use super::preset::{Facts, Inheritable, UserCapabilities};
use crate::{
    capability::{CapSet, Capability},
    observe::CapSets,
    scenario::model::{CapList, Container},
};

/// What the container may have at most: the preset's, less `cap_drop`, plus `cap_add`.
pub(super) fn ceiling(container: &Container, facts: &Facts, machine: CapSet) -> CapSet {
    if container.privileged {
        return machine;
    }
    let mut granted = facts.capabilities.unwrap_or(machine);
    // docker's order (moby, oci/caps/utils.go TweakCapabilities): dropped first, so that ALL with one added is that one.
    granted = if container.cap_drop.all { CapSet::EMPTY } else { granted.difference(container.cap_drop.named) };
    if container.cap_add.all {
        granted = machine.difference(container.cap_drop.named);
    }
    granted.union(container.cap_add.named)
}

/// What podman gives a user who is not root: what was added, and with ALL what the machine has, dropped or not (libpod,
/// specgen/generate/security_linux.go: `MergeCapabilities(nil, s.CapAdd, nil)`, of a privileged container too). What was dropped then is
/// inheritable and not in the bounding set, which the kernel refuses (security/commoncap.c cap_capset).
fn given(list: &CapList, ceiling: CapSet, machine: CapSet) -> CapSet {
    if list.all { machine } else { list.named.intersection(ceiling) }
}

/// The sets of a process: of the container's own where `exec_as` is `None`, else of one that is executed as this uid, which was
/// asked for in the words of the container's own user or not.
pub(super) fn sets(
    container: &Container,
    facts: &Facts,
    ceiling: CapSet,
    machine: CapSet,
    container_uid: u32,
    exec_as: Option<(u32, bool)>,
) -> CapSets {
    let (uid, is_containers) = exec_as.unwrap_or((container_uid, true));
    let inheritable = match facts.inheritable {
        Inheritable::Empty => CapSet::EMPTY,
        Inheritable::Full => ceiling,
    };
    let root =
        CapSets { inheritable, permitted: ceiling, effective: ceiling, bounding: ceiling, ambient: CapSet::EMPTY };
    let mut sets = match facts.users {
        // moby, daemon/oci_linux.go WithCapabilities; `docker exec` copies the container's sets, whoever it is for.
        UserCapabilities::BoundingOnly if container_uid == 0 => root,
        UserCapabilities::BoundingOnly => CapSets { permitted: CapSet::EMPTY, effective: CapSet::EMPTY, ..root },
        UserCapabilities::AddedAmbient if uid == 0 => root,
        // `podman exec` as somebody else gives nothing, and as the same user in other
        // words neither (prepareProcessExec: `user == c.config.User`).
        UserCapabilities::AddedAmbient => {
            let given = if is_containers { given(&container.cap_add, ceiling, machine) } else { CapSet::EMPTY };
            CapSets { inheritable: given, permitted: given, effective: given, bounding: ceiling, ambient: given }
        }
    };
    for set in [&mut sets.inheritable, &mut sets.permitted, &mut sets.effective, &mut sets.bounding, &mut sets.ambient]
    {
        *set = set.union(container.altered.lifted).difference(container.altered.withheld);
    }
    sets
}

/// In the runtime-spec's words.
pub(super) fn in_spec(sets: &CapSets) -> LinuxCapabilities {
    let mut spec = LinuxCapabilities::default();
    spec.set_inheritable(Some(names(sets.inheritable)))
        .set_permitted(Some(names(sets.permitted)))
        .set_effective(Some(names(sets.effective)))
        .set_bounding(Some(names(sets.bounding)))
        .set_ambient(Some(names(sets.ambient)));
    spec
}

fn names(set: CapSet) -> Capabilities {
    Capability::all()
        .filter(|capability| set.contains(*capability))
        .filter_map(|capability| capability.short_name().parse().ok())
        .collect()
}
