//! Everything that was seen of a case, a row for each fact: more than a picture has, since both engines run on one machine.

use std::collections::BTreeMap;

use super::config::BESIDE_NAME;
use caplab::{
    engine::{ContainerState, Facts},
    observe::{Mount, Outcome, ProcessFacts, map_words},
    result::{CaseResult, Verdict},
    scenario::model::Case,
};

/// What a fact is about, and what it says.
pub(super) type Rows = BTreeMap<String, String>;

/// The node of the fixture host's disk. Its number is the kernel's choice.
const DISK: &str = "/dev/decoy";

pub(super) fn rows(case: &Case, result: &CaseResult) -> Rows {
    let mut rows = Rows::new();
    for (name, state) in &result.containers {
        match state {
            ContainerState::Running(facts) => process(&mut rows, name, facts, true),
            ContainerState::Refused(outcome) => {
                rows.insert(format!("{name}: refused"), words(outcome));
            }
        }
    }
    for step in &result.steps {
        let user = case.steps.iter().find(|one| one.id == step.id).and_then(|one| one.as_user.as_ref());
        let within = step.within.as_deref().filter(|name| *name == BESIDE_NAME);
        let within = within.map(|name| format!(" in {name}")).unwrap_or_default();
        // What the programs are is the same each time.
        let what = if step.kind == "run" { "sh" } else { &step.what };
        let about = format!("{} {what}{}{within}", step.kind, if user.is_some() { " as another user" } else { "" });
        rows.insert(about.clone(), words(&step.seen.outcome));
        for (stream, output) in [("stdout", &step.seen.stdout), ("stderr", &step.seen.stderr)] {
            for line in output.text.lines() {
                // A line of `env`, `stat` or `grep -H` says first what it is about.
                let (what, says) = line.split_once(['=', ' ', ':']).unwrap_or((line, ""));
                let says = if what == DISK { says.rsplit_once(' ').map_or(says, |(rest, _)| rest) } else { says };
                rows.insert(format!("{about}: {stream}: {what}"), says.to_owned());
            }
        }
        if let Some(Facts::Process(facts)) = &step.seen.facts {
            process(&mut rows, &about, facts, false);
        }
    }
    // An engine that could not be asked, or a container that is not what was asked for. A step that came out unclear is in its
    // own row.
    if let Verdict::Error(findings) = &result.verdict {
        let own = findings.iter().filter(|finding| finding.contains("is not what was asked for"));
        let own: Vec<&str> =
            own.chain(findings.iter().filter(|_| result.steps.is_empty())).map(String::as_str).collect();
        if !own.is_empty() {
            rows.insert("error".to_owned(), own.join("; "));
        }
    }
    if let (Verdict::Fail(findings), true) = (&result.verdict, result.containers.is_empty()) {
        rows.insert("not made".to_owned(), findings.join("; "));
    }
    rows
}

/// An outcome without the words that an engine has for it.
fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Denied { errno, .. } => format!("denied({errno})"),
        Outcome::Refused { phase, .. } => format!("refused({phase:?})"),
        Outcome::Unavailable(_) => "unavailable".to_owned(),
        other => format!("{other:?}"),
    }
}

fn process(rows: &mut Rows, about: &str, facts: &ProcessFacts, about_container: bool) {
    let mut say = |what: &str, value: String| rows.insert(format!("{about}: {what}"), value);
    let mut groups = facts.groups.clone();
    groups.sort_unstable();
    say("ids", format!("{}:{} {groups:?}", facts.uid, facts.gid));
    for (name, set) in facts.capabilities.named() {
        say(name, set.to_string());
    }
    say("no_new_privs", facts.no_new_privs.to_string());
    say("seccomp", facts.seccomp.name().to_owned());
    say("uid_map", map_words(&facts.uid_map));
    say("gid_map", map_words(&facts.gid_map));
    say("hostname", facts.hostname.clone());
    for (namespace, state) in &facts.namespaces {
        say(&format!("namespace {namespace:?}"), state.name());
    }
    for limit in &facts.limits {
        say(&format!("limit {}", limit.name), format!("{} {}", limit.soft, limit.hard));
    }
    let resources = facts.resources.unwrap_or_default();
    // A machine may have no controller, and who asks for nothing may have no group: both are no limit.
    let amount =
        |limit: Option<u64>| limit.filter(|limit| *limit != u64::MAX).map_or("none".to_owned(), |n| n.to_string());
    say("limit of processes", amount(resources.pids));
    say("limit of memory", amount(resources.memory));
    say("limit of memory and swap", amount(resources.swap));
    let cpu = resources.cpu.filter(|cpu| cpu.quota != u64::MAX);
    say("limit of processor time", cpu.map_or("none".to_owned(), |cpu| format!("{} of {}", cpu.quota, cpu.period)));
    if !about_container {
        // What an init is called is an engine's choice; that there is one is not.
        say("processes", facts.processes.len().to_string());
        // What is executed is in the container's own mount namespace.
        return;
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for mount in &facts.mounts {
        let time = times.entry(&mount.target).and_modify(|time| *time += 1).or_insert(1);
        say(&format!("mount {}{}", mount.target, if *time > 1 { " again" } else { "" }), shown(mount));
    }
}

/// Options that say something of what is permitted, in an order of their own; the access time's are the machine's taste.
fn shown(mount: &Mount) -> String {
    let times = ["relatime", "noatime", "nodiratime", "strictatime", "lazytime"];
    let keep = ["size=", "mode=", "ptmxmode=", "nr_inodes=", "hidepid=", "uid=", "gid="];
    let mut options: Vec<_> = mount.options.iter().filter(|word| !times.contains(&word.as_str())).cloned().collect();
    options.sort();
    let mut own: Vec<_> =
        mount.super_options.iter().filter(|word| keep.iter().any(|key| word.starts_with(key))).cloned().collect();
    own.sort();
    format!("{} {} {}", mount.fstype, options.join(","), own.join(","))
}
