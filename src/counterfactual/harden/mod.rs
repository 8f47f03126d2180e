//! The least privileged config under which every expectation of a case still holds.
//!
//! A config is first taken apart into what it grants (`privileged` is every capability, no profile, no device list, nothing covered),
//! then every grant is given up that can be: all at once, and where that breaks something in halves, so that few containers are
//! made. The end is a proof: each thing that was kept is given up alone once more, and an expectation breaks.

mod given;
mod measure;

pub use given::expecting_what_it_does;
pub use measure::Measure;

use std::fmt;

use measure::{apart, measures};

use super::{Trial, Trials};
use crate::{
    build,
    engine::ContainerState,
    host::Machine,
    result::{Finding, Verdict},
    scenario::model::{Case, ContainerExpect},
    verdict,
};

/// What was found.
#[derive(Debug, Clone)]
pub struct Hardened {
    /// The case with the least privileged containers.
    pub case: Case,
    /// What was given up, in the order in which it was tried.
    pub given_up: Vec<Measure>,
    /// What was kept, each with the expectation that breaks without it.
    pub kept: Vec<(Measure, Broken)>,
}

/// An expectation that does not hold.
#[derive(Debug, Clone, Default)]
pub struct Broken {
    /// `step 1 (line 4)`; none of a whole container.
    pub place: Option<String>,
    /// `iptables -L in box`, or all that is to be said.
    pub what: String,
    /// What was expected and seen.
    pub finding: Option<Finding>,
}

impl Broken {
    fn said(what: String) -> Self {
        Self { what, ..Self::default() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{place}, ")?;
        }
        out.write_str(&self.what)?;
        self.finding.as_ref().map_or(Ok(()), |finding| write!(out, ": {finding}"))
    }
}

/// Looks for it.
///
/// # Errors
/// Where the case does not hold as it is, or a container of it cannot be taken apart.
pub fn harden(case: &Case, trials: &Trials<'_>) -> Result<Hardened, String> {
    let prepared = build::prepared(case, trials.machine()).map_err(|error| error.to_string())?;
    let case = prepared.as_ref();
    if let Some(container) = case.containers.iter().find(|one| one.expect != ContainerExpect::Started) {
        return Err(format!("container {} must not start, so there is nothing in it to harden", container.name));
    }
    holds(case, trials.machine(), trials.one(case)).map_err(|why| format!("it does not hold as it is: {why}"))?;
    let start = apart(case, trials.machine())?;
    holds(&start, trials.machine(), trials.one(&start)).map_err(|why| {
        format!("with everything that its containers grant named one by one it is another config: {why}")
    })?;
    let mut search = Search { trials, case: start, given_up: Vec::new(), kept: Vec::new() };
    let all = measures(&search.case);
    search.give_up(&all);
    // What was kept because of something that has been given up since is tried again, until nothing more can be.
    loop {
        let open: Vec<Measure> = std::mem::take(&mut search.kept).into_iter().map(|(measure, _)| measure).collect();
        let cases: Vec<Case> = open.iter().map(|measure| measure.apply(&search.case)).collect();
        let tried: Vec<Result<(), Broken>> =
            cases.iter().zip(trials.all(&cases)).map(|(case, trial)| holds(case, trials.machine(), trial)).collect();
        let more = tried.iter().position(Result::is_ok);
        for (index, (measure, result)) in open.into_iter().zip(tried).enumerate() {
            match result {
                _ if Some(index) == more => {
                    search.case = measure.apply(&search.case);
                    search.given_up.push(measure);
                }
                // It is asked again with what has just been given up.
                Ok(()) => search.kept.push((measure, Broken::default())),
                Err(why) => search.kept.push((measure, why)),
            }
        }
        if more.is_none() {
            break;
        }
    }
    Ok(Hardened { case: search.case, given_up: search.given_up, kept: search.kept })
}

struct Search<'a> {
    trials: &'a Trials<'a>,
    case: Case,
    given_up: Vec<Measure>,
    kept: Vec<(Measure, Broken)>,
}

impl Search<'_> {
    /// Gives up what of these can be, the earlier ones first.
    fn give_up(&mut self, measures: &[Measure]) {
        if measures.is_empty() {
            return;
        }
        let changed = measures.iter().fold(self.case.clone(), |case, measure| measure.apply(&case));
        match (holds(&changed, self.trials.machine(), self.trials.one(&changed)), measures) {
            (Ok(()), _) => {
                self.case = changed;
                self.given_up.extend(measures.iter().cloned());
            }
            (Err(why), [measure]) => self.kept.push((measure.clone(), why)),
            (Err(_), measures) => {
                let (first, second) = measures.split_at(measures.len() / 2);
                self.give_up(first);
                self.give_up(second);
            }
        }
    }
}

/// Whether every expectation of a case holds.
///
/// # Errors
/// The first that does not.
fn holds(case: &Case, machine: &Machine, trial: Trial) -> Result<(), Broken> {
    let (_, seen) = trial.map_err(Broken::said)?;
    let states: Vec<(String, ContainerState)> =
        case.containers.iter().map(|one| one.name.clone()).zip(seen.containers.iter().cloned()).collect();
    let steps = verdict::steps(case, machine, &seen);
    let said = match verdict::conclude(case, &states, &steps, &[], &[]) {
        Verdict::Pass => return Ok(()),
        Verdict::Fail(findings) | Verdict::Error(findings) => findings.into_iter().next().unwrap_or_default(),
        Verdict::Skip(skip) => skip.reason,
    };
    let of_steps = steps.iter().flat_map(|step| {
        step.findings.iter().map(|finding| Broken {
            place: Some(verdict::place(step)),
            what: verdict::subject(step),
            finding: Some(finding.clone()),
        })
    });
    Err(of_steps.into_iter().find(|broken| broken.to_string() == said).unwrap_or_else(|| Broken::said(said)))
}
