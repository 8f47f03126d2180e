//! The same scenarios and snapshots on other engines: a few of each area here, all of them in .ci/run.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caplab"))
        .arg("run")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CI", "true")
        .output()
        .expect("caplab starts")
}

const SOME: [&str; 8] = [
    "capabilities/docker-default-set",
    "capabilities/default-denies-firewall",
    "devices/a-node-is-not-the-device",
    "mounts/user-may-not-write-shadow",
    "namespaces/a-c",
    "seccomp/docker-closes-user-namespaces",
    "userns/gidmap",
    "users/exec-as-another-user",
];

#[test]
fn runc_and_crun_give_the_same_pictures() {
    for engine in ["runc", "crun"] {
        let output = run(&[&["--engine", engine][..], &SOME].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{engine}\n{said}");
        assert!(said.contains(" 0 failed"), "{engine}\n{said}");
    }
}

#[test]
fn an_engine_that_is_none_is_a_wrong_call() {
    let output = run(&["--engine", "dokcer"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("native, runc, crun"), "{said}");
}
