//! A process for a person: `docker exec -it` in a case that stays until the connection ends.

use serde::{Deserialize, Serialize};

use super::{Exit, Process, Refusal};

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// What it is called in what is said of it later.
    pub id: u32,
    /// Index of the container: of the case's first, then of those that were made later.
    pub container: u16,
    /// What is executed.
    pub process: Process,
    /// With a terminal of this size; `None` is pipes.
    pub window: Option<Window>,
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// The other side of its standard streams: descriptors that follow the message, attached to one byte (`SCM_RIGHTS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Streams {
    /// The master of a terminal of the container's own devpts.
    Terminal,
    /// Three pipes: to its input, from its output, from its error.
    Pipes,
}

impl Streams {
    /// How many descriptors follow.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Terminal => 1,
            Self::Pipes => 3,
        }
    }
}

/// What is said of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum SessionReport {
    /// Its program runs.
    Opened(Streams),
    /// Its process could not be made.
    Refused(Refusal),
    /// Its container was refused or has ended.
    NotRunning,
    /// It has ended, later than it was opened.
    Ended {
        /// How.
        exit: Exit,
        /// With its container: the pid 1 of that has ended.
        with_container: bool,
    },
}
