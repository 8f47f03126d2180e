//! What came of a step.

use crate::errno::{Errno, Signal};

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Permission given; for a command, exit status 0.
    Allowed,
    /// Permission refused: the kernel's own word, from a probe.
    Denied {
        /// With what.
        errno: Errno,
        /// Which call, `mount(tmpfs)`.
        call: String,
    },
    /// A signal killed it.
    Killed(Signal),
    /// A command ended with this status.
    Failed(i32),
    /// The process or its container could not be made.
    Refused {
        /// At what.
        phase: RefusedPhase,
        /// Call, object, errno, likely cause, remedy.
        message: String,
    },
    /// There was nothing to ask for permission.
    Unavailable(String),
    /// It took longer than it may.
    TimedOut,
    /// Facts were read (inspect and host steps).
    Observed,
    /// The helper could not tell permission from refusal. Never taken for either.
    Unclear(String),
}

impl Outcome {
    /// Whether two engines saw the same. The words for a reader may be each one's own.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Denied { errno, .. }, Self::Denied { errno: theirs, .. }) => errno == theirs,
            (Self::Refused { phase, .. }, Self::Refused { phase: theirs, .. }) => phase == theirs,
            (Self::Unavailable(_), Self::Unavailable(_)) | (Self::Unclear(_), Self::Unclear(_)) => true,
            (one, other) => one == other,
        }
    }
}

/// How far a container or process had got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedPhase {
    /// Namespaces, mounts, credentials.
    Create,
    /// execve.
    Start,
}

/// A stream of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a step wrote, up to the bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Text; bytes that are no UTF-8 became U+FFFD.
    pub text: String,
    /// More was written than was kept.
    pub cut: bool,
}
