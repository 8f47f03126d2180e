//! What is wrong with a scenario file, for its author.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What is wrong, before it is known in which file.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// Where.
    pub(super) at: Place,
    /// What is wrong.
    pub(super) message: String,
    /// What to write instead.
    pub(super) help: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// Counted from 1; 0 where the fault is the whole file's.
    pub(super) line: usize,
    /// In characters, counted from 1.
    pub(super) column: usize,
    /// How many characters to underline.
    pub(super) width: usize,
}

impl Fault {
    pub(super) fn new(at: Place, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// An invalid scenario file: where, the line itself, what is wrong and what to write instead.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The scenario's name.
    pub scenario: String,
    /// The file.
    pub path: PathBuf,
    /// Counted from 1; 0 where it is about the whole file.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong, in a line.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    width: usize,
    source_line: Option<String>,
}

/// More of a line than this is not shown.
const SNIPPET: usize = 160;

impl Diagnostic {
    pub(super) fn new(scenario: &str, path: &Path, text: &str, fault: Fault) -> Self {
        let line = fault.at.line.checked_sub(1).and_then(|index| text.lines().nth(index));
        Self {
            scenario: scenario.to_owned(),
            path: path.to_owned(),
            line: fault.at.line,
            column: fault.at.column,
            message: fault.message,
            help: fault.help,
            width: fault.at.width,
            source_line: line.map(|line| line.chars().take(SNIPPET).collect()),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(line) = &self.source_line {
            let gutter = self.line.to_string();
            let blank = " ".repeat(gutter.len());
            // A tab before the caret stays one, so that the caret stands under what it points at.
            let before: String = line
                .chars()
                .take(self.column.saturating_sub(1))
                .map(|letter| if letter == '\t' { '\t' } else { ' ' })
                .collect();
            let rest = line.chars().count().saturating_sub(self.column - 1);
            let carets = "^".repeat(self.width.clamp(1, rest.max(1)));
            write!(f, "\n{blank} |\n{gutter} | {line}\n{blank} | {before}{carets}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
