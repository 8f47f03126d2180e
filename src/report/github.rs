//! Workflow commands of GitHub Actions: an annotation at the line that is wrong.

use std::fmt::Write as _;

use serde_json::Value;

use super::outcome::{counts, rows};
use crate::scenario::{Diagnostic, Level};

/// What is not as expected as errors, what was skipped as one notice, and the sum.
#[must_use]
pub fn document(document: &Value) -> String {
    let mut text = String::new();
    let mut skipped = Vec::new();
    for row in rows(document) {
        match row.verdict {
            "pass" => {}
            "skip" => skipped.push(format!("{}: {}", row.name(), row.reason)),
            _ => text.push_str(&annotation("error", row.file, row.line, None, &row.name(), &row.told())),
        }
    }
    if !skipped.is_empty() {
        let title = property(&format!("{} skipped", skipped.len()));
        let _ = writeln!(text, "::notice title={title}::{}", data(&skipped.join("\n")));
    }
    let _ = writeln!(text, "{}", counts(document));
    text
}

/// What is wrong with a scenario file, or may not be meant.
#[must_use]
pub fn problem(problem: &Diagnostic) -> String {
    let help = problem.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let (line, column) = (problem.line.max(1) as u64, problem.column.max(1) as u64);
    let message = format!("{}{help}", problem.message);
    let (level, title) = match problem.level {
        Level::Error => ("error", "invalid scenario"),
        Level::Warning => ("warning", "doubtful scenario"),
    };
    annotation(level, Some(&problem.path.to_string_lossy()), line, Some(column), title, &message)
}

/// One annotation.
fn annotation(level: &str, file: Option<&str>, line: u64, column: Option<u64>, title: &str, message: &str) -> String {
    let file = file.map(|file| format!("file={},line={line},", property(file))).unwrap_or_default();
    let column = column.map(|column| format!("col={column},")).unwrap_or_default();
    format!("::{level} {file}{column}title={}::{}\n", property(title), data(message))
}

/// As @actions/core escapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// And a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
