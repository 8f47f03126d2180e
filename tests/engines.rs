//! The same scenarios and snapshots on other engines: a few of each area here, all of them in .ci/run.

use std::{
    path::Path,
    process::{Command, Output},
};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caplab"))
        .arg("run")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CI", "true")
        .output()
        .expect("caplab starts")
}

/// Whether engines can be compared here; where not, the test says so and is over. Must it run, it fails.
fn there(engines: &[&str]) -> bool {
    let is_there = |engine: &&str| ["/usr/sbin", "/usr/bin"].iter().any(|dir| Path::new(dir).join(engine).exists());
    let there = nix::unistd::geteuid().is_root() && engines.iter().all(is_there);
    assert!(there || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs root and {engines:?}");
    if !there {
        println!("not run: needs root and {engines:?}");
    }
    there
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
fn compare_has_a_row_for_each_fact_and_runs_known_differences_too() {
    if !there(&["runc", "crun"]) {
        return;
    }
    let call = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
            .arg("compare")
            .args(arguments)
            .args(["--format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("caplab starts");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
        (output.status.code(), document)
    };
    let row = |document: &serde_json::Value, what: &str| {
        let rows = document["results"][0]["rows"].as_array().expect("rows").clone();
        rows.into_iter().find(|row| row["what"] == what).unwrap_or_else(|| panic!("no row {what}"))
    };
    let (status, document) = call(&["seccomp/keyring-docker", "--engine", "native", "--engine", "crun"]);
    assert_eq!((status, &document["differences"]), (Some(0), &serde_json::json!(0)));
    let seccomp = row(&document, "box: seccomp");
    assert_eq!(
        seccomp,
        serde_json::json!({"what": "box: seccomp", "values": {"native": "filter", "crun": "filter"}, "same": true})
    );
    assert_eq!(row(&document, "1 in box, keyctl")["values"]["crun"], "denied(EPERM)");

    // docs/fidelity.md, exec-nofile: it is run here, where `run` skips it. Whether it shows is a race inside runc.
    let (status, document) = call(&["limits/ulimit", "--engine", "native", "--engine", "runc"]);
    let differing = document["results"][0]["rows"].as_array().expect("rows").iter().filter(|row| row["same"] == false);
    assert_eq!(status, Some(i32::from(differing.count() > 0)), "{document:#}");
    assert_eq!(document["results"][0]["absent"], serde_json::json!({}));
}

#[test]
fn an_engine_that_is_none_is_a_wrong_call() {
    let output = run(&["--engine", "dokcer"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("native, runc, crun"), "{said}");
}
