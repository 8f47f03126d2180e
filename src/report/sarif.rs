//! SARIF 2.1.0, which code scanning and editors read.

use serde_json::{Value, json};

use crate::scenario::{Diagnostic, Level};

/// What is wrong with scenario files, and what may not be meant.
#[must_use]
pub fn document(problems: &[&Diagnostic]) -> Value {
    let results = problems.iter().map(|problem| {
        let mut place = json!({"artifactLocation": {"uri": problem.path.to_string_lossy()}});
        // Lines and columns count from 1 there; a fault of the whole file has none.
        if problem.line > 0 {
            place["region"] = json!({"startLine": problem.line, "startColumn": problem.column.max(1)});
        }
        json!({
            "ruleId": if problem.level == Level::Error { "invalid-scenario" } else { "doubtful-scenario" },
            "level": if problem.level == Level::Error { "error" } else { "warning" },
            "message": {"text": problem.in_a_line()},
            "locations": [{"physicalLocation": place}],
        })
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "caplab",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [
                    {"id": "invalid-scenario", "shortDescription": {"text": "A scenario that is not valid"}},
                    {"id": "doubtful-scenario", "shortDescription": {"text": "A scenario that may not say what is meant"}},
                ],
            }},
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}
