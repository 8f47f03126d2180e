//! `caplab merge`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{complain, format::RunFormat, say};
use crate::report::outcome;

// Arguments of `caplab merge`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Merge {
    /// What `caplab run --shard I/N --format json` printed, a file a share
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How the whole is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: RunFormat,
}

const EXAMPLES: &str = "Examples:
  caplab run --shard 1/2 --format json > 1.json     # on one machine
  caplab run --shard 2/2 --format json > 2.json     # on another
  caplab merge 1.json 2.json
  caplab merge *.json --format junit > junit.xml

Every share must be there, once, of one version and one engine. The exit status is that of the whole run: docs/scaling.md.";

impl Merge {
    pub(super) fn main(self) -> u8 {
        let mut documents = Vec::new();
        for file in &self.files {
            let read = fs::read(file).map_err(|error| error.to_string());
            match read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| format!("no JSON: {error}"))) {
                Ok(document) => documents.push(document),
                Err(error) => return complain(&format!("{}: {error}", file.display())),
            }
        }
        let names: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        let whole = match merged(&names, documents) {
            Ok(whole) => whole,
            Err(message) => return complain(&message),
        };
        match self.format {
            RunFormat::Pretty => pretty(&whole),
            format => format.print(&whole),
        }
        let some = |key: &str| whole["summary"][key].as_u64().unwrap_or_default() > 0;
        // As a run's: an invalid file first.
        match (some("invalid"), some("failed"), some("errored")) {
            (true, ..) => 2,
            (_, true, _) => 1,
            (_, _, true) => 3,
            _ => 0,
        }
    }
}

/// One document of several.
fn merged(names: &[String], documents: Vec<Value>) -> Result<Value, String> {
    let of = |document: &Value, key: &str| document[key].as_str().unwrap_or_default().to_owned();
    let mut shares: BTreeMap<usize, &String> = BTreeMap::new();
    let mut total = None;
    for (name, document) in names.iter().zip(&documents) {
        if document["results"].as_array().is_none() {
            return Err(format!("{name} is not what `caplab run --format json` prints"));
        }
        for key in ["caplab", "engine"] {
            if of(document, key) != of(&documents[0], key) {
                return Err(format!(
                    "{} is of {key} {}, {name} of {}: they are not one run",
                    names[0],
                    of(&documents[0], key),
                    of(document, key)
                ));
            }
        }
        let shard = of(document, "shard");
        let parsed = shard.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let Some((index, of)) = parsed else {
            return Err(format!("{name} is a whole run, not a share of one: it was made without --shard"));
        };
        if *total.get_or_insert(of) != of {
            return Err(format!("{name} is share {shard}, others are of {} shares", total.unwrap_or_default()));
        }
        if let Some(other) = shares.insert(index, name) {
            return Err(format!("{other} and {name} are both share {shard}"));
        }
    }
    let total: usize = total.unwrap_or_default();
    let missing: Vec<String> =
        (1..=total).filter(|index| !shares.contains_key(index)).map(|index| format!("{index}/{total}")).collect();
    if !missing.is_empty() {
        return Err(format!("share {} is missing: what it ran is not known to have passed", missing.join(", ")));
    }
    let sum = |key: &str| documents.iter().map(|one| one["summary"][key].as_u64().unwrap_or_default()).sum::<u64>();
    // They ran beside each other: the longest is how long it took.
    let took = documents.iter().filter_map(|one| one["summary"]["duration_ms"].as_f64()).fold(0.0, f64::max);
    let mut results: Vec<Value> =
        documents.iter().flat_map(|one| one["results"].as_array().cloned().unwrap_or_default()).collect();
    let key = |result: &Value| (of(result, "scenario"), of(result, "case"));
    results.sort_by_key(key);
    if let Some(twice) = results.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
        return Err(format!("{} is in two of the files: they are not shares of one run", key(&twice[0]).0));
    }
    Ok(json!({
        "caplab": documents[0]["caplab"],
        "engine": documents[0]["engine"],
        "host": documents[0]["host"],
        "shards": names.iter().zip(&documents).map(|(name, one)| json!({
            "file": name, "shard": one["shard"], "host": one["host"], "summary": one["summary"],
        })).collect::<Vec<_>>(),
        "summary": {
            "passed": sum("passed"), "failed": sum("failed"), "invalid": sum("invalid"), "skipped": sum("skipped"),
            "errored": sum("errored"), "duration_ms": took,
        },
        "results": results,
    }))
}

fn pretty(whole: &Value) {
    for row in outcome::rows(whole).filter(|row| !row.is_good()) {
        let word = if row.verdict == "fail" { "FAIL " } else { "ERROR" };
        say(format_args!("\x1b[31;1m{word}\x1b[0m {}", row.name()));
        row.told().lines().for_each(|line| say(format_args!("      {line}")));
    }
    let shares = whole["shards"].as_array().map_or(0, Vec::len);
    say(format_args!("{}, in {shares} shares", outcome::counts(whole)));
}
