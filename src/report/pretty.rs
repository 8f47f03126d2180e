//! For people: a line a scenario, and for what is not as expected everything that is needed to understand it.

use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use super::Tally;
use crate::{
    engine::ContainerState,
    observe::{CapSets, Outcome},
    result::{CaseResult, Skip, StepResult, Verdict},
    scenario::{Invalid, model::Scenario},
    terminal,
    text::wrap,
};

pub(super) const GREEN: &str = "\x1b[32m";
pub(super) const RED: &str = "\x1b[31;1m";
pub(super) const YELLOW: &str = "\x1b[33m";
pub(super) const DIM: &str = "\x1b[2m";
pub(super) const PLAIN: &str = "\x1b[0m";

/// A scenario and case as they are named everywhere: `area/name[cap=KILL]`.
#[must_use]
pub fn name(scenario: &str, case: Option<&str>) -> String {
    match case {
        Some(case) => format!("{scenario}[{case}]"),
        None => scenario.to_owned(),
    }
}

/// Everything that is needed to understand a case that is not as expected; empty for one that is.
#[must_use]
pub fn failure(scenario: &Scenario, result: &CaseResult) -> String {
    format!("{}{}", findings(scenario, result), circumstances(result))
}

/// The same in colours, after a line that says which case it is; nothing of one that is as expected.
#[must_use]
pub fn told(scenario: &Scenario, result: &CaseResult) -> Vec<String> {
    let word = match &result.verdict {
        Verdict::Fail(_) => "FAIL ",
        Verdict::Error(_) => "ERROR",
        Verdict::Pass | Verdict::Skip(_) => return Vec::new(),
    };
    let name = name(&result.scenario, result.case.as_deref());
    let head = format!("{RED}{word}{PLAIN} {name}  {DIM}{}{PLAIN}", scenario.title);
    let findings = findings(scenario, result);
    let (file, findings) = findings.split_once('\n').unwrap_or_default();
    let set_in = |line: &str| format!("      {line}");
    let dim = |line: &str| format!("      {DIM}{line}{PLAIN}");
    [head, dim(file)]
        .into_iter()
        .chain(findings.lines().map(set_in))
        .chain(circumstances(result).lines().map(dim))
        .chain(closer(&name, result).map(|line| dim(&line)))
        .collect()
}

/// What is typed to look closer at a case that is not as expected.
fn closer(name: &str, result: &CaseResult) -> Option<String> {
    if !matches!(result.verdict, Verdict::Fail(_)) || result.is_unreviewed {
        return None;
    }
    let name = shlex::try_quote(name).unwrap_or(name.into());
    let wrong = |step: &&StepResult| is_otherwise(step) && step.seen.outcome.sense_or_kill().is_some();
    let why = result.steps.iter().find(wrong).map(|step| format!("caplab why {name} {}; ", step.id));
    let starts = result.containers.iter().all(|(_, state)| matches!(state, ContainerState::Running(_)));
    let shell = if starts { format!("; caplab shell {name}") } else { String::new() };
    Some(format!("to look closer: {}caplab explain {name}{shell}", why.unwrap_or_default()))
}

fn is_otherwise(step: &StepResult) -> bool {
    !step.findings.is_empty() || step.because.as_ref().is_some_and(|because| !because.holds)
}

/// A line of [`told`] as a terminal of so many columns has it; one line where nobody said how many.
#[must_use]
pub fn fitted(line: &str, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else { return vec![line.to_owned()] };
    let plain = anstream::adapter::strip_str(line).to_string();
    let indent = plain.len() - plain.trim_start().len();
    // Under the name, or under the text.
    let is_verdict = ["pass ", "skip ", "FAIL ", "ERROR "].iter().any(|word| plain.starts_with(word));
    wrap(line, columns, if is_verdict { 6 } else { indent + 2 })
}

/// The file, and what is otherwise.
fn findings(scenario: &Scenario, result: &CaseResult) -> String {
    let (word, findings) = match &result.verdict {
        Verdict::Fail(findings) if result.is_unreviewed => ("not reviewed yet", findings),
        Verdict::Fail(findings) => ("expected otherwise", findings),
        Verdict::Error(findings) => ("could not be observed", findings),
        Verdict::Pass | Verdict::Skip(_) => return String::new(),
    };
    let mut text = format!("{}: {word}\n", scenario.path.display());
    for finding in findings {
        let mut lines = finding.lines();
        let _ = writeln!(text, "  {}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// Of the effective config what decides most often; the picture has all of it.
fn circumstances(result: &CaseResult) -> String {
    let mut text = String::new();
    if matches!(result.verdict, Verdict::Pass | Verdict::Skip(_)) {
        return text;
    }
    // Of several containers those in which something is otherwise; where that is no step's, all.
    let within: Vec<_> =
        result.steps.iter().filter(|step| is_otherwise(step)).map(|step| step.within.as_deref()).collect();
    let matters = |name: &str| within.is_empty() || within.contains(&None) || within.contains(&Some(name));
    for (container, state) in result.containers.iter().filter(|(name, _)| matters(name)) {
        if let ContainerState::Running(facts) = state {
            let CapSets { effective, bounding, .. } = facts.capabilities;
            let _ = writeln!(
                text,
                "  {container} really had: host's uid {}, gid {}, groups {:?}",
                facts.uid, facts.gid, facts.groups
            );
            let _ = writeln!(text, "    effective: {effective}");
            if bounding != effective {
                let _ = writeln!(text, "    bounding: {bounding}");
            }
            if facts.no_new_privs {
                let _ = writeln!(text, "    no_new_privs");
            }
        }
    }
    for step in result.steps.iter().filter(|step| matches!(step.seen.outcome, Outcome::TimedOut)) {
        let _ = writeln!(text, "  step {} was stopped after {:.1} s", step.id, step.seen.duration.as_secs_f64());
    }
    text
}

/// How many of each, in colours that say which of them matter.
#[must_use]
pub fn counts(tally: &Tally) -> String {
    let count = |count: usize, words: &str, color: &str| match count {
        0 => format!("0 {words}"),
        count => format!("{color}{count} {words}{PLAIN}"),
    };
    let mut words =
        [(tally.passed, "passed", GREEN), (tally.failed, "failed", RED), (tally.skipped, "skipped", YELLOW)]
            .map(|(number, words, color)| count(number, words, color))
            .join(", ");
    for (number, what) in [(tally.errored, "could not be observed"), (tally.invalid, "invalid")] {
        if number > 0 {
            let _ = write!(words, ", {}", count(number, what, RED));
        }
    }
    words
}

/// Prints results as they come.
pub struct Reporter {
    out: anstream::AutoStream<io::Stdout>,
    started: Instant,
    total: usize,
    tally: Tally,
    /// The case that took the longest: for how long, and its name.
    slowest: (Duration, String),
    progress: bool,
    /// Of standard error.
    colors: bool,
    /// Of the terminal, where it is one.
    columns: Option<usize>,
    /// The scenario whose cases are coming in: name, how many passed, how long they took.
    open: Option<(String, usize, Duration)>,
    skipped: Vec<(Skip, Vec<String>)>,
    /// Passed, without their `because`.
    unasked: Vec<(Skip, Vec<String>)>,
}

fn add(groups: &mut Vec<(Skip, Vec<String>)>, skip: &Skip, name: &str) {
    match groups.iter_mut().find(|(known, _)| known == skip) {
        Some((_, names)) => names.push(name.to_owned()),
        None => groups.push((skip.clone(), vec![name.to_owned()])),
    }
}

impl Reporter {
    /// For so many cases.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self {
            out: anstream::AutoStream::auto(io::stdout()),
            started: Instant::now(),
            total,
            tally: Tally::default(),
            slowest: (Duration::ZERO, String::new()),
            // One that is dumb cannot take back what it has shown.
            progress: io::stdout().is_terminal()
                && io::stderr().is_terminal()
                && env::var_os("TERM").is_none_or(|term| term != "dumb"),
            colors: anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
            columns: terminal::columns(),
            open: None,
            skipped: Vec::new(),
            unasked: Vec::new(),
        }
    }

    /// A file that is no valid scenario.
    pub fn invalid(&mut self, diagnostic: &Invalid) {
        self.tally.invalid += 1;
        self.close();
        self.line(&format!("{RED}invalid{PLAIN} {}\n{diagnostic}\n", diagnostic.scenario));
    }

    /// A case.
    pub fn case(&mut self, scenario: &Scenario, result: &CaseResult) {
        self.tally.count(result);
        if self.open.as_ref().is_some_and(|(open, ..)| *open != result.scenario) {
            self.close();
        }
        let name = name(&result.scenario, result.case.as_deref());
        match &result.verdict {
            Verdict::Pass => {
                let (_, passed, took) = self.open.get_or_insert((result.scenario.clone(), 0, Duration::ZERO));
                *passed += 1;
                *took += result.duration;
                if let Some(skip) = result.unasked() {
                    add(&mut self.unasked, skip, &name);
                }
            }
            Verdict::Skip(skip) => {
                self.close();
                self.line(&format!("{YELLOW}skip{PLAIN}  {name}  {DIM}{}{PLAIN}", skip.reason));
                add(&mut self.skipped, skip, &name);
            }
            Verdict::Fail(_) | Verdict::Error(_) => {
                self.close();
                told(scenario, result).iter().for_each(|line| self.line(line));
            }
        }
        if result.duration > self.slowest.0 {
            self.slowest = (result.duration, name.clone());
        }
        if self.progress {
            // A line that goes over into the next cannot be taken back.
            let text: String = self.stand(&name).chars().take(self.columns.unwrap_or(80).saturating_sub(1)).collect();
            let (dim, plain) = if self.colors { (DIM, PLAIN) } else { ("", "") };
            eprint!("\r\x1b[K{dim}{text}{plain}\r");
        }
    }

    /// How far it is, in a line: what is read first stands first, for a narrow terminal shows no more.
    fn stand(&self, now: &str) -> String {
        let Tally { passed, failed, skipped, errored, invalid } = self.tally;
        let seen = passed + failed + skipped + errored;
        let mut text = format!("{seen} of {}", self.total);
        for (count, word) in [(failed + errored + invalid, "failed"), (skipped, "skipped")] {
            if count > 0 {
                let _ = write!(text, ", {count} {word}");
            }
        }
        let (took, slowest) = &self.slowest;
        format!("{text}  slowest {:.0} ms {slowest}  {now}", took.as_secs_f64() * 1000.0)
    }

    /// The end.
    pub fn finish(&mut self, tally: &Tally, updated: &[String]) {
        self.close();
        if self.progress {
            eprint!("\r\x1b[K");
        }
        for name in updated {
            self.line(&format!("{GREEN}snapshot written{PLAIN}  {name}"));
        }
        let (skipped, unasked) = (std::mem::take(&mut self.skipped), std::mem::take(&mut self.unasked));
        self.listed("skipped", "to run", &skipped);
        self.listed("passed and not asked for their because, which runs natively", "to ask", &unasked);
        self.line(&format!("\n{} in {:.2} s", counts(tally), self.started.elapsed().as_secs_f64()));
    }

    /// Cases by what is lacking.
    fn listed(&mut self, what: &str, to: &str, groups: &[(Skip, Vec<String>)]) {
        for (skip, names) in groups {
            let remedy = skip.remedy.as_ref().map_or_else(
                || "nothing on this machine changes that".to_owned(),
                |remedy| format!("{to} {}: {remedy}", if names.len() == 1 { "it" } else { "them" }),
            );
            self.line(&format!("\n{YELLOW}{} {what}{PLAIN}, {}", names.len(), skip.reason));
            self.line(&format!("  {remedy}"));
            for name in names {
                self.line(&format!("  {DIM}{name}{PLAIN}"));
            }
        }
    }

    /// The line of the scenario whose cases came in.
    fn close(&mut self) {
        if let Some((name, passed, took)) = self.open.take() {
            let cases = if passed > 1 { format!(" ({passed} cases)") } else { String::new() };
            let took = took.as_secs_f64() * 1000.0;
            self.line(&format!("{GREEN}pass{PLAIN}  {name}{cases}  {DIM}{took:.1} ms{PLAIN}"));
        }
    }

    fn line(&mut self, text: &str) {
        if self.progress {
            eprint!("\r\x1b[K");
        }
        for line in text.split('\n') {
            for line in fitted(line, self.columns) {
                terminal::wrote(writeln!(self.out, "{line}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_begins_with_what_matters() {
        let mut reporter = Reporter::new(40);
        reporter.tally = Tally { passed: 7, failed: 1, skipped: 3, errored: 1, invalid: 0 };
        reporter.slowest = (Duration::from_millis(812), "limits/a".to_owned());
        assert_eq!(reporter.stand("users/b"), "12 of 40, 2 failed, 3 skipped  slowest 812 ms limits/a  users/b");
    }
}
