//! Mutants: what a suite notices and what it does not.

use std::{fs, process::Command};

use serde_json::Value;

#[path = "support/root.rs"]
mod support;
use support::root;

fn mutate(text: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let lab = tempfile::tempdir().expect("a folder");
    let path = lab.path().join("scenarios/area/one.yaml");
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args([&["mutate", "--format", "json"], arguments].concat())
        .current_dir(lab.path())
        .output()
        .expect("caplab starts");
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

const CALLS: &str = "title: A claim\ncontainer: {user: \"6667:6667\"}\nsteps:\n  - probe: keyctl\n    expect: {denied: EPERM}\n  - inspect: {uid: 6667}\n";

fn fate<'a>(found: &'a Value, name: &str) -> &'a Value {
    let results = found["results"].as_array().expect("results");
    &results.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no mutant {name}"))["fate"]
}

#[test]
fn a_wrong_engine_is_noticed_by_who_looks() {
    if !root() {
        return;
    }
    let (status, found) = mutate(CALLS, &["--kind", "engine"]);
    // Nothing here looks at /etc/hosts.
    assert_eq!((status, fate(&found, "setup: file /etc/hosts: left out")), (Some(1), &"survived".into()));
    assert!(found["survivors"].as_array().expect("a list").contains(&"setup: file /etc/hosts: left out".into()));
    for name in [
        "exec: setresuid(2): root's",
        "exec: seccomp(2): everything allowed",
        "pid 1: seccomp(2): left out",
        "pid 1: bounding set: every capability kept",
        "setup: proc at /proc: without nosuid",
        "setup: masked /proc/keys: left out",
        "setup: sysfs at /sys: without ro",
    ] {
        assert_eq!(fate(&found, name), "killed", "{name}");
    }
    // What would make the container's paths the real machine's is not made.
    let results = found["results"].as_array().expect("results");
    assert!(!results.iter().any(|one| one["name"].as_str().expect("a name").contains("pivot_root")));
}

#[test]
fn a_flipped_control_is_seen_in_the_picture_or_by_a_step() {
    if !root() {
        return;
    }
    let (_, found) = mutate(CALLS, &["--kind", "config"]);
    for control in [
        "user lifted",
        "seccomp lifted",
        "no_new_privs imposed",
        "read_only imposed",
        "uidmap imposed",
        "masked_path:/proc/keys lifted",
        "devices lifted",
    ] {
        assert_eq!(fate(&found, &format!("area/one: {control}")), "killed", "{control}");
    }
}

#[test]
fn the_controls_of_every_step_and_every_container_are_flipped() {
    if !root() {
        return;
    }
    let text = "title: A claim\nhost: {files: {/srv/a: {mode: \"0600\"}}}\ncontainers:\n  one: {volumes: [\"/srv:/srv\"]}\n  two: {}\nsteps:\n  \
                - {in: one, as: \"6667:6667\", probe: {open: /srv/a}, expect: {denied: EACCES}}\n  - {in: two, inspect: {uid: 0}}\n";
    let (_, found) = mutate(text, &["--kind", "config"]);
    for (control, wanted) in [
        ("one: file:/srv/a lifted", "killed"),
        // Everybody may pass it already.
        ("one: file:/srv lifted", "none"),
        ("one: user imposed in step 1", "none"),
        ("one: user lifted in step 1", "killed"),
        ("one: seccomp lifted", "killed"),
        ("two: seccomp lifted", "killed"),
        ("two: user imposed", "killed"),
    ] {
        let name = format!("area/one: {control}");
        if wanted == "none" {
            assert!(
                !found["results"].as_array().expect("results").iter().any(|one| one["name"] == name.as_str()),
                "{name}"
            );
        } else {
            assert_eq!(fate(&found, &name), wanted, "{name}");
        }
    }
}

#[test]
fn a_key_that_says_nothing_new_is_no_mutant() {
    if !root() {
        return;
    }
    // Without a list, a profile or a covered path `privileged` has nothing left to give.
    let text = "title: A claim\ncontainer: {preset: bare}\nsteps:\n  - inspect: {uid: 0}\n";
    let (status, found) = mutate(text, &["--kind", "config"]);
    let results = found["results"].as_array().expect("results");
    assert!(!results.iter().any(|one| one["name"].as_str().expect("a name").contains("privileged")), "{results:?}");
    assert_eq!((status, found["survivors"].clone()), (Some(0), serde_json::json!([])));
}

#[test]
fn a_sample_is_the_same_for_the_same_seed() {
    if !root() {
        return;
    }
    let names = |seed: &str| {
        let (_, found) = mutate(CALLS, &["--sample", "6", "--seed", seed]);
        assert_eq!(found["mutants"], 6);
        found["results"].as_array().expect("results").iter().map(|one| one["name"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("7"), names("7"));
    assert_ne!(names("7"), names("8"));
}

#[test]
fn a_command_is_left_to_nobody() {
    if !root() {
        return;
    }
    let text = "title: A claim\ncontainer: {rootfs: host}\nsteps:\n  - run: id\n    expect: allowed\n";
    let (status, found) = mutate(text, &[]);
    assert_eq!((status, &found["mutants"]), (Some(3), &0.into()));
    assert!(found["untaken"][0]["reason"].as_str().expect("text").contains("executes a command"));
}
