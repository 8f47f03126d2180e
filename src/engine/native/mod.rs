//! The built-in engine: the parent's half of it. The other half is the helper in init/.

mod answer;
mod devices;
mod helper;
mod launcher;
mod plan;
mod seccomp;
mod words;

use caplab_init::wire::Response;

use super::{Engine, EngineError, Job, Observation};
use launcher::Launcher;

/// Runs cases in namespaces that its launcher makes. Start one per thread: each has a launcher of its own.
#[derive(Debug)]
pub struct Native {
    launcher: Option<Launcher>,
}

impl Native {
    /// Starts the launcher.
    ///
    /// # Errors
    /// Where the helper cannot be started.
    pub fn start() -> Result<Self, EngineError> {
        Ok(Self { launcher: Some(Launcher::start()?) })
    }
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError> {
        let case = plan::case(job)?;
        // A launcher that failed once is not asked again: what it left undone dies with it.
        let mut launcher = match self.launcher.take() {
            Some(launcher) => launcher,
            None => Launcher::start()?,
        };
        let response = launcher.ask(&case)?;
        self.launcher = Some(launcher);
        match response {
            Response::Done(report) => answer::observation(job, &case, report),
            Response::Failed(refusal) => Err(EngineError(words::fixture(job, &refusal))),
        }
    }
}
