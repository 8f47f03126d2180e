//! A step: what is tried or looked at, what must come of it, and what decides.

use std::time::Duration;

use caplab_init::wire::Probe;

use super::{
    expect::{Expect, FactsExpect, HostFileExpect, HostProcessExpect, OutcomeExpect},
    model::User,
    resources::Limit,
};
use crate::{
    capability::Capability,
    observe::{Namespace, Stream},
};

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

impl Step {
    /// A command that must succeed, which nobody wrote into a file.
    #[must_use]
    pub fn of_command(within: usize, as_user: Option<User>, argv: Vec<String>) -> Self {
        let expect = Expect { outcome: Some(OutcomeExpect::Allowed), ..Expect::default() };
        let action = Action::Run { argv, through: None, expect, because: Because::Unsaid };
        Self { id: "1".to_owned(), within, as_user, timeout: None, capture: Vec::new(), action, line: 0 }
    }
}

/// What a step does and what must come of it.
#[derive(Debug, Clone)]
pub enum Action {
    /// A real command.
    Run {
        /// argv; a string of the author's became `sh -c`.
        argv: Vec<String>,
        /// The fixture host's runtime that executes it, by its path; `None` is the engine itself.
        through: Option<String>,
        /// What must come of it.
        expect: Expect,
        /// What decides.
        because: Because,
    },
    /// One attempt.
    Probe {
        /// Which.
        probe: Probe,
        /// What must come of it; no exit code and no matchers here.
        expect: Expect,
        /// What decides.
        because: Because,
    },
    /// Facts inside.
    Inspect(Box<FactsExpect>),
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

/// What an author says decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Because {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// No control that can be named.
    Nothing,
    /// These, all of them together where there are several; never empty.
    Controls(Vec<Control>),
}

impl Because {
    /// What is named.
    #[must_use]
    pub fn controls(&self) -> &[Control] {
        match self {
            Self::Controls(controls) => controls,
            Self::Unsaid | Self::Nothing => &[],
        }
    }
}

impl Action {
    /// What is said of why it comes out as it does.
    #[must_use]
    pub fn because(&self) -> &Because {
        match self {
            Self::Run { because, .. } | Self::Probe { because, .. } => because,
            Self::Inspect(_) | Self::HostProcess { .. } | Self::HostFile { .. } => &Because::Unsaid,
        }
    }
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
    /// An ordinary user running the engine.
    Rootless,
    /// `privileged`.
    Privileged,
    /// The mount at this target being read-only: a volume, or one of the preset's.
    ReadOnlyMount(String),
    /// There being a volume at this target.
    Volume(String),
    /// This sysctl of a namespace of the container's.
    Sysctl(String),
    /// What is mounted below the volume at this target is seen by nobody else.
    Propagation(String),
    /// `read_only`.
    ReadOnlyRoot,
    /// `no-new-privileges`.
    NoNewPrivs,
    /// The seccomp profile.
    Seccomp,
    /// The paths of the kernel that are masked or read-only.
    SystemPaths,
    /// The device list.
    Devices,
    /// A limit.
    Limit(Limit),
    /// A path of the kernel's file systems being hidden.
    MaskedPath(String),
    /// A path of the kernel's file systems being read-only.
    ReadonlyPath(String),
    /// Being in this supplementary group.
    Group(u32),
    /// Mode and owner of what lies at this path of the fixture host.
    File(String),
    /// A namespace that is another container's or the host's.
    Namespace(Namespace),
    /// How the fixture host's runtime starts itself in a container.
    Runtime,
}
