//! One case from its requirements to its verdict.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use super::{fidelity, rootless};
use crate::{
    build,
    counterfactual::{self, Because, Cause, Counterfactual, Scene, Trials, Why},
    engine::{Engine, EngineError, Job, Kind, Observation},
    host::{Machine, requirement},
    observe::Outcome,
    result::{BecauseResult, CaseResult, Skip, Verdict},
    scenario::{
        describe,
        model::{Because as Reason, Case, Scenario},
    },
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

impl Context {
    /// The same with the machine as it is to this case.
    fn for_case(&self, case: &Case) -> Cow<'_, Self> {
        match self.machine.for_case(case) {
            Cow::Borrowed(_) => Cow::Borrowed(self),
            Cow::Owned(machine) => Cow::Owned(Self { machine, ..self.clone() }),
        }
    }
}

/// Runs one case. The second value is its picture, where there is one.
pub fn run(
    context: &Context,
    engine: &mut Option<Box<dyn Engine>>,
    scenario: &Scenario,
    case: &Case,
) -> (CaseResult, Option<String>) {
    let started = Instant::now();
    let own = context.for_case(case);
    let context = own.as_ref();
    let mut result = CaseResult {
        scenario: scenario.name.clone(),
        case: case.name.clone(),
        engine: context.engine.name(),
        verdict: Verdict::Pass,
        is_unreviewed: false,
        duration: Duration::ZERO,
        containers: Vec::new(),
        steps: Vec::new(),
    };
    let known = || fidelity::known(context.engine, case).filter(|_| !context.with_differences);
    let picture = match unfit(context.engine, &context.machine, case).or_else(known) {
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

/// Why a case is not run by this engine on this machine; `None` where it is.
#[must_use]
pub fn unfit(engine: Kind, machine: &Machine, case: &Case) -> Option<Skip> {
    let other = requirement::for_another_engine(case, engine);
    let lacking = other.or_else(|| engine.lacking(machine)).or_else(|| requirement::unmet(case, machine));
    // A counterfactual for which another engine has no words is run natively.
    let native = |case: &Case| engine == Kind::Native || engine.inexpressible(case, machine).is_some();
    lacking
        .or_else(|| engine.inexpressible(case, machine))
        .or_else(|| rootless::with_counterfactuals(case, machine, native))
}

/// Runs a case's counterfactuals and compares its picture.
fn judge(
    context: &Context,
    engine: &mut Option<Box<dyn Engine>>,
    scenario: &Scenario,
    case: &Case,
    result: &mut CaseResult,
) -> Result<Option<String>, EngineError> {
    let prepared = build::prepared(case, &context.machine)?;
    let case = prepared.as_ref();
    let job = match spec::job(case, &context.machine, context.timeout) {
        Ok(job) => job,
        Err(error) => {
            result.verdict = Verdict::Fail(vec![error.to_string()]);
            return Ok(None);
        }
    };
    let seen = observe(context, engine, &job)?;
    let deviating = seen.deviations(&job);
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
    let findings = if reviewable { compare(context, scenario, case, &picture, result) } else { Vec::new() };
    result.verdict = verdict::conclude(case, &result.containers, &result.steps, &deviating, &findings);
    Ok(Some(picture))
}

fn observe(context: &Context, engine: &mut Option<Box<dyn Engine>>, job: &Job) -> Result<Observation, EngineError> {
    let started = match engine {
        Some(started) => started,
        None => engine.insert(context.engine.start()?),
    };
    let mut seen = started.observe(job)?;
    if !context.with_differences {
        fidelity::tell(context.engine, job, &mut seen);
    }
    Ok(seen)
}

/// Runs the case once more for every `because`, with what it names changed.
fn becauses(
    context: &Context,
    engine: &mut Option<Box<dyn Engine>>,
    case: &Case,
    result: &mut CaseResult,
) -> Result<(), EngineError> {
    let mut native = None;
    for (index, step) in case.steps.iter().enumerate() {
        if *step.action.because() == Reason::Nothing {
            result.steps[index].because = Some(nothing(context, case, index)?);
            continue;
        }
        let Some(because) = counterfactual::because(&step.action) else { continue };
        let scene = Scene::new(case, index, because.sense, &context.machine).map_err(|error| EngineError(error.0))?;
        let said = match because.counterfactuals(&scene) {
            Ok(changed) => counterfactuals(context, (engine, &mut native), &because, &changed)?,
            // The author names what is not there: then nothing was changed, and nothing shown.
            Err(reason) => BecauseResult {
                controls: because.controls.to_vec(),
                change: String::new(),
                holds: false,
                outcome: result.steps[index].seen.outcome.clone(),
                finding: format!("not because of {}: {reason}", describe::controls(because.controls)),
            },
        };
        result.steps[index].because = Some(match said.holds {
            true => said,
            false => BecauseResult { finding: format!("{}{}", said.finding, true_cause(context, case, index)), ..said },
        });
    }
    Ok(())
}

/// Of a `because: none`: looks for what decides, on the native engine, whoever runs the case.
fn nothing(context: &Context, case: &Case, step: usize) -> Result<BecauseResult, EngineError> {
    let trials = Trials::new(&context.machine, context.timeout, 1, rootless::beyond);
    let why = counterfactual::decides(case, step, &trials).map_err(EngineError)?;
    let causes = causes(&why);
    let holds = causes.is_empty();
    let asked = why.rows.iter().filter(|row| row.changes.len() == 1 && row.seen.is_ok()).count();
    Ok(BecauseResult {
        controls: Vec::new(),
        change: format!("each of {asked} controls changed, and up to three together"),
        holds,
        outcome: why.seen.outcome.clone(),
        finding: match holds {
            true => String::new(),
            false => format!("something decides: it is because of {}", causes.join(", or of ")),
        },
    })
}

/// The whole `because` first: it must turn the outcome. Then every proper subset: none may.
fn counterfactuals(
    context: &Context,
    (engine, native): (&mut Started, &mut Started),
    because: &Because<'_>,
    changed: &[Counterfactual],
) -> Result<BecauseResult, EngineError> {
    let mut said = BecauseResult {
        controls: because.controls.to_vec(),
        change: String::new(),
        holds: false,
        outcome: Outcome::Observed,
        finding: String::new(),
    };
    for one in changed {
        let outcome = counterfactual(context, (&mut *engine, &mut *native), one)?;
        let turned = because.is_turned_by(&outcome);
        match (one.whole, turned) {
            (true, _) => {
                (said.change, said.holds, said.outcome) = (one.change.clone(), turned, outcome);
                if !turned {
                    said.finding = format!(
                        "{}, but not because of {}: with {} it is still {}",
                        because.sense.name(),
                        describe::controls(because.controls),
                        said.change,
                        verdict::words(&said.outcome),
                    );
                    return Ok(said);
                }
            }
            (false, true) => {
                said.holds = false;
                said.finding = format!(
                    "{}, but not because of {} together: with {} alone it is {}",
                    because.sense.name(),
                    describe::controls(because.controls),
                    one.change,
                    verdict::words(&outcome),
                );
                return Ok(said);
            }
            (false, false) => {}
        }
    }
    Ok(said)
}

/// An engine, once it has been started.
type Started = Option<Box<dyn Engine>>;

/// What came of the step in a changed case. docker and podman have no flag for some changes, of one path of their lists or one
/// group, which the native engine can make as any other.
fn counterfactual(
    context: &Context,
    (own, native): (&mut Started, &mut Started),
    changed: &Counterfactual,
) -> Result<Outcome, EngineError> {
    let beside = context
        .engine
        .inexpressible(&changed.case, &context.machine)
        .map(|_| Context { engine: Kind::Native, ..context.clone() });
    let (context, engine) = beside.as_ref().map_or((context, own), |beside| (beside, native));
    let unresolvable = |error: &dyn std::fmt::Display| EngineError(format!("with {}: {error}", changed.change));
    let job = spec::job(&changed.case, &context.machine, context.timeout).map_err(|error| unresolvable(&error))?;
    let seen = observe(context, engine, &job)?;
    if let Some(point) = seen.deviations(&job).first() {
        return Err(unresolvable(point));
    }
    let step = seen.steps.into_iter().nth(changed.case.steps.len() - 1);
    step.map(|step| step.outcome).ok_or_else(|| unresolvable(&"the engine took fewer steps than it was asked to"))
}

/// What decides in place of what the author named: looked for on the native engine, whoever runs the case.
fn true_cause(context: &Context, case: &Case, step: usize) -> String {
    let trials = Trials::new(&context.machine, context.timeout, 1, rootless::beyond);
    let Ok(why) = counterfactual::why(case, step, &trials) else { return String::new() };
    match causes(&why).as_slice() {
        [] if why.sysctls.is_empty() => "; nor does any other control that can be named".to_owned(),
        [] => format!(
            "; nor does any other control that can be named, but sysctls are none, and these are set in it: {}",
            why.sysctls.join(", ")
        ),
        causes => format!("; it is because of {}", causes.join(", or of ")),
    }
}

/// Each of the smallest sets that decide, in words.
fn causes(why: &Why) -> Vec<String> {
    let controls = |cause: &Cause| cause.changes.iter().map(|one| one.control.clone()).collect::<Vec<_>>();
    why.causes.iter().map(|cause| describe::controls(&controls(cause))).collect()
}

/// Findings of the comparison with the reviewed picture.
fn compare(context: &Context, scenario: &Scenario, case: &Case, picture: &str, result: &mut CaseResult) -> Vec<String> {
    let cases: Vec<_> = scenario.cases.iter().map(|case| case.name.clone()).collect();
    let finding = match context.store.compare(&scenario.name, case.name.as_deref(), picture, &cases) {
        Comparison::Same => return Vec::new(),
        Comparison::Missing => {
            result.is_unreviewed = true;
            "it has no snapshot yet: nobody has reviewed what it shows".to_owned()
        }
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
