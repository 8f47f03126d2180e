//! What is mounted in a container because its author asked for it.

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// What is mounted.
    pub source: VolumeSource,
    /// Absolute path in the container, normalised.
    pub target: String,
    /// `:ro`.
    pub read_only: bool,
    /// `:rshared` and the like; nothing said is [`Propagation::Rprivate`], as docker and podman have it.
    pub propagation: Option<Propagation>,
}

impl Volume {
    /// Whether mounts of the host's or of the container's below it are seen by the other.
    #[must_use]
    pub fn propagates(&self) -> bool {
        self.propagation.is_some_and(|one| !one.is_private())
    }
}

/// Who sees what is mounted below a mount, mount_namespaces(7); with `r` also of the mounts that are below it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Nobody else.
    Private,
    /// The same, recursive.
    Rprivate,
    /// What the host mounts is seen in the container.
    Slave,
    /// The same, recursive.
    Rslave,
    /// Also what the container mounts on the host.
    Shared,
    /// The same, recursive.
    Rshared,
}

impl Propagation {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Private, Self::Rprivate, Self::Slave, Self::Rslave, Self::Shared, Self::Rshared];

    /// The runtime-spec's word, and docker's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Rprivate => "rprivate",
            Self::Slave => "slave",
            Self::Rslave => "rslave",
            Self::Shared => "shared",
            Self::Rshared => "rshared",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Nobody else sees.
    #[must_use]
    pub fn is_private(self) -> bool {
        matches!(self, Self::Private | Self::Rprivate)
    }
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
