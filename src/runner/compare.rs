//! One case on several engines, side by side.

use super::{Context, run};
use crate::{
    engine::{Engine, Kind},
    result::Verdict,
    scenario::model::{Case, Scenario},
    snapshot::rows,
};

/// What came of a case on each engine.
#[derive(Debug)]
pub struct Compared {
    /// Why an engine has no column of facts, in the order of the engines; `None` where it has one.
    pub absent: Vec<Option<Absent>>,
    /// A row for each fact and step.
    pub rows: Vec<Row>,
}

/// An engine on which nothing was seen.
#[derive(Debug, Clone)]
pub enum Absent {
    /// It was not run, and says nothing.
    Skipped(String),
    /// Something could not be observed.
    Failed(String),
}

/// One fact.
#[derive(Debug)]
pub struct Row {
    /// What it is about: `box: seccomp`.
    pub what: String,
    /// What each engine says; `None` where it says nothing about it.
    pub values: Vec<Option<String>>,
    /// All engines that were run say the same.
    pub same: bool,
}

/// Runs a case on each of these engines. `engines` keeps them for the next case.
pub fn compare(
    context: &Context,
    kinds: &[Kind],
    engines: &mut [Option<Box<dyn Engine>>],
    scenario: &Scenario,
    case: &Case,
) -> Compared {
    let mut absent = Vec::new();
    let mut columns = Vec::new();
    for (kind, engine) in kinds.iter().zip(engines) {
        // The reviewed picture is not of interest: the engines are compared with each other.
        let context =
            Context { engine: *kind, update: true, propose: false, with_differences: true, ..context.clone() };
        let (result, picture) = run(&context, engine, scenario, case);
        let why = match (&picture, result.verdict) {
            (Some(_), _) => None,
            (None, Verdict::Skip(skip)) => Some(Absent::Skipped(skip.reason)),
            (None, Verdict::Error(findings) | Verdict::Fail(findings)) => Some(Absent::Failed(findings.join("; "))),
            (None, Verdict::Pass) => Some(Absent::Failed("nothing was seen".to_owned())),
        };
        absent.push(why);
        let mut column = picture.as_deref().map(rows).unwrap_or_default();
        if picture.is_some() {
            // A picture leaves out what an expectation may still look at.
            column.extend(result.steps.iter().map(|step| {
                let unmet = step.findings.iter().map(|one| format!("expected {}, seen {}", one.expected, one.seen));
                let unmet = unmet.collect::<Vec<_>>().join("; ");
                (
                    format!("{}: as the scenario expects", step.id),
                    if unmet.is_empty() { "yes".to_owned() } else { unmet },
                )
            }));
        }
        columns.push(column);
    }
    Compared { rows: beside(&columns, &absent), absent }
}

/// Rows of every column, each once, in the order in which they are first met.
fn beside(columns: &[Vec<(String, String)>], absent: &[Option<Absent>]) -> Vec<Row> {
    let mut found: Vec<Row> = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let mut after = 0;
        for (what, value) in column {
            let at = match found.iter().position(|row| row.what == *what) {
                Some(at) => at,
                None => {
                    found.insert(after, Row { what: what.clone(), values: vec![None; columns.len()], same: false });
                    after
                }
            };
            found[at].values[index] = Some(value.clone());
            after = at + 1;
        }
    }
    for row in &mut found {
        let mut seen = row.values.iter().zip(absent).filter(|(_, absent)| absent.is_none()).map(|(value, _)| value);
        let first = seen.next();
        row.same = seen.all(|value| Some(value) == first);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        rows.iter().map(|(what, value)| ((*what).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_row_that_one_engine_has_alone_stands_where_it_is_met_and_differs() {
        let columns = [column(&[("a", "1"), ("c", "3")]), column(&[("a", "1"), ("b", "2"), ("c", "4")]), Vec::new()];
        let skipped = Some(Absent::Skipped("not installed".to_owned()));
        let rows = beside(&columns, &[None, None, skipped]);
        let seen: Vec<_> = rows.iter().map(|row| (row.what.as_str(), row.same)).collect();
        assert_eq!(seen, [("a", true), ("b", false), ("c", false)]);
        assert_eq!(rows[1].values, [None, Some("2".to_owned()), None]);
    }
}
