//! What came of a case: the one structure that reports, snapshots and exit codes are made from.

use std::{fmt, time::Duration};

use crate::{
    engine::{ContainerState, StepObservation},
    scenario::model::Control,
};

/// What came of a case.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the case within it, `cap=KILL`.
    pub case: Option<String>,
    /// Who ran it.
    pub engine: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// All is as expected, but there is no reviewed picture to compare with.
    pub is_unreviewed: bool,
    /// Wall time.
    pub duration: Duration,
    /// Name and state of each container; empty where nothing ran.
    pub containers: Vec<(String, ContainerState)>,
    /// The steps; empty where nothing ran.
    pub steps: Vec<StepResult>,
}

/// The verdict on a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything as expected.
    Pass,
    /// The container behaved otherwise; each text one finding.
    Fail(Vec<String>),
    /// Not run here, and why.
    Skip(Skip),
    /// Nothing can be said, and why.
    Error(Vec<String>),
}

/// Why a case is not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// What is lacking and what it is needed for.
    pub reason: String,
    /// The command or setting that would bring it; `None` where this machine cannot have it.
    pub remedy: Option<String>,
}

impl Skip {
    /// Whether the machine could have what is lacking. What an option of the call brings (`--trust-host`, `--engine`) is nothing
    /// that it lacks: somebody decided on it.
    #[must_use]
    pub fn is_avoidable(&self) -> bool {
        self.remedy.as_deref().is_some_and(|remedy| !remedy.starts_with("--"))
    }
}

/// What came of a step, and what the verdict says to it.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// Its id.
    pub id: String,
    /// `run`, `probe`, `inspect`, `host`.
    pub kind: &'static str,
    /// Name of its container; `None` for a look at a file of the host.
    pub within: Option<String>,
    /// Whom it is executed as, where that is not the container's own user: `6667:6667`.
    pub as_user: Option<String>,
    /// What it does, in a line: `iptables -L`, `open /mnt/shadow append`.
    pub what: String,
    /// Streams that belong in the snapshot.
    pub capture: Vec<crate::observe::Stream>,
    /// What was seen.
    pub seen: StepObservation,
    /// Findings against it; empty is as expected.
    pub findings: Vec<Finding>,
    /// What the counterfactual run showed, where one was asked for and made.
    pub because: Option<BecauseResult>,
    /// What decided it, where it is not as expected and was asked: a sentence for each of the smallest sets of controls.
    pub why: Vec<String>,
    /// Line in the scenario file.
    pub line: usize,
}

/// One difference between what was expected and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was expected, `denied(EPERM)`.
    pub expected: String,
    /// What was seen, `allowed`.
    pub seen: String,
    /// It is our own inability to observe, not the container's behaviour.
    pub error: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "expected {}, seen {}", self.expected, self.seen)
    }
}

/// What the counterfactual runs of a step showed.
#[derive(Debug, Clone)]
pub struct BecauseResult {
    /// The controls that were changed, all together; empty for a `because: none`.
    pub controls: Vec<Control>,
    /// What was changed, for a reader: `CAP_NET_ADMIN given`.
    pub change: String,
    /// The outcome was the opposite, and with fewer of the controls it was not. Of a `because: none`: nothing turned it.
    pub holds: bool,
    /// What the outcome was.
    pub outcome: crate::observe::Outcome,
    /// What is wrong with the `because`, for its author; empty where it holds.
    pub finding: String,
    /// What came of the step natively, where that is not what the engine gave: then nothing was changed, for it would say nothing of
    /// the engine.
    pub natively: Option<crate::observe::Outcome>,
    /// Why it was not asked, on another engine than the native one: this machine cannot run the case natively. It neither holds nor fails.
    pub unasked: Option<Skip>,
}

impl CaseResult {
    /// Why a `because` of its steps was not asked; `None` where all were.
    #[must_use]
    pub fn unasked(&self) -> Option<&Skip> {
        self.steps.iter().find_map(|step| step.because.as_ref()?.unasked.as_ref())
    }
}
