//! A run as pages that anybody can open: a table of all, a page a scenario. No script, nothing from elsewhere.

mod picture;

use std::{collections::BTreeSet, fs, io, path::Path};

use minijinja::Environment;
use serde_json::{Value, json};

use super::{outcome::rows, pretty, story};
use crate::{
    explain::{self, Operation, Story},
    host::Machine,
    scenario::{Invalid, model::Scenario},
};

const STYLE: &str = include_str!("html/style.css");
const INDEX: &str = include_str!("html/index.html");
const PAGE: &str = include_str!("html/page.html");

/// Writes the pages of a `--format json` document into a folder, which is made where it is missing.
///
/// # Errors
/// Those of the file system; a template's, which would be this program's own mistake.
pub fn write(
    dir: &Path,
    document: &Value,
    scenarios: &[&Scenario],
    invalid: &[&Invalid],
    machine: &Machine,
) -> io::Result<()> {
    let mut templates = Environment::new();
    let made = |error: minijinja::Error| io::Error::other(format!("a page: {error:#}"));
    templates.add_template("index.html", INDEX).map_err(made)?;
    templates.add_template("page.html", PAGE).map_err(made)?;
    let render = |name: &str, values: &Value| {
        let values = minijinja::Value::from(minijinja::value::Serde(values));
        templates.get_template(name).and_then(|template| template.render(values)).map_err(made)
    };
    fs::create_dir_all(dir)?;
    let mut taken = BTreeSet::new();
    let mut table = Vec::new();
    for scenario in scenarios {
        let results: Vec<&Value> = document["results"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| row["scenario"] == scenario.name.as_str())
            .collect();
        if results.is_empty() {
            continue;
        }
        let file = file_name(&scenario.name, &mut taken);
        let mut first = None;
        let cases: Vec<Value> = results.iter().map(|row| case(scenario, row, machine, &mut first)).collect();
        let page = json!({
            "style": STYLE, "name": scenario.name, "title": scenario.title, "source": scenario.source,
            "about": paragraphs(scenario.about.as_deref()), "yaml": scenario.text, "path": scenario.path,
            "cases": cases, "verdict": worst(&results),
        });
        fs::write(dir.join(&file), render("page.html", &page)?)?;
        table.push(json!({
            "name": scenario.name, "title": scenario.title, "file": file, "verdict": worst(&results), "cases": results.len(),
            "ms": format!("{:.1}", results.iter().filter_map(|row| row["duration_ms"].as_f64()).sum::<f64>()),
        }));
    }
    for diagnostic in invalid {
        table.push(json!({
            "name": diagnostic.scenario, "title": diagnostic.to_string(), "file": null, "verdict": "invalid", "cases": 0, "ms": "",
        }));
    }
    // What is wrong first.
    table.sort_by_key(|row| {
        let order = ["invalid", "fail", "error", "skip", "pass"];
        order.iter().position(|verdict| row["verdict"] == *verdict)
    });
    let index = json!({
        "style": STYLE, "table": table, "summary": document["summary"], "engine": document["engine"], "host": document["host"],
        "version": document["caplab"], "count": rows(document).count(),
    });
    fs::write(dir.join("index.html"), render("index.html", &index)?)
}

/// A name that a file and a link can have.
fn file_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '.' };
    let mut file: String = name.chars().map(safe).collect();
    while file == "index" || !taken.insert(file.clone()) {
        file.push('_');
    }
    format!("{file}.html")
}

fn worst(results: &[&Value]) -> &'static str {
    let has = |verdict: &str| results.iter().any(|row| row["verdict"] == verdict);
    ["fail", "error", "pass"].into_iter().find(|verdict| has(verdict)).unwrap_or("skip")
}

/// Markdown's paragraphs, each cut at its backticks: every second piece is code. The rest of it reads well enough as it is.
fn paragraphs(text: Option<&str>) -> Vec<Vec<String>> {
    let paragraphs = text.unwrap_or_default().split("\n\n").map(|paragraph| paragraph.trim().replace('\n', " "));
    let filled = paragraphs.filter(|paragraph| !paragraph.is_empty());
    filled.map(|paragraph| paragraph.split('`').map(str::to_owned).collect()).collect()
}

/// One case. Of a matrix the first tells the whole way, the others what is different in theirs.
fn case(scenario: &Scenario, row: &Value, machine: &Machine, first: &mut Option<Vec<Story>>) -> Value {
    let found = scenario.cases.iter().find(|case| case.name.as_deref() == row["case"].as_str());
    let stories = found.and_then(|case| explain::stories(case, machine).ok()).unwrap_or_default();
    let told: Vec<Value> = stories
        .iter()
        .enumerate()
        .map(|(index, story)| told(story, first.as_ref().and_then(|first| first.get(index))))
        .collect();
    first.get_or_insert(stories);
    let steps = row["steps"].as_array().into_iter().flatten().map(|step| {
        json!({
            "id": step["id"], "what": step["what"], "within": step["in"], "ok": step["ok"],
            "outcome": outcome(&step["outcome"]),
            "because": step["because"].as_object().map(|because| format!(
                "{}: {}, then {}", because["control"].as_str().unwrap_or_default(),
                because["change"].as_str().unwrap_or_default(), outcome(&because["outcome"]),
            )),
            "findings": step["findings"],
        })
    });
    json!({
        "name": pretty::name(&scenario.name, row["case"].as_str()),
        // The page says which scenario it is; a line may break between two keys.
        "cell": row["case"].as_str().map(|cell| cell.replace(',', ", ")),
        "verdict": row["verdict"],
        "reason": row["reason"],
        "ms": format!("{:.1}", row["duration_ms"].as_f64().unwrap_or_default()),
        "steps": steps.collect::<Vec<_>>(),
        "stories": told,
    })
}

fn outcome(outcome: &Value) -> String {
    let text = |key: &str| outcome[key].as_str().unwrap_or_default();
    match text("kind") {
        "denied" => format!("denied, {}", text("errno")),
        "killed" => format!("killed, {}", text("signal")),
        "failed" => format!("failed, exit status {}", outcome["exit"]),
        "refused" => format!("refused at {}: {}", text("phase"), text("message")),
        kind @ ("unavailable" | "unclear") => format!("{kind}: {}", text("reason")),
        kind => kind.to_owned(),
    }
}

fn told(story: &Story, first: Option<&Story>) -> Value {
    let known = |operation: &&Operation| first.is_some_and(|first| first.operations.contains(operation));
    let own: Vec<&Operation> = story.operations.iter().filter(|operation| !known(operation)).collect();
    let operations = own.chunk_by(|a, b| a.purpose == b.purpose && a.stage == b.stage);
    json!({
        "name": story.name,
        "given": story.given,
        "changes": story.changes.iter().map(|change| json!({
            "place": change.place, "before": change.before, "after": change.after,
        })).collect::<Vec<_>>(),
        "operations": operations.map(|alike| json!({
            "stage": alike[0].stage, "purpose": alike[0].purpose,
            "calls": alike.iter().flat_map(|one| story::calls(&one.calls)).collect::<Vec<_>>().join("\n"),
        })).collect::<Vec<_>>(),
        "rest": first.is_some(),
        "ids": picture::ids(&story.uids, &story.gids),
        "capabilities": picture::capabilities(&story.capabilities),
        "rules": picture::rules(&story.capabilities),
    })
}
