//! What came of a case: the one structure that reports, snapshots and exit codes are made from.

use std::time::Duration;

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

/// What came of a step, and what the verdict says to it.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// Its id.
    pub id: String,
    /// `run`, `probe`, `inspect`, `host`.
    pub kind: &'static str,
    /// Name of its container; `None` for a look at a file of the host.
    pub within: Option<String>,
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

/// What a counterfactual run showed.
#[derive(Debug, Clone)]
pub struct BecauseResult {
    /// The control that was changed.
    pub control: Control,
    /// What was changed, for a reader: `CAP_NET_ADMIN given`.
    pub change: String,
    /// The outcome was the opposite.
    pub flipped: bool,
    /// What the outcome was.
    pub outcome: crate::observe::Outcome,
}
