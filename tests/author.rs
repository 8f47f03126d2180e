//! Beginning: a scenario of one's own, completions, manual pages.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn call(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.args(arguments).current_dir(folder).stdin(std::process::Stdio::null());
    command.env_remove("CAPLAB_MUST_RUN").output().expect("caplab starts")
}

fn says(folder: &Path, status: i32, arguments: &[&str]) -> String {
    let output = call(folder, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "caplab {arguments:?}\n{out}\n{err}");
    if status == 0 { out.into_owned() } else { err.into_owned() }
}

#[test]
fn a_new_scenario_runs() {
    let lab = tempfile::tempdir().expect("a folder");
    let new: [&[&str]; 4] = [
        &["new", "mine/clock", "--probe", "set_time", "--expect", "denied"],
        &[
            "new",
            "mine/port",
            "--container",
            "--cap-drop ALL -u 1000",
            "--probe",
            "{bind_port: 80}",
            "--expect",
            "allowed",
        ],
        &[
            "new",
            "mine/map",
            "--preset",
            "podman",
            "--container",
            "--uidmap 0:2000:1000 -v '/srv/my data:/data:ro'",
            "--probe",
            "{open: {path: /data/decoy, mode: append}}",
            "--expect",
            "denied",
        ],
        &["new", "firewall", "--container", "--cap-add NET_ADMIN", "--probe", "raw_socket", "--expect", "allowed"],
    ];
    for arguments in new {
        let said = says(lab.path(), 0, arguments);
        assert!(said.contains("now: caplab run --update"), "{said}");
    }
    says(lab.path(), 0, &["check", "scenarios"]);
    insta::assert_snapshot!(
        "new_map",
        fs::read_to_string(lab.path().join("scenarios/mine/map.yaml")).expect("written")
    );
    if nix::unistd::geteuid().is_root() {
        let said = says(lab.path(), 0, &["run", "--update"]);
        assert!(said.contains("4 passed, 0 failed, 0 skipped"), "{said}");
    }
    let wrong: [(&[&str], &str); 6] = [
        (&["new", "mine/clock", "--probe", "set_time", "--expect", "denied"], "is there already"),
        (&["new", "../climbs", "--probe", "mount", "--expect", "denied"], "no name for a scenario"),
        (&["new", "a", "--probe", "mout", "--expect", "denied"], "did you mean `mount`?"),
        (
            &["new", "a", "--container", "--cap-ad X", "--probe", "mount", "--expect", "denied"],
            "did you mean `--cap-add`?",
        ),
        (&["new", "a", "--expect", "denied"], "--probe is missing, and there is no terminal"),
        (&["new", "a", "--probe", "mount"], "--expect is missing"),
    ];
    for (arguments, what) in wrong {
        let said = says(lab.path(), 2, arguments);
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
    assert!(!lab.path().join("scenarios/a.yaml").exists());
}

#[test]
fn shells_are_told_of_every_verb() {
    let here = Path::new("/");
    let help = says(here, 0, &["--help"]);
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() > 10, "{help}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = says(here, 0, &["completions", shell]);
        for verb in &verbs {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
    }
    // bash itself finds nothing wrong with it.
    let lab = tempfile::tempdir().expect("a folder");
    let script = lab.path().join("caplab.bash");
    fs::write(&script, says(here, 0, &["completions", "bash"])).expect("written");
    match Command::new("bash").arg("-n").arg(&script).status() {
        Ok(status) => assert!(status.success()),
        Err(_) => println!("bash is not installed"),
    }
    says(lab.path(), 0, &["man", "pages"]);
    for verb in verbs.iter().filter(|verb| **verb != "help") {
        let page = fs::read_to_string(lab.path().join(format!("pages/caplab-{verb}.1"))).expect("a page");
        assert!(page.contains(".TH"), "{verb}");
    }
    assert!(says(here, 0, &["man"]).contains(".SH SYNOPSIS"));
}

/// `--help` teaches: each verb has an example that is a call of it.
#[test]
fn every_help_has_an_example() {
    let here = Path::new("/");
    for verb in ["new", "run", "check", "explain", "from", "to", "merge", "completions", "man"] {
        let help = says(here, 0, &[verb, "--help"]);
        let examples = help.split_once("Examples:").unwrap_or_else(|| panic!("{verb} has no examples")).1;
        assert!(examples.contains(&format!("  caplab {verb}")), "{help}");
    }
}
