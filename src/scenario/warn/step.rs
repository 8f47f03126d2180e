//! Steps that pass whatever happens.

use super::{Read, entries, fixture, get};
use crate::scenario::{
    diagnostic::{Fault, Place},
    model::{Action, ContainerExpect, HostFileExpect, Matcher, OutcomeExpect, Step},
    tree::{Node, Value},
};

/// A step of which every answer is as expected, or a part of one.
pub(super) fn cannot_fail(read: &Read<'_>, found: &mut Vec<Fault>) {
    // Where no container may start that is the claim, and a scenario has a step all the same.
    let any_starts = read.case.containers.iter().any(|one| one.expect == ContainerExpect::Started);
    for (step, node) in read.steps() {
        let own = read.case.containers.get(step.within).filter(|_| !matches!(step.action, Action::HostFile { .. }));
        if let Some(refused) = own.filter(|one| any_starts && one.expect != ContainerExpect::Started) {
            let at = get(node, "in").map_or(node.at, |name| name.at);
            let message =
                format!("a step that cannot fail: {} is to be refused, and nothing is done in it", refused.name);
            found.push(Fault::new(at, message).help("ask it of a container that starts, or what the host has to show"));
            continue;
        }
        let empty = nothing_asked(step, node);
        let whole = empty.len() == asked(step, node);
        for (at, what) in empty {
            let message = if whole { format!("a step that cannot fail: {what}") } else { what };
            found.push(Fault::new(at, message).help("say what must be seen, so that something else is a failure"));
        }
        if let Action::HostFile { path, expect } = &step.action
            && any_starts
            && only_unchanged(expect)
            && !fixture::is_reached(read.case, path)
        {
            found.push(
                Fault::new(node.at, format!("a step that cannot fail: no container reaches {path}"))
                    .help("mount it: `volumes: [\"SOURCE:TARGET\"]`, else nothing could have changed it"),
            );
        }
    }
}

/// What a command says that found nothing, or was made a mistake with: no refusal, whatever its exit status.
const NO_REFUSALS: [&str; 8] = [
    "No such file",
    "not found",
    "Not a directory",
    "Is a directory",
    "Invalid argument",
    "Segmentation fault",
    "Usage:",
    "usage:",
];

/// A denial that is known by words that are no refusal's.
pub(super) fn no_refusal(read: &Read<'_>, found: &mut Vec<Fault>) {
    for (step, node) in read.steps() {
        let Action::Run { expect, .. } = &step.action else { continue };
        let (Some(OutcomeExpect::Denied(_)), Some(Matcher::Contains(parts))) = (expect.outcome, &expect.stderr) else {
            continue;
        };
        let own = NO_REFUSALS.iter().find(|words| parts.iter().any(|part| part.contains(**words)));
        if let Some(words) = own {
            let at = get(node, "expect").and_then(|node| get(node, "stderr")).map_or(node.at, |node| node.at);
            found.push(Fault::new(at, format!("denied, and known by \"{words}\", which says of no permission that it was refused")).help(
                "a refusal says Permission denied, Operation not permitted or Read-only file system; if nothing is there to be refused, leave `outcome: denied` away",
            ));
        }
    }
}

/// How many things a step asks for.
fn asked(step: &Step, node: &Node) -> usize {
    match step.action {
        Action::Inspect(_) => get(node, "inspect").map_or(0, |node| entries(node).len()),
        _ => get(node, "expect").map_or(1, |node| entries(node).len().max(1)),
    }
}

/// Parts that ask for nothing: where, and why.
fn nothing_asked(step: &Step, node: &Node) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    let mut matcher = |within: &str, key: &str, matcher: Option<&Matcher>| {
        if let Some(Matcher::Matches(regex)) = matcher
            && matches_everything(regex)
        {
            let value = get(node, within).and_then(|node| get(node, key));
            let at = value.map_or(node.at, |value| get(value, "matches").unwrap_or(value).at);
            found.push((at, format!("every text matches `{regex}`")));
        }
    };
    match &step.action {
        Action::Run { expect, .. } => {
            matcher("expect", "stdout", expect.stdout.as_ref());
            matcher("expect", "stderr", expect.stderr.as_ref());
        }
        Action::HostProcess { expect, .. } => {
            matcher("expect", "command", expect.command.as_ref());
            matcher("expect", "parents", expect.parents.as_ref());
        }
        Action::HostFile { expect, .. } => matcher("expect", "content", expect.content.as_ref()),
        Action::Inspect(facts) => {
            matcher("inspect", "processes", facts.processes.as_ref());
            for (key, value) in get(node, "inspect").map(entries).unwrap_or_default() {
                if matches!(&value.value, Value::Map(entries) if entries.is_empty()) {
                    found.push((value.at, format!("`{}` asks for nothing", key.text)));
                }
            }
        }
        Action::Probe { .. } => {}
    }
    found
}

/// An expression that asks nothing of the text matches the empty one, wherever it begins.
fn matches_everything(regex: &regex::Regex) -> bool {
    let pattern = regex.as_str();
    let looks = pattern.contains(['^', '$'])
        || ["\\b", "\\B", "\\A", "\\z", "\\<", "\\>"].iter().any(|at| pattern.contains(at));
    regex.is_match("") && (!looks || matches!(pattern, "^" | "$" | "^.*" | ".*$"))
}

fn only_unchanged(expect: &HostFileExpect) -> bool {
    let others = expect.mode.is_some() || expect.owner.is_some() || expect.content.is_some() || expect.exists.is_some();
    expect.changed == Some(false) && !others
}
