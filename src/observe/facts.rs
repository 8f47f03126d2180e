//! A process and a file as the kernel describes them.

use caplab_init::wire::IdMap;
pub use caplab_init::wire::Namespace;

use super::Resources;
use crate::capability::CapSet;

/// A process, read from its files under /proc.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Effective uid, in the user namespace of the reader.
    pub uid: u32,
    /// The same as the machine numbers it, where the lab host is an ordinary user's and has other numbers.
    pub real_uid: Option<u32>,
    /// Effective gid.
    pub gid: u32,
    /// Supplementary groups, in the kernel's order.
    pub groups: Vec<u32>,
    /// The five sets.
    pub capabilities: CapSets,
    /// no_new_privs.
    pub no_new_privs: bool,
    /// umask(2); `None` where the kernel does not show it (before Linux 4.7).
    pub umask: Option<u32>,
    /// Seccomp mode.
    pub seccomp: Seccomp,
    /// uid_map.
    pub uid_map: Vec<IdMap>,
    /// gid_map.
    pub gid_map: Vec<IdMap>,
    /// Each namespace the kernel shows, and whose it is. In the order of [`Namespace`].
    pub namespaces: Vec<(Namespace, NamespaceState)>,
    /// Sysctls of its namespaces that it was asked to have, name and value; `None` where nobody looked.
    pub sysctls: Option<Vec<(String, String)>>,
    /// Mounts, in the kernel's order.
    pub mounts: Vec<Mount>,
    /// Limits, in the kernel's order.
    pub limits: Vec<Limit>,
    /// Limits of its control groups; `None` where it has none of its own, or nobody looked.
    pub resources: Option<Resources>,
    /// Command line, words joined by a space.
    pub command: String,
    /// Host name; empty where read from outside.
    pub hostname: String,
    /// Processes that its /proc shows; empty where read from outside.
    pub processes: Vec<Process>,
}

/// The five capability sets of capabilities(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapSets {
    /// CapInh.
    pub inheritable: CapSet,
    /// CapPrm.
    pub permitted: CapSet,
    /// CapEff.
    pub effective: CapSet,
    /// CapBnd.
    pub bounding: CapSet,
    /// CapAmb.
    pub ambient: CapSet,
}

impl CapSets {
    /// The five with their names, in the order of /proc/PID/status.
    #[must_use]
    pub fn named(&self) -> [(&'static str, CapSet); 5] {
        [
            ("inheritable", self.inheritable),
            ("permitted", self.permitted),
            ("effective", self.effective),
            ("bounding", self.bounding),
            ("ambient", self.ambient),
        ]
    }
}

/// seccomp(2)'s mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// 0.
    #[default]
    Disabled,
    /// 1.
    Strict,
    /// 2.
    Filter,
}

impl Seccomp {
    /// `disabled`, `strict`, `filter`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Strict => "strict",
            Self::Filter => "filter",
        }
    }
}

/// Whether a namespace is the container's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceState {
    /// Its own.
    New,
    /// The host's.
    Host,
    /// That of a container that was made before it, by its name.
    Container(String),
}

impl NamespaceState {
    /// `new`, `host`, `container:a`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::New => "new".to_owned(),
            Self::Host => "host".to_owned(),
            Self::Container(name) => format!("container:{name}"),
        }
    }
}

/// Lines of an id map as the kernel shows them, `"0 2000 1000"`.
#[must_use]
pub fn map_lines(map: &[IdMap]) -> Vec<String> {
    map.iter().map(|line| format!("{} {} {}", line.inside, line.outside, line.count)).collect()
}

/// The same in a sentence.
#[must_use]
pub fn map_words(map: &[IdMap]) -> String {
    map_lines(map).iter().map(|line| format!("\"{line}\"")).collect::<Vec<_>>().join(", ")
}

/// A line of mountinfo, proc_pid_mountinfo(5), escapes undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// What of the file system is mounted.
    pub root: String,
    /// Where.
    pub target: String,
    /// Per-mount options.
    pub options: Vec<String>,
    /// File system type.
    pub fstype: String,
    /// Source.
    pub source: String,
    /// Per-file-system options.
    pub super_options: Vec<String>,
    /// Who sees what is mounted below it.
    pub peers: Peers,
}

/// Who sees what is mounted below a mount: the optional fields `shared:N` and `master:N` of proc_pid_mountinfo(5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Peers {
    /// Nobody else.
    #[default]
    Private,
    /// It has what its master has, and the master nothing of it.
    Slave,
    /// Each mount of its group has what any of them has.
    Shared,
    /// Both: a group of its own that has what a master has. Of a shared mount a user namespace has only this.
    SlaveAndShared,
}

impl Peers {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Private, Self::Slave, Self::Shared, Self::SlaveAndShared];

    /// mount_namespaces(7) has these words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Slave => "slave",
            Self::Shared => "shared",
            Self::SlaveAndShared => "slave and shared",
        }
    }
}

/// A line of /proc/PID/limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// docker's name, `nofile`.
    pub name: &'static str,
    /// `u64::MAX` is unlimited.
    pub soft: u64,
    /// Hard.
    pub hard: u64,
}

/// A process that another one sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its pid there.
    pub pid: u32,
    /// Effective uid there.
    pub uid: u32,
    /// Command line, or the kernel's short name where that is empty.
    pub command: String,
}

/// A file of the fixture host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// It is there.
    pub exists: bool,
    /// Something is mounted there.
    pub mounted: bool,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Content.
    pub content: String,
    /// Content differs from what the fixture began with.
    pub changed: bool,
}
