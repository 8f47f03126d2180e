//! The places at which the engine is made wrong: each operation of a plan, each map, the device list.

use caplab_init::wire::{Case, Op, StepKind};

use super::operation::{mutants, name};

/// One place of a plan, and what is there in its stead.
#[derive(Debug, Clone)]
pub struct Site {
    place: Place,
    /// What stands there; nothing where it is left out.
    instead: Option<Op>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// An operation of a container's setup: container, index.
    Setup(usize, usize),
    /// An operation of its pid 1.
    Init(usize, usize),
    /// An operation of a step's process: step, index.
    Exec(usize, usize),
    /// The uid_map is one id wider.
    UidMap(usize),
    /// The gid_map is one id wider.
    GidMap(usize),
    /// There is no device list.
    Devices(usize),
}

/// Every wrong engine that can be seen in this plan, by name. The same operation has the same name in every case, and is one mutant.
pub(super) fn all(case: &Case) -> Vec<(String, Site)> {
    let mut found = Vec::new();
    let mut add = |prefix: &str, ops: &[Op], place: &dyn Fn(usize) -> Place| {
        for (index, op) in ops.iter().enumerate() {
            for (what, instead) in mutants(op) {
                let site = Site { place: place(index), instead };
                found.push((format!("{prefix}: {}: {what}", name(op)), site));
            }
        }
    };
    for (index, container) in case.containers.iter().enumerate() {
        add("setup", &container.setup, &|op| Place::Setup(index, op));
        add("pid 1", &container.init.ops, &|op| Place::Init(index, op));
    }
    for (index, step) in case.steps.iter().enumerate() {
        if let StepKind::Exec { process, .. } = &step.kind {
            add("exec", &process.ops, &|op| Place::Exec(index, op));
        }
    }
    for (index, container) in case.containers.iter().enumerate() {
        let places = [
            (!container.uid_map.is_empty(), "container: uid_map: one id wider", Place::UidMap(index)),
            (!container.gid_map.is_empty(), "container: gid_map: one id wider", Place::GidMap(index)),
            (container.devices.is_some(), "container: device list: left out", Place::Devices(index)),
        ];
        let there = places.into_iter().filter(|(there, ..)| *there);
        found.extend(there.map(|(_, name, place)| (name.to_owned(), Site { place, instead: None })));
    }
    found
}

impl Site {
    /// Makes it so.
    pub(super) fn change(&self, case: &mut Case) {
        let wider = |map: &mut Vec<caplab_init::wire::IdMap>| {
            if let Some(line) = map.last_mut() {
                line.count = line.count.saturating_add(1);
            }
        };
        match self.place {
            Place::Setup(container, index) => {
                replace(&mut case.containers[container].setup, index, self.instead.as_ref())
            }
            Place::Init(container, index) => {
                replace(&mut case.containers[container].init.ops, index, self.instead.as_ref())
            }
            Place::Exec(step, index) => {
                if let StepKind::Exec { process, .. } = &mut case.steps[step].kind {
                    replace(&mut process.ops, index, self.instead.as_ref());
                }
            }
            Place::UidMap(container) => wider(&mut case.containers[container].uid_map),
            Place::GidMap(container) => wider(&mut case.containers[container].gid_map),
            Place::Devices(container) => case.containers[container].devices = None,
        }
    }
}

fn replace(ops: &mut Vec<Op>, index: usize, instead: Option<&Op>) {
    match instead {
        Some(op) => ops[index] = op.clone(),
        None => {
            ops.remove(index);
        }
    }
}
