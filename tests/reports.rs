//! Formats for programs: JUnit, TAP, annotations, SARIF; shares of a run and their merging.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::Value;
use tempfile::TempDir;

#[path = "support/root.rs"]
mod support;
use support::root;

const PASSING: &str = "title: It passes\nmatrix: {cap: [SYS_ADMIN, SYS_TIME, KILL]}\ncontainer: {preset: docker, cap_add: [NET_ADMIN]}\nsteps:\n  - probe: raw_socket\n    expect: allowed\n    because: {capability: NET_RAW}\n    id: \"${cap}\"\n";
const FAILING: &str =
    "title: 100% wrong, <really>\ncontainer: {preset: docker}\nsteps:\n  - probe: mount\n    expect: allowed\n";
const SKIPPED: &str = "title: It is skipped\ncontainer: {preset: docker, rootfs: host}\nsteps:\n  - run: [no-such-program]\n    expect: allowed\n";
const INVALID: &str = "title: It is no scenario\ncontainer: {preset: doker}\nsteps: []\n";

struct Lab(TempDir);

impl Lab {
    fn new(scenarios: &[(&str, &str)]) -> Self {
        let lab = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in scenarios {
            let path = lab.path().join(format!("scenarios/{name}.yaml"));
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("written");
        }
        lab.call(&["run", "--update"]);
        lab
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
        command.args(arguments).current_dir(self.path()).env_remove("CAPLAB_MUST_RUN").output().expect("caplab starts")
    }

    /// Standard output, after the exit status was found to be this.
    fn says(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "caplab {arguments:?}\n{out}\n{err}");
        out.into_owned()
    }

    fn complains(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        assert_eq!(output.status.code(), Some(2), "caplab {arguments:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }
}

fn all() -> Lab {
    Lab::new(&[("a/passing", PASSING), ("b/failing", FAILING), ("c/skipped", SKIPPED), ("d/invalid", INVALID)])
}

#[test]
fn junit_is_what_servers_read() {
    if !root() {
        return;
    }
    let xml = all().says(2, &["run", "--format", "junit"]);
    let report = Report::deserialize_from_str(&xml).expect("JUnit's XML");
    assert_eq!((report.tests, report.failures, report.errors), (6, 1, 1), "{xml}");
    assert_eq!(report.test_suites.len(), 4);
    let case = |name: &str| {
        let mut cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
        cases.find(|case| case.name.as_str() == name).unwrap_or_else(|| panic!("{name} in {xml}"))
    };
    assert!(matches!(case("a/passing[cap=KILL]").status, TestCaseStatus::Success { .. }));
    assert!(matches!(case("c/skipped").status, TestCaseStatus::Skipped { .. }));
    let TestCaseStatus::NonSuccess { message, description, .. } = &case("b/failing").status else { panic!("{xml}") };
    assert!(message.as_ref().is_some_and(|text| text.contains("expected allowed, seen denied(EPERM)")), "{xml}");
    assert!(description.as_ref().is_some_and(|text| text.contains("100% wrong, <really>")), "{xml}");
    let TestCaseStatus::NonSuccess { kind, ty, .. } = &case("d/invalid").status else { panic!("{xml}") };
    assert_eq!((*kind, ty.as_deref()), (NonSuccessKind::Error, Some("invalid scenario")), "{xml}");
    assert!(xml.contains("classname=\"b.failing\"") && xml.contains("file=\"scenarios/b/failing.yaml\""), "{xml}");
}

/// An element: its attributes, those that it must have, and what may be in it.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

/// The rules of junit-10.xsd, by which the xUnit plugin of Jenkins refuses a whole report.
const JUNIT: [Rule; 6] = [
    ("testsuites", &["name", "time", "tests", "failures", "errors"], &[], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id", "package", "file"],
        &["name", "tests", "failures", "errors"],
        &["testcase"],
    ),
    ("testcase", &["name", "time", "classname", "group"], &["name"], &["skipped", "error", "failure"]),
    ("skipped", &["type", "message"], &[], &[]),
    ("error", &["type", "message"], &[], &[]),
    ("failure", &["type", "message"], &[], &[]),
];

#[test]
fn junit_is_valid_where_it_is_validated() {
    if !root() {
        return;
    }
    let xml = all().says(2, &["run", "--format", "junit"]);
    let tag = regex::Regex::new(r#"<(/?)([a-z-]+)((?: [a-z]+="[^"<]*")*)(/?)>"#).expect("valid");
    let attribute = regex::Regex::new(r#" ([a-z]+)="([^"]*)""#).expect("valid");
    let mut open: Vec<&str> = Vec::new();
    let mut count = 0;
    // All that begins like a tag is one, so that none is passed over.
    assert_eq!(tag.find_iter(&xml).count() + 1, xml.matches('<').count(), "{xml}");
    for found in tag.captures_iter(&xml) {
        let (ends, name, alone) = (&found[1] == "/", found.get(2).expect("a name").as_str(), &found[4] == "/");
        if ends {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        count += 1;
        let rule = |name: &str| JUNIT.iter().find(|(known, ..)| *known == name);
        let (_, may, must, _) = rule(name).unwrap_or_else(|| panic!("<{name}> is no element of JUnit's"));
        match open.last() {
            Some(parent) => {
                assert!(rule(parent).is_some_and(|(.., inside)| inside.contains(&name)), "<{name}> in <{parent}>");
            }
            None => assert_eq!(name, "testsuites"),
        }
        let said: Vec<(&str, &str)> = attribute
            .captures_iter(&found[3])
            .map(|pair| (pair.get(1).expect("a key").as_str(), pair.get(2).expect("a value").as_str()))
            .collect();
        for (key, value) in &said {
            assert!(may.contains(key), "<{name} {key}=…> is not allowed");
            let digits = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            assert!(*key != "time" || digits, "time={value}");
        }
        assert!(must.iter().all(|key| said.iter().any(|(known, _)| known == key)), "<{name}> has not {must:?}");
        if !alone {
            open.push(name);
        }
    }
    assert!(open.is_empty() && count > 12, "{count} elements, {open:?} open");
}

#[test]
fn tap_counts_what_it_plans() {
    if !root() {
        return;
    }
    let text = all().says(2, &["run", "--format", "tap"]);
    let mut lines = text.lines();
    assert_eq!((lines.next(), lines.next()), (Some("TAP version 14"), Some("1..6")));
    let points: Vec<&str> =
        text.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).collect();
    assert_eq!(points.len(), 6, "{text}");
    assert!(points.iter().any(|line| line.contains("- c/skipped # SKIP needs the command no-such-program")), "{text}");
    assert!(points.iter().any(|line| line.starts_with("not ok") && line.ends_with("- b/failing")), "{text}");
    assert!(text.contains("  at: \"scenarios/b/failing.yaml:4\""), "{text}");
    assert_eq!((text.matches("severity: fail").count(), text.matches("severity: invalid").count()), (1, 1), "{text}");
    assert_eq!(text.matches("  ---").count(), text.matches("  ...").count());
}

#[test]
fn annotations_stand_at_the_line() {
    if !root() {
        return;
    }
    let lab = all();
    let text = lab.says(2, &["run", "--format", "github"]);
    assert!(
        text.contains("::error file=scenarios/b/failing.yaml,line=4,title=b/failing::100%25 wrong, <really>%0A"),
        "{text}"
    );
    assert!(text.contains("::error file=scenarios/d/invalid.yaml,line=2,"), "{text}");
    assert!(text.contains("::notice title=1 skipped::c/skipped"), "{text}");
    assert!(text.ends_with("3 passed, 2 failed (1 of them invalid), 1 skipped, 0 could not be observed\n"), "{text}");
    let text = lab.says(2, &["check", "scenarios", "--format", "github"]);
    assert!(text.contains("::error file=scenarios/d/invalid.yaml,line=2,col=21,title=invalid scenario::no preset `doker`%0Ahelp: did you mean `docker`?"), "{text}");
}

#[test]
fn check_prints_for_programs() {
    let lab = Lab::new(&[("a", PASSING), ("b", INVALID)]);
    let document: Value =
        serde_json::from_str(&lab.says(2, &["check", "scenarios", "--format", "json"])).expect("JSON");
    assert_eq!((&document["valid"], &document["scenarios"], &document["cases"]), (&false.into(), &2.into(), &3.into()));
    let problem = &document["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&2.into(), &21.into()));
    assert_eq!(problem["help"], "did you mean `docker`?");
    let sarif: Value = serde_json::from_str(&lab.says(2, &["check", "scenarios", "--format", "sarif"])).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], 2);
    assert_eq!(place["artifactLocation"]["uri"], "scenarios/b.yaml");
    assert_eq!(result["ruleId"], sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"]);
    assert_eq!(lab.says(0, &["check", "scenarios/a.yaml", "--format", "github"]), "");
    let none: Value =
        serde_json::from_str(&lab.says(0, &["check", "scenarios/a.yaml", "--format", "sarif"])).expect("JSON");
    assert_eq!(none["runs"][0]["results"], serde_json::json!([]));
}

/// The line of docs/scaling.md that has this in it, its shell text.
fn documented(part: &str) -> String {
    let text = include_str!("../docs/scaling.md");
    let line = text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part} in docs/scaling.md"));
    let shell = line.split_once("run: ").or_else(|| line.split_once("args: ['")).map_or(line, |(_, rest)| rest);
    shell.trim_end_matches("']").to_owned()
}

fn shell(lab: &Lab, line: &str, variable: (&str, usize)) -> i32 {
    let bin = Path::new(env!("CARGO_BIN_EXE_caplab")).parent().expect("a folder");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let status = Command::new("sh")
        .args(["-c", line])
        .env("PATH", path)
        .env("CI", "true")
        .env_remove("CAPLAB_MUST_RUN")
        .env(variable.0, variable.1.to_string())
        .current_dir(lab.path())
        .status();
    status.expect("a shell").code().expect("it ended")
}

#[test]
fn shares_that_the_documentation_makes_are_the_whole() {
    if !root() {
        return;
    }
    let lab = all();
    let whole: Value = serde_json::from_str(&lab.says(2, &["run", "--format", "json"])).expect("JSON");
    let names = |document: &Value| -> Vec<String> {
        let rows = document["results"].as_array().expect("a list").iter();
        let mut names: Vec<String> =
            rows.map(|row| format!("{}[{}] {}", row["scenario"], row["case"], row["verdict"])).collect();
        names.sort();
        names
    };
    // GitHub's matrix counts from 1, Kubernetes' index from 0.
    let github = documented("--shard \"$SHARD/4\"").replace("sudo target/release/", "");
    for shard in 1..=4 {
        shell(&lab, &github, ("SHARD", shard));
    }
    let merged: Value =
        serde_json::from_str(&lab.says(2, &["merge", "1.json", "2.json", "3.json", "4.json", "--format", "json"]))
            .expect("JSON");
    assert_eq!(names(&merged), names(&whole));
    assert_eq!(merged["summary"]["passed"], whole["summary"]["passed"]);
    assert_eq!((&merged["summary"]["failed"], &merged["summary"]["invalid"]), (&2.into(), &1.into()));
    assert_eq!(whole["summary"]["invalid"], 1);
    assert_eq!(merged["shards"].as_array().map(Vec::len), Some(4));

    let kubernetes = documented("JOB_COMPLETION_INDEX").replace("/results/", "");
    for index in 0..4 {
        shell(&lab, &kubernetes, ("JOB_COMPLETION_INDEX", index));
    }
    let text = lab.says(2, &["merge", "0.json", "1.json", "2.json", "3.json"]);
    assert!(
        text.contains("3 passed, 2 failed (1 of them invalid), 1 skipped, 0 could not be observed, in 4 shares"),
        "{text}"
    );
    let xml = lab.says(2, &["merge", "0.json", "1.json", "2.json", "3.json", "--format", "junit"]);
    assert_eq!(Report::deserialize_from_str(&xml).expect("JUnit's XML").tests, 6);

    // What is not one whole is refused.
    assert!(lab.complains(&["merge", "0.json", "1.json", "3.json"]).contains("share 3/4 is missing"));
    assert!(lab.complains(&["merge", "0.json", "0.json"]).contains("are both share 1/4"));
    fs::write(lab.path().join("whole.json"), whole.to_string()).expect("written");
    assert!(lab.complains(&["merge", "whole.json"]).contains("a whole run"));
    fs::write(lab.path().join("other.json"), "[]").expect("written");
    assert!(lab.complains(&["merge", "other.json"]).contains("is not what"));
    assert!(lab.complains(&["run", "--shard", "5/4"]).contains("I/N"));
}

#[test]
fn pages_stand_alone() {
    if !root() {
        return;
    }
    let lab = all();
    lab.says(2, &["run", "--report", "pages"]);
    // The template writes a slash as a reference, too.
    let read =
        |name: &str| fs::read_to_string(lab.path().join("pages").join(name)).expect("a page").replace("&#x2f;", "/");
    let index = read("index.html");
    for name in ["a/passing", "b/failing", "c/skipped", "d/invalid"] {
        assert!(index.contains(name), "{index}");
    }
    // What is wrong stands first.
    assert!(index.find("d/invalid") < index.find("b/failing") && index.find("b/failing") < index.find("a/passing"));
    let failing = read("b.failing.html");
    assert!(failing.contains("100% wrong, &lt;really&gt;") && !failing.contains("<really>"), "{failing}");
    assert!(failing.contains("expected allowed, seen denied(EPERM)"), "{failing}");
    assert_eq!(failing.matches("<svg").count(), 2);
    assert!(failing.contains("pivot_root"));
    for page in [&index, &failing] {
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("name=\"viewport\""));
        // No script, and nothing that is fetched.
        for foreign in ["<script", "http://", "https://", "<link", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
    // Every link leads to a page that is there.
    for link in index.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        read(link);
    }
}
