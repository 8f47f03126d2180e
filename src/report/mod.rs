//! Results for people and for programs. With cli/ the only code that prints.

pub mod config;
pub mod github;
pub mod harden;
pub mod html;
pub mod json;
pub mod junit;
pub mod outcome;
pub mod pretty;
pub mod sarif;
pub mod screen;
pub mod story;
pub mod tap;
pub mod why;

use crate::result::{CaseResult, Verdict};

/// How many of each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped.
    pub skipped: usize,
    /// Could not be observed.
    pub errored: usize,
    /// Files that are no valid scenario.
    pub invalid: usize,
}

impl Tally {
    /// One more.
    pub fn count(&mut self, result: &CaseResult) {
        match result.verdict {
            Verdict::Pass => self.passed += 1,
            Verdict::Fail(_) => self.failed += 1,
            Verdict::Skip(_) => self.skipped += 1,
            Verdict::Error(_) => self.errored += 1,
        }
    }

    /// All of another's.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.errored += other.errored;
        self.invalid += other.invalid;
    }

    /// Exit status of the whole: 2 an invalid scenario, 1 a failed one, 3 something that could not be observed, 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self { invalid: 1.., .. } => 2,
            Self { failed: 1.., .. } => 1,
            Self { errored: 1.., .. } => 3,
            _ => 0,
        }
    }
}
