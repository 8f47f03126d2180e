//! A folder with a scenario, and its results.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with this scenario.
pub(crate) fn place(scenario: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scenarios")).expect("made");
    fs::write(folder.path().join("scenarios/box.yaml"), scenario).expect("written");
    folder
}

/// The results, by this engine.
pub(crate) fn run(place: &Path, engine: &str) -> Vec<Value> {
    results(start(place, engine))
}

/// caplab with the scenario on this engine. Pictures are not what is looked at.
pub(crate) fn start(place: &Path, engine: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.args(["run", "--update", "--format", "json", "--engine", engine]).current_dir(place).env_remove("CI");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("caplab starts")
}

/// What it says when it has ended.
pub(crate) fn results(caplab: Child) -> Vec<Value> {
    let output = caplab.wait_with_output().expect("it ends");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    document["results"].as_array().expect("results").clone()
}
