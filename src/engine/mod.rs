//! Who runs a case. An engine takes what spec/ made and gives observations; it knows nothing of YAML,
//! expectations or snapshots.

mod kind;
mod lab;
pub mod native;
pub mod oci;

pub use kind::Kind;

use std::time::Duration;

use caplab_init::wire::{FixtureEntry, Probe};
use oci_spec::runtime::{Process, Spec};

use crate::observe::{FileFacts, Outcome, Output, ProcessFacts};

/// Sources of mounts that begin with this path are the fixture host's; any other is the real machine's.
pub const FIXTURE_ROOT: &str = "/run/caplab/host";

/// What an engine is asked to do.
#[derive(Debug, Clone)]
pub struct Job {
    /// The fixture host's files, parents before children.
    pub fixture: Vec<FixtureEntry>,
    /// Containers, all made before the first step.
    pub containers: Vec<ContainerJob>,
    /// Steps, taken in order.
    pub steps: Vec<StepJob>,
}

/// One container.
#[derive(Debug, Clone)]
pub struct ContainerJob {
    /// Its name in the scenario.
    pub name: String,
    /// What it is asked to be.
    pub spec: Spec,
    /// What its root file system holds before anything is mounted on it.
    pub root: RootTree,
    /// It has no command of its own: the engine's pause is pid 1.
    pub pause: bool,
}

/// The content of a root file system.
#[derive(Debug, Clone, Default)]
pub struct RootTree {
    /// Path and mode.
    pub dirs: Vec<(String, u32)>,
    /// Path, mode and content.
    pub files: Vec<(String, u32, Vec<u8>)>,
    /// Path and target.
    pub symlinks: Vec<(String, String)>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct StepJob {
    /// After this long its processes are killed.
    pub timeout: Duration,
    /// What is done.
    pub kind: StepJobKind,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepJobKind {
    /// `docker exec`.
    Exec {
        /// Index of the container.
        container: usize,
        /// Credentials, environment, working directory; args only for [`Program::Args`].
        process: Box<Process>,
        /// What is executed.
        program: Program,
    },
    /// The container's pid 1 seen from outside.
    HostProcess {
        /// Index of the container.
        container: usize,
    },
    /// A file of the fixture host.
    HostFile {
        /// Absolute path.
        path: String,
    },
}

/// What an exec step executes.
#[derive(Debug, Clone)]
pub enum Program {
    /// The process's args.
    Args,
    /// A probe of the helper.
    Probe(Probe),
    /// The helper describes itself.
    Inspect,
}

/// What an engine saw.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// One per container.
    pub containers: Vec<ContainerState>,
    /// One per step.
    pub steps: Vec<StepObservation>,
}

/// What came of a container.
#[derive(Debug, Clone)]
pub enum ContainerState {
    /// It runs; its pid 1 as the kernel describes it.
    Running(Box<ProcessFacts>),
    /// It could not be made: an [`Outcome::Refused`].
    Refused(Outcome),
}

/// What came of a step.
#[derive(Debug, Clone)]
pub struct StepObservation {
    /// The outcome.
    pub outcome: Outcome,
    /// Exit status of a run step that ended by itself.
    pub exit: Option<i32>,
    /// Standard output of a run step.
    pub stdout: Output,
    /// Standard error of a run step.
    pub stderr: Output,
    /// What an inspect or host step read.
    pub facts: Option<Facts>,
    /// How long it took.
    pub duration: Duration,
}

/// What a step read.
#[derive(Debug, Clone)]
pub enum Facts {
    /// Inside.
    Process(Box<ProcessFacts>),
    /// From outside: pid 1 of the container, then its ancestors, nearest first.
    HostProcess(Vec<ProcessFacts>),
    /// A file; `changed` is against the job's fixture.
    File(FileFacts),
}

/// An engine could not do its work; the machine or caplab is at fault, never the container.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// Who runs cases, one at a time.
pub trait Engine: Send {
    /// `native`.
    fn name(&self) -> &'static str;

    /// Makes everything, takes the steps, removes everything.
    ///
    /// # Errors
    /// Where nothing can be said about the container: the helper cannot be started, the fixture host not made.
    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError>;
}
