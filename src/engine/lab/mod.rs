//! The parent's half of the lab host: the helper that is started, what it is asked and what its answers mean. The other half is
//! init/. The native engine has the launcher itself make containers, the engine oci has it drive a runtime.

mod answer;
mod helper;
mod launcher;
pub(super) mod request;
mod words;

use caplab_init::wire::{Case, Response};

use super::{EngineError, Job, Observation};
use launcher::Launcher;

/// A lab host, for one case after the other.
#[derive(Debug)]
pub(super) struct Lab {
    launcher: Option<Launcher>,
}

impl Lab {
    /// Starts the launcher.
    ///
    /// # Errors
    /// Where the helper cannot be started.
    pub(super) fn start() -> Result<Self, EngineError> {
        Ok(Self { launcher: Some(Launcher::start()?) })
    }

    /// Asks for a case. `case` is made for the guard's pid, which names the lab host on the machine.
    pub(super) fn observe(
        &mut self,
        job: &Job,
        case: impl FnOnce(u32) -> Result<Case, EngineError>,
    ) -> Result<Observation, EngineError> {
        // A launcher that failed once is not asked again: what it left undone dies with it.
        let mut launcher = match self.launcher.take() {
            Some(launcher) => launcher,
            None => Launcher::start()?,
        };
        let case = match case(launcher.id()) {
            Ok(case) => case,
            Err(error) => {
                self.launcher = Some(launcher);
                return Err(error);
            }
        };
        let response = launcher.ask(&case)?;
        self.launcher = Some(launcher);
        match response {
            Response::Done(report) => answer::observation(job, &case, report),
            Response::Failed(refusal) => Err(EngineError(words::fixture(job, &refusal))),
        }
    }
}
