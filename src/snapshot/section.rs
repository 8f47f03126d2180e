//! The picture of one case, as text for a reviewer.

use std::fmt::Write;

use oci_spec::runtime::Spec;

use super::redact::{self, Shown};
use crate::{
    capability::CapSet,
    engine::{ContainerState, Facts, Job},
    host::Machine,
    observe::{CapSets, Outcome, ProcessFacts, Stream, map_words},
    result::{CaseResult, StepResult},
    scenario::{
        describe,
        model::{Case, Container},
    },
};

/// The picture of one case: the effective config of each container, the outcome and facts of each step.
#[must_use]
pub fn section(case: &Case, job: &Job, result: &CaseResult, machine: &Machine) -> String {
    let mut out = String::from("containers:\n");
    for ((container, asked), (name, state)) in case.containers.iter().zip(&job.containers).zip(&result.containers) {
        line(&mut out, 1, format_args!("{name}:"));
        match state {
            ContainerState::Running(facts) => effective(&mut out, container, &asked.spec, facts, machine),
            ContainerState::Refused(outcome) => line(&mut out, 2, format_args!("{}", short(outcome))),
        }
    }
    out.push_str("steps:\n");
    for step in &result.steps {
        taken(&mut out, step, machine);
    }
    out
}

fn line(out: &mut String, depth: usize, text: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{:indent$}{text}", "", indent = depth * 2);
}

fn effective(out: &mut String, container: &Container, spec: &Spec, facts: &ProcessFacts, machine: &Machine) {
    line(
        out,
        2,
        format_args!("uid: {}, gid: {}, groups: {:?}, as the host numbers them", facts.uid, facts.gid, facts.groups),
    );
    line(out, 2, format_args!("uid_map: {}", map_words(&facts.uid_map)));
    line(out, 2, format_args!("gid_map: {}", map_words(&facts.gid_map)));
    sets(out, 2, &facts.capabilities, machine);
    line(out, 2, format_args!("no_new_privs: {}", facts.no_new_privs));
    line(out, 2, format_args!("seccomp: {}", facts.seccomp.name()));
    let namespaces: Vec<_> = facts
        .namespaces
        .iter()
        .filter(|(namespace, _)| !redact::NAMESPACES.contains(namespace))
        .map(|(namespace, state)| format!("{} {}", describe::namespace(*namespace), state.name()))
        .collect();
    line(out, 2, format_args!("namespaces: {}", namespaces.join(", ")));
    for limit in facts.limits.iter().filter(|limit| container.ulimits.iter().any(|asked| asked.name == limit.name)) {
        line(out, 2, format_args!("limit {}: {} {}", limit.name, limit.soft, limit.hard));
    }
    line(out, 2, format_args!("mounts:"));
    // Engines mount in orders of their own where it makes no difference: the Spec's is shown. Of two at the same place the
    // later one is seen, and their order stays.
    let asked: Vec<_> = spec.mounts().iter().flatten().map(|mount| mount.destination().to_string_lossy()).collect();
    let place = |target: &str| match target {
        "/" => 0,
        target => 1 + asked.iter().position(|asked| asked == target).unwrap_or(asked.len()),
    };
    let mut mounts: Vec<_> = facts.mounts.iter().collect();
    mounts.sort_by_key(|mount| place(&mount.target));
    for mount in mounts {
        if let Shown::Line(text) = redact::mount(container, mount) {
            line(out, 3, format_args!("{text}"));
        }
    }
    let linux = spec.linux().clone().unwrap_or_default();
    for (what, paths) in [("read-only", linux.readonly_paths()), ("masked", linux.masked_paths())] {
        if let Some(paths) = paths.as_ref().filter(|paths| !paths.is_empty()) {
            line(out, 2, format_args!("{what}, where the kernel has it: {}", paths.join(" ")));
        }
    }
}

/// The five sets, those that hold the same in one line.
fn sets(out: &mut String, depth: usize, sets: &CapSets, machine: &Machine) {
    let all = sets.named();
    for (index, (_, set)) in all.iter().enumerate() {
        if all[..index].iter().any(|(_, other)| other == set) {
            continue;
        }
        let same: Vec<_> = all.iter().filter(|(_, other)| other == set).map(|(name, _)| *name).collect();
        line(out, depth, format_args!("{}: {}", same.join(", "), names(*set, machine)));
    }
}

/// Every capability that the host has is ALL, whatever the host lacks.
fn names(set: CapSet, machine: &Machine) -> String {
    if set == machine.bounding && !set.is_empty() { "ALL".to_owned() } else { set.to_string() }
}

fn taken(out: &mut String, step: &StepResult, machine: &Machine) {
    let place = step.within.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    line(out, 1, format_args!("{}{place}, {}: {}", step.id, step.what, short(&step.seen.outcome)));
    if let Some(because) = &step.because {
        let word = if because.flipped { "because of" } else { "not because of" };
        line(out, 2, format_args!("{word} {}", describe::control(&because.control)));
    }
    match &step.seen.facts {
        Some(Facts::Process(facts)) => {
            line(out, 2, format_args!("uid: {}, gid: {}, groups: {:?}", facts.uid, facts.gid, facts.groups));
            sets(out, 2, &facts.capabilities, machine);
        }
        Some(Facts::HostProcess(lineage)) => {
            if let Some(facts) = lineage.first() {
                line(
                    out,
                    2,
                    format_args!("uid: {}, gid: {}, uid_map: {}", facts.uid, facts.gid, map_words(&facts.uid_map)),
                );
            }
        }
        Some(Facts::File(file)) if file.exists => {
            line(
                out,
                2,
                format_args!("mode: {:04o}, owner: {}:{}, changed: {}", file.mode, file.uid, file.gid, file.changed),
            );
        }
        Some(Facts::File(_)) => line(out, 2, format_args!("not there")),
        None => {}
    }
    for (stream, name, output) in
        [(Stream::Stdout, "stdout", &step.seen.stdout), (Stream::Stderr, "stderr", &step.seen.stderr)]
    {
        if step.capture.contains(&stream) {
            line(out, 2, format_args!("{name}:"));
            for text in output.text.lines() {
                line(out, 3, format_args!("| {}", text.trim_end()));
            }
        }
    }
}

/// An outcome without what differs from machine to machine.
fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Denied { errno, .. } => format!("denied({errno})"),
        Outcome::Refused { phase, .. } => format!("refused({})", format!("{phase:?}").to_lowercase()),
        Outcome::Unavailable(_) => "unavailable".to_owned(),
        Outcome::Unclear(_) => "unclear".to_owned(),
        Outcome::TimedOut => "timed out".to_owned(),
        other => crate::verdict::words(other),
    }
}
