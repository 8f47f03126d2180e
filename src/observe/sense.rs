//! What an outcome says about permission, and when two say the opposite.

use nix::libc::{SIGKILL, SIGSYS};

use super::Outcome;
use crate::errno::Signal;

/// Exit statuses of a shell for a command that it could not execute, POSIX sh "Command Search and Execution".
const NOT_EXECUTED: [i32; 2] = [126, 127];

/// What an outcome says about permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// It was given.
    Allowed,
    /// It was not. Of a command this is no more than that it failed.
    Denied,
}

impl Outcome {
    /// What it says about permission; `None` where it says nothing: then it is nobody's opposite.
    #[must_use]
    pub fn sense(&self) -> Option<Sense> {
        match self {
            Self::Allowed => Some(Sense::Allowed),
            Self::Denied { .. } => Some(Sense::Denied),
            Self::Failed(code) if !self.not_executed() && *code != 0 => Some(Sense::Denied),
            _ => None,
        }
    }

    /// The same where a kill may be a refusal: of memory beyond a limit the kernel's, of a system call a filter's.
    #[must_use]
    pub fn sense_or_kill(&self) -> Option<Sense> {
        match self {
            Self::Killed(Signal(SIGKILL | SIGSYS)) => Some(Sense::Denied),
            _ => self.sense(),
        }
    }

    /// Whether a shell could not execute a command: it is not there, or is none.
    #[must_use]
    pub fn not_executed(&self) -> bool {
        matches!(self, Self::Failed(code) if NOT_EXECUTED.contains(code))
    }
}

impl Sense {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Allowed => Self::Denied,
            Self::Denied => Self::Allowed,
        }
    }

    /// `denied`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        errno::{Errno, Signal},
        observe::RefusedPhase,
    };

    #[test]
    fn only_what_says_something_of_permission_has_an_opposite() {
        let denied = Outcome::Denied { errno: Errno(1), call: "mount".to_owned() };
        assert_eq!(denied.sense(), Some(Sense::Denied));
        assert_eq!(Outcome::Failed(4).sense(), Some(Sense::Denied));
        assert_eq!(Outcome::Allowed.sense().map(Sense::opposite), Some(Sense::Denied));
        let refused = Outcome::Refused { phase: RefusedPhase::Create, message: String::new() };
        let nothing = [
            // A command that is not there in the changed case proves nothing.
            Outcome::Failed(127),
            Outcome::Failed(126),
            Outcome::Killed(Signal(9)),
            Outcome::TimedOut,
            Outcome::Observed,
            Outcome::Unavailable(String::new()),
            Outcome::Unclear(String::new()),
            refused,
        ];
        for outcome in nothing {
            assert_eq!(outcome.sense(), None, "{outcome:?}");
        }
    }
}
