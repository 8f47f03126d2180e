//! Observed against expected. Nothing here runs anything.

mod facts;
mod outcome;

use caplab_init::wire::Probe;

use crate::{
    engine::{ContainerState, Observation, StepObservation},
    host::Machine,
    observe::{Outcome, RefusedPhase},
    result::{Finding, Skip, StepResult, Verdict},
    scenario::{
        describe,
        model::{Action, Case, Container, ContainerExpect, Expect, RefusedAt},
    },
};

/// What the verdict says to each step. Whether a `because` holds is added by whoever runs the counterfactual.
#[must_use]
pub fn steps(case: &Case, machine: &Machine, seen: &Observation) -> Vec<StepResult> {
    let steps = case.steps.iter().zip(&seen.steps);
    steps
        .map(|(step, seen)| {
            let (kind, within, findings) = match &step.action {
                Action::Run { expect, .. } => ("run", Some(step.within), outcome::findings(expect, seen)),
                Action::Probe { expect, .. } => ("probe", Some(step.within), outcome::findings(expect, seen)),
                Action::Inspect(expect) => ("inspect", Some(step.within), facts::inspect(expect, machine, seen)),
                Action::HostProcess { container, expect } => {
                    ("host", Some(*container), facts::process(expect, &case.host, seen))
                }
                Action::HostFile { expect, .. } => ("host", None, facts::file(expect, seen)),
            };
            StepResult {
                id: step.id.clone(),
                kind,
                within: within.map(|index| case.containers[index].name.clone()),
                as_user: step.as_user.as_ref().map(ToString::to_string),
                what: describe::action(&step.action, &case.containers),
                capture: step.capture.clone(),
                seen: seen.clone(),
                findings,
                because: None,
                why: Vec::new(),
                line: step.line,
            }
        })
        .collect()
}

/// The verdict on a case. `deviations` are points in which the kernel gave a container something else than was asked
/// for: then nothing that was seen counts. `snapshot` are findings of the comparison with the reviewed picture.
#[must_use]
pub fn conclude(
    case: &Case,
    containers: &[(String, ContainerState)],
    steps: &[StepResult],
    deviations: &[String],
    snapshot: &[String],
) -> Verdict {
    if !deviations.is_empty() {
        return Verdict::Error(deviations.to_vec());
    }
    let mut failed = Vec::new();
    let mut errors = Vec::new();
    let mut unavailable = Vec::new();
    for (container, (_, state)) in case.containers.iter().zip(containers) {
        failed.extend(started(container, state));
    }
    for (step, asked) in steps.iter().zip(&case.steps) {
        // In a container that rightly did not start there is nothing to take a step in.
        let refused = case.containers.iter().any(|one| {
            step.kind != "host" && Some(&one.name) == step.within.as_ref() && one.expect != ContainerExpect::Started
        });
        if refused {
            continue;
        }
        for (index, finding) in step.findings.iter().enumerate() {
            let mut text = format!("{}, {}: {finding}", place(step), subject(step));
            if index == 0 {
                step.why.iter().for_each(|sentence| text.push_str(&format!("\n{sentence}")));
            }
            match (&step.seen.outcome, finding.error) {
                (Outcome::Unavailable(_), _) if !names_an_object(&asked.action) => unavailable.push(text),
                (_, true) => errors.push(text),
                (_, false) => failed.push(text),
            }
        }
        if let Some(because) = step.because.as_ref().filter(|because| !because.holds) {
            failed.push(format!("{}, {}: {}", place(step), step.what, because.finding));
        }
    }
    failed.extend(snapshot.iter().cloned());
    if !failed.is_empty() {
        // What cannot be judged is no less wrong beside what is.
        failed.extend(errors.into_iter().chain(unavailable).map(|text| format!("{text} (could not be observed)")));
        Verdict::Fail(failed)
    } else if !errors.is_empty() {
        Verdict::Error(errors)
    } else if !unavailable.is_empty() {
        Verdict::Skip(Skip { reason: unavailable.join("; "), remedy: None })
    } else {
        Verdict::Pass
    }
}

/// `step 1 (line 4)`.
#[must_use]
pub fn place(step: &StepResult) -> String {
    format!("step {} (line {})", step.id, step.line)
}

/// `iptables -L in box`.
#[must_use]
pub fn subject(step: &StepResult) -> String {
    let within = step.within.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    format!("{}{within}", step.what)
}

/// Whether a probe is about a path or process that its author names: where that is not there the scenario is wrong, not the
/// machine lacking. Of all others the kernel has the feature or not.
fn names_an_object(action: &Action) -> bool {
    matches!(
        action,
        Action::Probe {
            probe: Probe::Open { .. }
                | Probe::Mknod { .. }
                | Probe::Chown { .. }
                | Probe::Chmod { .. }
                | Probe::Chroot { .. }
                | Probe::Setns { .. }
                | Probe::Ptrace { .. }
                | Probe::Kill { .. }
                | Probe::Connect { .. },
            ..
        }
    )
}

fn started(container: &Container, state: &ContainerState) -> Option<String> {
    let (name, line) = (&container.name, container.line);
    match (container.expect, state) {
        (ContainerExpect::Started, ContainerState::Running(_)) => None,
        (ContainerExpect::Started, ContainerState::Refused(outcome)) => {
            Some(format!("container {name} (line {line}) did not start: {}", outcome::words(outcome)))
        }
        (ContainerExpect::Refused(at), ContainerState::Running(_)) => {
            Some(format!("container {name} (line {line}): expected refused({}), it started", phase(at)))
        }
        (ContainerExpect::Refused(at), ContainerState::Refused(outcome)) => match (at, outcome) {
            (RefusedAt::Create, Outcome::Refused { phase: RefusedPhase::Create, .. })
            | (RefusedAt::Start, Outcome::Refused { phase: RefusedPhase::Start, .. }) => None,
            _ => Some(format!(
                "container {name} (line {line}): expected refused({}), seen {}",
                phase(at),
                outcome::words(outcome)
            )),
        },
    }
}

fn phase(at: RefusedAt) -> &'static str {
    match at {
        RefusedAt::Create => "create",
        RefusedAt::Start => "start",
    }
}

/// An outcome in words, `denied(EPERM) by mount(tmpfs)`.
#[must_use]
pub fn words(outcome: &Outcome) -> String {
    outcome::words(outcome)
}

/// The same, with what a command wrote on standard error.
#[must_use]
pub fn told(seen: &StepObservation) -> String {
    outcome::with_stderr(seen)
}

/// Whether a run or probe came out as its author says, exit status and streams too.
#[must_use]
pub fn is_as_expected(expect: &Expect, seen: &StepObservation) -> bool {
    outcome::findings(expect, seen).is_empty()
}

fn finding(expected: impl Into<String>, seen: impl Into<String>) -> Finding {
    Finding { expected: expected.into(), seen: seen.into(), error: false }
}

#[cfg(test)]
mod tests;
