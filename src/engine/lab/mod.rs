//! The parent's half of the lab host: the helper that is started, what it is asked and what its answers mean. The other half is
//! init/. The native engine has the launcher itself make containers, the engine oci has it drive a runtime.

pub(super) mod answer;
mod disk;
mod held;
pub(super) mod helper;
mod launcher;
mod maps;
pub(super) mod request;
mod words;

use caplab_init::wire::{Case, Refusal, Response};

use super::{ContainerState, EngineError, Facts, Job, Observation, native::DEVICES};
use crate::{
    host::{LabHost, lab::outside},
    observe::ProcessFacts,
};
pub use held::{Ended, Held, Opened, Unopened};
use launcher::Launcher;
pub(super) use launcher::{Maker, attempt};
pub(crate) use words::limit_name;

/// Why there is no launcher.
#[derive(Debug)]
pub(super) enum Unstarted {
    /// The helper itself.
    Helper(String),
    /// The kernel refused it its namespaces.
    Refused(Refusal),
    /// The ids of its user namespace could not be written.
    Maps(String),
}

impl Unstarted {
    /// For a reader.
    pub(super) fn words(self) -> String {
        match self {
            Self::Helper(words) | Self::Maps(words) => words,
            Self::Refused(refusal) => words::lab_host(&refusal),
        }
    }
}

impl From<Unstarted> for EngineError {
    fn from(why: Unstarted) -> Self {
        let words = why.words();
        Self(format!("the native engine's helper cannot be started: {words}; `caplab doctor` tells what it needs"))
    }
}

/// A lab host, for one case after the other.
#[derive(Debug)]
pub(super) struct Lab {
    launcher: Option<Launcher>,
    host: &'static LabHost,
    maker: Maker,
}

impl Lab {
    /// Starts the launcher.
    ///
    /// # Errors
    /// Where the helper cannot be started.
    pub(super) fn start(maker: Maker) -> Result<Self, EngineError> {
        Self::start_on(LabHost::of_this_process(), maker)
    }

    /// Starts the launcher of this lab host.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(super) fn start_on(host: &'static LabHost, maker: Maker) -> Result<Self, EngineError> {
        Ok(Self { launcher: Some(Launcher::start(host, maker)?), host, maker })
    }

    /// What stands for the host.
    pub(super) fn host(&self) -> &'static LabHost {
        self.host
    }

    /// Asks for a case. `case` is made for the guard's pid, which names the lab host on the machine.
    pub(super) fn observe(
        &mut self,
        job: &Job,
        case: impl FnOnce(u32, &Job) -> Result<Case, EngineError>,
    ) -> Result<Observation, EngineError> {
        let (mut launcher, numbered, case) = self.prepare(job, case)?;
        let job = numbered.as_ref().unwrap_or(job);
        let response = launcher.ask(&case)?;
        self.launcher = Some(launcher);
        match response {
            Response::Done(report) => {
                let mut seen = answer::observation(job, &case, report)?;
                self.as_on_a_host(&mut seen);
                Ok(seen)
            }
            Response::Failed(refusal) => Err(EngineError(words::fixture(job, &refusal))),
            _ => Err(unasked()),
        }
    }

    /// Makes a case's containers and keeps them.
    ///
    /// # Errors
    /// As [`Self::observe`].
    pub(super) fn hold(
        mut self,
        job: &Job,
        case: impl FnOnce(u32, &Job) -> Result<Case, EngineError>,
    ) -> Result<Held, EngineError> {
        let (mut launcher, numbered, case) = self.prepare(job, case)?;
        let job = numbered.as_ref().unwrap_or(job);
        match launcher.hold(&case)? {
            Response::Held(report) => {
                let mut seen = answer::observation(job, &case, report)?;
                self.as_on_a_host(&mut seen);
                Ok(Held::new(launcher, case, seen))
            }
            Response::Failed(refusal) => Err(EngineError(words::fixture(job, &refusal))),
            _ => Err(unasked()),
        }
    }

    /// A launcher that has the disk that a job asks for, the job with its numbers, and the case that it is.
    fn prepare(
        &mut self,
        job: &Job,
        case: impl FnOnce(u32, &Job) -> Result<Case, EngineError>,
    ) -> Result<(Launcher, Option<Job>, Case), EngineError> {
        // A launcher that failed once is not asked again: what it left undone dies with it.
        let mut launcher = match self.launcher.take() {
            Some(launcher) => launcher,
            None => Launcher::start(self.host, self.maker)?,
        };
        let numbered = match &job.disk {
            Some((disk, _)) => match launcher.attach(disk)? {
                Response::Attached { major, minor } => Some(disk::numbered(job, (major, minor))),
                Response::Failed(refusal) => {
                    self.launcher = Some(launcher);
                    return Err(EngineError(words::fixture(job, &refusal)));
                }
                _ => {
                    return Err(EngineError(
                        "the launcher was asked for a disk and spoke of something else".to_owned(),
                    ));
                }
            },
            None => None,
        };
        match case(launcher.id(), numbered.as_ref().unwrap_or(job)) {
            Ok(case) => {
                launcher.keep(job.containers.iter().filter_map(|container| container.root.image.as_deref()))?;
                Ok((launcher, numbered, case))
            }
            Err(error) => {
                self.launcher = Some(launcher);
                Err(error)
            }
        }
    }

    /// What is the lab host's and not the container's, where that is no machine's root: beside the uid that it knows the
    /// machine's; and without the nodes of /dev, which are binds of the machine's where nobody can make any.
    fn as_on_a_host(&self, seen: &mut Observation) {
        if self.host.initial {
            return;
        }
        let tell = |facts: &mut ProcessFacts| {
            facts.real_uid = outside(&self.host.uids, facts.uid);
            without_nodes(facts);
        };
        for state in &mut seen.containers {
            if let ContainerState::Running(facts) = state {
                tell(facts);
            }
        }
        for step in &mut seen.steps {
            match &mut step.facts {
                Some(Facts::HostProcess(lineage)) => lineage.iter_mut().for_each(tell),
                Some(Facts::Process(facts)) => without_nodes(facts),
                _ => {}
            }
        }
    }
}

fn unasked() -> EngineError {
    EngineError("the launcher spoke of something that it was not asked for".to_owned())
}

/// A runtime's default devices are nodes, not mounts.
fn without_nodes(facts: &mut ProcessFacts) {
    facts.mounts.retain(|mount| {
        let same = mount.target.strip_prefix("/dev").is_some_and(|name| mount.root.ends_with(name));
        !(same && DEVICES.iter().any(|(path, ..)| mount.target == *path))
    });
}
