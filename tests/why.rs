//! What decides, as `because` and `caplab why` say it.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

#[path = "support/lab.rs"]
mod support;

fn runs() -> bool {
    support::runs_unless(|_| None)
}

/// Whether what is changed may be what only the machine's root has.
fn reaches_the_machine() -> bool {
    let initial = caplab::host::Machine::probe(false).lab.initial;
    if !initial {
        println!("not run: some of its changes are the machine's root's alone (docs/rootless.md)");
    }
    initial
}

/// A folder with one scenario.
fn lab(text: &str) -> TempDir {
    let lab = tempfile::tempdir().expect("a folder");
    let path = lab.path().join("scenarios/area/one.yaml");
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("written");
    lab
}

fn call(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(arguments)
        .current_dir(folder)
        .env("CI", "true")
        .env_remove("CAPLAB_MUST_RUN")
        .output()
        .expect("caplab starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

/// What `why` says of a scenario, without what differs from machine to machine: how many controls there are.
fn why(folder: &Path, arguments: &[&str]) -> String {
    let (status, said) = call(folder, &[&["why"], arguments].concat());
    assert_eq!(status, Some(0), "{said}");
    let counted = |line: &str| line.ends_with("containers were asked") || line.contains("none of ");
    let words = |line: &str| {
        line.split(' ').map(|word| if word.parse::<u32>().is_ok() { "N" } else { word }).collect::<Vec<_>>().join(" ")
    };
    said.lines().map(|line| if counted(line) { words(line) } else { line.to_owned() }).collect::<Vec<_>>().join("\n")
}

/// What `run` says of one step with this container, this `because`.
fn because(container: &str, step: &str, because: &str) -> (Option<i32>, String) {
    let text = format!("title: A claim\ncontainer: {container}\nsteps:\n  - {step}\n    because: {because}\n");
    call(lab(&text).path(), &["run", "--update"])
}

/// What docker's sysctl opens, and what the kernel's own closes.
#[test]
fn a_sysctl_is_named_where_it_decides() {
    if !runs() {
        return;
    }
    let user = "preset: docker, user: \"6667:6667\"";
    let sysctl = "{sysctl: net.ipv4.ip_unprivileged_port_start}";
    let bind = |expect: &str| format!("probe: {{bind_port: 80}}\n    expect: {expect}");
    let (status, said) = because(&format!("{{{user}}}"), &bind("allowed"), sysctl);
    assert_eq!(status, Some(0), "{said}");
    let closed = "net.ipv4.ip_unprivileged_port_start: 1024";
    let (status, said) = because(
        &format!("{{{user}, sysctls: {{{closed}}}}}"),
        &bind("{denied: EACCES}"),
        "{sysctl: net.ipv4.ping_group_range}",
    );
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("it is because of") && said.contains("sysctl:net.ipv4.ip_unprivileged_port_start"), "{said}");
    let (status, said) = because(&format!("{{{user}, sysctls: {{{closed}}}}}"), &bind("{denied: EACCES}"), sysctl);
    assert_eq!(status, Some(0), "{said}");
}

const FIREWALL: &str = "probe: list_firewall\n    expect: {denied: EPERM}";

#[test]
fn a_wrong_cause_fails_and_the_true_one_is_named() {
    if !runs() {
        return;
    }
    let (status, said) = because("{preset: docker}", FIREWALL, "{capability: NET_RAW}");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("denied, but not because of capability:CAP_NET_RAW"), "{said}");
    assert!(said.contains("it is because of capability:CAP_NET_ADMIN, or of privileged"), "{said}");
    let (status, said) = because("{preset: docker}", FIREWALL, "{capability: NET_ADMIN}");
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn what_is_allowed_has_a_cause_too() {
    if !runs() {
        return;
    }
    let append = "probe: {open: {path: /mnt/shadow, mode: append}}\n    expect: allowed";
    let container = "{volumes: [\"/etc:/mnt\"]}";
    for (cause, wanted) in
        [("{capability: DAC_OVERRIDE}", 0), ("user", 0), ("{capability: FOWNER}", 1), ("{volume: /mnt}", 1)]
    {
        let (status, said) = because(container, append, cause);
        assert_eq!(status, Some(wanted), "{cause}: {said}");
    }
    let (status, said) = because(
        "{preset: docker, security_opt: [\"seccomp=unconfined\"]}",
        "probe: keyctl\n    expect: allowed",
        "seccomp",
    );
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn several_controls_decide_together_or_not_at_all() {
    if !runs() {
        return;
    }
    let append = "probe: {open: {path: /mnt/shadow, mode: append}}\n    expect: {denied: EACCES}";
    let container = "{user: \"6667:6667\", volumes: [\"/etc:/mnt:ro\"]}";
    let (status, said) = because(container, append, "[{read_only: /mnt}, {capability: DAC_OVERRIDE}]");
    assert_eq!(status, Some(0), "{said}");
    // Neither decides alone.
    for one in ["{read_only: /mnt}", "{capability: DAC_OVERRIDE}"] {
        let (status, said) = because(container, append, one);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("because of capability:CAP_DAC_OVERRIDE and read_only:/mnt"), "{said}");
    }
    // Together they decide, and one of them would do alone.
    let (status, said) = because("{preset: docker}", FIREWALL, "[{capability: NET_ADMIN}, {capability: NET_RAW}]");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("together: with CAP_NET_ADMIN given alone it is allowed"), "{said}");
}

/// A denial that is gone is not still one, and nothing was allowed: behind the directory that root enters there is no file.
#[test]
fn where_a_change_shows_neither_nothing_is_claimed() {
    if !runs() {
        return;
    }
    let container = "{preset: docker, rootfs: host, user: \"1000\"}";
    let probe = "probe: {open: /root/no-such-file}\n    expect: {denied: EACCES}";
    let run = "run: cat /root/no-such-file\n    expect: {outcome: denied, exit: 1, stderr: Permission denied}";
    for (step, neither) in [(probe, "but unavailable: open"), (run, "but failed(exit 1); standard error")] {
        let (status, said) = because(container, step, "none");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("that nothing decides cannot be said: with ") && said.contains(neither), "{said}");
        let (status, said) = because(container, step, "user");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("whether it is denied because of user cannot be shown: with uid 0"), "{said}");
        assert!(said.contains(neither) && !said.contains("still"), "{said}");
        let lab = lab(&format!("title: A claim\ncontainer: {container}\nsteps:\n  - {step}\n"));
        let told = why(lab.path(), &["area/one"]);
        assert!(told.contains("That nothing does cannot be said: with"), "{told}");
    }
}

#[test]
fn what_is_not_there_decides_nothing() {
    if !runs() {
        return;
    }
    let (status, said) = because("{preset: docker}", FIREWALL, "{read_only: /nowhere}");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("not because of read_only:/nowhere: there is no mount at /nowhere"), "{said}");
}

/// The experiments of the course note, each a scenario of the suite.
#[test]
fn why_is_right_on_the_experiments() {
    if !runs() || !reaches_the_machine() {
        return;
    }
    let suite = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, arguments) in [
        ("s1-default-denies-firewall", &["capabilities/default-denies-firewall[engine_defaults=docker]"][..]),
        ("s3-privileged-allows-firewall", &["capabilities/privileged-allows-firewall[engine_defaults=docker]"]),
        ("s5-cap-add-allows-firewall", &["capabilities/cap-add-net-admin-allows-firewall[engine_defaults=docker]"]),
        ("s9-root-opens-shadow", &["mounts/root-opens-a-file-of-mode-0000[engine_defaults=docker]", "1"]),
        ("s12-no-capabilities", &["users/run-as-6667-has-no-capabilities"]),
        ("s14-user-may-not-open-shadow", &["mounts/user-may-not-open-shadow[engine_defaults=docker]", "1"]),
        ("s16-disjoint-maps", &["userns/disjoint-maps", "2"]),
        ("s18-uidmap-may-not-open-shadow", &["userns/uidmap-may-not-open-shadow[engine_defaults=podman]"]),
        ("s20-rootless", &["rootless/reaches-nothing-of-the-whole-machine", "4"]),
    ] {
        insta::assert_snapshot!(name, why(suite, arguments));
    }
}

/// Where more than one layer says no, or none that can be named.
#[test]
fn why_is_right_where_layers_hide_each_other() {
    if !runs() || !reaches_the_machine() {
        return;
    }
    let probe = |container: &str, probe: &str| {
        format!("title: A claim\ncontainer: {container}\nsteps:\n  - probe: {probe}\n    expect: denied\n")
    };
    let append = "{open: {path: /mnt/shadow, mode: append}}";
    let missing = "title: A claim\ncontainer: {rootfs: host, volumes: [\"/etc:/mnt\"]}\nsteps:\n  - run: cat /mnt/none\n    expect: {exit: 1}\n";
    // perf_event_open(2): where it is below 2 everybody may count what this probe counts, and the profile alone decides.
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let counting_is_guarded = paranoid.trim().parse::<i32>().is_ok_and(|level| level >= 2);
    for (name, text) in [
        ("seccomp-and-capability", probe("{preset: docker}", "perf_event_open")),
        ("mode-and-read-only", probe("{user: \"6667:6667\", volumes: [\"/etc:/mnt:ro\"]}", append)),
        (
            "userns-and-mode",
            probe("{user: \"6667:6667\", uidmap: [\"0:100000:65536\"], volumes: [\"/etc:/mnt\"]}", append),
        ),
        ("userns-and-capability", probe("{preset: docker, uidmap: [\"0:100000:65536\"]}", "set_time")),
        ("a-missing-file", missing.to_owned()),
        ("a-probe-of-a-missing-file", probe("{volumes: [\"/etc:/mnt\"]}", "{open: /mnt/none}")),
    ] {
        if name == "seccomp-and-capability" && !counting_is_guarded {
            continue;
        }
        insta::assert_snapshot!(name, why(lab(&text).path(), &["area/one"]));
    }
}

#[test]
fn suggest_writes_what_holds_and_leaves_the_rest_as_it_was() {
    if !runs() {
        return;
    }
    let text = "title: A claim  # stays\ncontainer: {rootfs: host, volumes: [\"/etc:/mnt\"]}\nsteps:\n  # The firewall.\n  - probe: list_firewall\n    expect: {denied: EPERM}\n  - {probe: chroot, expect: allowed}\n  - run: cat /mnt/none\n    expect: {exit: 1}\n";
    let lab = lab(text);
    let (status, said) = call(lab.path(), &["why", "area/one", "--suggest"]);
    assert_eq!(status, Some(0), "{said}");
    let written = fs::read_to_string(lab.path().join("scenarios/area/one.yaml")).expect("there");
    let wanted = text
        .replace("{denied: EPERM}\n", "{denied: EPERM}\n    because: {capability: NET_ADMIN}\n")
        .replace("expect: allowed}", "expect: allowed, because: {capability: SYS_CHROOT}}");
    assert_eq!(written, wanted);
    // What is written is tested from now on, and once more there is nothing to say.
    assert_eq!(call(lab.path(), &["run", "--update"]).0, Some(0));
    assert_eq!(call(lab.path(), &["why", "area/one", "--suggest"]), (Some(0), String::new()));
}

/// Whatever a command is denied, it is not given what it could reach the machine with.
#[test]
fn a_command_is_not_given_the_machine() {
    if !runs() {
        return;
    }
    let text = "title: A claim\ncontainer: {rootfs: host}\nsteps:\n  - run: cat /none\n    expect: {exit: 1}\n  - probe: mount\n    expect: denied\n";
    let lab = lab(text);
    let (status, said) = call(lab.path(), &["why", "area/one"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(said.matches("Not tried").count(), 1, "once, not for each step: {said}");
    let (status, said) = call(lab.path(), &["why", "area/one", "--format", "json"]);
    assert_eq!(status, Some(0), "{said}");
    let document: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    // The probe comes after a command, which the changed container would run too.
    for step in document["results"][0]["steps"].as_array().expect("steps") {
        let rows = step["rows"].as_array().expect("rows");
        for control in
            ["privileged", "devices", "capability:CAP_SYS_ADMIN", "readonly_path:/proc/sys", "read_only:/sys"]
        {
            assert!(step["withheld"].as_array().expect("a list").contains(&control.into()), "{control}");
            let tried =
                |row: &&serde_json::Value| row["controls"].as_array().expect("a list").contains(&control.into());
            assert_eq!(rows.iter().filter(tried).count(), 0, "{control}");
        }
        assert!(rows.iter().any(|row| row["control"] == "capability:CAP_NET_ADMIN"));
    }
}
