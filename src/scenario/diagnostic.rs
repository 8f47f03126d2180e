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
    /// It follows from one that was told, and is none of its own.
    pub(super) told: bool,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
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
        Self { at, message: message.into(), help: None, told: false }
    }

    /// Why there is no value where the fault itself was told already.
    pub(super) fn told() -> Self {
        Self { told: true, ..Self::new(Place::default(), "") }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The file is no scenario.
    Error,
    /// It is one, and does not say what its author may think.
    Warning,
}

/// Everything that is wrong with a scenario file, by place.
#[derive(Debug, Clone)]
pub struct Invalid {
    /// The scenario's name.
    pub scenario: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong: at least one, and not more than a person reads at once.
    pub problems: Vec<Diagnostic>,
    /// How many more there are.
    pub more: usize,
}

impl Invalid {
    /// The line of the first problem, counted from 1; 0 where it is about the whole file.
    #[must_use]
    pub fn line(&self) -> usize {
        self.problems.first().map_or(0, |first| first.line)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n\n" })?;
        }
        if self.more > 0 {
            write!(f, "\n\n{}: and {} more", self.path.display(), self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// One thing that is wrong with a scenario file: where, the line itself, what is wrong and what to write instead.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How much it matters.
    pub level: Level,
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
/// More than this is a text of the file, and stands there.
const MESSAGE: usize = 400;

fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

impl Diagnostic {
    pub(super) fn new(level: Level, scenario: &str, path: &Path, text: &str, fault: Fault) -> Self {
        let line = fault.at.line.checked_sub(1).and_then(|index| text.lines().nth(index));
        Self {
            level,
            scenario: scenario.to_owned(),
            path: path.to_owned(),
            line: fault.at.line,
            column: fault.at.column,
            message: shortened(fault.message),
            help: fault.help,
            width: fault.at.width,
            source_line: line.map(|line| line.chars().take(SNIPPET).collect()),
        }
    }
}

impl Diagnostic {
    /// What is wrong, and the help that mends it, in a line.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{help}", self.message)
    }

    /// Of a file that is valid in itself, and still cannot be asked for: what begins in this line of it.
    #[must_use]
    pub fn of_line(scenario: &super::model::Scenario, level: Level, line: usize, message: String) -> Self {
        let text = scenario.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let start = text.len() - text.trim_start().len();
        let at = Place { line, column: start + 1, width: text.trim().chars().count() };
        Self::new(level, &scenario.name, &scenario.path, &scenario.text, Fault::new(at, message))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        let level = if self.level == Level::Warning { "warning: " } else { "" };
        write!(f, ": {level}{}", self.message)?;
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
