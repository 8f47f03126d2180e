//! What must come of a step.

use caplab_init::wire::IdMap;
use regex::Regex;

use super::model::{CapList, Ulimit};
use crate::{
    errno::{Errno, Signal},
    observe::{Namespace, NamespaceState, Peers, Resources, Seccomp},
};

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

impl Matcher {
    /// Whether a text is that.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Contains(parts) => parts.iter().all(|part| text.contains(part)),
            Self::Matches(expression) => expression.is_match(text),
            Self::Equals(wanted) => wanted.trim_end_matches('\n') == text.trim_end_matches('\n'),
        }
    }
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
    pub seccomp: Option<Seccomp>,
    /// Whose each namespace is.
    pub namespaces: Vec<(Namespace, NamespaceState)>,
    /// Mounts by target: option words that must be among the mount's (`ro`, `nosuid`), and its type.
    pub mounts: Vec<MountExpect>,
    /// Limits by docker's name.
    pub limits: Vec<Ulimit>,
    /// Limits of the control groups that it is in.
    pub resources: Resources,
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
    /// Whose mounts below it must be seen where.
    pub propagation: Option<Peers>,
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
    /// Whether something is mounted there.
    pub mounted: Option<bool>,
}
