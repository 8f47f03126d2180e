//! One case from its requirements to its verdict.

use std::time::{Duration, Instant};

use super::fidelity;
use crate::{
    counterfactual,
    engine::{ContainerState, Engine, EngineError, Job, Kind, Observation},
    host::{Machine, requirement},
    observe::deviations,
    result::{BecauseResult, CaseResult, Skip, StepResult, Verdict},
    scenario::model::{Case, Scenario},
    snapshot::{Comparison, Store, section},
    spec, verdict,
};

/// What every case is run with.
#[derive(Debug, Clone)]
pub struct Context {
    /// The machine.
    pub machine: Machine,
    /// Who runs it.
    pub engine: Kind,
    /// Known differences of the engine are not skipped: they are what is looked for.
    pub with_differences: bool,
    /// A step's time where its author gave none.
    pub timeout: Duration,
    /// Where snapshots lie.
    pub store: Store,
    /// Pictures are made and handed on, not compared: the caller updates them.
    pub update: bool,
    /// A picture that differs is written beside the reviewed one, for `cargo insta review`.
    pub propose: bool,
}

/// Runs one case. The second value is its picture, where there is one.
pub fn run(
    context: &Context,
    engine: &mut Option<Box<dyn Engine>>,
    scenario: &Scenario,
    case: &Case,
) -> (CaseResult, Option<String>) {
    let started = Instant::now();
    let mut result = CaseResult {
        scenario: scenario.name.clone(),
        case: case.name.clone(),
        engine: context.engine.name(),
        verdict: Verdict::Pass,
        duration: Duration::ZERO,
        containers: Vec::new(),
        steps: Vec::new(),
    };
    let picture = match unfit(context, case) {
        Some(skip) => {
            result.verdict = Verdict::Skip(skip);
            None
        }
        None => match judge(context, engine, scenario, case, &mut result) {
            Ok(picture) => picture,
            Err(error) => {
                result.verdict = Verdict::Error(vec![error.to_string()]);
                None
            }
        },
    };
    result.duration = started.elapsed();
    (result, picture)
}

/// Why a case is not run.
fn unfit(context: &Context, case: &Case) -> Option<Skip> {
    let lacking = context.engine.lacking().or_else(|| requirement::unmet(case, &context.machine));
    lacking.or_else(|| fidelity::known(context.engine, case).filter(|_| !context.with_differences))
}

/// Runs a case's counterfactuals and compares its picture.
fn judge(
    context: &Context,
    engine: &mut Option<Box<dyn Engine>>,
    scenario: &Scenario,
    case: &Case,
    result: &mut CaseResult,
) -> Result<Option<String>, EngineError> {
    let job = match spec::job(case, &context.machine, context.timeout) {
        Ok(job) => job,
        Err(error) => {
            result.verdict = Verdict::Fail(vec![error.to_string()]);
            return Ok(None);
        }
    };
    let seen = observe(context, engine, &job)?;
    let deviating = deviating(&job, &seen);
    result.steps = verdict::steps(case, &context.machine, &seen);
    result.containers =
        case.containers.iter().map(|one| one.name.clone()).zip(seen.containers.iter().cloned()).collect();
    // What came out otherwise than expected has no reason that could be shown.
    if deviating.is_empty() && result.steps.iter().all(|step| step.findings.is_empty()) {
        becauses(context, engine, case, result)?;
    }
    let before = verdict::conclude(case, &result.containers, &result.steps, &deviating, &[]);
    if matches!(before, Verdict::Error(_) | Verdict::Skip(_)) {
        result.verdict = before;
        return Ok(None);
    }
    let picture = section(case, &job, result, &context.machine);
    // A picture of what is not as expected is nothing to review.
    let reviewable = before == Verdict::Pass && !context.update;
    let findings = if reviewable { compare(context, scenario, case, &picture) } else { Vec::new() };
    result.verdict = verdict::conclude(case, &result.containers, &result.steps, &deviating, &findings);
    Ok(Some(picture))
}

fn observe(context: &Context, engine: &mut Option<Box<dyn Engine>>, job: &Job) -> Result<Observation, EngineError> {
    let started = match engine {
        Some(started) => started,
        None => engine.insert(context.engine.start()?),
    };
    started.observe(job)
}

/// Every point in which a container is not what was asked for.
fn deviating(job: &Job, seen: &Observation) -> Vec<String> {
    let containers = job.containers.iter().zip(&seen.containers);
    containers
        .filter_map(|(asked, state)| match state {
            ContainerState::Running(facts) => Some((asked, deviations(&asked.spec, facts))),
            ContainerState::Refused(_) => None,
        })
        .flat_map(|(asked, points)| {
            points.into_iter().map(|point| format!("container {} is not what was asked for: {point}", asked.name))
        })
        .collect()
}

/// Runs the case once more for every `because`.
fn becauses(
    context: &Context,
    engine: &mut Option<Box<dyn Engine>>,
    case: &Case,
    result: &mut CaseResult,
) -> Result<(), EngineError> {
    for (index, step) in case.steps.iter().enumerate() {
        let Some((control, expect)) = counterfactual::because(&step.action) else { continue };
        let changed = counterfactual::change(case, index, control, expect);
        let unresolvable = |error: &dyn std::fmt::Display| EngineError(format!("with {}: {error}", changed.change));
        let job = spec::job(&changed.case, &context.machine, context.timeout).map_err(|error| unresolvable(&error))?;
        let seen = observe(context, engine, &job)?;
        if let Some(point) = deviating(&job, &seen).first() {
            return Err(unresolvable(point));
        }
        let (Some(after), StepResult { seen: before, .. }) = (seen.steps.get(index), &result.steps[index]) else {
            return Err(unresolvable(&"the engine took fewer steps than it was asked to"));
        };
        result.steps[index].because = Some(BecauseResult {
            control: control.clone(),
            flipped: verdict::opposite(expect, before, after),
            outcome: after.outcome.clone(),
            change: changed.change,
        });
    }
    Ok(())
}

/// Findings of the comparison with the reviewed picture.
fn compare(context: &Context, scenario: &Scenario, case: &Case, picture: &str) -> Vec<String> {
    let cases: Vec<_> = scenario.cases.iter().map(|case| case.name.clone()).collect();
    let finding = match context.store.compare(&scenario.name, case.name.as_deref(), picture, &cases) {
        Comparison::Same => return Vec::new(),
        Comparison::Missing => "there is no snapshot of it yet".to_owned(),
        Comparison::Different(diff) => format!("the picture is not the reviewed one:\n{}", diff.trim_end()),
    };
    let mut findings =
        vec![format!("{finding}\n`cargo insta review`, or `caplab run --update {}`, once it is right", scenario.name)];
    if context.propose
        && let Err(error) = context.store.propose(scenario, case.name.as_deref(), picture)
    {
        findings.push(error.to_string());
    }
    findings
}
