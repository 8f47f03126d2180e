//! `caplab harden`.

use std::{path::Path, time::Duration};

use clap::Args;
use serde_json::json;

use super::{Format, complain, pace::Pace, print_json, say, select::select, were_asked};
use crate::{
    convert,
    counterfactual::{
        Trials,
        harden::{expecting_what_it_does, harden},
    },
    host::{Machine, requirement},
    report::{
        config::{self, Runs},
        harden as words,
        json::host,
        pretty,
    },
    runner,
    scenario::{
        self,
        model::{Action, Case, Container},
    },
    spec,
};

// Arguments of `caplab harden`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "caplab harden [OPTIONS] <SCENARIO>\n       caplab harden [OPTIONS] -- <COMMAND>...")]
pub(super) struct Harden {
    /// A file, or a name; of a scenario with a matrix one case: `capabilities/sweep[cap=KILL,user=root]`
    #[arg(value_name = "SCENARIO", required_unless_present = "command", conflicts_with = "command")]
    scenario: Option<String>,
    /// `docker run …` or `podman run …` as it would be typed: what its command does now, its exit status, must stay so
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    #[command(flatten)]
    pace: Pace,
}

const EXAMPLES: &str = "Examples:
  caplab harden capabilities/privileged-allows-iptables
  caplab harden -- docker run --privileged alpine iptables -L
  caplab harden -- podman run --cap-add ALL -v /etc:/mnt alpine head -n 1 /mnt/shadow

The image is not fetched: the command is one of this machine's own programs, its volumes are decoys.";

/// What is hardened.
struct Asked {
    name: String,
    title: String,
    scenario: String,
    case: Case,
    /// What of a command line could not be carried over.
    notes: Vec<String>,
    /// Its image and its command.
    given: Option<(String, Vec<String>)>,
}

impl Harden {
    pub(super) fn main(self) -> u8 {
        let asked = match if self.command.is_empty() { self.named() } else { given(&self.command) } {
            Ok(asked) => asked,
            Err(message) => return complain(&message),
        };
        let Asked { name, mut case, .. } = asked;
        let machine = Machine::probe(false);
        if let Some(skip) = requirement::unmet(&case, &machine) {
            let remedy = skip.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
            complain(&format!("{name}: it cannot be run here: {}{remedy}", skip.reason));
            return 3;
        }
        let jobs = self.pace.jobs();
        let trials = Trials::new(&machine, self.pace.timeout, jobs, runner::beyond);
        if !self.command.is_empty() {
            case = match expecting_what_it_does(&case, &trials) {
                Ok(case) => case,
                Err(reason) => {
                    complain(&format!("{name}: {reason}"));
                    return 3;
                }
            };
        }
        let hardened = match harden(&case, &trials) {
            // A line has one step, and no lines.
            Ok(mut hardened) if !self.command.is_empty() => {
                hardened.kept.iter_mut().for_each(|(_, broken)| broken.place = None);
                hardened
            }
            Ok(hardened) => hardened,
            Err(reason) => {
                complain(&format!("{name}: {reason}"));
                return 1;
            }
        };
        let unsaid = unsaid(&hardened.case, &machine);
        let runs = asked.given.as_ref().map(|(image, command)| Runs { image, command: Some(command) });
        if self.format == Format::Pretty {
            let title = if asked.title.is_empty() { String::new() } else { format!("  \x1b[2m{}\x1b[0m", asked.title) };
            say(format_args!("{name}{title}"));
            for note in &asked.notes {
                say(format_args!("  \x1b[2mnot as it was given: {note}\x1b[0m"));
            }
            say(format_args!("{}{}", words::pretty(&hardened, &unsaid, runs), were_asked(trials.runs())));
        } else {
            let mut document = words::json(&hardened, &unsaid, trials.runs(), runs);
            document["caplab"] = json!(env!("CARGO_PKG_VERSION"));
            document["host"] = host(&machine);
            document["scenario"] = if self.command.is_empty() { json!(asked.scenario) } else { json!(null) };
            document["case"] = json!(hardened.case.name);
            document["notes"] = json!(asked.notes);
            print_json(&document);
        }
        0
    }

    fn named(&self) -> Result<Asked, String> {
        let selection = select(self.scenario.as_slice())?;
        if let Some(diagnostic) = selection.invalid().next() {
            return Err(diagnostic.to_string());
        }
        match selection.cases().as_slice() {
            [(scenario, case)] => Ok(Asked {
                name: pretty::name(&scenario.name, case.name.as_deref()),
                title: scenario.title.clone(),
                scenario: scenario.name.clone(),
                case: (*case).clone(),
                notes: Vec::new(),
                given: None,
            }),
            several => {
                let names = several.iter().take(5);
                let names = names.map(|(scenario, case)| pretty::name(&scenario.name, case.name.as_deref()));
                let more = if several.len() > 5 { ", …" } else { "" };
                Err(format!(
                    "{} cases are named like that, and one is hardened: {}{more}",
                    several.len(),
                    names.collect::<Vec<_>>().join(", ")
                ))
            }
        }
    }
}

/// A command line as the scenario that `caplab from` makes of it, with its command for the only step.
fn given(words: &[String]) -> Result<Asked, String> {
    let draft = convert::from_line(words).map_err(|error| error.to_string())?;
    let draft = draft.ok_or("`caplab harden -- docker run [FLAGS] IMAGE COMMAND`, or podman's")?;
    let runs = draft.parts.iter().find_map(|part| Some((part.image.clone()?, part.tried.clone()?)));
    let runs = runs.ok_or(
        "it has no command that does something and ends, so there is nothing to expect: \
         `docker run [FLAGS] IMAGE COMMAND`, without --detach",
    )?;
    let text = convert::to_scenario(&draft).map_err(|error| error.to_string())?;
    let scenario = scenario::load("given", Path::new("the command line"), &text).map_err(|error| error.to_string())?;
    let mut case = scenario.cases.into_iter().next().ok_or("no container")?;
    // What it was asked to be is what may be given up.
    case.steps.retain(|step| matches!(step.action, Action::Run { .. }));
    let comments = text.lines().take_while(|line| *line != "steps:").filter_map(|line| line.trim().strip_prefix("# "));
    Ok(Asked {
        name: draft.source,
        title: String::new(),
        scenario: scenario.name,
        case,
        notes: comments.map(str::to_owned).collect(),
        given: Some(runs),
    })
}

/// Containers whose printed keys, read again, do not ask for what was tested: a key that the printer does not know.
fn unsaid(case: &Case, machine: &Machine) -> Vec<String> {
    let spec = |container: Container| {
        let case = Case { containers: vec![container], steps: Vec::new(), ..case.clone() };
        let job = spec::job(&case, machine, Duration::ZERO).ok()?;
        job.containers.into_iter().next().map(|one| (one.spec, one.root.by_engine))
    };
    let says_all = |container: &Container| {
        let document = json!({
            "title": "read again", "container": config::scenario(container), "steps": [{"inspect": {"uid": 0}}],
        });
        let read = scenario::load("hardened", Path::new("hardened.yaml"), &config::yaml(&document, 0)).ok();
        let read = read.and_then(|scenario| scenario.cases.into_iter().next()?.containers.into_iter().next());
        read.is_some_and(|read| spec(Container { name: container.name.clone(), ..read }) == spec(container.clone()))
    };
    case.containers.iter().filter(|one| !says_all(one)).map(|one| one.name.clone()).collect()
}
