//! What the parent asks for: one case, decided to the last number.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Bundle, Op, Probe, Runtime, frame::Malformed};

/// One request to a launcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// Make the fixture host and the containers, take the steps in order, remove everything.
    Run(Case),
}

/// A case: a fixture host, containers and steps.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Case {
    /// The fixture host's files, parents before children.
    pub fixture: Vec<FixtureEntry>,
    /// Containers, all made before the first step.
    pub containers: Vec<Container>,
    /// Steps, taken in order.
    pub steps: Vec<Step>,
    /// Who makes the containers; the launcher itself where nobody is named.
    pub runtime: Option<Runtime>,
    /// Bytes kept of each stream of each step; the rest is read and thrown away.
    pub output_limit: u32,
}

/// One file or directory of the fixture host. Owner and mode are the kernel's, as `ls -ln` of a host shows them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FixtureEntry {
    /// Absolute path on the fixture host, `/etc/shadow`.
    pub path: String,
    /// What it is.
    pub kind: FixtureKind,
    /// Permission bits, `0o640`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What a [`FixtureEntry`] is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FixtureKind {
    /// A directory.
    Dir,
    /// A regular file with this content.
    File(Vec<u8>),
}

/// A container: namespaces, id maps, the setup of its pid 1 and what that becomes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// The container's name in its scenario.
    pub name: String,
    /// `CLONE_NEW*` flags of clone(2).
    pub namespaces: u64,
    /// uid_map lines, empty without a user namespace.
    pub uid_map: Vec<IdMap>,
    /// gid_map lines, empty without a user namespace.
    pub gid_map: Vec<IdMap>,
    /// Which devices its processes may make and open: a BPF_PROG_TYPE_CGROUP_DEVICE program, one word an instruction. None
    /// where that is not limited.
    pub devices: Option<Vec<u64>>,
    /// Operations on mounts and namespaces, in order.
    pub setup: Vec<Op>,
    /// What a runtime makes it from.
    pub bundle: Option<Bundle>,
    /// Pid 1.
    pub init: Process,
}

/// One line of a uid_map or gid_map, user_namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// A process to become: operations on oneself, then an execve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Process {
    /// Operations on credentials, limits and the working directory, in order.
    pub ops: Vec<Op>,
    /// What is executed.
    pub program: Program,
    /// Environment, `NAME=value`.
    pub env: Vec<String>,
    /// The same as a runtime's `exec` takes it: the runtime-spec's `process`.
    pub document: Option<Vec<u8>>,
}

/// What a process executes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Program {
    /// The helper itself: waits, and reaps as pid 1 must.
    Pause,
    /// A command of the container's file system. A name without a slash is searched in the PATH of the process.
    Command(Vec<String>),
    /// The helper itself: one attempt.
    Probe(Probe),
    /// The helper itself: describe oneself ([`super::ProcessText`]).
    Inspect,
}

impl Program {
    /// The arguments it is executed with; `helper` is what the helper is called where it is executed.
    ///
    /// # Errors
    /// A probe that cannot be encoded.
    pub fn args(&self, helper: &str) -> Result<Vec<String>, Malformed> {
        let own = |rest: &[&str]| [helper].iter().chain(rest).map(|text| (*text).to_owned()).collect();
        Ok(match self {
            Self::Command(args) => args.clone(),
            Self::Pause => own(&["pause"]),
            Self::Inspect => own(&["inspect"]),
            Self::Probe(probe) => own(&["probe", &probe.to_hex()?]),
        })
    }
}

/// One step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds until the step's processes are killed.
    pub timeout_ms: u32,
    /// What is done.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum StepKind {
    /// Execute a process in a container, as `docker exec` does.
    Exec {
        /// Index of the container.
        container: u16,
        /// What is executed.
        process: Process,
    },
    /// Look at the process that a container's pid 1 is, from outside.
    HostProcess {
        /// Index of the container.
        container: u16,
    },
    /// Look at a file of the fixture host, from outside.
    HostFile {
        /// Absolute path on the fixture host.
        path: String,
    },
}
