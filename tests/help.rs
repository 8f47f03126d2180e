//! What `--help` says is reviewed: others rely on verbs and flags.

use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .expect("caplab starts");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn help_is_the_reviewed_one() {
    insta::assert_snapshot!("caplab", help(&["--help"]));
    for verb in [
        "new",
        "run",
        "watch",
        "list",
        "check",
        "schema",
        "explain",
        "compare",
        "why",
        "harden",
        "shell",
        "mutate",
        "from",
        "to",
        "merge",
        "engine",
        "doctor",
        "completions",
        "man",
    ] {
        insta::assert_snapshot!(verb, help(&[verb, "--help"]));
    }
}
