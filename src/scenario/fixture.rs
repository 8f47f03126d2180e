//! The fixture host as its author wrote it: decoys that stand for the host.

use caplab_init::wire::Start;
use indexmap::IndexMap;

/// The decoys that stand for the host, beyond the default ones.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Users of the fixture host's /etc/passwd: name and uid.
    pub users: IndexMap<String, u32>,
    /// Files by absolute path.
    pub files: IndexMap<String, HostFile>,
    /// A socket at which a daemon of its root's answers.
    pub socket: Option<HostSocket>,
    /// A runtime of its own, a decoy.
    pub runtime: Option<HostRuntime>,
    /// Its disk.
    pub disk: Option<HostDisk>,
    /// It is a user namespace of its own, whoever runs caplab: its users are counted there.
    pub apart: bool,
    /// Sysctls of that user namespace.
    pub sysctls: Vec<(String, String)>,
    /// Mode, owner and group of what lies at a path, whatever it has otherwise. No key of the format sets this: it is how
    /// counterfactual/ changes what the kernel's permission bits decide.
    pub permissions: IndexMap<String, (u32, u32, u32)>,
}

/// A decoy of a container runtime, which the native engine enters containers through where a step asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRuntime {
    /// Its path on the fixture host.
    pub path: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// What of it is executed in a container.
    pub start: Start,
}

/// A socket of the fixture host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSocket {
    /// Its path on the fixture host.
    pub path: String,
    /// Permission bits, 0660 where not said.
    pub mode: u32,
    /// Owner, 0 where not said.
    pub uid: u32,
    /// Group, 0 where not said.
    pub gid: u32,
}

/// A disk of the fixture host: a loop device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDisk {
    /// `decoy`: the node is /dev/decoy.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Where the fixture host has it mounted.
    pub at: String,
}

impl HostDisk {
    /// Its node in a container that is given it.
    #[must_use]
    pub fn node(&self) -> String {
        format!("/dev/{}", self.name)
    }
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
