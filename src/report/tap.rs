//! The Test Anything Protocol, version 14.

use std::fmt::Write as _;

use serde_json::Value;

use super::outcome::rows;

/// The results of a document of `--format json`.
#[must_use]
pub fn document(document: &Value) -> String {
    let rows: Vec<_> = rows(document).collect();
    let mut text = format!("TAP version 14\n1..{}\n", rows.len());
    for (index, row) in rows.iter().enumerate() {
        let not = if row.is_good() { "" } else { "not " };
        // Neither ends a description early.
        let name = row.name().replace('\\', "\\\\").replace('#', "\\#");
        let _ = write!(text, "{not}ok {} - {name}", index + 1);
        if row.verdict == "skip" {
            let _ = write!(text, " # SKIP {}", row.reason.replace('\n', " "));
        }
        text.push('\n');
        if !row.is_good() {
            let severity = if row.is_invalid { "invalid" } else { row.verdict };
            let _ = writeln!(text, "  ---\n  severity: {severity}\n  message: |");
            for line in row.told().lines() {
                let _ = writeln!(text, "    {line}");
            }
            if let Some(file) = row.file {
                let _ = writeln!(text, "  at: {:?}", format!("{file}:{}", row.line));
            }
            text.push_str("  ...\n");
        }
    }
    text
}
