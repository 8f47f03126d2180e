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

/// What is copied begins with the program's name, and what is not understood is not left away.
#[test]
fn a_container_of_a_new_scenario_is_in_flags() {
    let lab = tempfile::tempdir().expect("a folder");
    let new = |name: &str, status: i32, more: &[&str]| {
        let arguments = [&["new", name, "--probe", "mount", "--expect", "denied"], more].concat();
        says(lab.path(), status, &arguments)
    };
    let text = |name: &str| fs::read_to_string(lab.path().join(format!("scenarios/{name}.yaml"))).expect("written");
    new("plain", 0, &["--container", "--cap-drop ALL"]);
    new("whole", 0, &["--container", "docker run --cap-drop ALL"]);
    assert_eq!(text("whole").replace("whole", "plain"), text("plain"));
    new("pods", 0, &["--container", "sudo podman container run --cap-add SYS_TIME,KILL"]);
    assert!(text("pods").contains("preset: podman\n  cap_add: [SYS_TIME, KILL]"), "{}", text("pods"));
    let wrong = [
        ("docker run --cap-drop ALL nginx", "`nginx` is no flag"),
        ("--cap-drop ALL nginx nginx -g x", "`nginx nginx -g x` is no flag"),
        ("bind_port 80", "`bind_port 80` is no flag"),
        ("--cap-drop", "--cap-drop wants a value"),
        ("docker ps", "`docker ps` is no flag"),
        ("-e 'A=b", "a quote that is not closed"),
    ];
    for (container, what) in wrong {
        let said = new("a", 2, &["--container", container]);
        assert!(said.contains(what), "{container}: {said}");
    }
    let said = new("a", 2, &["--preset", "podman", "--container", "docker run --init"]);
    assert!(said.contains("is docker's, and the preset is podman"), "{said}");
    assert!(!lab.path().join("scenarios/a.yaml").exists());
}

#[test]
fn a_file_of_scenarios_is_a_name() {
    let lab = tempfile::tempdir().expect("a folder");
    for (asked, name) in [("scenarios/n/q", "n/q"), ("scenarios/n/r.yaml", "n/r")] {
        let said = says(lab.path(), 0, &["new", asked, "--probe", "mount", "--expect", "denied"]);
        assert!(said.contains(&format!("scenarios/{name}.yaml\nnow: caplab run --update {name}\n")), "{said}");
        let list = says(lab.path(), 0, &["list", name]);
        assert!(list.contains(name), "{list}");
    }
    // Its path without the ending is that one, not all that are called so.
    fs::write(lab.path().join("scenarios/n/qq.yaml"), "title: no scenario\n").expect("written");
    for path in ["scenarios/n/q", "./scenarios/n/q", "scenarios/n/q.yaml"] {
        says(lab.path(), 0, &["check", path]);
        says(lab.path(), 0, &["to", "docker", path]);
    }
    assert!(says(lab.path(), 2, &["check", "scenarios/n/s"]).contains("no scenario has"));
    assert!(says(lab.path(), 2, &["check", "./scenarios/n/s"]).contains("no such file"));
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
