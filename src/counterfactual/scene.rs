//! A step in question, and what its case resolves to.

use std::time::Duration;

use oci_spec::runtime::{Linux, Mount, Process};

use crate::{
    engine::{ContainerJob, Job, StepJobKind},
    host::Machine,
    observe::{CapSets, Sense, after_execve},
    scenario::model::{Case, Container, Step},
    spec::{self, Unresolvable},
};

/// A case up to the step in question, and what it resolves to.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The case; its last step is the one in question.
    pub case: Case,
    /// What came of the step.
    pub sense: Sense,
    job: Job,
}

impl Scene {
    /// Of the step of this number.
    ///
    /// # Errors
    /// Where the case cannot be resolved.
    pub fn new(case: &Case, step: usize, sense: Sense, machine: &Machine) -> Result<Self, Unresolvable> {
        let mut case = case.clone();
        case.steps.truncate(step + 1);
        let job = spec::job(&case, machine, Duration::ZERO)?;
        Ok(Self { case, sense, job })
    }

    /// The step in question.
    pub(super) fn step(&self) -> &Step {
        // A case has a step, and `new` was given the number of one.
        &self.case.steps[self.case.steps.len() - 1]
    }

    /// The container it is taken in.
    pub(super) fn container(&self) -> &Container {
        &self.case.containers[self.step().within]
    }

    fn container_job(&self) -> &ContainerJob {
        &self.job.containers[self.step().within]
    }

    /// The process of the step; of a look from outside the container's own.
    pub(super) fn process(&self) -> Process {
        match self.job.steps.last().map(|step| &step.kind) {
            Some(StepJobKind::Exec { process, .. }) => (**process).clone(),
            _ => self.container_job().spec.process().clone().unwrap_or_default(),
        }
    }

    /// The capabilities that it has.
    pub(super) fn capabilities(&self) -> CapSets {
        after_execve(&self.process())
    }

    /// Its container's namespaces, maps, lists.
    pub(super) fn linux(&self) -> Linux {
        self.container_job().spec.linux().clone().unwrap_or_default()
    }

    /// Its container's mounts.
    pub(super) fn mounts(&self) -> &[Mount] {
        self.container_job().spec.mounts().as_deref().unwrap_or_default()
    }

    /// Mode, owner and group of what lies at a path of the fixture host.
    pub(super) fn file(&self, path: &str) -> Option<(u32, u32, u32)> {
        let entry = self.job.fixture.iter().find(|entry| entry.path == path)?;
        Some((entry.mode, entry.uid, entry.gid))
    }

    /// Paths of the fixture host that the container sees, each with where it sees it.
    pub(super) fn visible(&self) -> Vec<(&str, String)> {
        use crate::scenario::model::VolumeSource;
        let volumes = self.container().volumes.iter().filter_map(|volume| match &volume.source {
            VolumeSource::Fixture(source) => Some((source.trim_end_matches('/'), &volume.target)),
            VolumeSource::RealHost(_) => None,
        });
        volumes
            .flat_map(|(source, target)| {
                self.job.fixture.iter().filter_map(move |entry| {
                    let below =
                        entry.path.strip_prefix(source).filter(|below| below.is_empty() || below.starts_with('/'));
                    below.map(|below| (entry.path.as_str(), format!("{target}{below}")))
                })
            })
            .collect()
    }
}
