//! The built-in engine: an OCI Spec as the operations that the launcher walks.

mod devices;
mod limits;
mod plan;
mod seccomp;

pub(super) use plan::{DEVICES, for_id_map};

use caplab_init::wire::Case;

use super::{
    Engine, EngineError, Held, Job, Observation,
    lab::{Lab, Maker},
};
use crate::host::LabHost;

/// What the launcher of this process's lab host is asked to do, as data.
///
/// # Errors
/// Where a Spec asks for something that this engine does not do.
pub fn plan(job: &Job) -> Result<Case, EngineError> {
    plan::case(job, LabHost::for_case(job.apart))
}

/// Makes a case's containers and keeps them, for people to execute processes in.
///
/// # Errors
/// Those of [`Engine::observe`].
pub fn hold(job: &Job) -> Result<Held, EngineError> {
    let host = LabHost::for_case(job.apart);
    Lab::start_on(host, Maker::Launcher)?.hold(job, |_, job| plan::held(job, host))
}

/// Runs cases in namespaces that its launcher makes. Start one per thread: each has a launcher of its own.
#[derive(Debug)]
pub struct Native {
    lab: Lab,
    /// The lab host of cases that ask for one apart, where it is another.
    apart: Option<Lab>,
}

impl Native {
    /// Starts the launcher.
    ///
    /// # Errors
    /// Where the helper cannot be started.
    pub fn start() -> Result<Self, EngineError> {
        Lab::start(Maker::Launcher).map(|lab| Self { lab, apart: None })
    }

    /// The lab host that a case asks for.
    fn lab(&mut self, job: &Job) -> Result<&mut Lab, EngineError> {
        if !job.apart || self.lab.host().is_made() {
            return Ok(&mut self.lab);
        }
        match &mut self.apart {
            Some(lab) => Ok(lab),
            none => Ok(none.insert(Lab::start_on(LabHost::for_case(true), Maker::Launcher)?)),
        }
    }
}

impl Native {
    /// Runs a case as an engine that is wrong would: `change` is given what the launcher is going to be asked for. For
    /// `caplab mutate` alone.
    ///
    /// # Errors
    /// Those of [`Engine::observe`].
    pub fn observe_wrongly(&mut self, job: &Job, change: impl FnOnce(&mut Case)) -> Result<Observation, EngineError> {
        let lab = self.lab(job)?;
        let host = lab.host();
        lab.observe(job, |_, job| {
            let mut case = plan::case(job, host)?;
            change(&mut case);
            Ok(case)
        })
    }
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError> {
        let lab = self.lab(job)?;
        let host = lab.host();
        lab.observe(job, |_, job| plan::case(job, host))
    }
}
