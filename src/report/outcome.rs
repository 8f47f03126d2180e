//! The rows of a `--format json` document, from which every other format for programs is made: so that they say the same, and
//! `merge` can print them of what other machines ran.

use std::fmt::Write as _;

use serde_json::Value;

use super::pretty;

/// One case.
pub struct Row<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// The case's name in it.
    pub case: Option<&'a str>,
    /// The scenario's title.
    pub title: &'a str,
    /// The scenario's file.
    pub file: Option<&'a str>,
    /// `pass`, `fail`, `skip`, `error`.
    pub verdict: &'a str,
    /// Whether its file is no valid scenario, of which `verdict` is `fail`.
    pub is_invalid: bool,
    /// Why it is that.
    pub reason: &'a str,
    /// Wall time.
    pub duration_ms: f64,
    /// Line in the file of the first thing that is not as expected, else of nothing: 1.
    pub line: u64,
    value: &'a Value,
}

/// The rows, in their order.
pub fn rows(document: &Value) -> impl Iterator<Item = Row<'_>> {
    document["results"].as_array().into_iter().flatten().map(|value| {
        let steps = value["steps"].as_array().into_iter().flatten();
        let wrong = steps.filter(|step| step["ok"] == false).find_map(|step| step["line"].as_u64());
        Row {
            scenario: value["scenario"].as_str().unwrap_or("?"),
            case: value["case"].as_str(),
            title: value["title"].as_str().unwrap_or_default(),
            file: value["file"].as_str(),
            verdict: value["verdict"].as_str().unwrap_or("error"),
            is_invalid: value["invalid"] == true,
            reason: value["reason"].as_str().unwrap_or_default(),
            duration_ms: value["duration_ms"].as_f64().unwrap_or_default(),
            line: wrong.or_else(|| value["line"].as_u64()).unwrap_or(1).max(1),
            value,
        }
    })
}

/// `3 passed, 2 failed, …`: the sum of a document in a line.
#[must_use]
pub fn counts(document: &Value) -> String {
    let number = |key: &str| document["summary"][key].as_u64().unwrap_or_default();
    let invalid = match number("invalid") {
        0 => String::new(),
        some => format!(" ({some} of them invalid)"),
    };
    format!(
        "{} passed, {} failed{invalid}, {} skipped, {} could not be observed",
        number("passed"),
        number("failed"),
        number("skipped"),
        number("errored")
    )
}

impl Row<'_> {
    /// `area/name[cap=KILL]`.
    #[must_use]
    pub fn name(&self) -> String {
        pretty::name(self.scenario, self.case)
    }

    /// Whether it is as expected, or was not to be run.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self.verdict, "pass" | "skip")
    }

    /// Title, reason, and what each container really had.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = format!("{}\n{}", self.title, self.reason).trim().to_owned();
        for (name, container) in self.value["containers"].as_object().into_iter().flatten() {
            let facts = &container["effective"];
            let Some(effective) = facts["capabilities"]["effective"].as_array() else { continue };
            let names: Vec<&str> = effective.iter().filter_map(Value::as_str).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let _ = write!(text, "\n{name} really had: uid {}, gid {}, effective: {names}", facts["uid"], facts["gid"]);
        }
        text
    }
}
