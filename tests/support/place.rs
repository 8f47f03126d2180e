//! A folder with a scenario that has a Dockerfile, and its results.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with this scenario.
pub(crate) fn place(scenario: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scenarios")).expect("made");
    fs::write(folder.path().join("scenarios/box.yaml"), scenario).expect("written");
    folder
}

/// The results, by this engine. Pictures are not what is looked at.
pub(crate) fn run(place: &Path, engine: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.args(["run", "--update", "--format", "json", "--engine", engine]).current_dir(place).env_remove("CI");
    let output = command.output().expect("caplab starts");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    document["results"].as_array().expect("results").clone()
}

/// A scenario with this Dockerfile and these steps.
pub(crate) fn scenario(dockerfile: &str, steps: &str) -> String {
    let lines: String = dockerfile.lines().map(|line| format!("      {line}\n")).collect();
    format!("title: t\ncontainer:\n  build:\n    context: .\n    dockerfile_inline: |\n{lines}steps:\n{steps}")
}
