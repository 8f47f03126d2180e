//! What a scenario says once it is known to be valid. Nothing behind these types checks them again.

use std::{path::PathBuf, time::Duration};

use caplab_init::wire::{IdMap, Probe};
use indexmap::IndexMap;
use regex::Regex;

use crate::{
    capability::{CapSet, Capability},
    errno::{Errno, Signal},
    observe::{Namespace, Stream},
};

/// One YAML file.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its path under the scenarios folder without `.yaml`, `capabilities/default-denies-iptables`.
    pub name: String,
    /// The file it was read from; the embedded path where it came with the binary.
    pub path: PathBuf,
    /// One line: the claim.
    pub title: String,
    /// Where the claim comes from.
    pub source: Option<String>,
    /// Markdown for a reader.
    pub about: Option<String>,
    /// One without a matrix, else one per cell, in the order written.
    pub cases: Vec<Case>,
}

/// One cell of a scenario's matrix: one test.
#[derive(Debug, Clone)]
pub struct Case {
    /// `cap=KILL` or `cap=KILL,user=root`; `None` without a matrix.
    pub name: Option<String>,
    /// The fixture host.
    pub host: Host,
    /// Containers, in the order written; never empty.
    pub containers: Vec<Container>,
    /// Steps, in the order written.
    pub steps: Vec<Step>,
    /// What the author asks for beyond what is derived.
    pub requires: Vec<Requirement>,
}

/// The decoys that stand for the host, beyond the default ones.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Users of the fixture host's /etc/passwd: name and uid.
    pub users: IndexMap<String, u32>,
    /// Files by absolute path.
    pub files: IndexMap<String, HostFile>,
}

/// One file of the fixture host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// Permission bits, 0644 where not said.
    pub mode: u32,
    /// Owner, 0 where not said.
    pub uid: u32,
    /// Group, 0 where not said.
    pub gid: u32,
    /// Content, empty where not said.
    pub content: String,
}

/// A container as its author wrote it, in Compose's words.
#[derive(Debug, Clone)]
pub struct Container {
    /// `box` where the scenario has only one.
    pub name: String,
    /// Whose defaults it starts from.
    pub preset: Preset,
    /// What it is made of.
    pub rootfs: Rootfs,
    /// docker's `--privileged`.
    pub privileged: bool,
    /// docker's `--cap-add`.
    pub cap_add: CapList,
    /// docker's `--cap-drop`.
    pub cap_drop: CapList,
    /// docker's `-u`; `None` is root.
    pub user: Option<User>,
    /// docker's `--group-add`.
    pub group_add: Vec<IdOrName>,
    /// podman's `--uidmap`; empty without a user namespace, unless `gidmap` is given (then the same lines).
    pub uidmap: Vec<IdMap>,
    /// podman's `--gidmap`; where only one of the two is given the other is the same.
    pub gidmap: Vec<IdMap>,
    /// docker's `-v`.
    pub volumes: Vec<Volume>,
    /// docker's `--tmpfs`.
    pub tmpfs: Vec<Tmpfs>,
    /// docker's `--read-only`.
    pub read_only: bool,
    /// docker's `--security-opt no-new-privileges`.
    pub no_new_privs: bool,
    /// security_opt: seccomp=unconfined.
    pub seccomp_unconfined: bool,
    /// docker's `--hostname`.
    pub hostname: Option<String>,
    /// docker's `-e`.
    pub environment: Vec<(String, String)>,
    /// docker's `-w`.
    pub working_dir: Option<String>,
    /// What pid 1 is; `None` waits.
    pub command: Option<Vec<String>>,
    /// docker's `--network`.
    pub network: Network,
    /// docker's `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// Whether it must start.
    pub expect: ContainerExpect,
    /// Capabilities put into all five sets of every process whatever its user is. No key of the format sets
    /// this: it is how counterfactual/ gives a capability to a user whom `cap_add` does not reach.
    pub lifted: CapSet,
    /// Capabilities taken out of all five sets of every process. No key of the format sets this either: it is how
    /// counterfactual/ takes a capability away from a privileged container, which `cap_drop` does not reach.
    pub withheld: CapSet,
    /// Without the preset's device list; set by counterfactual/ alone.
    pub all_devices: bool,
    /// Line of the file, counted from 1, for a message.
    pub line: usize,
}

/// Whose defaults a container starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Docker from 20.10.14 on.
    Docker,
    /// Docker before 20.10.14: the inheritable set is as full as the others (CVE-2022-24769).
    Docker20_10_13,
    /// podman 4 as root.
    Podman,
    /// New namespaces and nothing else: no capability dropped, nothing masked.
    Bare,
}

/// What a container's file system is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rootfs {
    /// Nothing but /etc/passwd, /etc/group and empty directories.
    Toolbox,
    /// The toolbox and the machine's own programs, read-only.
    Host,
}

/// docker's network modes, those that are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Not said. The native engine gives a network namespace with loopback only.
    Default,
    /// `none`.
    None,
}

/// A list of capabilities in which ALL may stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapList {
    /// ALL was in the list.
    pub all: bool,
    /// Those that were named.
    pub named: CapSet,
}

/// docker's `user[:group]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Before the colon.
    pub user: IdOrName,
    /// After it.
    pub group: Option<IdOrName>,
}

/// A number, or a name of the container's /etc/passwd or /etc/group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdOrName {
    /// `6667`.
    Id(u32),
    /// `nobody`.
    Name(String),
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// What is mounted.
    pub source: VolumeSource,
    /// Absolute path in the container, normalised.
    pub target: String,
    /// `:ro`.
    pub read_only: bool,
}

/// Where a volume's content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// A path of the fixture host.
    Fixture(String),
    /// A path of the real machine: needs `--trust-host`.
    RealHost(String),
}

/// A tmpfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmpfs {
    /// Absolute path in the container, normalised.
    pub target: String,
    /// Mount options as docker takes them: `size=64m`, `mode=1777`, `ro`, `exec`. Validated.
    pub options: Vec<String>,
}

/// A resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    /// Name as docker spells it, `nofile`.
    pub name: &'static str,
    /// Soft limit, `u64::MAX` is unlimited. Units as in setrlimit(2).
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// Whether a container must start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerExpect {
    /// It must.
    Started,
    /// It must not: making it fails (`create`), or executing its command does (`start`).
    Refused(RefusedAt),
}

/// At what a container is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedAt {
    /// Namespaces, mounts, credentials.
    Create,
    /// execve of its command.
    Start,
}

/// What a case needs of the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// uid 0 with CAP_SYS_ADMIN.
    Root,
    /// User namespaces.
    Userns,
    /// A program on the machine, for `rootfs: host`.
    Command(String),
    /// A capability in the machine's bounding set.
    Capability(String),
    /// The kernel's nf_tables.
    NfTables,
    /// `--trust-host`, and what for.
    TrustHost(String),
}

/// One thing tried or looked at.
#[derive(Debug, Clone)]
pub struct Step {
    /// Author's, or the number counted from 1.
    pub id: String,
    /// Index of its container.
    pub within: usize,
    /// docker exec's `-u`; `None` is the container's own user.
    pub as_user: Option<User>,
    /// The author's limit.
    pub timeout: Option<Duration>,
    /// Which streams go into the snapshot.
    pub capture: Vec<Stream>,
    /// What is done and what must come of it.
    pub action: Action,
    /// Line of the file, counted from 1.
    pub line: usize,
}

/// What a step does and what must come of it.
#[derive(Debug, Clone)]
pub enum Action {
    /// A real command.
    Run {
        /// argv; a string of the author's became `sh -c`.
        argv: Vec<String>,
        /// What must come of it.
        expect: Expect,
        /// What decides.
        because: Option<Control>,
    },
    /// One attempt.
    Probe {
        /// Which.
        probe: Probe,
        /// What must come of it; no exit code and no matchers here.
        expect: Expect,
        /// What decides.
        because: Option<Control>,
    },
    /// Facts inside.
    Inspect(FactsExpect),
    /// Facts of the container's pid 1 seen from outside.
    HostProcess {
        /// Index of the container.
        container: usize,
        /// What must be.
        expect: HostProcessExpect,
    },
    /// Facts of a file of the fixture host.
    HostFile {
        /// Absolute path.
        path: String,
        /// What must be.
        expect: HostFileExpect,
    },
}

/// What must come of a run or probe step. At least one field is set.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// The outcome.
    pub outcome: Option<OutcomeExpect>,
    /// The exit status.
    pub exit: Option<i32>,
    /// Standard output.
    pub stdout: Option<Matcher>,
    /// Standard error.
    pub stderr: Option<Matcher>,
}

/// Which outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeExpect {
    /// Permission given; exit status 0.
    Allowed,
    /// Permission refused, with this errno where one is named.
    Denied(Option<Errno>),
    /// Killed by a signal.
    Killed(Option<Signal>),
}

/// What text must be.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Has all of these.
    Contains(Vec<String>),
    /// This expression matches somewhere.
    Matches(Regex),
    /// Is this, trailing newlines of both apart.
    Equals(String),
}

/// What an inspect step must find; what is `None` is not asked.
#[derive(Debug, Clone, Default)]
pub struct FactsExpect {
    /// Effective uid.
    pub uid: Option<u32>,
    /// Effective gid.
    pub gid: Option<u32>,
    /// Supplementary groups, order apart.
    pub groups: Option<Vec<u32>>,
    /// Capability sets.
    pub capabilities: CapabilitiesExpect,
    /// Lines "inside outside count".
    pub uid_map: Option<Vec<IdMap>>,
    /// Lines "inside outside count".
    pub gid_map: Option<Vec<IdMap>>,
    /// no_new_privs.
    pub no_new_privs: Option<bool>,
    /// `disabled`, `strict`, `filter`.
    pub seccomp: Option<crate::observe::Seccomp>,
    /// Namespaces: new, or the host's.
    pub namespaces: Vec<(Namespace, bool)>,
    /// Mounts by target: option words that must be among the mount's (`ro`, `nosuid`), and its type.
    pub mounts: Vec<MountExpect>,
    /// Limits by docker's name.
    pub limits: Vec<Ulimit>,
    /// Command lines of the processes that are seen inside.
    pub processes: Option<Matcher>,
    /// Host name.
    pub hostname: Option<String>,
}

/// Which sets must be what. ALL stands for every capability the host has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilitiesExpect {
    /// CapInh.
    pub inheritable: Option<CapList>,
    /// CapPrm.
    pub permitted: Option<CapList>,
    /// CapEff.
    pub effective: Option<CapList>,
    /// CapBnd.
    pub bounding: Option<CapList>,
    /// CapAmb.
    pub ambient: Option<CapList>,
}

/// A mount that must be there, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountExpect {
    /// Mount point.
    pub target: String,
    /// It must be absent.
    pub absent: bool,
    /// File system type.
    pub fstype: Option<String>,
    /// Options that it must have.
    pub options: Vec<String>,
}

/// What a `host: {process: …}` step must find.
#[derive(Debug, Clone, Default)]
pub struct HostProcessExpect {
    /// Effective uid as the host sees it.
    pub uid: Option<u32>,
    /// Effective gid as the host sees it.
    pub gid: Option<u32>,
    /// The name that the fixture host's /etc/passwd has for it.
    pub user: Option<String>,
    /// Command line, words joined by a space.
    pub command: Option<Matcher>,
    /// Lines "inside outside count".
    pub uid_map: Option<Vec<IdMap>>,
    /// Command lines of the ancestors, nearest first, joined by newlines.
    pub parents: Option<Matcher>,
}

/// What a `host: {file: …}` step must find.
#[derive(Debug, Clone, Default)]
pub struct HostFileExpect {
    /// Content differs from what the fixture began with.
    pub changed: Option<bool>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner and group.
    pub owner: Option<(u32, u32)>,
    /// Content.
    pub content: Option<Matcher>,
    /// Whether it exists.
    pub exists: Option<bool>,
}

/// One protection, as `because` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Having or lacking this capability.
    Capability(Capability),
    /// Being this user and not root, or root and not a user.
    User,
    /// The user namespace of `uidmap`/`gidmap`.
    Uidmap,
    /// `privileged`.
    Privileged,
    /// The volume at this target being read-only.
    ReadOnlyVolume(String),
    /// `read_only`.
    ReadOnlyRoot,
    /// `no-new-privileges`.
    NoNewPrivs,
    /// The seccomp profile.
    Seccomp,
    /// The device list.
    Devices,
}
