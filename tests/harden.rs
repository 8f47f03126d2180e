//! The least privileged config, as `caplab harden` finds it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

#[path = "support/lab.rs"]
mod support;

fn runs() -> bool {
    support::runs_unless(|_| None)
}

fn harden(text: &str) -> (Option<i32>, Value) {
    let lab = tempfile::tempdir().expect("a folder");
    let path = lab.path().join("scenarios/area/one.yaml");
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("written");
    let output = call(lab.path(), &["area/one"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn call(folder: &Path, arguments: &[&str]) -> Output {
    let arguments = [&["harden", "--format", "json"], arguments].concat();
    Command::new(env!("CARGO_BIN_EXE_caplab")).args(arguments).current_dir(folder).output().expect("caplab starts")
}

/// A command line.
fn given(words: &str) -> (Option<i32>, Value, String) {
    let lab = tempfile::tempdir().expect("a folder");
    let words: Vec<&str> = words.split(' ').collect();
    let output = call(lab.path(), &[&["--"], words.as_slice()].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
}

fn scenario(container: &str, steps: &str) -> String {
    format!("title: A claim\ncontainer: {container}\nsteps:\n{steps}")
}

const FIREWALL: &str = "  - probe: list_firewall\n    expect: allowed\n";

#[test]
fn privileged_for_the_firewall_is_one_capability() {
    if !runs() {
        return;
    }
    let text = scenario("{preset: docker, privileged: true}", FIREWALL);
    let (status, found) = harden(&text);
    assert_eq!(status, Some(0));
    let minimal = json!({
        "preset": "docker", "cap_drop": ["ALL"], "cap_add": ["NET_ADMIN"], "read_only": true,
        "security_opt": ["no-new-privileges"], "uidmap": ["0:100000:65536"],
    });
    assert_eq!(found["minimal"], minimal);
    // Proven: each thing that is left breaks an expectation, and says which.
    let kept: Vec<&str> =
        found["kept"].as_array().expect("a list").iter().filter_map(|one| one["control"].as_str()).collect();
    assert_eq!(kept, ["user", "capability:CAP_NET_ADMIN"]);
    assert!(
        found["kept"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|one| one["breaks"].as_str().expect("text").contains("step 1"))
    );
    assert_eq!((&found["unsaid"], &found["beyond"]["box"]), (&json!([]), &json!([])));
    assert!(
        found["docker"]["box"]
            .as_str()
            .expect("text")
            .starts_with("docker run --cap-drop ALL --cap-add NET_ADMIN --read-only")
    );
    let security = &found["pod"]["box"]["containers"][0]["securityContext"];
    assert_eq!(security["capabilities"], json!({"drop": ["ALL"], "add": ["NET_ADMIN"]}));
    // Not one run for each control: there are some sixty.
    assert!(found["runs"].as_u64().expect("a number") < 40, "{} runs", found["runs"]);
    // And the same once more.
    assert_eq!(harden(&text).1, found);
}

#[test]
fn what_needs_three_capabilities_keeps_exactly_those() {
    if !runs() {
        return;
    }
    let steps = format!(
        "{FIREWALL}  - probe: chroot\n    expect: allowed\n  - probe: {{open: {{path: /mnt/shadow, mode: append}}}}\n    expect: allowed\n"
    );
    let (status, found) = harden(&scenario("{preset: docker, privileged: true, volumes: [\"/etc:/mnt\"]}", &steps));
    assert_eq!(status, Some(0));
    assert_eq!(found["minimal"]["cap_add"], json!(["DAC_OVERRIDE", "NET_ADMIN", "SYS_CHROOT"]));
    // The host's root may write a file of mode 0000, that of another user namespace may not.
    assert!(found["minimal"]["uidmap"].is_null() && found["minimal"]["volumes"] == json!(["/etc:/mnt"]), "{found:#}");
}

#[test]
fn podman_gives_a_capability_to_an_ordinary_user() {
    if !runs() {
        return;
    }
    let (status, found) = harden(&scenario("{preset: podman, privileged: true}", FIREWALL));
    assert_eq!(status, Some(0));
    assert_eq!((&found["minimal"]["user"], &found["minimal"]["cap_add"]), (&json!("6667:6667"), &json!(["NET_ADMIN"])));
}

#[test]
fn what_expects_nothing_of_a_container_leaves_it_nothing() {
    if !runs() {
        return;
    }
    let steps = "  - probe: mount\n    expect: {denied: EPERM}\n";
    let (status, found) = harden(&scenario("{preset: docker, cap_add: [NET_ADMIN], volumes: [\"/etc:/mnt\"]}", steps));
    assert_eq!(status, Some(0));
    let minimal = json!({
        "preset": "docker", "cap_drop": ["ALL"], "read_only": true, "security_opt": ["no-new-privileges"],
        "uidmap": ["0:100000:65536"], "user": "6667:6667",
    });
    assert_eq!((&found["minimal"], &found["kept"]), (&minimal, &json!([])));
}

#[test]
fn what_does_not_hold_is_not_hardened() {
    if !runs() {
        return;
    }
    let (status, _) = harden(&scenario("{preset: docker}", FIREWALL));
    assert_eq!(status, Some(1));
}

/// What was put there to hold something back stays, and is printed: who types the line has no less than was tried.
#[test]
fn limits_and_sysctls_are_kept_and_printed() {
    if !runs() {
        return;
    }
    let container = "{preset: docker, user: \"1000\", cap_drop: [ALL], shm_size: 1m, ulimits: {nofile: 100}, sysctls: {net.ipv4.ip_unprivileged_port_start: 1024}}";
    let (status, found) = harden(&scenario(container, "  - probe: {bind_port: 80}\n    expect: {denied: EACCES}\n"));
    assert_eq!(status, Some(0));
    let minimal = &found["minimal"];
    assert_eq!(minimal["sysctls"], json!(["net.ipv4.ip_unprivileged_port_start=1024"]));
    assert_eq!(minimal["shm_size"], json!(1 << 20));
    for line in ["docker", "podman"] {
        let text = found[line]["box"].as_str().expect("a line");
        for flag in
            ["--sysctl net.ipv4.ip_unprivileged_port_start=1024", "--shm-size 1048576", "--ulimit nofile=100:100"]
        {
            assert!(text.contains(flag), "{line}: {text}");
        }
    }
    assert_eq!(found["pod"]["box"]["securityContext"]["sysctls"][0]["value"], json!("1024"));
    assert_eq!(found["unsaid"], json!([]));
}

#[test]
fn a_command_line_is_hardened_for_what_it_does() {
    if !runs() {
        return;
    }
    // Every capability and a mount: of which it wants one.
    let (status, found, said) = given("docker run --rm --privileged -v /etc:/mnt alpine chroot / true");
    assert_eq!(status, Some(0), "{said}");
    let minimal = json!({
        "preset": "docker", "rootfs": "host", "cap_drop": ["ALL"], "cap_add": ["SYS_CHROOT"], "read_only": true,
        "security_opt": ["no-new-privileges"], "uidmap": ["0:100000:65536"],
    });
    assert_eq!(found["minimal"], minimal);
    let breaks = found["kept"][0]["breaks"].as_str().expect("text");
    assert!(breaks.starts_with("chroot / true in box: expected allowed, seen failed(exit 125)"), "{breaks}");
    assert_eq!(found["scenario"], json!(null));
    // What it says of itself is what was not carried over.
    assert!(found["notes"].to_string().contains("image alpine"), "{}", found["notes"]);
    // It is printed with what it ran, ready to be typed.
    let service = &found["compose"]["box"]["services"]["box"];
    assert_eq!((&service["image"], &service["command"]), (&json!("alpine"), &json!(["chroot", "/", "true"])));
    assert_eq!(found["pod"]["box"]["containers"][0]["args"], json!(["chroot", "/", "true"]));
    // docker ignores what is dropped beside it, wherever that stands.
    let (status, found, said) = given("docker run --cap-drop=ALL --privileged alpine chroot / true");
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(found["minimal"]["cap_add"], json!(["SYS_CHROOT"]));
}

#[test]
fn a_command_that_fails_must_go_on_to_fail_so() {
    if !runs() {
        return;
    }
    let (status, found, said) = given("podman run --cap-add ALL alpine test -e /no/such/file");
    assert_eq!(status, Some(0), "{said}");
    assert_eq!((&found["minimal"]["cap_add"], &found["kept"]), (&json!(null), &json!([])));
}

#[test]
fn a_line_without_a_command_is_refused() {
    for (line, wanted) in [
        ("docker run -d alpine", "no command"),
        ("docker run --no-such-flag alpine id", "no flag of `docker run`"),
        ("nerdctl run alpine id", "docker run [FLAGS] IMAGE COMMAND"),
    ] {
        let (status, _, said) = given(line);
        assert_eq!(status, Some(2), "{line}: {said}");
        assert!(said.contains(wanted), "{line}: {said}");
    }
    // Both is one too many, and none too few.
    let lab = tempfile::tempdir().expect("a folder");
    assert_eq!(call(lab.path(), &["area/one", "--", "docker", "run", "a", "id"]).status.code(), Some(2));
    assert_eq!(call(lab.path(), &[]).status.code(), Some(2));
}

#[test]
fn a_command_that_is_not_there_says_nothing() {
    if !runs() {
        return;
    }
    let (status, _, said) = given("docker run alpine /no/such/program");
    assert_eq!(status, Some(3), "{said}");
}

#[test]
fn namespaces_devices_and_limits_are_given_up_too() {
    if !runs() {
        return;
    }
    let text = "title: A claim\ncontainers:\n  a: {preset: podman, ipc: shareable}\n  b: {preset: podman, pid: \"container:a\", ipc: \"container:a\", \
                pids_limit: -1}\nsteps:\n  - {in: b, probe: {kill: 1}, expect: allowed}\n";
    let (status, found) = harden(text);
    assert_eq!(status, Some(0));
    let removed: Vec<&str> =
        found["removed"].as_array().expect("a list").iter().filter_map(|one| one["what"].as_str()).collect();
    for what in ["container a's pid namespace", "container a's ipc namespace", "no limit pids"] {
        assert!(removed.contains(&what), "{what}: {removed:?}");
    }
    assert!(found["minimal"]["b"]["pid"].is_null() && found["minimal"]["b"]["pids_limit"].is_null(), "{found:#}");
}
