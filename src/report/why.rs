//! Why a step came out as it did: a sentence for each cause, and rows for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::json::outcome;
use crate::{
    counterfactual::{Cause, Row, Why},
    observe::Sense,
    scenario::{describe, model::Control},
    verdict::{told, words},
};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// What a step is called: its id and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its id.
    pub id: &'a str,
    /// Line in the scenario file.
    pub line: usize,
    /// What it does.
    pub what: &'a str,
}

/// For people.
#[must_use]
pub fn pretty(step: Named<'_>, why: &Why) -> String {
    let mut text = String::new();
    let seen = words(&why.seen.outcome);
    let _ = writeln!(text, "  {BOLD}step {} (line {}), {}: {seen}{PLAIN}", step.id, step.line, step.what);
    let Some(sense) = why.sense else {
        let _ = writeln!(text, "    That says nothing about permission, so there is nothing that could decide it.");
        return text;
    };
    for cause in &why.causes {
        one(&mut text, sense, cause);
    }
    if why.causes.is_empty() {
        none(&mut text, sense, why);
    }
    others(&mut text, sense, why);
    if !why.complete {
        let _ = writeln!(
            text,
            "    There are more combinations than were tried; those above are right, others may be missing."
        );
    }
    text
}

/// What was not tried with one step or another, said once for all of them; `None` where everything was.
#[must_use]
pub fn not_tried(withheld: &[Control]) -> Option<String> {
    let path =
        |one: &&Control| matches!(one, Control::MaskedPath(_) | Control::ReadonlyPath(_) | Control::ReadOnlyMount(_));
    let (paths, named_ones): (Vec<&Control>, Vec<&Control>) = withheld.iter().partition(path);
    let (capabilities, others): (Vec<&Control>, Vec<&Control>) =
        named_ones.into_iter().partition(|one| matches!(one, Control::Capability(_)));
    let open = (!paths.is_empty()).then(|| "open paths of /proc and /sys".to_owned());
    let names: Vec<String> = others.into_iter().chain(capabilities).map(named).chain(open).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{DIM}Not tried, because a command could then reach this machine: {}; --trust-host tries them.{PLAIN}",
            names.join(", ")
        )
    })
}

fn one(text: &mut String, sense: Sense, cause: &Cause) {
    let states: Vec<&str> = cause.words.iter().map(|words| words.state.as_str()).collect();
    let changes: Vec<&str> = cause.words.iter().map(|words| words.change.as_str()).collect();
    let _ = writeln!(text, "    {}.", cause.sentence(sense));
    for (index, seen) in cause.without.iter().enumerate() {
        let others: Vec<&str> =
            changes.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, change)| *change).collect();
        let _ = writeln!(
            text,
            "      With {} alone it is still {}: {}.",
            others.join(" and "),
            words(&seen.outcome),
            states[index]
        );
    }
    if !cause.carried.is_empty() {
        let names: Vec<String> = cause.carried.iter().map(named).collect();
        let _ = writeln!(
            text,
            "      {} is there, but counts only for what the namespace owns and for ids that it maps; without the namespace it decides.",
            names.join(" and ")
        );
    }
    let spelled = |of: fn(&crate::counterfactual::Words) -> &Option<String>| {
        let flags: Option<Vec<&str>> = cause.words.iter().map(|words| of(words).as_deref()).collect();
        // Flags beside each other are one line to be typed, words between them are none.
        let typed = |flag: &&str| flag.starts_with('-');
        flags.map(|flags| flags.join(if flags.iter().all(typed) { " " } else { " and " }))
    };
    let (docker, podman) = (spelled(|words| &words.docker), spelled(|words| &words.podman));
    let mut mans: Vec<&str> = cause.words.iter().map(|words| words.man).collect();
    mans.dedup();
    let flags = match (docker, podman) {
        (Some(docker), Some(podman)) if docker == podman => format!("docker, podman: {docker}; "),
        (Some(docker), Some(podman)) => format!("docker: {docker}; podman: {podman}; "),
        (Some(docker), None) => format!("docker: {docker}; "),
        (None, Some(podman)) => format!("podman: {podman}; "),
        (None, None) => String::new(),
    };
    let _ = writeln!(text, "      {DIM}{flags}{}{PLAIN}", mans.join(", "));
}

fn named(control: &Control) -> String {
    let name = describe::control(control);
    name.strip_prefix("capability:").unwrap_or(&name).to_owned()
}

fn none(text: &mut String, sense: Sense, why: &Why) {
    let singles = why.rows.iter().filter(|row| row.changes.len() == 1).count();
    // The largest set that was tried is all that do nothing alone.
    let all = why.rows.iter().max_by_key(|row| row.changes.len()).filter(|row| row.changes.len() > 1);
    let all = match all.map(|row| (&row.seen, row.changes.len())) {
        Some((Ok(seen), count)) => {
            format!(" With {count} of them changed at once it is still {}.", words(&seen.outcome))
        }
        Some((Err(reason), count)) => format!(" With {count} of them changed at once nothing can be said: {reason}."),
        None => String::new(),
    };
    let _ = writeln!(
        text,
        "    {}, but no control that can be named decides: none of {singles} does alone, nor up to three together.{all}",
        sense.name()
    );
    if let Some((row, seen)) = why.gone() {
        let _ = writeln!(
            text,
            "    That nothing does cannot be said: with {} it is neither {} any more nor {}, but {}.",
            row.change,
            sense.name(),
            sense.opposite().name(),
            told(seen)
        );
    }
    if why.seen.exit.is_some() && sense == Sense::Denied {
        let _ = writeln!(text, "    A command also fails for want of a file, or by a mistake in it. It said:");
        for line in why.seen.stderr.text.lines().take(5) {
            let _ = writeln!(text, "      | {line}");
        }
    }
}

/// Where the answer changed and the outcome did not, another layer had been hidden.
fn others(text: &mut String, sense: Sense, why: &Why) {
    let mut shown: Vec<(String, Vec<&str>)> = Vec::new();
    for row in why.rows.iter().filter(|row| row.towards && row.changes.len() == 1 && !row.turned) {
        let Ok(seen) = &row.seen else { continue };
        if seen.outcome.sense() == Some(sense) && seen.outcome != why.seen.outcome {
            let words = words(&seen.outcome);
            match shown.iter_mut().find(|(known, _)| *known == words) {
                Some((_, changes)) => changes.push(&row.change),
                None => shown.push((words, vec![&row.change])),
            }
        }
    }
    for (words, changes) in shown {
        let _ = writeln!(text, "    Another layer: with {} it is {words}.", changes.join(", or with "));
    }
}

/// For programs.
#[must_use]
pub fn json(step: Named<'_>, why: &Why) -> Value {
    let causes = why.causes.iter().map(|cause| {
        let parts = cause.changes.iter().zip(&cause.words).map(|(change, words)| {
            json!({
                "control": describe::control(&change.control), "state": words.state, "change": words.change,
                "docker": words.docker, "podman": words.podman, "man": words.man,
            })
        });
        json!({
            "controls": parts.collect::<Vec<_>>(),
            "without": cause.without.iter().map(|seen| outcome(&seen.outcome)).collect::<Vec<_>>(),
            "carried": cause.carried.iter().map(describe::control).collect::<Vec<_>>(),
        })
    });
    json!({
        "id": step.id, "line": step.line, "what": step.what,
        "outcome": outcome(&why.seen.outcome),
        "causes": causes.collect::<Vec<_>>(),
        "complete": why.complete,
        "withheld": why.withheld.iter().map(describe::control).collect::<Vec<_>>(),
        "rows": why.rows.iter().filter(|row| row.changes.len() <= 3).map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let controls: Vec<String> = row.changes.iter().map(|change| describe::control(&change.control)).collect();
    let (outcome, error) = match &row.seen {
        Ok(seen) => (outcome(&seen.outcome), Value::Null),
        Err(reason) => (Value::Null, json!(reason)),
    };
    json!({
        "control": controls.join(" and "), "controls": controls, "change": row.change,
        "outcome": outcome, "flipped": row.turned, "error": error,
    })
}
