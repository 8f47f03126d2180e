//! Outcomes, exit statuses and streams.

use super::finding;
use crate::{
    engine::StepObservation,
    observe::{Outcome, Output, RefusedPhase},
    result::Finding,
    scenario::model::{Expect, Matcher, OutcomeExpect},
};

/// How much of a stream a finding shows, in characters.
const SHOWN: usize = 600;

/// What is not as expected of a run or probe.
pub(super) fn findings(expect: &Expect, seen: &StepObservation) -> Vec<Finding> {
    let mut found = Vec::new();
    if cannot_be_judged(&seen.outcome) {
        let expected = expect.outcome.map_or_else(|| "an exit status".to_owned(), expected);
        return vec![Finding { expected, seen: words(&seen.outcome), error: true }];
    }
    if let Some(outcome) = expect.outcome
        && !satisfies(outcome, &seen.outcome)
    {
        found.push(finding(expected(outcome), with_stderr(seen)));
    }
    if let Some(exit) = expect.exit.filter(|exit| seen.exit != Some(*exit)) {
        found.push(finding(format!("exit status {exit}"), with_stderr(seen)));
    }
    for (name, matcher, output) in
        [("standard output", &expect.stdout, &seen.stdout), ("standard error", &expect.stderr, &seen.stderr)]
    {
        if let Some(matcher) = matcher
            && !matcher.matches(&output.text)
        {
            found.push(finding(format!("{name} {}", describe(matcher)), shown(output)));
        }
    }
    found
}

/// Neither allowed nor denied: taken for either it would be a wrong claim.
fn cannot_be_judged(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Unclear(_) | Outcome::Unavailable(_) | Outcome::TimedOut | Outcome::Refused { .. } | Outcome::Observed
    )
}

fn satisfies(expect: OutcomeExpect, seen: &Outcome) -> bool {
    match (expect, seen) {
        (OutcomeExpect::Allowed, Outcome::Allowed)
        | (OutcomeExpect::Denied(None), Outcome::Denied { .. })
        | (OutcomeExpect::Killed(None), Outcome::Killed(_)) => true,
        (OutcomeExpect::Denied(Some(wanted)), Outcome::Denied { errno, .. }) => wanted == *errno,
        // A command says only that it failed; that it was for want of permission is shown by a matcher or a because.
        (OutcomeExpect::Denied(None), Outcome::Failed(_)) => !seen.not_executed(),
        (OutcomeExpect::Killed(Some(wanted)), Outcome::Killed(signal)) => wanted == *signal,
        _ => false,
    }
}

/// What a text must be, in words.
pub(super) fn describe(matcher: &Matcher) -> String {
    match matcher {
        Matcher::Contains(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| format!("{part:?}")).collect();
            format!("with {}", parts.join(" and "))
        }
        Matcher::Matches(expression) => format!("matching /{expression}/"),
        Matcher::Equals(wanted) => format!("{wanted:?}"),
    }
}

fn expected(outcome: OutcomeExpect) -> String {
    match outcome {
        OutcomeExpect::Allowed => "allowed".to_owned(),
        OutcomeExpect::Denied(None) => "denied".to_owned(),
        OutcomeExpect::Denied(Some(errno)) => format!("denied({errno})"),
        OutcomeExpect::Killed(None) => "killed".to_owned(),
        OutcomeExpect::Killed(Some(signal)) => format!("killed({signal})"),
    }
}

/// An outcome in words.
pub(super) fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Allowed => "allowed".to_owned(),
        Outcome::Denied { errno, call } => format!("denied({errno}) by {call}"),
        Outcome::Killed(signal) => format!("killed({signal})"),
        Outcome::Failed(code) => {
            let hint = match code {
                126 => ": found and could not be executed",
                127 => ": command not found",
                _ => "",
            };
            format!("failed(exit {code}){hint}")
        }
        Outcome::Refused { phase: RefusedPhase::Create, message } => format!("refused(create): {message}"),
        Outcome::Refused { phase: RefusedPhase::Start, message } => format!("refused(start): {message}"),
        Outcome::Unavailable(reason) => format!("unavailable: {reason}"),
        Outcome::TimedOut => "timed out, and was killed; `timeout:` gives it longer".to_owned(),
        Outcome::Observed => "observed".to_owned(),
        Outcome::Unclear(reason) => format!("unclear: {reason}"),
    }
}

pub(super) fn with_stderr(seen: &StepObservation) -> String {
    match seen.stderr.text.trim() {
        "" => words(&seen.outcome),
        _ => format!("{}; standard error: {}", words(&seen.outcome), shown(&seen.stderr)),
    }
}

fn shown(output: &Output) -> String {
    let text = &output.text;
    let cut = if output.cut { " (cut at the output bound)" } else { "" };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…{cut}", &text[..end]),
        None => format!("{text:?}{cut}"),
    }
}
