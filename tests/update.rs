//! `caplab run --update`: which pictures it takes, and what it asks for first.

use std::fs;

#[path = "support/suite.rs"]
mod suite;
#[path = "support/lab.rs"]
mod support;
use suite::{Lab, PASSING};

fn runs() -> bool {
    support::runs_unless(|_| None)
}

#[test]
fn a_snapshot_is_missing_then_written_then_compared() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[("area/one", PASSING)]);
    assert!(lab.says(1, &["run"]).contains("it has no snapshot yet"));
    assert!(lab.says(0, &["run", "--update"]).contains("snapshot written"));
    assert!(lab.says(0, &["run"]).contains("1 passed, 0 failed, 0 skipped"));
    let snapshot = lab.path().join("snapshots/area/one.snap");
    let text = fs::read_to_string(&snapshot).expect("the snapshot");
    assert!(text.starts_with("---\nsource: scenarios/area/one.yaml\nexpression: \"It passes\"\n---\n"), "{text}");
    fs::write(&snapshot, text.replace("no_new_privs: false", "no_new_privs: true")).expect("written");
    let said = lab.says(1, &["run"]);
    assert!(said.contains("-    no_new_privs: true") && said.contains("+    no_new_privs: false"), "{said}");
    // The new picture shows less protection than the reviewed one.
    assert!(lab.says(1, &["run", "--update"]).contains("--accept-weaker"));
    lab.says(0, &["run", "--update", "--accept-weaker"]);
    lab.says(0, &["run"]);
}

#[test]
fn an_update_that_loses_protection_names_each_line_of_it() {
    if !runs() {
        return;
    }
    let scenario = |container: &str, steps: &str| {
        let denied = "{probe: set_time, expect: {denied: EPERM}}";
        format!(
            "title: It passes\nhost: {{files: {{/srv/x: {{}}}}}}\ncontainer: {{{container}}}\nsteps: [{steps}{denied}]\n"
        )
    };
    let profile = |call: &str| {
        format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"names": ["{call}"], "action": "SCMP_ACT_ERRNO"}}]}}"#
        )
    };
    let held = "preset: docker, rootfs: host, ulimits: {nofile: 90}, security_opt: [\"seccomp=own.json\"]";
    let lab = Lab::new(&[("area/one", &scenario(held, ""))]);
    let file = lab.path().join("scenarios/area/own.json");
    fs::write(&file, profile("reboot")).expect("written");
    lab.says(0, &["run", "--update"]);
    // Whether a file is written otherwise or says something else.
    fs::write(&file, profile("reboot").replace(' ', "\n")).expect("written");
    lab.says(0, &["run"]);
    fs::write(&file, profile("swapoff")).expect("written");
    let open = held.replace(", ulimits: {nofile: 90}", ", volumes: [\"/srv:/etc/all\"]");
    lab.write("area/one", &scenario(&open, "{probe: set_time, as: 7, expect: {denied: EPERM}}, "));
    let said = lab.says(1, &["run", "--update"]);
    for line in
        ["box limit nofile: was 90", "box seccomp profile: was ", "box /etc/all: was not mounted, is fixture:/srv rw"]
    {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    assert!(!said.contains("set_time: was"), "{said}");
    lab.says(0, &["run", "--update", "--accept-weaker"]);
    lab.says(0, &["run"]);
}

#[test]
fn a_case_of_a_former_matrix_is_seen_and_removed() {
    if !runs() {
        return;
    }
    let matrix = |caps: &str| {
        format!(
            "title: It passes\nmatrix: {{cap: {caps}}}\ncontainer: {{cap_add: [\"${{cap}}\"]}}\nsteps:\n  - probe: mount\n    expect: {{denied: EPERM}}\n"
        )
    };
    let lab = Lab::new(&[("area/one", &matrix("[NET_ADMIN, SYS_TIME]"))]);
    lab.says(0, &["run", "--update"]);
    assert!(lab.says(0, &["run"]).contains("2 passed"));
    lab.write("area/one", &matrix("[NET_ADMIN]"));
    assert!(lab.says(1, &["run"]).contains("-case cap=SYS_TIME"));
    // What was reviewed of it is asked no more.
    let said = lab.says(1, &["run", "--update"]);
    let wanted = "the new picture of area/one shows less protection:\n  [cap=SYS_TIME] the case is gone\nif that is what you mean: --accept-weaker";
    assert!(said.contains(wanted), "{said}");
    lab.says(0, &["run", "--update", "--accept-weaker"]);
    assert!(lab.says(0, &["run"]).contains("1 passed"));
}

#[test]
fn a_variable_more_does_not_hide_what_a_case_was() {
    if !runs() {
        return;
    }
    let matrix = |variables: &str, privileged: &str| {
        format!(
            "title: It passes\nmatrix: {{cap: [NET_ADMIN]{variables}}}\ncontainer:\n  cap_add: [\"${{cap}}\"]\n{privileged}steps: [inspect: {{uid: 0}}]\n"
        )
    };
    let lab = Lab::new(&[("area/one", &matrix("", ""))]);
    lab.says(0, &["run", "--update"]);
    lab.write("area/one", &matrix(", all: [\"false\", \"true\"]", "  privileged: ${all}\n"));
    // One alone, which is no less, does not take away what the other is to be compared with.
    lab.says(0, &["run", "--update", "one[cap=NET_ADMIN,all=false]"]);
    let said = lab.says(1, &["run"]);
    assert!(said.contains("1 passed, 1 failed") && said.contains("it has no snapshot yet"), "{said}");
    let said = lab.says(1, &["run", "--update"]);
    assert!(
        said.contains("  [cap=NET_ADMIN, now cap=NET_ADMIN,all=true] box seccomp: was filter, is disabled"),
        "{said}"
    );
    assert!(!said.contains("all=false]"), "{said}");
    lab.says(0, &["run", "--update", "--accept-weaker"]);
    assert!(lab.says(0, &["run"]).contains("2 passed"));
}

#[test]
fn a_scenario_under_another_name_is_compared_with_what_it_was() {
    if !runs() {
        return;
    }
    let of = |privileged: bool| {
        format!("title: It passes\ncontainer: {{privileged: {privileged}}}\nsteps: [inspect: {{uid: 0}}]\n")
    };
    let lab = Lab::new(&[("area/one", &of(false))]);
    lab.says(0, &["run", "--update"]);
    // Another one of the same title, which is not in its place.
    lab.write("area/two", &of(true));
    lab.says(0, &["run", "--update"]);
    fs::remove_file(lab.path().join("snapshots/area/two.snap")).expect("removed");
    fs::remove_file(lab.path().join("scenarios/area/two.yaml")).expect("removed");
    fs::remove_file(lab.path().join("scenarios/area/one.yaml")).expect("removed");
    lab.write("other/place", &of(true));
    let said = lab.says(1, &["run", "--update"]);
    let wanted = "the new picture of other/place, once area/one, shows less protection:\n";
    assert!(said.contains(wanted) && said.contains("box seccomp: was filter, is disabled"), "{said}");
    lab.write("other/place", &of(false));
    lab.says(0, &["run", "--update"]);
}

/// Their pictures would be looked for, and written, in the first one's.
#[test]
fn scenarios_of_several_folders_are_not_run_in_one_call() {
    let lab = Lab::new(&[("one", PASSING)]);
    let other = lab.path().join("other/scenarios");
    fs::create_dir_all(&other).expect("a folder");
    fs::write(other.join("two.yaml"), PASSING).expect("written");
    let both = ["scenarios/one.yaml", "other/scenarios/two.yaml"];
    let said = lab.says(2, &["run", "--update", both[0], both[1]]);
    assert!(said.contains("/other/scenarios and ") && said.contains("call `caplab run` for each"), "{said}");
    assert!(!lab.path().join("snapshots").exists());
    lab.says(0, &["check", both[0], both[1]]);
    lab.says(0, &["list", "scenarios/one.yaml", "./scenarios"]);
}
