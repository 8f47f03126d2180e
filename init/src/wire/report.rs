//! What the launcher saw.

use alloc::{boxed::Box, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Captured, SessionReport};

/// The answer to a [`super::Request`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Response {
    /// Once, unasked: the launcher of an ordinary user waits in its user namespace for id maps.
    Forked {
        /// Its pid as the guard and caplab number it.
        pid: i32,
    },
    /// The disk that was asked for is there.
    Attached {
        /// Major number of its device.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// The case was taken to its end.
    Done(CaseReport),
    /// The fixture host could not be made, or the launcher itself failed.
    Failed(Refusal),
    /// The containers of a case that is held, as they were made.
    Held(CaseReport),
    /// One more container of it.
    Made(ContainerReport),
    /// What came of a session of it.
    Session {
        /// Which.
        session: u32,
        /// What.
        report: SessionReport,
    },
}

/// What came of a case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CaseReport {
    /// One per container of the request.
    pub containers: Vec<ContainerReport>,
    /// One per step of the request.
    pub steps: Vec<StepReport>,
    /// The root of the first container, where it was asked for.
    pub captured: Option<Result<Captured, Refusal>>,
}

/// What came of making a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ContainerReport {
    /// It runs; this is its pid 1, read from outside after its execve.
    Running(Box<ProcessText>),
    /// It could not be made.
    Refused(Refusal),
}

/// A call that the kernel refused while a process was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// How far it had got.
    pub phase: Phase,
    /// The call, `move_mount`.
    pub call: String,
    /// errno(3).
    pub errno: i32,
    /// What a file system had to say about it (fsconfig's log), or empty.
    pub detail: String,
}

/// How far making a process had got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The fixture host: index of the entry.
    Fixture(u32),
    /// clone3(2).
    Clone,
    /// Entering a namespace of another container, which has ended or was refused.
    Join,
    /// Writing uid_map, gid_map or setgroups.
    IdMap,
    /// An operation of `Container::setup`: its index.
    Setup(u32),
    /// An operation of `Process::ops`: its index.
    Process(u32),
    /// Making or mounting the disk of the fixture host.
    Disk,
    /// Setting a sysctl of the lab host's user namespace.
    Sysctl,
    /// Making its control groups and setting their limits.
    ControlGroup,
    /// Entering a running container: pidfd_open, setns, fork.
    Enter,
    /// execve(2).
    Exec,
    /// The helper's own plumbing: pipes, polls.
    Plumbing,
    /// A runtime refused; what it said is the detail.
    Runtime,
}

/// What came of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum StepReport {
    /// Of an `Exec` step.
    Exec(ExecReport),
    /// The process could not be made, or its container does not run.
    Refused(Refusal),
    /// Of a `HostProcess` step: the process and then its ancestors up to the lab host's pid 1.
    Process(Vec<ProcessText>),
    /// Of a `HostFile` step.
    File(FileReport),
    /// The container was refused or has ended.
    NotRunning {
        /// Index of the container.
        container: u16,
    },
}

/// What a process did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecReport {
    /// How it ended.
    pub exit: Exit,
    /// Standard output up to the limit.
    pub stdout: Vec<u8>,
    /// Standard error up to the limit.
    pub stderr: Vec<u8>,
    /// More was written to standard output than was kept.
    pub stdout_cut: bool,
    /// More was written to standard error than was kept.
    pub stderr_cut: bool,
    /// Nanoseconds from fork to end.
    pub nanos: u64,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It ended with this status.
    Code(i32),
    /// A signal killed it.
    Signal(i32),
    /// It was killed because its time was over.
    TimedOut,
}

/// A process as /proc shows it: the files' text, not yet understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessText {
    /// /proc/PID/status.
    pub status: String,
    /// /proc/PID/uid_map.
    pub uid_map: String,
    /// /proc/PID/gid_map.
    pub gid_map: String,
    /// Sysctls of its namespaces, name and value, numbered as whoever reads them numbers groups; empty where one cannot be read. None where
    /// nobody looked.
    pub sysctls: Option<Vec<(String, String)>>,
    /// /proc/PID/mountinfo.
    pub mountinfo: String,
    /// /proc/PID/limits.
    pub limits: String,
    /// /proc/PID/cmdline, the NULs kept.
    pub cmdline: Vec<u8>,
    /// Name and identity (`pid:[4026532183]`) of each link of /proc/PID/ns.
    pub namespaces: Vec<(String, String)>,
    /// The same of the launcher, which stands for the host.
    pub host_namespaces: Vec<(String, String)>,
    /// /proc/PID/cgroup, as the process itself sees it; read from inside only.
    pub cgroup: String,
    /// The same of pid 1 of its pid namespace.
    pub init_cgroup: String,
    /// Limits of the control groups that it is in: name and content of each file. Empty where nobody looked.
    pub resources: Vec<(String, String)>,
    /// Host name in the process's UTS namespace; read from inside only.
    pub hostname: String,
    /// The processes that the process's own /proc lists: status and cmdline each; read from inside only.
    pub processes: Vec<(String, Vec<u8>)>,
}

/// The names of a process's namespaces in /proc/PID/ns that say where it is (not where its children will be).
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// Name and identity of each namespace of a process, by the links of its /proc/PID/ns; one that the kernel does not have is left out.
pub fn namespaces(link: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    NAMESPACES.into_iter().filter_map(|name| Some((String::from(name), link(name)?))).collect()
}

/// A process and its ancestors up to pid 1 of the /proc that `read` looks at.
pub fn lineage(pid: u32, read: impl Fn(u32) -> ProcessText) -> Vec<ProcessText> {
    let mut all = Vec::new();
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|pid| *pid > 0) {
        let seen = read(pid);
        next = parent(&seen.status);
        all.push(seen);
    }
    all
}

/// Whose child a process is, by its /proc/PID/status; 0 where that is nobody in its pid namespace.
#[must_use]
pub fn parent(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

impl ProcessText {
    /// What the files of /proc/PID say that a process of the host can read; `text` is empty for one that it cannot: who understands it
    /// says which one is missed.
    pub fn read(text: impl Fn(&str) -> String, cmdline: Vec<u8>, namespaces: Vec<(String, String)>) -> Self {
        Self {
            status: text("status"),
            uid_map: text("uid_map"),
            gid_map: text("gid_map"),
            mountinfo: text("mountinfo"),
            limits: text("limits"),
            cmdline,
            namespaces,
            ..Self::default()
        }
    }

    /// Puts right of whom /proc/1 told the control groups: where the container's first process, which has this status and these groups
    /// on the host, is not the pid 1 of its pid namespace, it was somebody else. False where it cannot be told.
    pub fn with_init(&mut self, status: &str, cgroup: &str) -> bool {
        let nested = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        if nested.and_then(|pids| pids.split_whitespace().last()) == Some("1") {
            return true;
        }
        let own = |list: &[(String, String)]| list.iter().find(|(name, _)| name == "cgroup").cloned();
        self.init_cgroup = String::from(cgroup);
        own(&self.namespaces) == own(&self.host_namespaces)
    }
}

/// A file of the fixture host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Whether it is there.
    pub exists: bool,
    /// Whether something is mounted there.
    pub mounted: bool,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// What it is: `S_IFMT` of its mode.
    pub kind: u32,
    /// Of a regular file, its content up to the output limit.
    pub content: Vec<u8>,
    /// Of a directory, what is in it, sorted.
    pub names: Vec<String>,
}
