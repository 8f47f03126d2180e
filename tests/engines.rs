//! The same scenarios and snapshots on other engines: a few of each area here, all of them in .ci/run.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
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
    let is_root = nix::unistd::geteuid().is_root();
    let there = is_root && engines.iter().all(is_there);
    // An ordinary user's engines are not driven, whatever is installed.
    assert!(there || !is_root || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs {engines:?}");
    if !there {
        println!("not run: needs root and {engines:?}");
    }
    there
}

/// A folder, and where a scenario lies in it: snapshots are beside `scenarios`.
fn place(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let scenarios = folder.path().join("scenarios");
    std::fs::create_dir(&scenarios).expect("made");
    (folder, scenarios.join(name))
}

const SOME: [&str; 9] = [
    "capabilities/docker-default-set",
    "capabilities/default-denies-firewall",
    "devices/a-node-is-not-the-device",
    "limits/exec-is-counted-too",
    "mounts/user-may-not-write-shadow",
    "namespaces/a-c",
    "seccomp/docker-closes-user-namespaces",
    "userns/gidmap",
    "users/exec-as-another-user",
];

#[test]
fn runc_and_crun_give_the_same_pictures() {
    if !nix::unistd::geteuid().is_root() {
        return println!("not run: needs root");
    }
    for engine in ["runc", "crun"] {
        let output = run(&[&["--engine", engine][..], &SOME].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{engine}\n{said}");
        assert!(said.contains(" 0 failed"), "{engine}\n{said}");
    }
}

#[test]
fn crun_does_not_give_the_machines_null_device_away() {
    if !there(&["crun"]) {
        return;
    }
    use std::os::unix::fs::MetadataExt;
    let owner = || std::fs::metadata("/dev/null").map(|found| (found.uid(), found.gid())).expect("a device");
    let before = owner();
    let output = run(&["--engine", "crun", "userns/uidmap-root-is-2000"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(owner(), before);
    // A map with the host's 0, where the container's root may: its user owns the container's /dev/null, which is a bind of the host's.
    let (_folder, scenario) = place("null.yaml");
    let text = "title: Its user owns the null device\ncontainer: {preset: podman, rootfs: host, uidmap: [\"0:0:65536\"], user: \"1000\"}\n\
                steps:\n  - run: stat -c %u /dev/null\n    expect: {outcome: allowed, stdout: {equals: \"1000\"}}\n";
    std::fs::write(&scenario, text).expect("a scenario");
    let output = run(&["--engine", "crun", "--update", &scenario.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(owner(), before);
}

/// What it writes below /tmp would stay where it is killed in that moment.
#[test]
fn a_runtime_writes_nothing_beside_its_own_place() {
    for engine in ["runc", "crun"].into_iter().filter(|engine| there(&[engine])) {
        let scratch = tempfile::tempdir().expect("a folder");
        let seen = scratch.path().join("seen");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-z", "-e", "trace=openat,mkdirat,mkdir,mknodat,symlinkat", "-o"]).arg(&seen);
        strace.arg(env!("CARGO_BIN_EXE_caplab")).args(["run", "--engine", engine, "mounts/read-only-volume"]);
        let Ok(status) = strace.current_dir(env!("CARGO_MANIFEST_DIR")).env("CI", "true").status() else {
            assert!(std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs strace");
            return println!("not run: apt-get install strace");
        };
        assert!(status.success(), "{engine}");
        let seen = std::fs::read_to_string(&seen).expect("read");
        let is_made = |line: &&str| !line.contains("openat(") || line.contains("O_CREAT");
        let beside = ["/tmp/", "/var/tmp/", "/run/", "/var/run/"];
        let made: Vec<&str> = seen.lines().filter(is_made).collect();
        assert!(made.iter().any(|line| line.contains("config.json")), "{engine}: strace sees what is made");
        let wrong: Vec<_> =
            made.iter().filter(|line| beside.iter().any(|dir| line.contains(&format!("\"{dir}")))).collect();
        assert!(wrong.is_empty(), "{engine}: {wrong:#?}");
    }
}

/// crun makes the link whatever the machine has (docs/fidelity.md, dev-core). What is changed natively then says nothing of crun.
#[test]
fn what_is_otherwise_natively_has_no_because_that_counts() {
    if !there(&["crun"]) || Path::new("/proc/kcore").exists() {
        return;
    }
    let (_folder, scenario) = place("core.yaml");
    let text = "title: The container has a link to the kernel's memory\ncontainer: {preset: docker, rootfs: host}\n\
                steps:\n  - run: test -L /dev/core\n    expect: allowed\n    because: seccomp\n";
    let ask = |text: &str| -> serde_json::Value {
        std::fs::write(&scenario, text).expect("a scenario");
        let output = run(&["--engine", "crun", "--update", "--format", "json", &scenario.to_string_lossy()]);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
        document["results"][0].clone()
    };
    let without = ask(&text.replace("    because: seccomp\n", ""));
    assert_eq!(without["verdict"], "pass", "{without}");
    let result = ask(text);
    let because = &result["steps"][0]["because"];
    assert_eq!((&because["natively"]["exit"], &because["flipped"]), (&1.into(), &false.into()), "{result}");
    let finding = "natively the step is failed(exit 1), on crun allowed";
    assert!(result["reason"].as_str().is_some_and(|reason| reason.contains(finding)), "{result}");
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

    // dev-noexec: what a preset is told to have is a row here, and no container that was made otherwise than asked for.
    if there(&["podman"]) {
        let (status, document) =
            call(&["capabilities/docker-default-set-by-name", "--engine", "native", "--engine", "podman"]);
        assert_eq!(document["results"][0]["absent"], serde_json::json!({}), "{document:#}");
        assert_eq!(status, Some(1), "{document:#}");
        assert_eq!(row(&document, "box: mount: /dev")["same"], false);
    }
}

/// Who has built one has it in ~/bin or /opt.
#[test]
fn an_engine_is_looked_for_where_its_user_has_it() {
    if !there(&["crun"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (own, used) = (folder.path().join("crun"), folder.path().join("used"));
    let script = format!("#!/bin/sh\necho x >> {}\nexec /usr/bin/crun \"$@\"\n", used.display());
    fs::write(&own, script).expect("written");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(["run", "--engine", "crun", "capabilities/docker-default-set-by-name"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .output()
        .expect("caplab starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(used.exists(), "the crun of PATH was not called");
}

/// "0 rows differ" of one engine alone would be taken for a comparison.
#[test]
fn what_was_not_compared_is_said() {
    // Whether docker is there or not: it has no flags for podman's preset.
    let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(["compare", "mounts/read-only-and-podmans-files", "--engine", "native", "--engine", "docker"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("caplab starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("  docker was not run: "), "{said}");
    assert!(said.contains("1 case was not compared: fewer than two engines ran it"), "{said}");
    let header = said.lines().find(|line| line.starts_with("     ")).unwrap_or_default();
    assert!(!header.contains("docker"), "no column for what was not run: {said}");
}

#[test]
fn an_engine_that_is_none_is_a_wrong_call() {
    let output = run(&["--engine", "dokcer"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("native, runc, crun"), "{said}");
}
