//! `caplab check`.

use std::borrow::Cow;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{USAGE, complain, print, print_json, say, say_error, select::select};
use crate::{
    build,
    host::Machine,
    report::{github, sarif},
    scenario::{Diagnostic, Level, model::Scenario},
    spec,
};

// Arguments of `caplab check`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// Files, folders, or parts of names [default: ./scenarios]
    #[arg(value_name = "PATH")]
    what: Vec<String>,
    /// How what is wrong is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: CheckFormat,
    /// Fail where something may not be meant: a step that cannot fail, a file that nobody reads
    #[arg(long)]
    deny_warnings: bool,
}

const EXAMPLES: &str = "Examples:
  caplab check scenarios
  caplab check scenarios/mine/clock.yaml
  caplab check scenarios --deny-warnings                   in CI
  caplab check scenarios --format sarif > caplab.sarif     for code scanning and editors";

/// How what is wrong is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people
    Pretty,
    /// For programs: one document
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0
    Sarif,
}

impl Check {
    pub(super) fn main(self) -> u8 {
        let selection = match select(&self.what) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        let machine = Machine::probe(false);
        let (mut cases, mut wrong) = (0, 0);
        let mut found: Vec<Cow<'_, Diagnostic>> = Vec::new();
        let mut more = Vec::new();
        for loaded in &selection.scenarios {
            let before = found.len();
            match loaded {
                Ok(scenario) => {
                    cases += scenario.cases.len();
                    let (problems, doubtful) = unresolvable(scenario, &machine);
                    found.extend(problems.into_iter().map(Cow::Owned));
                    wrong += usize::from(found.len() > before);
                    found.extend(doubtful.into_iter().map(Cow::Owned));
                    found.extend(scenario.warnings.iter().map(Cow::Borrowed));
                }
                Err(invalid) => {
                    wrong += 1;
                    found.extend(invalid.problems.iter().map(Cow::Borrowed));
                    more.extend((invalid.more > 0).then_some((found.len(), invalid)));
                }
            }
        }
        let (warnings, problems): (Vec<_>, Vec<_>) =
            found.iter().map(AsRef::as_ref).partition(|one: &&Diagnostic| one.level == Level::Warning);
        let count = selection.scenarios.len();
        match self.format {
            CheckFormat::Pretty => {
                for (index, one) in found.iter().enumerate() {
                    say_error(format_args!("{one}\n"));
                    if let Some((_, invalid)) = more.iter().find(|(end, _)| *end == index + 1) {
                        say_error(format_args!("{}: and {} more\n", invalid.path.display(), invalid.more));
                    }
                }
                let warned = match warnings.len() {
                    0 => String::new(),
                    some => format!(", {some} {}", plural(some, "warning")),
                };
                if wrong == 0 {
                    let (scenarios, of) = (plural(count, "scenario"), plural(cases, "case"));
                    say(format_args!("{count} {scenarios}, {cases} {of}: valid{warned}"));
                } else {
                    let are = if count == 1 { "scenario is" } else { "scenarios are" };
                    say_error(format_args!("{wrong} of {count} {are} wrong{warned}"));
                }
            }
            CheckFormat::Json => print_json(&json!({
                "valid": wrong == 0, "scenarios": count, "cases": cases,
                "problems": problems.into_iter().map(in_json).collect::<Vec<_>>(),
                "warnings": warnings.iter().copied().map(in_json).collect::<Vec<_>>(),
            })),
            CheckFormat::Github => found.iter().for_each(|one| print(&github::problem(one))),
            CheckFormat::Sarif => print_json(&sarif::document(&found.iter().map(AsRef::as_ref).collect::<Vec<_>>())),
        }
        if wrong == 0 && (warnings.is_empty() || !self.deny_warnings) { 0 } else { USAGE }
    }
}

fn in_json(one: &Diagnostic) -> serde_json::Value {
    json!({
        "scenario": one.scenario, "file": one.path, "line": one.line, "column": one.column,
        "message": one.message, "help": one.help,
    })
}

/// What only resolving shows: an image that cannot be read or has not the user, a device that this machine has not; and what of an image is
/// left out, which is a warning. Cells that say the same say it once.
fn unresolvable(scenario: &Scenario, machine: &Machine) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let (mut wrong, mut doubtful) = (Vec::new(), Vec::new());
    let add = |found: &mut Vec<(usize, String)>, one: (usize, String)| {
        if !found.contains(&one) {
            found.push(one);
        }
    };
    for case in &scenario.cases {
        let (case, unread) = build::read(case, machine);
        let problems = if unread.is_empty() { spec::problems(&case, machine) } else { Vec::new() };
        let problems = problems.into_iter().map(|(line, error)| (line, error.to_string()));
        unread.into_iter().chain(problems).for_each(|one| add(&mut wrong, one));
        build::left_out(&case)
            .into_iter()
            .for_each(|(line, what)| add(&mut doubtful, (line, format!("left out: {what}"))));
    }
    let of = |level, found: Vec<(usize, String)>| {
        found.into_iter().map(|(line, what)| Diagnostic::of_line(scenario, level, line, what)).collect()
    };
    (of(Level::Error, wrong), of(Level::Warning, doubtful))
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
