//! Who runs a case. An engine takes what spec/ made and gives observations; it knows nothing of YAML,
//! expectations or snapshots.

mod driven;
mod early;
mod kind;
mod lab;
pub mod native;
pub mod oci;

pub use early::Early;
pub use kind::Kind;
pub(crate) use lab::limit_name;
pub use lab::{Ended, Held, Opened, Unopened};

use std::{borrow::Cow, path::Path, sync::Arc, time::Duration};

use caplab_init::wire::{Captured, Disk, FixtureEntry, Probe, SharedMemory, Start};
use oci_spec::runtime::{Process, Spec};

use crate::{
    image::Image,
    observe::{FileFacts, Outcome, Output, ProcessFacts, deviations, other_umask},
    scenario::model::{Container, User},
};

/// Sources of mounts that begin with this path are the fixture host's; any other is the real machine's.
pub const FIXTURE_ROOT: &str = "/run/caplab/host";

/// A namespace's `path` that begins with this one is another container's: `…/NAME/ns/pid`, as if NAME were the /proc/PID of its
/// pid 1. docs/adr/0016.
pub const CONTAINER_ROOT: &str = "/run/caplab/containers";

/// Sources of mounts that begin with this path are what a container shares as /dev/shm: `…/NAME`, the owner's.
pub const SHARED_MEMORY_ROOT: &str = "/run/caplab/shm";
/// Where a Spec has the files that a container has as mounts of its own, whatever its root is: those that podman makes where the root
/// is read-only.
pub const OWN_ROOT: &str = "/run/caplab/own";

/// What may be the matter where a runtime hangs, and what to do: runc is of several threads, also in the container.
const OF_A_PROFILE: &str = "where a seccomp profile kills a single thread of it (SCMP_ACT_KILL, SCMP_ACT_KILL_THREAD) the others \
                            wait for that one: SCMP_ACT_KILL_PROCESS ends them all";

/// The name of the container that the path of a namespace is about.
#[must_use]
pub fn namespace_owner(path: &Path) -> Option<&str> {
    path.strip_prefix(CONTAINER_ROOT).ok()?.iter().next()?.to_str()
}

/// What an engine is asked to do.
#[derive(Debug, Clone)]
pub struct Job {
    /// The fixture host's files, parents before children.
    pub fixture: Vec<FixtureEntry>,
    /// The fixture host's disk, and where it is mounted there.
    pub disk: Option<(Disk, String)>,
    /// The host is a user namespace of its own, which counts its users apart.
    pub apart: bool,
    /// Sysctls of that user namespace, while the case takes.
    pub sysctls: Vec<(String, String)>,
    /// What containers share as /dev/shm.
    pub shared_memory: Vec<SharedMemory>,
    /// Containers, each after those whose namespaces it shares, all made before the first step.
    pub containers: Vec<ContainerJob>,
    /// Steps, taken in order.
    pub steps: Vec<StepJob>,
    /// What the first container has made of its root is wanted. For the native engine alone.
    pub capture: bool,
}

impl Job {
    /// Whether anything could see the fixture host; where not, it need not be made.
    #[must_use]
    pub fn sees_fixture(&self) -> bool {
        let mounts = self.containers.iter().flat_map(|container| container.spec.mounts().iter().flatten());
        mounts.filter_map(|mount| mount.source().as_ref()).any(|source| source.starts_with(FIXTURE_ROOT))
            || self.disk.is_some()
            || self
                .steps
                .iter()
                .any(|step| matches!(step.kind, StepJobKind::Exec { program: Program::Through(..), .. }))
            || self.steps.iter().any(|step| matches!(step.kind, StepJobKind::HostFile { .. }))
    }

    /// Whether mounts below the fixture host propagate: a volume of it asks for that.
    #[must_use]
    pub fn shares_fixture(&self) -> bool {
        let words = ["slave", "rslave", "shared", "rshared"];
        let mut mounts = self.containers.iter().flat_map(|container| container.spec.mounts().iter().flatten());
        mounts.any(|mount| mount.options().iter().flatten().any(|word| words.contains(&word.as_str())))
    }

    /// Whether two jobs ask an engine for the same, in whichever of their author's words.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let containers = |one: &Self| {
            one.containers
                .iter()
                .map(|one| (one.spec.clone(), one.root.clone(), one.pause, one.init))
                .collect::<Vec<_>>()
        };
        containers(self) == containers(other)
            && self.fixture == other.fixture
            && self.shared_memory == other.shared_memory
            && self.steps == other.steps
    }
}

/// One container.
#[derive(Debug, Clone)]
pub struct ContainerJob {
    /// Its name in the scenario.
    pub name: String,
    /// What it is asked to be.
    pub spec: Spec,
    /// The same in its author's words, which are those of docker's and podman's command lines.
    pub asked: Container,
    /// Its seccomp profile in docker's JSON format: its author's, else its preset's.
    pub seccomp_profile: Option<Arc<str>>,
    /// What its root file system holds before anything is mounted on it.
    pub root: RootTree,
    /// It has no command of its own: the engine's pause is pid 1.
    pub pause: bool,
    /// The engine's init is pid 1, and the command, or the pause, its child.
    pub init: bool,
}

impl ContainerJob {
    /// Where a mount is that was asked for at a target: where none is there by that name, the image's links on its way have been followed.
    #[must_use]
    pub fn place<'a>(&self, target: &'a str, facts: &ProcessFacts) -> Cow<'a, str> {
        match &self.root.image {
            Some(image) if !facts.mounts.iter().any(|mount| mount.target == target) => {
                image.tree.followed(target).into()
            }
            _ => target.into(),
        }
    }

    /// The Spec with its mounts where they are.
    #[must_use]
    pub fn placed(&self, facts: &ProcessFacts) -> Spec {
        let mut spec = self.spec.clone();
        for mount in spec.mounts_mut().iter_mut().flatten() {
            let place = self.place(&mount.destination().to_string_lossy(), facts).into_owned();
            mount.set_destination(place.into());
        }
        spec
    }
}

/// The content of a root file system.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RootTree {
    /// The image that everything else is laid on.
    pub image: Option<Arc<Image>>,
    /// What an engine writes into every container: Path, mode and content. A file of the image gives way to it.
    pub by_engine: Vec<(String, u32, Vec<u8>)>,
    /// Path and mode.
    pub dirs: Vec<(String, u32)>,
    /// Path, mode and content.
    pub files: Vec<(String, u32, Vec<u8>)>,
    /// Path and target.
    pub symlinks: Vec<(String, String)>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepJob {
    /// After this long its processes are killed.
    pub timeout: Duration,
    /// What is done.
    pub kind: StepJobKind,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepJobKind {
    /// `docker exec`.
    Exec {
        /// Index of the container.
        container: usize,
        /// Credentials, environment, working directory; args only for [`Program::Args`].
        process: Box<Process>,
        /// `docker exec -u` in its author's words.
        as_user: Option<User>,
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
#[derive(Debug, Clone, PartialEq)]
pub enum Program {
    /// The process's args.
    Args,
    /// The same, executed by the runtime at this path of the fixture host.
    Through(String, Start),
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
    /// What the first container has made of its root, or why that could not be read.
    pub captured: Option<Result<Captured, String>>,
}

impl Observation {
    /// Every point in which a container is not what was asked for, each a sentence. Where there is one, nothing that was seen
    /// counts.
    #[must_use]
    pub fn deviations(&self, job: &Job) -> Vec<String> {
        let containers = job.containers.iter().zip(&self.containers);
        containers
            .filter_map(|(asked, state)| match state {
                ContainerState::Running(facts) => Some((asked, deviations(&asked.placed(facts), facts))),
                ContainerState::Refused(_) => None,
            })
            .flat_map(|(asked, points)| {
                let of = |point| format!("container {} is not what was asked for: {point}", asked.name);
                points.into_iter().map(of).collect::<Vec<_>>()
            })
            .chain(self.other_umasks(job))
            .collect()
    }

    /// Of the processes that described themselves: what they make is as open as this says.
    fn other_umasks<'a>(&'a self, job: &'a Job) -> impl Iterator<Item = String> + 'a {
        job.steps.iter().zip(&self.steps).filter_map(|(asked, seen)| match (&asked.kind, &seen.facts) {
            (StepJobKind::Exec { container, process, .. }, Some(Facts::Process(facts))) => {
                let point = other_umask(process, facts)?;
                let name = &job.containers.get(*container)?.name;
                Some(format!("a process executed in container {name} is not what was asked for: {point}"))
            }
            _ => None,
        })
    }
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

/// What of caplab's an engine has in a store of its own.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    /// Containers.
    pub containers: usize,
    /// Those of them whose run still goes on.
    pub in_use: usize,
    /// Images, by name.
    pub images: Vec<String>,
}

/// What was removed of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pruned {
    /// Containers.
    pub containers: usize,
    /// Images.
    pub images: usize,
}

/// Who refused an ordinary user a lab host, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabRefused {
    /// newuidmap or newgidmap.
    Maps(String),
    /// The kernel, for want of permission.
    Kernel(String),
    /// Anything else.
    Other(String),
}

/// The helper, which is also the decoy of a runtime on a fixture host.
#[must_use]
pub fn decoy_runtime() -> &'static [u8] {
    lab::helper::binary()
}

/// Makes this process's lab host once, with nothing in it.
///
/// # Errors
/// Who refused it.
pub fn try_lab_host() -> Result<(), LabRefused> {
    use nix::libc::{EACCES, ENOSYS, EPERM};
    lab::attempt(crate::host::LabHost::of_this_process()).map_err(|why| {
        // A call that a seccomp profile hides is ENOSYS: docker's for clone3(2), so that a C library takes clone(2).
        let denied =
            matches!(&why, lab::Unstarted::Refused(refusal) if [EACCES, ENOSYS, EPERM].contains(&refusal.errno));
        match why {
            lab::Unstarted::Maps(words) => LabRefused::Maps(words),
            other if denied => LabRefused::Kernel(other.words()),
            other => LabRefused::Other(other.words()),
        }
    })
}

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
