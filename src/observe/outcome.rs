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
