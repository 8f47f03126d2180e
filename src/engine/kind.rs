//! Which engine: chosen when a run begins, never in a scenario.

use std::fmt;

use super::{Engine, EngineError, native::Native, oci::Oci};
use crate::{host::requirement::program, result::Skip};

/// An engine, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Built in.
    #[default]
    Native,
    /// opencontainers/runc, driven as a command.
    Runc,
    /// containers/crun, driven as a command.
    Crun,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Native, Self::Runc, Self::Crun];

    /// `native`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Why every case is skipped with it here; `None` where it is there.
    #[must_use]
    pub fn lacking(self) -> Option<Skip> {
        if self == Self::Native || program(self.name()).is_some() {
            return None;
        }
        let name = self.name();
        Some(Skip {
            reason: format!("the engine {name} is not installed"),
            remedy: Some(format!("apt-get install {name}")),
        })
    }

    /// Starts one. It serves one thread.
    ///
    /// # Errors
    /// Where the helper cannot be started, or the engine's program is not there.
    pub fn start(self) -> Result<Box<dyn Engine>, EngineError> {
        if self == Self::Native {
            return Ok(Box::new(Native::start()?));
        }
        let name = self.name();
        let path =
            program(name).ok_or_else(|| EngineError(format!("{name} is not installed: apt-get install {name}")))?;
        Ok(Box::new(Oci::start(name, &path)?))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
