//! The config of a case with one control flipped.

use std::collections::{BTreeMap, BTreeSet};

use caplab_init::wire::{OpenMode, Probe};

use crate::{
    capability::Capability,
    counterfactual::{Change, Direction, Scene, all as controls, apply, because::wanted},
    host::Machine,
    observe::Sense,
    scenario::{
        describe,
        model::{Action, Case, Control},
        sysctl,
    },
};

/// Every control of the containers that a step looks at, each flipped in a case of its own, by name: `user imposed`, and with several
/// containers `box: user imposed`.
pub(super) fn all(case: &Case, machine: &Machine) -> BTreeMap<String, Case> {
    let mut made = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (index, step) in case.steps.iter().enumerate() {
        for sense in [Sense::Denied, Sense::Allowed] {
            // But for the files and sysctls that it asks for, and a user of its own, a step has the controls of every other in this container.
            let first = known.insert((step.within, sense == Sense::Denied));
            let of_files = wanted(&step.action) == Some(sense) && names_a_path(&step.action);
            let of_sysctls = sysctl::of_step(&step.action).next().is_some();
            if !first && step.as_user.is_none() && !of_files && !of_sysctls {
                continue;
            }
            let Ok(scene) = Scene::new(case, index, sense, machine) else { continue };
            for change in controls(&scene, machine).changes {
                // Mode and owner of a file decide where a step asks for it, and in the way that could turn it.
                if let Control::File(file) = &change.control
                    && (wanted(&step.action) != Some(sense)
                        || is_passed_either_way(file, &change, &scene, &step.action))
                {
                    continue;
                }
                made.entry(name(case, index, &change)).or_insert_with(|| {
                    let mut flipped = apply(std::slice::from_ref(&change), &scene);
                    flipped.steps.extend_from_slice(&case.steps[index + 1..]);
                    flipped
                });
            }
        }
    }
    made
}

/// Whether it is a directory on the way to what is there already, which lets pass before and after: everybody, where it is opened further,
/// or, where it is closed, who has a capability to search any (generic_permission in fs/namei.c; over an owner that its user namespace maps).
fn is_passed_either_way(file: &str, change: &Change, scene: &Scene, action: &Action) -> bool {
    let asked = match action {
        Action::Probe { probe: Probe::Open { path, mode }, .. } if *mode != OpenMode::Create => path,
        Action::Probe { probe: Probe::Chown { path, .. } | Probe::Chmod { path, .. }, .. } => path,
        _ => return false,
    };
    let is_itself = scene.visible().iter().any(|(path, seen)| *path == file && seen == asked);
    let passable = match change.direction {
        Direction::Lift => scene.file(file).is_some_and(|(mode, ..)| mode & 0o001 != 0),
        Direction::Impose => {
            let effective = scene.capabilities().effective;
            let searches = ["DAC_OVERRIDE", "DAC_READ_SEARCH"].into_iter().filter_map(Capability::from_name);
            scene.linux().uid_mappings().is_none() && searches.into_iter().any(|one| effective.contains(one))
        }
    };
    !is_itself && passable
}

fn names_a_path(action: &Action) -> bool {
    let Action::Probe { probe, .. } = action else { return true };
    matches!(
        probe,
        Probe::Open { .. } | Probe::Chown { .. } | Probe::Chmod { .. } | Probe::Chroot { .. } | Probe::Mknod { .. }
    )
}

fn name(case: &Case, index: usize, change: &Change) -> String {
    let step = &case.steps[index];
    let container = match case.containers.as_slice() {
        [_] => String::new(),
        several => several.get(step.within).map(|one| format!("{}: ", one.name)).unwrap_or_default(),
    };
    let way = match (&change.control, change.direction) {
        // One of its own, whatever was asked.
        (Control::Namespace(_), _) => "",
        (_, Direction::Lift) => " lifted",
        (_, Direction::Impose) => " imposed",
    };
    // A step's own user is that step's alone.
    let of = match (&change.control, &step.as_user) {
        (Control::User, Some(_)) => format!(" in step {}", step.id),
        _ => String::new(),
    };
    format!("{container}{}{way}{of}", describe::control(&change.control))
}
