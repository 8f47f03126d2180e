//! What a step says decides, put to the kernel. The changed cases run natively, whoever runs the case: docs/adr/0013.

use super::{Context, rootless};
use crate::{
    counterfactual::{self, Because, Cause, Counterfactual, Scene, Trials, Why},
    engine::{Engine, EngineError, Kind, Observation, StepObservation},
    observe::Outcome,
    result::{BecauseResult, CaseResult, Skip},
    scenario::{
        describe,
        model::{Because as Reason, Case, Expect},
    },
    spec, verdict,
};

/// An engine, once it has been started.
type Started = Option<Box<dyn Engine>>;

/// Runs the case once more for every `because`, with what it names changed. `engine` is the one that ran the case.
pub(super) fn ask(
    context: &Context,
    engine: &mut Started,
    case: &Case,
    result: &mut CaseResult,
) -> Result<(), EngineError> {
    if case.steps.iter().all(|step| *step.action.because() == Reason::Unsaid) {
        return Ok(());
    }
    let is_native = context.engine == Kind::Native;
    let mut own = None;
    let mut lab = Lab { context, native: if is_native { engine } else { &mut own } };
    let beyond = (!is_native).then(|| rootless::with_counterfactuals(case, &context.machine)).flatten();
    // The flip is the kernel's word about the native case: it counts for another engine where the unchanged case is the same there.
    let natively = match &beyond {
        None if !is_native => Some(lab.observe(case, "natively")?),
        _ => None,
    };
    for (index, step) in case.steps.iter().enumerate() {
        let seen = &result.steps[index].seen.outcome;
        let other = natively.as_ref().and_then(|seen| seen.steps.get(index)).map(|step| &step.outcome);
        let said = match (step.action.because(), &beyond, other) {
            (Reason::Unsaid, ..) => continue,
            (reason, Some(skip), _) => unasked(reason, seen, skip),
            (reason, None, Some(other)) if !other.agrees(seen) => otherwise(reason, seen, other, context.engine),
            (Reason::Nothing, ..) => nothing(context, case, index)?,
            (Reason::Controls(_), ..) => {
                let Some(because) = counterfactual::because(&step.action) else { continue };
                lab.because(case, index, &because, &result.steps[index].seen)?
            }
        };
        result.steps[index].because = Some(said);
    }
    Ok(())
}

/// Of the steps that were allowed or denied and should not have been: what decided it. Asked natively, and told where the step comes out
/// the same there.
pub(super) fn explain(context: &Context, case: &Case, result: &mut CaseResult) {
    if rootless::with_counterfactuals(case, &context.machine).is_some() {
        return;
    }
    let trials = trials(context);
    let cell = case.name.as_ref().map(|name| format!("[{name}]")).unwrap_or_default();
    for (index, step) in result.steps.iter_mut().enumerate() {
        let seen = step.seen.outcome.sense_or_kill();
        // That a command printed something else is nobody's permission.
        let wanted = counterfactual::wanted(&case.steps[index].action);
        let is_otherwise = seen.is_some() && wanted.is_some() && seen != wanted;
        if !is_otherwise || step.findings.iter().all(|finding| finding.error) || !context.explanations.take() {
            continue;
        }
        let _told = context.explanations.begin(&format!("{}{cell} step {}", result.scenario, step.id));
        let Ok(why) = counterfactual::why(case, index, &trials) else { continue };
        if let Some(sense) = why.sense.filter(|sense| seen == Some(*sense)) {
            step.why = why.causes.iter().map(|cause| cause.sentence(sense)).collect();
        }
    }
}

/// What a case is asked by beside others: they have the other processors.
fn trials(context: &Context) -> Trials<'_> {
    Trials::new(&context.machine, context.timeout, 1, rootless::beyond)
}

/// Nothing was changed yet.
fn unchanged(reason: &Reason, seen: &Outcome) -> BecauseResult {
    BecauseResult {
        controls: reason.controls().to_vec(),
        change: String::new(),
        holds: false,
        outcome: seen.clone(),
        finding: String::new(),
        natively: None,
        unasked: None,
    }
}

/// Of a case that native cannot run here. The picture has it as its author says; whoever reports says that it was not asked.
fn unasked(reason: &Reason, seen: &Outcome, skip: &Skip) -> BecauseResult {
    BecauseResult { holds: true, unasked: Some(skip.clone()), ..unchanged(reason, seen) }
}

/// Of a case in which the engines differ.
fn otherwise(reason: &Reason, seen: &Outcome, other: &Outcome, engine: Kind) -> BecauseResult {
    let finding = format!(
        "natively the step is {}, on {engine} {}: its because is asked natively, and would say nothing of {engine}",
        verdict::words(other),
        verdict::words(seen),
    );
    BecauseResult { finding, natively: Some(other.clone()), ..unchanged(reason, seen) }
}

/// Of a `because: none`: looks for what decides.
fn nothing(context: &Context, case: &Case, step: usize) -> Result<BecauseResult, EngineError> {
    let why = counterfactual::decides(case, step, &trials(context)).map_err(EngineError)?;
    let (causes, gone) = (causes(&why), gone(&why));
    let asked = why.rows.iter().filter(|row| row.changes.len() == 1 && row.seen.is_ok()).count();
    Ok(BecauseResult {
        change: format!("each of {asked} controls changed, and up to three together"),
        holds: causes.is_empty() && gone.is_none(),
        finding: match (causes.as_slice(), gone) {
            ([], None) => String::new(),
            ([], Some(gone)) => format!("that nothing decides cannot be said: {gone}"),
            (causes, _) => format!("something decides: it is because of {}", several(causes)),
        },
        ..unchanged(&Reason::Nothing, &why.seen.outcome)
    })
}

/// The native engine, and what it is run with.
struct Lab<'a> {
    context: &'a Context,
    native: &'a mut Started,
}

impl Lab<'_> {
    /// Runs a case; `how` begins what is said where that cannot be done.
    fn observe(&mut self, case: &Case, how: &str) -> Result<Observation, EngineError> {
        let Context { machine, timeout, .. } = self.context;
        let unresolvable = |error: &dyn std::fmt::Display| EngineError(format!("{how}: {error}"));
        let job = spec::job(case, machine, *timeout).map_err(|error| unresolvable(&error))?;
        let started = match self.native {
            Some(started) => started,
            None => self.native.insert(Kind::Native.start()?),
        };
        let seen = started.observe(&job)?;
        match seen.deviations(&job).first() {
            Some(point) => Err(unresolvable(point)),
            None => Ok(seen),
        }
    }

    fn because(
        &mut self,
        case: &Case,
        step: usize,
        because: &Because<'_>,
        seen: &StepObservation,
    ) -> Result<BecauseResult, EngineError> {
        let Context { machine, .. } = self.context;
        let scene = Scene::new(case, step, because.sense, machine).map_err(|error| EngineError(error.0))?;
        let (said, is_shown) = match because.counterfactuals(&scene) {
            Ok(changed) => {
                let evidence = counterfactual::evidence(&case.steps[step].action, seen);
                self.counterfactuals(because, &changed, evidence)?
            }
            // The author names what is not there: then nothing was changed, and nothing shown.
            Err(reason) => {
                let finding = format!("not because of {}: {reason}", describe::controls(because.controls));
                (BecauseResult { finding, ..unchanged(case.steps[step].action.because(), &seen.outcome) }, true)
            }
        };
        Ok(match said.holds || !is_shown {
            true => said,
            false => {
                let finding = format!("{}{}", said.finding, true_cause(self.context, case, step));
                BecauseResult { finding, ..said }
            }
        })
    }

    /// The whole `because` first: it must turn the outcome. Then every proper subset: none may. Beside what came of it, whether that shows
    /// anything.
    fn counterfactuals(
        &mut self,
        because: &Because<'_>,
        changed: &[Counterfactual],
        evidence: Option<&Expect>,
    ) -> Result<(BecauseResult, bool), EngineError> {
        let mut said = unchanged(&Reason::Controls(because.controls.to_vec()), &Outcome::Observed);
        for one in changed {
            let seen = self.counterfactual(one)?;
            let outcome = seen.outcome.clone();
            let turned = because.is_turned_by(&outcome);
            match (one.whole, turned) {
                (true, _) => {
                    (said.change, said.holds, said.outcome) = (one.change.clone(), turned, outcome);
                    if !turned && counterfactual::is_gone(because.sense, evidence, &seen) {
                        said.finding = format!(
                            "whether it is {} because of {} cannot be shown: with {} it is neither that nor {}, but {}",
                            because.sense.name(),
                            describe::controls(because.controls),
                            said.change,
                            because.sense.opposite().name(),
                            verdict::told(&seen),
                        );
                        return Ok((said, false));
                    }
                    if !turned {
                        said.finding = format!(
                            "{}, but not because of {}: with {} it is still {}",
                            because.sense.name(),
                            describe::controls(because.controls),
                            said.change,
                            verdict::words(&said.outcome),
                        );
                        return Ok((said, true));
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
                    return Ok((said, true));
                }
                (false, false) => {}
            }
        }
        Ok((said, true))
    }

    /// What came of the step in a changed case.
    fn counterfactual(&mut self, changed: &Counterfactual) -> Result<StepObservation, EngineError> {
        let how = format!("with {}", changed.change);
        let step = self.observe(&changed.case, &how)?.steps.into_iter().nth(changed.case.steps.len() - 1);
        let short = || EngineError(format!("{how}: the engine took fewer steps than it was asked to"));
        step.ok_or_else(short)
    }
}

/// What decides in place of what the author named.
fn true_cause(context: &Context, case: &Case, step: usize) -> String {
    let Ok(why) = counterfactual::why(case, step, &trials(context)) else { return String::new() };
    match (causes(&why).as_slice(), gone(&why)) {
        ([], None) => "; nor does any other control that can be named".to_owned(),
        ([], Some(gone)) => format!("; {gone}"),
        (causes, _) => format!("; it is because of {}", several(causes)),
    }
}

/// Causes in a row, the first few of many: a command that fails now and then has all of them.
fn several(causes: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = causes.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", or of ");
    match causes.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}, or of {more} more (does it come out the same each time? `caplab why` shows all)"),
    }
}

/// A change after which nothing can be said any more.
fn gone(why: &Why) -> Option<String> {
    let (row, seen) = why.gone()?;
    Some(format!("with {} it is neither allowed nor the same, but {}", row.change, verdict::told(seen)))
}

/// Each of the smallest sets that decide, in words.
fn causes(why: &Why) -> Vec<String> {
    let controls = |cause: &Cause| cause.changes.iter().map(|one| one.control.clone()).collect::<Vec<_>>();
    why.causes.iter().map(|cause| describe::controls(&controls(cause))).collect()
}
