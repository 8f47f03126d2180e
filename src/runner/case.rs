//! One case from its requirements to its verdict.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{because, fidelity, rootless};
use crate::{
    build,
    engine::{Engine, EngineError, Job, Kind, Observation},
    host::{Machine, requirement},
    result::{CaseResult, Skip, Verdict},
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
    /// How many wrong steps are explained.
    pub explanations: Explanations,
}

/// Of how many steps it is looked for why they came out wrong: it takes some hundred containers of each, and where all of them
/// are wrong it is for one reason. Clones share the number.
#[derive(Debug, Clone, Default)]
pub struct Explanations(Arc<Asked>);

/// Who is told of steps.
type Tell = fn(&[String]);

#[derive(Debug, Default)]
struct Asked {
    left: AtomicUsize,
    /// Steps that it is looked for now.
    open: Mutex<Vec<String>>,
    /// Who is told of them where they take that long.
    slow: Option<(Duration, Tell)>,
    /// Somebody looks whether they do.
    is_timed: AtomicBool,
}

impl Explanations {
    /// Enough for a reader.
    #[must_use]
    pub fn some() -> Self {
        Self::of(None)
    }

    /// The same, of which `tell` hears once what is looked for, where that takes longer than `after`.
    #[must_use]
    pub fn telling(after: Duration, tell: Tell) -> Self {
        Self::of(Some((after, tell)))
    }

    fn of(slow: Option<(Duration, Tell)>) -> Self {
        Self(Arc::new(Asked { left: AtomicUsize::new(10), slow, ..Asked::default() }))
    }

    /// Whether there is one left; it is taken.
    pub(super) fn take(&self) -> bool {
        self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Looks for why one step came out wrong, until what is given is dropped.
    pub(super) fn begin(&self, step: &str) -> Explaining<'_> {
        self.0.open().push(step.to_owned());
        if let Some((after, tell)) = self.0.slow
            && !self.0.is_timed.swap(true, Ordering::Relaxed)
        {
            let asked = Arc::clone(&self.0);
            let wait = move || {
                thread::sleep(after);
                let open = asked.open().clone();
                match open.as_slice() {
                    // The next one begins anew.
                    [] => asked.is_timed.store(false, Ordering::Relaxed),
                    open => tell(open),
                }
            };
            // Without it nothing is said, and nothing else is lost.
            thread::Builder::new().spawn(wait).ok();
        }
        Explaining(&self.0, step.to_owned())
    }
}

impl Asked {
    fn open(&self) -> MutexGuard<'_, Vec<String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step of which it is looked for why it came out wrong.
pub(super) struct Explaining<'a>(&'a Asked, String);

impl Drop for Explaining<'_> {
    fn drop(&mut self) {
        let mut open = self.0.open();
        if let Some(at) = open.iter().position(|step| *step == self.1) {
            open.remove(at);
        }
    }
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
    let picture = match unfit(context.engine, &context.machine, case).or_else(|| known(context, case)) {
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

/// Why a case says nothing about this engine, where its known differences are not what is looked for.
fn known(context: &Context, case: &Case) -> Option<Skip> {
    fidelity::known(context.engine, case).filter(|_| !context.with_differences)
}

/// Why a case is not run by this engine on this machine; `None` where it is.
#[must_use]
pub fn unfit(engine: Kind, machine: &Machine, case: &Case) -> Option<Skip> {
    let other = requirement::for_another_engine(case, engine);
    let lacking = other.or_else(|| engine.lacking(machine)).or_else(|| requirement::unmet(case, machine));
    let inexpressible = || engine.inexpressible(case, machine);
    // Of another engine the case itself still says something where its counterfactuals, which are native, cannot be run.
    let beyond = || (engine == Kind::Native).then(|| rootless::with_counterfactuals(case, machine)).flatten();
    lacking.or_else(inexpressible).or_else(beyond)
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
    // Some differences are about what an image holds.
    if let Some(skip) = known(context, case) {
        result.verdict = Verdict::Skip(skip);
        return Ok(None);
    }
    let job = match spec::job(case, &context.machine, context.timeout) {
        Ok(job) => job,
        Err(error) => {
            result.verdict = Verdict::Fail(vec![error.to_string()]);
            return Ok(None);
        }
    };
    let mut told = observe(context, engine, &job)?;
    let untold = context.with_differences.then(|| told.clone());
    fidelity::tell(context.engine, &job, &mut told);
    // A known difference is no deviation, also where it is looked at.
    let deviating = told.deviations(&job);
    let seen = untold.unwrap_or(told);
    result.steps = verdict::steps(case, &context.machine, &seen);
    result.containers =
        case.containers.iter().map(|one| one.name.clone()).zip(seen.containers.iter().cloned()).collect();
    // What came out otherwise than expected has no `because` that could be shown, and one that its author does not know.
    if deviating.is_empty() {
        match result.steps.iter().all(|step| step.findings.is_empty()) {
            true => because::ask(context, engine, case, result)?,
            false => because::explain(context, case, result),
        }
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
    started.observe(job)
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

#[cfg(test)]
mod tests {
    use super::*;

    static TOLD: Mutex<Vec<Vec<String>>> = Mutex::new(Vec::new());

    #[test]
    fn what_takes_long_is_told_once() {
        let within = Duration::from_millis(50);
        let tell = |open: &[String]| TOLD.lock().expect("a list").push(open.to_vec());
        let explanations = Explanations::telling(within, tell);
        drop(explanations.begin("quick"));
        thread::sleep(within * 4);
        assert!(TOLD.lock().expect("a list").is_empty());
        let (one, other) = (explanations.begin("one"), explanations.begin("other"));
        thread::sleep(within * 4);
        drop((one, other));
        let _third = explanations.begin("third");
        thread::sleep(within * 4);
        assert_eq!(*TOLD.lock().expect("a list"), [["one", "other"]]);
    }
}
