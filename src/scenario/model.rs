//! What a scenario says once it is known to be valid. Nothing behind these types checks them again.

use std::{fmt, path::PathBuf, sync::Arc};

use caplab_init::wire::IdMap;

use crate::{capability::CapSet, engine::Kind, host::Controller, observe::Namespace, profile::ProfileFile};

use super::Diagnostic;
pub use super::expect::{
    CapabilitiesExpect, Expect, FactsExpect, HostFileExpect, HostProcessExpect, Matcher, MountExpect, OutcomeExpect,
};
pub use super::fixture::{Host, HostDisk, HostFile, HostRuntime, HostSocket};
pub use super::image::FromImage;
pub use super::resources::{Limit, Resources};
pub use super::sharing::{CgroupNamespace, OwnIpc, Owner, Sharing};
pub use super::step::{Action, Because, Control, Step};
pub use super::volume::{Propagation, Tmpfs, Volume, VolumeSource};

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
    /// The file as it was read, for verbs that say it in other words.
    pub text: String,
    /// One without a matrix, else one per cell, in the order written.
    pub cases: Vec<Case>,
    /// What it says that its author may not mean, by place.
    pub warnings: Vec<Diagnostic>,
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

impl Case {
    /// Whether its author asks for no other engine.
    #[must_use]
    pub fn is_for(&self, engine: Kind) -> bool {
        self.requires.iter().all(|one| !matches!(one, Requirement::Engine(engines) if !engines.contains(&engine)))
    }
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
    /// The image that it is made of in the place of that, or on it.
    pub image: Option<FromImage>,
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
    /// security_opt: seccomp=FILE, in the place of the preset's.
    pub seccomp_profile: Option<Arc<ProfileFile>>,
    /// security_opt: seccomp=runtime/default, a pod's `seccompProfile: {type: RuntimeDefault}`.
    pub seccomp_runtime_default: bool,
    /// What security_opt says about the paths of the kernel that are masked or read-only.
    pub system_paths: SystemPaths,
    /// docker's `--device`.
    pub devices: Vec<Device>,
    /// docker's `--device-cgroup-rule`.
    pub device_cgroup_rules: Vec<DeviceRule>,
    /// docker's `--shm-size`, in bytes; `None` is the preset's.
    pub shm_size: Option<u64>,
    /// docker's `--sysctl`: those of the container's own namespaces.
    pub sysctls: Vec<(String, String)>,
    /// docker's `--hostname`.
    pub hostname: Option<String>,
    /// docker's `-e`.
    pub environment: Vec<(String, String)>,
    /// docker's `-w`.
    pub working_dir: Option<String>,
    /// What pid 1 is; `None` waits.
    pub command: Option<Vec<String>>,
    /// docker's `--init`: pid 1 is the engine's init, and the command its child.
    pub init: bool,
    /// Whose namespaces it is in.
    pub sharing: Sharing,
    /// docker's `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// Limits of its control groups.
    pub resources: Resources,
    /// The user of the fixture host who runs the engine, as rootless podman does; `None` is the host's root.
    pub rootless: Option<String>,
    /// Whether it must start.
    pub expect: ContainerExpect,
    /// What no key of the format can say: set by counterfactual/ alone.
    pub altered: Altered,
    /// Line of the file, counted from 1, for a message.
    pub line: usize,
}

/// Changes to the preset's masked and read-only paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemPaths {
    /// docker's `systempaths=unconfined`, podman's `unmask=ALL`: none of the preset's.
    pub unconfined: bool,
    /// podman's `mask`: these too.
    pub mask: Vec<String>,
    /// podman's `unmask`: not these; `*` stands for part of a name.
    pub unmask: Vec<String>,
}

impl Container {
    /// docker's, of which nothing is said.
    #[must_use]
    pub fn of_docker(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            preset: Preset::Docker,
            rootfs: Rootfs::Toolbox,
            image: None,
            privileged: false,
            cap_add: CapList::default(),
            cap_drop: CapList::default(),
            user: None,
            group_add: Vec::new(),
            uidmap: Vec::new(),
            gidmap: Vec::new(),
            volumes: Vec::new(),
            tmpfs: Vec::new(),
            read_only: false,
            no_new_privs: false,
            seccomp_unconfined: false,
            seccomp_profile: None,
            seccomp_runtime_default: false,
            system_paths: SystemPaths::default(),
            devices: Vec::new(),
            device_cgroup_rules: Vec::new(),
            shm_size: None,
            sysctls: Vec::new(),
            hostname: None,
            environment: Vec::new(),
            working_dir: None,
            command: None,
            init: false,
            sharing: Sharing::default(),
            ulimits: Vec::new(),
            resources: Resources::default(),
            rootless: None,
            expect: ContainerExpect::Started,
            altered: Altered::default(),
            line: 0,
        }
    }

    /// Whether its processes may be another user than root: who they are an image may say, before it has been read.
    #[must_use]
    pub fn may_be_a_user(&self) -> bool {
        !User::is_root(self.user.as_ref()) || (self.user.is_none() && self.image.is_some())
    }

    /// It has a user namespace of its own.
    #[must_use]
    pub fn has_user_namespace(&self) -> bool {
        self.rootless.is_some() || !(self.uidmap.is_empty() && self.gidmap.is_empty())
    }
}

/// What counterfactual/ changes in a container and no key of the format can say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Altered {
    /// Capabilities put into all five sets of every process whatever its user is: this is how a capability is given to a user
    /// whom `cap_add` does not reach.
    pub lifted: CapSet,
    /// Capabilities taken out of all five sets of every process: of a privileged container, which `cap_drop` does not reach.
    pub withheld: CapSet,
    /// Without the preset's device list.
    pub all_devices: bool,
    /// Paths of the preset's lists that are left as the kernel has them.
    pub uncovered: Vec<String>,
    /// Paths beyond the preset's lists that are masked.
    pub masked: Vec<String>,
    /// Paths beyond the preset's lists that are read-only.
    pub readonly: Vec<String>,
    /// Targets of the preset's own mounts, and of a tmpfs, that are writable where they were read-only.
    pub writable: Vec<String>,
    /// Supplementary groups that no process has, whatever gives them.
    pub without_groups: Vec<u32>,
}

/// A device of the machine that a container is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its node on the machine.
    pub source: String,
    /// Its node in the container.
    pub target: String,
    /// Letters of `rwm`, what the device list allows; where not said, all three of a harmless one, reading of another.
    pub access: Option<String>,
}

/// A line that is added to the device list: allowed is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRule {
    /// Which kind.
    pub kind: DeviceKind,
    /// `None` is every one.
    pub major: Option<u32>,
    /// `None` is every one.
    pub minor: Option<u32>,
    /// Letters of `rwm`.
    pub access: String,
}

impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviceKind::All => 'a',
            DeviceKind::Block => 'b',
            DeviceKind::Character => 'c',
        };
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        write!(f, "{kind} {}:{} {}", number(self.major), number(self.minor), self.access)
    }
}

/// Of which kind the devices of a [`DeviceRule`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// Both.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Character,
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
    /// A container of a pod, by containerd 1.6's CRI plugin.
    Kubernetes,
    /// New namespaces and nothing else: no capability dropped, nothing masked.
    Bare,
}

impl Container {
    /// Where its author has something mounted: volumes, then tmpfs.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &String> {
        self.volumes.iter().map(|one| &one.target).chain(self.tmpfs.iter().map(|one| &one.target))
    }

    /// Whether there is a seccomp profile for it: its preset's, or one that is asked for.
    pub(crate) fn knows_seccomp(&self) -> bool {
        let asked = self.seccomp_profile.is_some() || self.seccomp_runtime_default;
        asked || !matches!(self.preset, Preset::Bare | Preset::Kubernetes)
    }

    /// Whether it is in force.
    pub(crate) fn has_seccomp(&self) -> bool {
        self.knows_seccomp() && !self.privileged && !self.seccomp_unconfined
    }
}

/// What a container's file system is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rootfs {
    /// Nothing but /etc/passwd, /etc/group and empty directories.
    Toolbox,
    /// The toolbox and the machine's own programs, read-only.
    Host,
}

/// A list of capabilities in which ALL may stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapList {
    /// ALL was in the list.
    pub all: bool,
    /// Those that were named.
    pub named: CapSet,
}

impl CapList {
    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.named.is_empty()
    }
}

/// docker's `user[:group]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Before the colon.
    pub user: IdOrName,
    /// After it.
    pub group: Option<IdOrName>,
}

impl User {
    /// Whether a process of this user is root's; where nobody is named it is.
    #[must_use]
    pub fn is_root(user: Option<&Self>) -> bool {
        match user.map(|user| &user.user) {
            None | Some(IdOrName::Id(0)) => true,
            Some(IdOrName::Name(name)) => name == "root",
            Some(IdOrName::Id(_)) => false,
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(out, "{}:{group}", self.user),
            None => write!(out, "{}", self.user),
        }
    }
}

/// A number, or a name of the container's /etc/passwd or /etc/group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdOrName {
    /// `6667`.
    Id(u32),
    /// `nobody`.
    Name(String),
}

impl fmt::Display for IdOrName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(number) => write!(out, "{number}"),
            Self::Name(name) => out.write_str(name),
        }
    }
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
    /// What stands for the host: root with CAP_SYS_ADMIN, or a user namespace of an ordinary user's.
    LabHost,
    /// What the kernel counts for a user it counts for one of a user namespace.
    OwnCounts,
    /// uid 0 with CAP_SYS_ADMIN.
    Root,
    /// User namespaces.
    Userns,
    /// More ids than one, for whom the files of an image belong to.
    Ids,
    /// A program on the machine, for `rootfs: host`.
    Command(String),
    /// A capability in the machine's bounding set.
    Capability(String),
    /// The kernel's nf_tables.
    NfTables,
    /// A controller of control groups.
    Controller(Controller),
    /// A node of a device.
    Device(String),
    /// `--trust-host`, and what for.
    TrustHost(String),
    /// `--trust-host`, for a namespace of the host's.
    HostNamespace(Namespace),
    /// One of these engines.
    Engine(Vec<Kind>),
}
