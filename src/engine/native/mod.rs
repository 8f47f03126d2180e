//! The built-in engine: an OCI Spec as the operations that the launcher walks.

mod devices;
mod plan;
mod seccomp;

pub(super) use plan::for_id_map;

use super::{Engine, EngineError, Job, Observation, lab::Lab};

/// Runs cases in namespaces that its launcher makes. Start one per thread: each has a launcher of its own.
#[derive(Debug)]
pub struct Native {
    lab: Lab,
}

impl Native {
    /// Starts the launcher.
    ///
    /// # Errors
    /// Where the helper cannot be started.
    pub fn start() -> Result<Self, EngineError> {
        Lab::start().map(|lab| Self { lab })
    }
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError> {
        self.lab.observe(job, |_| plan::case(job))
    }
}
