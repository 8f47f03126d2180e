//! Formats of a run's results, and of what shards of it brought.

use clap::ValueEnum;
use serde_json::Value;

use super::{complain, print, print_json};
use crate::report::{github, junit, tap};

/// How the results of a run are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RunFormat {
    /// For people
    Pretty,
    /// For programs: one document
    Json,
    /// JUnit's XML, for CI servers
    Junit,
    /// The Test Anything Protocol, version 14
    Tap,
    /// Annotations of GitHub Actions
    Github,
}

impl RunFormat {
    /// Prints a document; for people there is another way.
    pub(super) fn print(self, document: &Value) {
        match self {
            Self::Pretty | Self::Json => print_json(document),
            Self::Junit => match junit::document(document) {
                Ok(text) => print(&text),
                Err(error) => drop(complain(&error)),
            },
            Self::Tap => print(&tap::document(document)),
            Self::Github => print(&github::document(document)),
        }
    }
}
