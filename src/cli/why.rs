//! `caplab why`.

use clap::Args;
use serde_json::json;

use super::{
    Format, complain,
    pace::Pace,
    print_json, say, say_error,
    select::{Selection, select},
    suggest::suggest,
    tell, were_asked,
};
use crate::{
    counterfactual::{Trials, why},
    host::{Machine, requirement},
    report::{
        json::host,
        pretty,
        why::{self as words, Named},
    },
    runner,
    scenario::{
        describe,
        model::{Action, Case, Control},
    },
    snapshot::Store,
};

// Arguments of `caplab why`.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// A file, or a part of a name: `capabilities/sweep[cap=KILL`
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// The step's id or number [default: every step that was allowed or denied]
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// Write what was found into the file as `because`, where a step has none
    #[arg(long, conflicts_with = "format")]
    suggest: bool,
    #[command(flatten)]
    pace: Pace,
    /// Let commands have what could reach the real machine, and scenarios look at its paths
    #[arg(long)]
    trust_host: bool,
}

impl Why {
    pub(super) fn main(self) -> u8 {
        let selection = match select(std::slice::from_ref(&self.scenario)) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        if let Some(diagnostic) = selection.invalid().next() {
            return complain(&diagnostic.to_string());
        }
        let machine = Machine::probe(self.trust_host);
        let jobs = self.pace.jobs();
        let trials = Trials::new(&machine, self.pace.timeout, jobs, runner::beyond);
        if self.suggest {
            return self.suggest(&selection, &trials);
        }
        let pretty_wanted = self.format == Format::Pretty;
        let (mut documents, mut asked, mut status) = (Vec::new(), 0, 0);
        let mut withheld: Vec<Control> = Vec::new();
        for (scenario, case) in selection.cases() {
            let steps = self.steps(case);
            if steps.is_empty() {
                continue;
            }
            let name = pretty::name(&scenario.name, case.name.as_deref());
            if pretty_wanted {
                tell(&format!("{name}  \x1b[2m{}\x1b[0m", scenario.title));
            }
            asked += steps.len();
            if let Some(skip) = requirement::unmet(case, &machine) {
                status = 3;
                let remedy = skip.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
                say_error(format_args!("{name}: it cannot be run here: {}{remedy}", skip.reason));
                continue;
            }
            let mut rows = Vec::new();
            for index in steps {
                let step = &case.steps[index];
                let what = describe::action(&step.action, &case.containers);
                let named = Named { id: &step.id, line: step.line, what: &what };
                match why(case, index, &trials) {
                    Ok(found) if pretty_wanted => {
                        tell(&words::pretty(named, &found));
                        for one in found.withheld {
                            if !withheld.contains(&one) {
                                withheld.push(one);
                            }
                        }
                    }
                    Ok(found) => rows.push(words::json(named, &found)),
                    Err(reason) => {
                        status = 3;
                        say_error(format_args!("{name}, step {}: could not be observed: {reason}", step.id));
                    }
                }
            }
            documents.push(json!({"scenario": scenario.name, "case": case.name, "steps": rows}));
        }
        if asked == 0 {
            return complain(&match &self.step {
                Some(step) => {
                    format!("no step `{step}` in it that runs or probes; `--format json` of `run` has their ids")
                }
                None => "no step in it that runs or probes, so nothing was allowed or denied".to_owned(),
            });
        }
        if pretty_wanted {
            if let Some(line) = words::not_tried(&withheld) {
                tell(&line);
            }
            say(format_args!("{}", were_asked(trials.runs())));
        } else {
            print_json(&json!({
                "caplab": env!("CARGO_PKG_VERSION"), "host": host(&machine), "runs": trials.runs(), "results": documents,
            }));
        }
        status
    }

    /// The steps in question.
    fn steps(&self, case: &Case) -> Vec<usize> {
        let asks = |action: &Action| matches!(action, Action::Run { .. } | Action::Probe { .. });
        let steps = case.steps.iter().enumerate();
        let wanted = steps.filter(|(index, step)| asks(&step.action) && self.means(*index, &step.id));
        wanted.map(|(index, _)| index).collect()
    }

    fn means(&self, index: usize, id: &str) -> bool {
        self.step.as_ref().is_none_or(|step| step == id || step.parse() == Ok(index + 1))
    }

    fn suggest(&self, selection: &Selection, trials: &Trials<'_>) -> u8 {
        if matches!(selection.store, Store::Embedded(_)) {
            return complain("--suggest needs the folder of the scenarios: run it where scenarios/ is");
        }
        let mut status = 0;
        for scenario in selection.scenarios.iter().flatten() {
            let done = match suggest(scenario, |index, id| self.means(index, id), trials, &selection.store) {
                Ok(done) => done,
                Err(reason) => {
                    say_error(format_args!("{}: {reason}", scenario.name));
                    status = 3;
                    continue;
                }
            };
            for one in &done {
                match &one.because {
                    Ok(because) => say(format_args!("{}, step {}: because: {because}", scenario.name, one.step)),
                    Err(reason) => say(format_args!("{}, step {}: left as it is: {reason}", scenario.name, one.step)),
                }
            }
            if done.iter().any(|one| one.because.is_ok()) {
                let (path, name) = (scenario.path.display(), &scenario.name);
                say(format_args!(
                    "{path} written; `caplab run --update {name}` puts it into the snapshot, then read both"
                ));
            }
        }
        status
    }
}
