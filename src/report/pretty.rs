//! For people: a line a scenario, and for what is not as expected everything that is needed to understand it.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use super::Tally;
use crate::{
    engine::ContainerState,
    observe::{CapSets, Outcome},
    result::{CaseResult, Skip, Verdict},
    scenario::{Diagnostic, model::Scenario},
};

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31;1m";
const YELLOW: &str = "\x1b[33m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

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
    let (word, findings) = match &result.verdict {
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
    // Of the effective config what decides most often; the picture has all of it.
    for (container, state) in &result.containers {
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

/// Prints results as they come.
pub struct Reporter {
    out: anstream::AutoStream<io::Stdout>,
    started: Instant,
    total: usize,
    seen: usize,
    progress: bool,
    /// The scenario whose cases are coming in: name, how many passed, how long they took.
    open: Option<(String, usize, Duration)>,
    skipped: Vec<(Skip, Vec<String>)>,
}

impl Reporter {
    /// For so many cases.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self {
            out: anstream::AutoStream::auto(io::stdout()),
            started: Instant::now(),
            total,
            seen: 0,
            progress: io::stdout().is_terminal() && io::stderr().is_terminal(),
            open: None,
            skipped: Vec::new(),
        }
    }

    /// A file that is no valid scenario.
    pub fn invalid(&mut self, diagnostic: &Diagnostic) {
        self.close();
        self.line(&format!("{RED}invalid{PLAIN} {}\n{diagnostic}\n", diagnostic.scenario));
    }

    /// A case.
    pub fn case(&mut self, scenario: &Scenario, result: &CaseResult) {
        self.seen += 1;
        if self.open.as_ref().is_some_and(|(open, ..)| *open != result.scenario) {
            self.close();
        }
        let name = name(&result.scenario, result.case.as_deref());
        match &result.verdict {
            Verdict::Pass => {
                let (_, passed, took) = self.open.get_or_insert((result.scenario.clone(), 0, Duration::ZERO));
                *passed += 1;
                *took += result.duration;
            }
            Verdict::Skip(skip) => {
                self.close();
                self.line(&format!("{YELLOW}skip{PLAIN}  {name}  {DIM}{}{PLAIN}", skip.reason));
                match self.skipped.iter_mut().find(|(known, _)| known == skip) {
                    Some((_, names)) => names.push(name.clone()),
                    None => self.skipped.push((skip.clone(), vec![name.clone()])),
                }
            }
            Verdict::Fail(_) | Verdict::Error(_) => {
                self.close();
                let word = if matches!(result.verdict, Verdict::Fail(_)) { "FAIL " } else { "ERROR" };
                self.line(&format!("{RED}{word}{PLAIN} {name}  {DIM}{}{PLAIN}", scenario.title));
                for line in failure(scenario, result).lines() {
                    self.line(&format!("      {line}"));
                }
            }
        }
        if self.progress {
            eprint!("\r\x1b[K{DIM}{} of {}  {name}{PLAIN}\r", self.seen, self.total);
        }
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
        let skipped = std::mem::take(&mut self.skipped);
        for (skip, names) in &skipped {
            let remedy = skip.remedy.as_ref().map_or_else(
                || "nothing on this machine changes that".to_owned(),
                |remedy| format!("to run {}: {remedy}", if names.len() == 1 { "it" } else { "them" }),
            );
            self.line(&format!("\n{YELLOW}{} skipped{PLAIN}, {}; {remedy}", names.len(), skip.reason));
            for name in names {
                self.line(&format!("  {name}"));
            }
        }
        let color = if tally.exit_code() == 0 { GREEN } else { RED };
        let mut words =
            format!("\n{color}{} passed{PLAIN}, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
        if tally.errored > 0 {
            let _ = write!(words, ", {RED}{} could not be observed{PLAIN}", tally.errored);
        }
        if tally.invalid > 0 {
            let _ = write!(words, ", {RED}{} invalid{PLAIN}", tally.invalid);
        }
        self.line(&format!("{words} in {:.2} s", self.started.elapsed().as_secs_f64()));
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
        // Nobody reads on where standard output is closed; the exit status still says how it went.
        let _ = writeln!(self.out, "{text}");
    }
}
