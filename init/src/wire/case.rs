//! What the parent asks for: one case, decided to the last number.

use alloc::{borrow::ToOwned, boxed::Box, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Bundle, Hierarchy, Image, LimitGroup, Op, Probe, Runtime, Session, frame::Malformed};

/// One request to a launcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// Once, to a launcher in a user namespace of its own ([`super::Response::Forked`]): its id maps are written.
    Mapped {
        /// setgroups(2) is not denied there.
        set_groups: bool,
    },
    /// Attach a disk for the next case, which is told its numbers ([`super::Response::Attached`]).
    Attach(Disk),
    /// Keep this image for the cases that follow; there is no answer. It is in memory alone.
    Keep(Image),
    /// Keep none of them any longer; there is no answer.
    Forget,
    /// Make the fixture host and the containers, take the steps in order, remove everything.
    Run(Case),
    /// Make them and keep them until the connection ends; steps are not taken.
    Hold(Case),
    /// Of a case that is held: make one more container.
    Make(Box<Container>),
    /// Of a case that is held: execute a process for a person.
    Open(Session),
    /// Of a case that is held: nobody listens to that session any more.
    Close {
        /// Which.
        session: u32,
    },
}

/// A case: a fixture host, containers and steps.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Case {
    /// The fixture host's files, parents before children.
    pub fixture: Vec<FixtureEntry>,
    /// Mounts below it propagate: where a volume asks for that. Else they are the lab host's alone.
    pub shared: bool,
    /// Where the disk that was attached for it is mounted on the fixture host.
    pub disk: Option<String>,
    /// Sysctls of the lab host's user namespace, `user.max_inotify_instances`: put back afterwards.
    pub sysctls: Vec<(String, String)>,
    /// What containers share as /dev/shm.
    pub shared_memory: Vec<SharedMemory>,
    /// Containers, all made before the first step.
    pub containers: Vec<Container>,
    /// Steps, taken in order.
    pub steps: Vec<Step>,
    /// Who makes the containers; the launcher itself where nobody is named.
    pub runtime: Option<Runtime>,
    /// What the first container has made of its root is read after the steps, and the container ended for it.
    pub capture: bool,
    /// Bytes kept of each stream of each step; the rest is read and thrown away.
    pub output_limit: u32,
}

/// A disk of the fixture host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Bytes.
    pub size: u64,
    /// Where the machine has mke2fs(8).
    pub mkfs: String,
}

/// One file or directory of the fixture host. Owner and mode are the kernel's, as `ls -ln` of a host shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FixtureKind {
    /// A directory.
    Dir,
    /// A regular file with this content.
    File(Vec<u8>),
    /// A socket at which a daemon of the host's root answers.
    Socket,
}

/// A container: namespaces, id maps, the setup of its pid 1 and what that becomes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// The container's name in its scenario.
    pub name: String,
    /// `CLONE_NEW*` flags of clone(2): its own namespaces.
    pub namespaces: u64,
    /// uid and gid of the user of the lab host who makes it and owns its user namespace; None is the lab host's root.
    pub engine: Option<(u32, u32)>,
    /// Namespaces of containers that were made before it.
    pub joins: Vec<Join>,
    /// uid_map lines, empty without a user namespace.
    pub uid_map: Vec<IdMap>,
    /// gid_map lines, empty without a user namespace.
    pub gid_map: Vec<IdMap>,
    /// Which devices its processes may make and open: a BPF_PROG_TYPE_CGROUP_DEVICE program, one word an instruction. None
    /// where that is not limited.
    pub devices: Option<Vec<u64>>,
    /// Its own control groups, one in each hierarchy in which it has a limit.
    pub limits: Vec<LimitGroup>,
    /// Where the limits in force are read; nowhere where it has no control groups of its own.
    pub hierarchies: Vec<Hierarchy>,
    /// Sysctls of its namespaces that are read once it runs.
    pub sysctls: Vec<String>,
    /// Operations on mounts and namespaces, in order.
    pub setup: Vec<Op>,
    /// What a runtime makes it from.
    pub bundle: Option<Bundle>,
    /// Pid 1.
    pub init: Process,
}

impl Container {
    /// `CLONE_NEW*` flags of the namespaces that its process makes itself, once it is what they are to be made by.
    ///
    /// - With an IPC namespace the kernel makes its mqueue file system, whose root is whoever asked for it (ipc/mqueue.c
    ///   mqueue_get_inode: current_fsuid), and the clone that makes a user namespace asks as the launcher, whom that namespace does
    ///   not number.
    /// - The root of a cgroup namespace is where its maker is (kernel/cgroup/namespace.c copy_cgroup_ns), and nobody is born
    ///   into a group of version 1.
    ///
    /// runc unshares in two steps too.
    #[must_use]
    pub fn unshared(&self) -> u64 {
        let ipc = if self.uid_map.is_empty() { 0 } else { Self::IPC };
        let cgroup = if self.limits.iter().any(|limits| limits.hierarchy.is_some()) { Self::CGROUP } else { 0 };
        self.namespaces & (ipc | cgroup)
    }

    /// `CLONE_NEWIPC`.
    pub const IPC: u64 = 0x0800_0000;
    /// `CLONE_NEWCGROUP`.
    pub const CGROUP: u64 = 0x0200_0000;
}

/// Namespaces of another container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Index of that container, which stands before the one that joins.
    pub container: u16,
    /// `CLONE_NEW*` flags of setns(2).
    pub namespaces: u64,
}

/// A tmpfs of the lab host that containers with one IPC namespace have as their /dev/shm. docker and podman keep it on the
/// host too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedMemory {
    /// Name of the container whose it is.
    pub name: String,
    /// Options of mount(2).
    pub options: String,
    /// Whom it belongs to, uid and gid of the host: the container's root.
    pub owner: (u32, u32),
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

impl IdMap {
    /// What an id inside is outside; `None` where this line does not have it.
    #[must_use]
    pub fn outside(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside).filter(|offset| *offset < self.count)?;
        self.outside.checked_add(offset)
    }
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
    /// The helper itself: executes this command, or its own pause where there is none, as its child, hands signals on and reaps.
    Init(Vec<String>),
    /// A command of the container's file system. A name without a slash is searched in the PATH of the process.
    Command(Vec<String>),
    /// The same as `Command`, executed by a runtime of the fixture host.
    Through {
        /// The runtime's path there.
        runtime: String,
        /// How it starts itself in the container.
        start: Start,
        /// The command.
        command: Vec<String>,
    },
    /// The helper itself: one attempt.
    Probe(Probe),
    /// The helper itself: describe oneself ([`super::ProcessText`]).
    Inspect,
}

/// What of a runtime it is that is executed in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Its file.
    File,
    /// A sealed copy in memory.
    Memfd,
    /// Its file, on a read-only mount.
    ReadOnly,
}

impl Program {
    /// The arguments it is executed with; `helper` is what the helper is called where it is executed.
    ///
    /// # Errors
    /// A probe that cannot be encoded.
    pub fn args(&self, helper: &str) -> Result<Vec<String>, Malformed> {
        let own = |rest: &[&str]| [helper].iter().chain(rest).map(|text| (*text).to_owned()).collect();
        Ok(match self {
            Self::Command(args) | Self::Through { command: args, .. } => args.clone(),
            Self::Pause => own(&["pause"]),
            Self::Init(command) => own(&["reap"]).into_iter().chain(command.iter().cloned()).collect(),
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
