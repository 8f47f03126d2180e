//! JUnit's XML, as CI servers read it: a suite a scenario, a test a case.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

use super::outcome::{Row, rows};

/// The results of a document of `--format json`.
///
/// # Errors
/// Where it cannot be written as XML, which would be this program's own mistake.
pub fn document(document: &Value) -> Result<String, String> {
    let mut report = Report::new("caplab");
    let mut suites: Vec<TestSuite> = Vec::new();
    for row in rows(document) {
        let case = test(&row);
        match suites.iter_mut().find(|suite| suite.name.as_str() == row.scenario) {
            Some(suite) => drop(suite.add_test_case(case)),
            None => {
                let mut suite = TestSuite::new(row.scenario);
                // Of a suite, for where it is validated (Jenkins' xUnit, junit-10.xsd) a test may not have one.
                if let Some(file) = row.file {
                    suite.extra.insert("file".into(), file.into());
                }
                suite.add_test_case(case);
                suites.push(suite);
            }
        }
    }
    for suite in &mut suites {
        suite.set_time(suite.test_cases.iter().filter_map(|case| case.time).sum());
    }
    report.add_test_suites(suites);
    let millis = document["summary"]["duration_ms"].as_f64().unwrap_or_default();
    report.set_time(duration(millis));
    report.to_string().map(|xml| without_skipped(&xml)).map_err(|error| error.to_string())
}

/// The same schema knows how many were skipped of a suite, and not of the whole.
fn without_skipped(xml: &str) -> String {
    let Some(start) = xml.find("<testsuites ") else { return xml.to_owned() };
    let end = xml[start..].find('>').map_or(xml.len(), |end| start + end);
    let tag = &xml[start..end];
    let kept: Vec<&str> = tag.split(' ').filter(|part| !part.starts_with("skipped=\"")).collect();
    format!("{}{}{}", &xml[..start], kept.join(" "), &xml[end..])
}

fn test(row: &Row<'_>) -> TestCase {
    let status = match row.verdict {
        "pass" => TestCaseStatus::success(),
        "skip" => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(row.reason);
            status
        }
        verdict => {
            // Of an invalid file no container was asked: nothing came out otherwise than expected.
            let (kind, what) = match verdict {
                "fail" if row.is_invalid => (NonSuccessKind::Error, "invalid scenario"),
                "fail" => (NonSuccessKind::Failure, "expected otherwise"),
                _ => (NonSuccessKind::Error, "could not be observed"),
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(row.reason.lines().next().unwrap_or_default());
            status.set_type(what);
            status.set_description(row.told());
            status
        }
    };
    let mut case = TestCase::new(row.name(), status);
    case.set_classname(row.scenario.replace('/', ".")).set_time(duration(row.duration_ms));
    case
}

fn duration(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}
