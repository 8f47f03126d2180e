//! The suite as a test target with `harness = false`: libtest's arguments, nextest's contract.

use std::{cell::RefCell, env, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use libtest_mimic::{Arguments, Failed, Trial};

use super::Source;
use crate::{
    engine::{Engine, Kind},
    host::Machine,
    report::pretty,
    result::{Skip, Verdict},
    runner::{self, Context, Explanations},
    scenario::model::Scenario,
};

/// A step's time where its author gave none.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Scenarios as tests: `fn main() { caplab::Suite::new("scenarios").run() }` in a test target with `harness = false`.
///
/// Each case is a test, `area/name[cap=KILL]`; a file that is invalid is a failing one. What the machine lacks is
/// ignored, with the reason; with `CAPLAB_MUST_RUN=1` an ignored case that the machine could have run fails. A picture
/// that differs from the reviewed one is written as `.snap.new`, unless `CI` is set.
#[derive(Debug, Clone)]
pub struct Suite {
    source: Source,
}

thread_local! {
    /// Each thread's launcher.
    static ENGINE: RefCell<Option<Box<dyn Engine>>> = const { RefCell::new(None) };
}

impl Suite {
    /// The scenarios of a folder, relative to the crate's; snapshots lie in `snapshots` beside it.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { source: Source::Folder(folder.into()) }
    }

    /// Runs them as the arguments of this process say.
    #[must_use = "the exit code is what the test runner reads"]
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let names = match self.source.names() {
            Ok(names) => names,
            Err(error) => {
                eprintln!("caplab: the scenarios cannot be read: {error}");
                return ExitCode::from(101);
            }
        };
        let must_run = env::var_os("CAPLAB_MUST_RUN").is_some_and(|value| value == "1");
        let context = Arc::new(Context {
            machine: Machine::probe(false),
            engine: Kind::Native,
            with_differences: false,
            timeout: TIMEOUT,
            store: self.source.store(),
            update: false,
            propose: env::var_os("CI").is_none(),
            explanations: Explanations::some(),
        });
        let mut trials = Vec::new();
        for name in names {
            match self.source.load(&name) {
                Ok(scenario) => {
                    let scenario = Arc::new(scenario);
                    trials.extend((0..scenario.cases.len()).map(|index| trial(&context, &scenario, index, must_run)));
                }
                Err(diagnostic) => trials.push(Trial::test(name, move || Err(Failed::from(diagnostic.to_string())))),
            }
        }
        libtest_mimic::run(&arguments, trials).exit_code()
    }
}

fn trial(context: &Arc<Context>, scenario: &Arc<Scenario>, index: usize, must_run: bool) -> Trial {
    let case = &scenario.cases[index];
    let name = pretty::name(&scenario.name, case.name.as_deref());
    // Decided while the list is made: nextest takes a test that ignores itself later for one that passed.
    let skip = runner::unfit(context.engine, &context.machine, case);
    let ignored = skip.as_ref().is_some_and(|skip| !(must_run && skip.is_avoidable()));
    let kind = skip.as_ref().map(|skip| skip.reason.clone()).unwrap_or_default();
    let (context, scenario) = (Arc::clone(context), Arc::clone(scenario));
    let test = move || {
        let (result, _) =
            ENGINE.with_borrow_mut(|engine| runner::run(&context, engine, &scenario, &scenario.cases[index]));
        match &result.verdict {
            Verdict::Pass => Ok(()),
            Verdict::Skip(skip) if !(must_run && skip.is_avoidable()) => Ok(()),
            Verdict::Skip(Skip { reason, remedy }) => {
                let remedy = remedy.as_deref().unwrap_or_default();
                Err(Failed::from(format!("not run: {reason}\n{remedy}")))
            }
            Verdict::Fail(_) | Verdict::Error(_) => Err(Failed::from(pretty::failure(&scenario, &result))),
        }
    };
    let trial = Trial::test(name, test).with_ignored_flag(ignored);
    if ignored { trial.with_kind(kind) } else { trial }
}
