//! `caplab why --suggest`: the cause of each step, written into its file.

use std::{fs, path::Path};

use crate::{
    counterfactual::{Trials, why},
    engine::Kind,
    host::{Machine, requirement},
    result::Verdict,
    runner::{self, Context, Explanations},
    scenario::{
        self, describe, edit,
        model::{Action, Because, Control, Expect, OutcomeExpect, Scenario},
    },
    snapshot::Store,
};

/// What was done about a step.
pub(super) struct Suggested {
    /// The step's id.
    pub(super) step: String,
    /// The `because` that was written, or why none was.
    pub(super) because: Result<String, String>,
}

/// Looks for the cause of every step that has none yet, and writes those that are found into the scenario's file: one that decides in
/// every case of it. The file is replaced only when the new text was read and every case passed with it.
///
/// # Errors
/// Where the file cannot be read or written, or does not hold with what would be written.
pub(super) fn suggest(
    scenario: &Scenario,
    wanted: impl Fn(usize, &str) -> bool,
    trials: &Trials<'_>,
    store: &Store,
) -> Result<Vec<Suggested>, String> {
    let path = &scenario.path;
    let mut text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let Some(first) = scenario.cases.first() else { return Ok(Vec::new()) };
    let mut done = Vec::new();
    for (index, step) in first.steps.iter().enumerate() {
        if !wanted(index, &step.id) || !asks(&step.action) || *step.action.because() != Because::Unsaid {
            continue;
        }
        let found = common(scenario, index, trials).and_then(|controls| {
            let spelled = describe::because(&controls);
            text = edit::with_because(&text, index, &spelled).ok_or("its place in the file was not found")?;
            Ok(spelled)
        });
        done.push(Suggested { step: step.id.clone(), because: found });
    }
    if done.iter().any(|one| one.because.is_ok()) {
        holds(scenario, &text, trials.machine(), store)?;
        replace(path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(done)
}

/// Whether a `because` may stand there.
fn asks(action: &Action) -> bool {
    let of = |expect: &Expect| matches!(expect.outcome, Some(OutcomeExpect::Allowed | OutcomeExpect::Denied(_)));
    match action {
        Action::Run { expect, .. } | Action::Probe { expect, .. } => of(expect),
        _ => false,
    }
}

/// The first cause that a step has in every case of its scenario.
fn common(scenario: &Scenario, step: usize, trials: &Trials<'_>) -> Result<Vec<Control>, String> {
    let mut common: Option<Vec<Vec<Control>>> = None;
    for case in &scenario.cases {
        if let Some(skip) = requirement::unmet(case, trials.machine()) {
            return Err(format!("it cannot be run here: {}", skip.reason));
        }
        let found = why(case, step, trials)?;
        let causes = found
            .causes
            .into_iter()
            .map(|cause| cause.changes.into_iter().map(|change| change.control).collect::<Vec<_>>());
        // A file that is not there without its volume was not refused.
        let causes: Vec<_> =
            causes.filter(|cause| !cause.iter().any(|one| matches!(one, Control::Volume(_)))).collect();
        common = Some(match common {
            None => causes,
            Some(known) => known.into_iter().filter(|cause| causes.contains(cause)).collect(),
        });
    }
    let several = scenario.cases.len() > 1;
    common.and_then(|causes| causes.into_iter().next()).ok_or_else(|| {
        if several { "no control decides in every case".to_owned() } else { "no control decides".to_owned() }
    })
}

/// Whether every case of the new text is as expected, its `because` too; pictures are not compared, for they tell the cause.
fn holds(scenario: &Scenario, text: &str, machine: &Machine, store: &Store) -> Result<(), String> {
    let path = scenario.path.display();
    let edited = scenario::load(&scenario.name, &scenario.path, text)
        .map_err(|diagnostic| format!("{path} is left as it was, the edited text is not valid: {diagnostic}"))?;
    let context = Context {
        machine: machine.clone(),
        engine: Kind::Native,
        with_differences: false,
        timeout: std::time::Duration::from_secs(10),
        store: store.clone(),
        update: true,
        propose: false,
        explanations: Explanations::default(),
    };
    let mut engine = None;
    for case in &edited.cases {
        let (result, _) = runner::run(&context, &mut engine, &edited, case);
        if let Verdict::Fail(findings) | Verdict::Error(findings) = result.verdict {
            return Err(format!("{path} is left as it was, it would not hold: {}", findings.join("; ")));
        }
    }
    Ok(())
}

/// A new file in the place of the old one, so that nobody ever reads half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let new = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(new.path(), text)?;
    fs::set_permissions(new.path(), fs::metadata(path)?.permissions())?;
    new.persist(path).map(|_| ()).map_err(|error| error.error)
}
