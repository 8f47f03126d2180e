//! The picture of one case, as text for a reviewer.

use std::fmt::Write;

use oci_spec::runtime::{Linux, LinuxDeviceCgroup, LinuxDeviceType, Spec};

use super::redact::{self, Shown};
use crate::{
    capability::CapSet,
    engine::{ContainerState, Facts, Job},
    host::Machine,
    observe::{CapSets, Outcome, ProcessFacts, Seccomp, Stream, map_words},
    result::{CaseResult, StepResult},
    scenario::{
        describe,
        model::{Case, Container},
        sysctl,
    },
    spec,
};

/// The picture of one case: the effective config of each container, the outcome and facts of each step.
#[must_use]
pub fn section(case: &Case, job: &Job, result: &CaseResult, machine: &Machine) -> String {
    let mut out = String::from("containers:\n");
    let containers = case.containers.iter().zip(&job.containers).zip(&result.containers);
    for (index, ((container, asked), (name, state))) in containers.enumerate() {
        line(&mut out, 1, format_args!("{name}:"));
        match state {
            ContainerState::Running(facts) => {
                let mut container = container.clone();
                let volumes = container.volumes.iter_mut().map(|one| &mut one.target);
                for target in volumes.chain(container.tmpfs.iter_mut().map(|one| &mut one.target)) {
                    *target = asked.place(target, facts).into_owned();
                }
                effective(&mut out, &container, &asked.placed(facts), facts, machine);
                sysctls(&mut out, &sysctl::of_container(case, index), &asked.spec, machine);
            }
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
    // The kernel shows that there is a filter and not which; the preset's own changes with caplab alone.
    if let Some(profile) = container.seccomp_profile.as_ref().filter(|_| facts.seccomp == Seccomp::Filter) {
        line(out, 2, format_args!("seccomp profile: {}", profile.identity()));
    }
    let namespaces: Vec<_> = facts
        .namespaces
        .iter()
        .filter(|(namespace, _)| redact::shows(container, *namespace))
        .map(|(namespace, state)| format!("{} {}", describe::namespace(*namespace), state.name()))
        .collect();
    line(out, 2, format_args!("namespaces: {}", namespaces.join(", ")));
    for limit in facts.limits.iter().filter(|limit| container.ulimits.iter().any(|asked| asked.name == limit.name)) {
        line(out, 2, format_args!("limit {}: {} {}", limit.name, limit.soft, limit.hard));
    }
    limits(out, container, facts);
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
    for (index, mount) in mounts.iter().enumerate() {
        let last = mounts[index + 1..].iter().all(|later| later.target != mount.target);
        if let Shown::Line(text) = redact::mount(container, mount, last) {
            line(out, 3, format_args!("{text}"));
        }
    }
    let linux = spec.linux().clone().unwrap_or_default();
    for (what, paths) in [("read-only", linux.readonly_paths()), ("masked", linux.masked_paths())] {
        if let Some(paths) = paths.as_ref().filter(|paths| !paths.is_empty()) {
            line(out, 2, format_args!("{what}, where the kernel has it: {}", paths.join(" ")));
        }
    }
    line(out, 2, format_args!("device list: {}", device_list(&linux)));
}

/// The device list, `linux.resources.devices`, in the words of cgroups(7)'s devices.allow; a device of the container's own by its node, for
/// its number may be another one on another machine. The kernel shows no list on every machine, so this is what the engine was asked for:
/// that it is kept is what the scenarios of devices/ open devices for.
fn device_list(linux: &Linux) -> String {
    let rules = linux.resources().as_ref().and_then(|resources| resources.devices().clone()).unwrap_or_default();
    let is_all = |rule: &LinuxDeviceCgroup| rule.typ().is_none() && rule.major().is_none() && rule.minor().is_none();
    // A line about everything makes the ones before it void.
    let from = rules.iter().rposition(is_all);
    let (first, rest) = match from {
        Some(at) if rules[at].allow() => ("every device", &rules[at + 1..]),
        Some(at) => ("the runtime's own", &rules[at + 1..]),
        None => ("the runtime's own", &rules[..]),
    };
    let number =
        |number: Option<i64>| number.filter(|one| *one >= 0).map_or_else(|| "*".to_owned(), |one| one.to_string());
    let nodes = linux.devices().clone().unwrap_or_default();
    let words = |rule: &LinuxDeviceCgroup| {
        let own = nodes.iter().find(|node| {
            rule.typ() == Some(node.typ()) && rule.major() == Some(node.major()) && rule.minor() == Some(node.minor())
        });
        let which = own.map_or_else(
            || {
                let kind = rule.typ().unwrap_or(LinuxDeviceType::A);
                format!("{} {}:{}", kind.as_str(), number(rule.major()), number(rule.minor()))
            },
            |node| node.path().display().to_string(),
        );
        let not = if rule.allow() { "" } else { "not " };
        format!("{not}{which} {}", rule.access().as_deref().unwrap_or("rwm"))
    };
    [first.to_owned()].into_iter().chain(rest.iter().map(words)).collect::<Vec<_>>().join(", ")
}

/// Sysctls that the case asks for, of those that are set: as they were asked for, which is what the kernel was seen to have
/// (`observe::deviations`).
fn sysctls(out: &mut String, names: &[&str], asked: &Spec, machine: &Machine) {
    let linux = asked.linux().clone().unwrap_or_default();
    for name in names {
        if let Some(value) = linux.sysctl().as_ref().and_then(|set| set.get(*name)) {
            line(
                out,
                2,
                format_args!("sysctl {name}: {}", spec::sysctls::everywhere(name, &sysctl::words(value), machine)),
            );
        }
    }
}

/// Limits of control groups that the author asked for. A preset's own is compared with its Spec. Nor is swap shown where its limit
/// was not asked for: a machine may have none.
fn limits(out: &mut String, container: &Container, facts: &ProcessFacts) {
    let (asked, seen) = (&container.resources, facts.resources.unwrap_or_default());
    // Who asks for none has, natively, no control group.
    let shown = |asked: Option<u64>, seen: Option<u64>| asked.map(|_| seen.unwrap_or(u64::MAX));
    let amount = |limit: u64| if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() };
    let limits = [
        ("pids", shown(asked.pids, seen.pids)),
        ("memory", shown(asked.memory, seen.memory)),
        ("memory and swap", shown(asked.memory_swap, seen.swap)),
    ];
    for (name, limit) in limits {
        if let Some(limit) = limit {
            line(out, 2, format_args!("limit {name}: {}", amount(limit)));
        }
    }
    if let Some(cpu) = asked.nano_cpus.and(seen.cpu) {
        line(out, 2, format_args!("limit cpu time: {} of {} microseconds", amount(cpu.quota), cpu.period));
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
    let whom = step.as_user.as_ref().map(|user| format!(" as {user}")).unwrap_or_default();
    line(out, 1, format_args!("{}{place}{whom}, {}: {}", step.id, step.what, short(&step.seen.outcome)));
    if let Some(because) = &step.because {
        match (because.controls.is_empty(), because.holds) {
            (true, true) => line(out, 2, format_args!("no control decides")),
            (true, false) => line(out, 2, format_args!("a control decides")),
            (false, true) => line(out, 2, format_args!("because of {}", describe::controls(&because.controls))),
            (false, false) => line(out, 2, format_args!("not because of {}", describe::controls(&because.controls))),
        }
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
            let mounted = if file.mounted { ", mounted over" } else { "" };
            let (mode, uid, gid) = (file.mode, file.uid, file.gid);
            line(out, 2, format_args!("mode: {mode:04o}, owner: {uid}:{gid}, changed: {}{mounted}", file.changed));
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
