//! `caplab run`.

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    complain,
    format::RunFormat,
    pace::Pace,
    say_error,
    select::{Selection, select},
    shard::Shard,
};
use crate::{
    engine::{Early, Kind},
    host::Machine,
    report::{Tally, html, json, pretty::Reporter},
    result::{CaseResult, Verdict},
    runner::{self, Context, Explanations, Outcome},
    scenario::model::Scenario,
    snapshot::{Section, Store},
    terminal,
};

// Arguments of `caplab run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// Files, folders, or parts of names: `capabilities/sweep`, `iptables`, `sweep[cap=KILL`; a whole name means that one alone; all where there is none
    #[arg(value_name = "PATH|FILTER")]
    what: Vec<String>,
    /// Who makes the containers: `native` is built in, `runc`, `crun`, `podman` and `docker` are driven as commands
    #[arg(long, value_name = "ENGINE", default_value = "native", value_parser = engine)]
    engine: Kind,
    /// How results are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: RunFormat,
    /// Only one share of several: the I-th of N, counted from 1; `caplab merge` puts them together
    #[arg(long, value_name = "I/N", conflicts_with = "update")]
    shard: Option<Shard>,
    /// Also writes pages that anybody can open, index.html first
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Make what is seen the reviewed snapshots
    #[arg(long)]
    update: bool,
    /// Let --update write a picture that shows less protection than the reviewed one, or drop a case that was reviewed
    #[arg(long, requires = "update")]
    accept_weaker: bool,
    /// A skipped case fails
    #[arg(long)]
    deny_skip: bool,
    #[command(flatten)]
    pace: Pace,
    /// Let scenarios look at the real machine's paths, where they ask for that
    #[arg(long)]
    trust_host: bool,
}

const EXAMPLES: &str = "Examples:
  caplab run                                   all of ./scenarios
  caplab run mine/clock                        one
  caplab run capabilities/sweep[cap=KILL       some cells of a matrix
  caplab run --update mine                     and keep the pictures: read them, they are the security claim
  caplab run --format junit > junit.xml        for a CI server
  caplab run --report pages                    and open pages/index.html
  caplab run --shard 1/4 --format json > 1.json";

pub(super) fn engine(text: &str) -> Result<Kind, String> {
    Kind::from_name(text).ok_or_else(|| format!("there is {}", Kind::ALL.map(Kind::name).join(", ")))
}

impl Run {
    pub(super) fn main(self) -> u8 {
        let early = Early::start(self.engine);
        let mut selection = match select(&self.what) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        if let Err(message) = selection.of_one_folder() {
            return complain(&message);
        }
        if let Some(shard) = self.shard {
            selection.share(shard);
        }
        if self.update && matches!(selection.store, Store::Embedded(_)) {
            return complain("--update needs the folder of the scenarios: run it where scenarios/ is");
        }
        let started = Instant::now();
        let context = Context {
            machine: Machine::probe(self.trust_host),
            engine: self.engine,
            with_differences: false,
            timeout: self.pace.timeout,
            store: selection.store.clone(),
            update: self.update,
            propose: !self.update && env::var_os("CI").is_none() && matches!(selection.store, Store::Folder(_)),
            // A terminal shows how far it is.
            explanations: if terminal::is_there_to_read() {
                Explanations::some()
            } else {
                Explanations::telling(SLOW, explaining)
            },
        };
        let cases = selection.cases();
        let pretty = self.format == RunFormat::Pretty;
        // Results are kept only where somebody wants them all at the end.
        let collect = !pretty || self.report.is_some();
        let mut reporter = Reporter::new(cases.len());
        let mut tally = Tally::default();
        let mut documents = Vec::new();
        for diagnostic in selection.invalid() {
            tally.invalid += 1;
            if pretty {
                reporter.invalid(diagnostic);
            }
            if collect {
                documents.push(json::invalid(diagnostic, self.engine));
            }
        }
        let must_run = env::var_os("CAPLAB_MUST_RUN").is_some_and(|value| value == "1");
        let mut updates = Updates::default();
        let jobs = self.pace.jobs_for(cases.len());
        runner::run_all(&context, &cases, jobs, early, |Outcome { scenario, result, picture, .. }| {
            let result = deny(result, self.deny_skip, must_run);
            tally.count(&result);
            if self.update {
                updates.add(scenario, &result, picture);
            }
            if pretty {
                reporter.case(scenario, &result);
            }
            if collect {
                documents.push(json::result(scenario, &result));
            }
        });
        let (updated, refused) = updates.write(&context.store, self.accept_weaker);
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        if pretty {
            reporter.finish(&tally, &updated);
            warned(&selection);
        }
        if collect {
            let mut document = json::document(&context.machine, self.engine, &tally, millis, documents);
            document["shard"] = self.shard.map(|shard| shard.to_string()).into();
            if !pretty {
                self.format.print(&document);
            }
            if let Some(dir) = &self.report {
                let valid: Vec<_> = selection.scenarios.iter().flatten().collect();
                let invalid: Vec<_> = selection.invalid().collect();
                if let Err(error) = html::write(dir, &document, &valid, &invalid, &context.machine) {
                    return complain(&format!("--report {}: {error}", dir.display()));
                }
            }
        }
        for message in &refused {
            complain(message);
        }
        if refused.is_empty() { tally.exit_code() } else { tally.exit_code().max(1) }
    }
}

/// What takes longer is told of.
const SLOW: Duration = Duration::from_secs(2);

/// One line where nothing else is said for a while.
fn explaining(steps: &[String]) {
    let (what, more) = (if steps.len() == 1 { "step" } else { "steps" }, if steps.len() > 3 { ", …" } else { "" });
    let named = steps[..steps.len().min(3)].join(", ");
    say_error(format_args!("explaining {} red {what}, some hundred containers each: {named}{more}", steps.len()));
}

/// One line: who runs scenarios wants results, and who writes them must know where to look.
fn warned(selection: &Selection) {
    let warned = |scenario: &&Scenario| !scenario.warnings.is_empty();
    let scenarios: Vec<&Scenario> = selection.scenarios.iter().flatten().filter(warned).collect();
    let count: usize = scenarios.iter().map(|scenario| scenario.warnings.len()).sum();
    if let Some(first) = scenarios.first() {
        let warnings = if count == 1 { "1 warning".to_owned() } else { format!("{count} warnings") };
        let more = if scenarios.len() > 1 { " …" } else { "" };
        say_error(format_args!("{warnings}: caplab check {}{more}", first.path.display()));
    }
}

/// A skip that must not be is a failure; so is a `because` that was not asked.
fn deny(mut result: CaseResult, deny_skip: bool, must_run: bool) -> CaseResult {
    let left_out = match &result.verdict {
        Verdict::Skip(skip) => Some(("not run", skip)),
        Verdict::Pass => result.unasked().map(|skip| ("its because was not asked natively", skip)),
        Verdict::Fail(_) | Verdict::Error(_) => None,
    };
    if let Some((what, skip)) = left_out.filter(|(_, skip)| deny_skip || (must_run && skip.is_avoidable())) {
        let remedy = skip.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        result.verdict = Verdict::Fail(vec![format!("{what}: {}{remedy}", skip.reason)]);
    }
    result
}

/// New pictures, a scenario at a time. Those of a case that is not as expected are not written: first the scenario or
/// the engine is mended.
#[derive(Default)]
struct Updates<'a> {
    scenarios: BTreeMap<String, (&'a Scenario, Vec<Section>)>,
}

impl<'a> Updates<'a> {
    fn add(&mut self, scenario: &'a Scenario, result: &CaseResult, picture: Option<String>) {
        if let (Verdict::Pass, Some(picture)) = (&result.verdict, picture) {
            let entry = self.scenarios.entry(scenario.name.clone()).or_insert_with(|| (scenario, Vec::new()));
            entry.1.push((result.case.clone(), picture));
        }
    }

    /// Names of the scenarios whose snapshot changed, and why others could not be written.
    fn write(self, store: &Store, accept_weaker: bool) -> (Vec<String>, Vec<String>) {
        let (mut updated, mut refused) = (Vec::new(), Vec::new());
        for (name, (scenario, pictures)) in self.scenarios {
            match store.update(scenario, &pictures, accept_weaker) {
                Ok(true) => updated.push(name),
                Ok(false) => {}
                Err(error) => refused.push(error.to_string()),
            }
        }
        (updated, refused)
    }
}
