//! Facts of processes and files.

use super::{
    finding,
    outcome::{describe, words},
};
use crate::{
    capability::CapSet,
    engine::{Facts, StepObservation},
    host::{Machine, fixture},
    observe::{Cpu, NamespaceState, ProcessFacts, map_words},
    result::Finding,
    scenario::{
        describe::namespace,
        model::{CapList, FactsExpect, Host, HostFileExpect, HostProcessExpect, Matcher, MountExpect},
    },
};

/// Compares one fact after the other.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn equal<T: PartialEq>(&mut self, name: &str, wanted: Option<&T>, got: &T, show: impl Fn(&T) -> String) {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != got) {
            self.0.push(finding(format!("{name} {}", show(wanted)), show(got)));
        }
    }

    fn text(&mut self, name: &str, wanted: Option<&Matcher>, got: &str) {
        if let Some(matcher) = wanted.filter(|matcher| !matcher.matches(got)) {
            self.0.push(finding(format!("{name} {}", describe(matcher)), format!("{got:?}")));
        }
    }
}

/// An inspect step.
pub(super) fn inspect(expect: &FactsExpect, machine: &Machine, seen: &StepObservation) -> Vec<Finding> {
    let Some(Facts::Process(got)) = &seen.facts else { return not_seen(seen) };
    let mut found = Findings::default();
    found.equal("uid", expect.uid.as_ref(), &got.uid, u32::to_string);
    found.equal("gid", expect.gid.as_ref(), &got.gid, u32::to_string);
    let sorted = |list: &[u32]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    let wanted = expect.groups.as_deref().map(sorted);
    found.equal("groups", wanted.as_ref(), &sorted(&got.groups), |list| format!("{list:?}"));
    let (wanted, sets) = (&expect.capabilities, &got.capabilities);
    for (name, wanted, got) in [
        ("inheritable", wanted.inheritable, sets.inheritable),
        ("permitted", wanted.permitted, sets.permitted),
        ("effective", wanted.effective, sets.effective),
        ("bounding", wanted.bounding, sets.bounding),
        ("ambient", wanted.ambient, sets.ambient),
    ] {
        let wanted = wanted.map(|list| all_of(list, machine));
        found.equal(&format!("{name} capabilities"), wanted.as_ref(), &got, CapSet::to_string);
    }
    found.equal("uid_map", expect.uid_map.as_ref(), &got.uid_map, |map| map_words(map));
    found.equal("gid_map", expect.gid_map.as_ref(), &got.gid_map, |map| map_words(map));
    found.equal("no_new_privs", expect.no_new_privs.as_ref(), &got.no_new_privs, bool::to_string);
    found.equal("seccomp", expect.seccomp.as_ref(), &got.seccomp, |mode| mode.name().to_owned());
    for (which, wanted) in &expect.namespaces {
        let state = got.namespaces.iter().find(|(one, _)| one == which).map(|(_, state)| state);
        if state.is_none_or(|state| state != wanted) {
            let seen = state.map_or_else(|| "none on this kernel".to_owned(), NamespaceState::name);
            found.0.push(finding(format!("{} namespace {}", namespace(*which), wanted.name()), seen));
        }
    }
    found.0.extend(expect.mounts.iter().filter_map(|wanted| mount(wanted, got)));
    for wanted in &expect.limits {
        let limit = got.limits.iter().find(|limit| limit.name == wanted.name);
        if limit.is_none_or(|limit| (limit.soft, limit.hard) != (wanted.soft, wanted.hard)) {
            let show = |soft, hard| format!("{} (soft) {} (hard)", amount(soft), amount(hard));
            let seen = limit.map_or_else(|| "nothing".to_owned(), |limit| show(limit.soft, limit.hard));
            found.0.push(finding(format!("limit {} {}", wanted.name, show(wanted.soft, wanted.hard)), seen));
        }
    }
    // Who has no control group of its own has no limit of its own. One that could not be read is no such case: parse_process.
    let (wanted, resources) = (&expect.resources, got.resources.unwrap_or_default());
    for (name, wanted, got) in [("processes", wanted.pids, resources.pids), ("memory", wanted.memory, resources.memory)]
    {
        found.equal(&format!("limit of {name}"), wanted.as_ref(), &got.unwrap_or(u64::MAX), |limit| amount(*limit));
    }
    let cpu = |cpu: Option<Cpu>| cpu.filter(|cpu| cpu.quota != u64::MAX);
    found.equal(
        "limit of processor time",
        wanted.cpu.map(|wanted| cpu(Some(wanted))).as_ref(),
        &cpu(resources.cpu),
        |cpu| cpu.map_or_else(|| "unlimited".to_owned(), |cpu| format!("{} of {} microseconds", cpu.quota, cpu.period)),
    );
    let processes: Vec<_> = got.processes.iter().map(|process| process.command.as_str()).collect();
    found.text("processes", expect.processes.as_ref(), &processes.join("\n"));
    found.equal("hostname", expect.hostname.as_ref(), &got.hostname, String::clone);
    found.0
}

/// A look at a container's pid 1 from outside.
pub(super) fn process(expect: &HostProcessExpect, host: &Host, seen: &StepObservation) -> Vec<Finding> {
    let Some(Facts::HostProcess(lineage)) = &seen.facts else { return not_seen(seen) };
    let Some((got, parents)) = lineage.split_first() else { return not_seen(seen) };
    let mut found = Findings::default();
    found.equal("uid", expect.uid.as_ref(), &got.uid, u32::to_string);
    found.equal("gid", expect.gid.as_ref(), &got.gid, u32::to_string);
    let users = fixture::users(host);
    let name =
        users.iter().find(|(_, uid)| **uid == got.uid).map_or_else(|| got.uid.to_string(), |(name, _)| name.clone());
    found.equal("user", expect.user.as_ref(), &name, String::clone);
    found.text("command", expect.command.as_ref(), &got.command);
    found.equal("uid_map", expect.uid_map.as_ref(), &got.uid_map, |map| map_words(map));
    let parents: Vec<_> = parents.iter().map(|parent| parent.command.as_str()).collect();
    found.text("parents", expect.parents.as_ref(), &parents.join("\n"));
    found.0
}

/// A look at a file of the fixture host.
pub(super) fn file(expect: &HostFileExpect, seen: &StepObservation) -> Vec<Finding> {
    let Some(Facts::File(got)) = &seen.facts else { return not_seen(seen) };
    let mut found = Findings::default();
    found.equal("exists", expect.exists.as_ref(), &got.exists, bool::to_string);
    found.equal("changed", expect.changed.as_ref(), &got.changed, bool::to_string);
    found.equal("mounted", expect.mounted.as_ref(), &got.mounted, bool::to_string);
    if !got.exists && (expect.mode.is_some() || expect.owner.is_some() || expect.content.is_some()) {
        found.0.push(finding("a file", "none"));
        return found.0;
    }
    found.equal("mode", expect.mode.as_ref(), &got.mode, |mode| format!("{mode:04o}"));
    found.equal("owner", expect.owner.as_ref(), &(got.uid, got.gid), |(uid, gid)| format!("{uid}:{gid}"));
    found.text("content", expect.content.as_ref(), &got.content);
    found.0
}

fn not_seen(seen: &StepObservation) -> Vec<Finding> {
    vec![Finding { expected: "facts".to_owned(), seen: words(&seen.outcome), error: true }]
}

fn mount(wanted: &MountExpect, got: &ProcessFacts) -> Option<Finding> {
    let target = &wanted.target;
    // The last one at a target is the one that is seen.
    let Some(mount) = got.mounts.iter().rev().find(|mount| mount.target == *target) else {
        return (!wanted.absent).then(|| finding(format!("a mount at {target}"), "none"));
    };
    let options = mount.options.join(",");
    if wanted.absent {
        return Some(finding(format!("no mount at {target}"), format!("{} {options}", mount.fstype)));
    }
    if let Some(fstype) = wanted.fstype.as_ref().filter(|fstype| **fstype != mount.fstype) {
        return Some(finding(format!("{fstype} at {target}"), mount.fstype.clone()));
    }
    if let Some(peers) = wanted.propagation.filter(|peers| *peers != mount.peers) {
        return Some(finding(format!("{target} {}", peers.name()), mount.peers.name()));
    }
    let missing: Vec<_> = wanted.options.iter().filter(|word| !mount.options.contains(word)).cloned().collect();
    (!missing.is_empty()).then(|| finding(format!("{target} mounted {}", missing.join(",")), options))
}

/// `ALL` is every capability that the machine's root has.
fn all_of(list: CapList, machine: &Machine) -> CapSet {
    if list.all { machine.bounding.union(list.named) } else { list.named }
}

fn amount(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() }
}
