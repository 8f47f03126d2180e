//! The command line as a user meets it: exit statuses, selection, JSON, snapshots.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::Value;

#[path = "support/suite.rs"]
mod suite;
#[path = "support/lab.rs"]
mod support;
use suite::{Lab, PASSING};

fn runs() -> bool {
    support::runs_unless(|_| None)
}

/// The document that it prints, after the exit status was found to be this.
fn json(lab: &Lab, status: i32, arguments: &[&str]) -> Value {
    let output = lab.call(arguments);
    assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_failure_shows_expected_and_seen() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[(
        "area/one",
        &PASSING.replace("{denied: EPERM}", "allowed").replace("    because: {capability: SYS_ADMIN}\n", ""),
    )]);
    let said = lab.says(1, &["run"]);
    assert!(said.contains("step 1 (line 4), mount in box: expected allowed, seen denied(EPERM)"), "{said}");
    assert!(said.contains("CAP_CHOWN"), "the effective config is shown: {said}");
}

#[test]
fn what_passes_for_another_reason_fails() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[("area/one", &PASSING.replace("SYS_ADMIN", "NET_ADMIN"))]);
    let said = lab.says(1, &["run"]);
    assert!(
        said.contains("not because of capability:CAP_NET_ADMIN: with CAP_NET_ADMIN given it is still denied(EPERM)"),
        "{said}"
    );
}

#[test]
fn what_a_control_decides_is_not_because_of_none() {
    if !runs() {
        return;
    }
    let decided = PASSING.replace("{capability: SYS_ADMIN}", "none");
    assert_ne!(decided, PASSING);
    let nothing = "title: Nobody makes files in sysfs\ncontainer: {preset: docker}\nsteps:\n  - probe: {open: {path: /sys/kernel/new, mode: create}}\n    \
                   expect: {denied: EROFS}\n    because: none\n";
    let lab = Lab::new(&[("area/decided", &decided), ("area/nothing", nothing)]);
    let said = lab.says(1, &["run", "--update", "decided"]);
    assert!(said.contains("something decides: it is because of capability:CAP_SYS_ADMIN"), "{said}");
    // Files of /sys are the machine's root's: another user's run skips the case.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    lab.says(0, &["run", "--update", "nothing"]);
    let document = json(&lab, 0, &["run", "--format", "json", "nothing"]);
    let because = &document["results"][0]["steps"][0]["because"];
    assert_eq!(
        (&because["control"], &because["flipped"], &because["holds"]),
        (&"none".into(), &false.into(), &true.into())
    );
}

#[test]
fn a_bad_file_is_one_failure_and_not_the_end() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[("area/bad", "titel: x\n"), ("area/good", PASSING)]);
    lab.says(2, &["run", "--update"]);
    let said = lab.says(2, &["run"]);
    assert!(said.contains("bad.yaml:1:1") && said.contains("1 passed"), "{said}");
    let document = json(&lab, 2, &["run", "--format", "json"]);
    assert_eq!(document["results"].as_array().expect("results").len(), 2);
    assert!(lab.says(2, &["check", "scenarios"]).contains("did you mean `title`?"));
    lab.says(0, &["check", "scenarios/area/good.yaml"]);
}

/// What the file alone shows is wrong wherever it is read, and in the same words.
#[test]
fn a_file_that_names_what_it_does_not_have_is_invalid_to_run_too() {
    let step = "steps:\n  - probe: {open_device: disk}\n    expect: {denied: EPERM}\n";
    let lab = Lab::new(&[
        ("area/disk", &format!("title: No disk\ncontainer: {{preset: docker}}\n{step}")),
        ("area/volume", &PASSING.replace("{preset: docker}", "{preset: docker, volumes: [\"/no/such:/mnt\"]}")),
        ("area/user", &PASSING.replace("{preset: docker}", "{preset: docker, user: alice}")),
    ]);
    let wanted = [
        ("disk", "area/disk.yaml:4:12: the host has no disk"),
        ("volume", "area/volume.yaml:2:39: the volume's source /no/such is not there on the fixture host"),
        ("user", "area/user.yaml:2:35: the container's /etc/passwd has no user `alice`"),
    ];
    for (name, what) in wanted {
        let said = lab.says(2, &["check", &format!("scenarios/area/{name}.yaml")]);
        assert!(said.contains(what), "{said}");
        if runs() {
            let said = lab.says(2, &["run", name]);
            assert!(said.contains(what) && said.contains("1 invalid"), "{said}");
        }
    }
}

#[test]
fn a_warning_fails_where_that_is_asked_for() {
    let lab = Lab::new(&[
        ("area/good", PASSING),
        ("area/doubtful", &format!("{PASSING}  - inspect: {{processes: {{matches: \".*\"}}}}\n")),
    ]);
    let said = lab.says(0, &["check", "scenarios"]);
    assert!(said.contains("valid, 1 warning") && said.contains("cannot fail"), "{said}");
    assert!(lab.says(2, &["check", "scenarios", "--deny-warnings"]).contains("valid, 1 warning"));
    lab.says(0, &["check", "scenarios/area/good.yaml", "--deny-warnings"]);
    let document = json(&lab, 0, &["check", "scenarios", "--format", "json"]);
    assert_eq!((&document["valid"], document["problems"].as_array().map(Vec::len)), (&true.into(), Some(0)));
    assert!(document["warnings"][0]["line"].as_u64() > Some(1), "{document}");
    let sarif = json(&lab, 0, &["check", "scenarios", "--format", "sarif"]);
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "warning");
    let github = lab.says(0, &["check", "scenarios", "--format", "github"]);
    assert!(github.starts_with("::warning file=scenarios/area/doubtful.yaml,line="), "{github}");
    if runs() {
        let said = lab.says(0, &["run", "area/doubtful", "--update"]);
        assert!(said.contains("1 warning: caplab check scenarios/area/doubtful.yaml"), "{said}");
    }
}

#[test]
fn json_is_one_document_of_the_contract() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[("area/one", PASSING)]);
    lab.says(0, &["run", "--update"]);
    let document = json(&lab, 0, &["run", "--format", "json"]);
    for key in ["passed", "failed", "invalid", "skipped", "errored", "duration_ms"] {
        assert!(document["summary"][key].is_number(), "summary.{key}");
    }
    assert_eq!((&document["engine"], &document["summary"]["passed"]), (&"native".into(), &1.into()));
    let result = &document["results"][0];
    assert_eq!(result["scenario"], "area/one");
    assert!(result["case"].is_null() && result["reason"].is_null());
    assert_eq!(result["verdict"], "pass");
    let effective = &result["containers"]["box"]["effective"];
    assert_eq!(effective["capabilities"]["effective"].as_array().expect("a list").len(), 14);
    assert_eq!(effective["uid_map"], serde_json::json!(["0 0 4294967295"]));
    assert_eq!((&effective["namespaces"]["pid"], &effective["namespaces"]["user"]), (&"new".into(), &"host".into()));
    let step = &result["steps"][0];
    assert_eq!((&step["id"], &step["kind"], &step["in"]), (&"1".into(), &"probe".into(), &"box".into()));
    assert_eq!((&step["outcome"]["kind"], &step["outcome"]["errno"]), (&"denied".into(), &"EPERM".into()));
    assert_eq!(step["because"]["control"], "capability:CAP_SYS_ADMIN");
    assert_eq!((&step["because"]["flipped"], &step["ok"]), (&true.into(), &true.into()));

    let list = json(&lab, 0, &["list", "--format", "json"]);
    assert_eq!(list[0]["title"], "It passes");
    assert!(list[0]["skip"].is_null() && list[0]["requires"].is_array());
}

#[test]
fn a_skip_is_named_and_can_be_denied() {
    if !runs() {
        return;
    }
    let text = "title: It needs a program\ncontainer: {rootfs: host}\nsteps:\n  - run: no-such-program-here\n    expect: allowed\n";
    let lab = Lab::new(&[("area/one", text)]);
    let said = lab.says(0, &["run"]);
    assert!(
        said.contains("needs the command no-such-program-here") && said.contains("install the package that has"),
        "{said}"
    );
    lab.says(1, &["run", "--deny-skip"]);
    assert_eq!(json(&lab, 0, &["list", "--format", "json"])[0]["skip"], "needs the command no-such-program-here");
}

#[test]
fn the_real_machine_needs_trust() {
    if !runs() {
        return;
    }
    let text = "title: It looks at the machine\ncontainer:\n  volumes: [{type: bind, source: /usr, target: /mnt, real_host: true}]\nsteps:\n  - probe: {open: {path: /mnt/new, mode: create}}\n    expect: {denied: EROFS}\n";
    let lab = Lab::new(&[("area/one", text)]);
    assert!(lab.says(0, &["run"]).contains("--trust-host"));
    lab.says(0, &["run", "--trust-host", "--update"]);
    // The real machine's files belong to users whom an ordinary user's lab host does not have.
    let trusted = lab.says(0, &["run", "--trust-host"]);
    let is_root = !caplab::host::Machine::probe(true).lab.is_made();
    assert!(trusted.contains(if is_root { "1 passed" } else { "needs root (real-files)" }), "{trusted}");
}

#[test]
fn a_step_that_hangs_or_floods_is_stopped() {
    if !runs() {
        return;
    }
    let text = "title: It hangs\ncontainer: {rootfs: host}\nsteps:\n  - run: sleep 60\n    timeout: 100ms\n    expect: allowed\n";
    let flood = "title: It floods\ncontainer: {rootfs: host}\nsteps:\n  - run: head -c 3000000 /dev/zero\n    expect: allowed\n";
    let lab = Lab::new(&[("area/hang", text), ("area/flood", flood)]);
    let document = json(&lab, 3, &["run", "--format", "json", "--update"]);
    let find = |name: &str| {
        document["results"]
            .as_array()
            .expect("results")
            .iter()
            .find(|result| result["scenario"] == name)
            .expect("there")
            .clone()
    };
    assert_eq!(find("area/hang")["steps"][0]["outcome"]["kind"], "timed out");
    assert_eq!(find("area/hang")["verdict"], "error");
    let flooded = &find("area/flood")["steps"][0];
    assert_eq!(flooded["truncated"], true);
    assert_eq!(flooded["stdout"].as_str().expect("text").len(), 1 << 20);
}

#[test]
fn command_not_found_is_never_denied() {
    if !runs() {
        return;
    }
    let text = "title: It is not there\ncontainer: {rootfs: host}\nsteps:\n  - run: eval no-such-program\n    expect: {outcome: denied, exit: 127, stderr: not found}\n";
    let lab = Lab::new(&[("area/one", text)]);
    let said = lab.says(1, &["run"]);
    assert!(said.contains("expected denied, seen failed(exit 127): command not found"), "{said}");
}

#[test]
fn names_select_and_a_wrong_one_is_a_usage_error() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[("area/one", PASSING), ("area/two", PASSING), ("area/two-more", PASSING)]);
    // A whole name means that one alone: a picture that is accepted is the one that was looked at.
    assert!(!lab.says(0, &["run", "--update", "area/two"]).contains("two-more"));
    lab.says(0, &["run", "--update"]);
    assert!(lab.says(0, &["run", "two"]).contains("2 passed"));
    assert!(lab.says(0, &["run", "area/two"]).contains("1 passed"));
    assert!(lab.says(0, &["run", "scenarios/area/one.yaml"]).contains("pass  area/one"));
    assert!(lab.says(0, &["run", "scenarios/area"]).contains("3 passed"));
    assert!(lab.says(2, &["run", "tow"]).contains("did you mean"));
    lab.says(2, &["run", "--no-such-flag"]);
    lab.says(2, &["run", "scenarios/none.yaml"]);
}

#[test]
fn without_a_folder_the_embedded_suite_is_there() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[]);
    let list = json(&lab, 0, &["list", "--format", "json"]);
    assert!(list.as_array().expect("a list").len() > 100);
    assert!(lab.says(0, &["run", "capabilities/default-denies-firewall"]).contains("2 passed"));
    assert!(lab.says(2, &["run", "--update", "default-denies-firewall"]).contains("folder"));
}

#[test]
fn doctor_names_what_matters() {
    if !runs() {
        return;
    }
    let lab = Lab::new(&[]);
    let document = json(&lab, 0, &["doctor", "--format", "json"]);
    let names: Vec<_> =
        document["findings"].as_array().expect("a list").iter().map(|row| row["what"].clone()).collect();
    for wanted in ["kernel", "root", "user namespaces", "nf_tables", "iptables"] {
        assert!(names.contains(&wanted.into()), "{wanted}");
    }
}

#[test]
fn what_is_not_there_is_neither_denied_nor_skipped() {
    if !runs() {
        return;
    }
    let text = "title: It is not there\ncontainer: {preset: docker}\nsteps:\n  - probe: {open: /no/such/file}\n    expect: denied\n";
    let ended = "title: It has ended\ncontainer: {rootfs: host, command: [\"true\"]}\nsteps:\n  - run: sleep 1\n    expect: {killed: SIGKILL}\n";
    let lab = Lab::new(&[("area/missing", text), ("area/ended", ended)]);
    assert!(lab.says(3, &["run", "missing"]).contains("seen unavailable: open(/no/such/file"));
    assert!(lab.says(3, &["run", "ended"]).contains("does not run"));
}

/// Another run's guard looks for control groups that were left behind, at any moment, and a group that is new and not locked yet
/// looks like one. Here somebody does nothing else, and strace keeps every mkdirat(2) from returning for a while.
///
/// For root alone: of a program that somebody else traces the kernel ignores the set-uid bit (`ptracer_capable` in
/// security/commoncap.c), newuidmap's too, and the groups are of a delegated subtree there.
#[test]
fn nobody_removes_the_groups_of_a_run_that_begins() {
    if !runs() {
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("not run: needs root: newuidmap has no privilege while an ordinary user's strace looks on");
        return;
    }
    let hierarchies = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let Some(root) = hierarchies.into_iter().find(|root| root.join("cgroup.controllers").exists()) else {
        println!("not run: the control groups of version 2 are mounted nowhere");
        return;
    };
    let removed = AtomicUsize::new(0);
    let sweep = || {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().starts_with("caplab-") {
                continue;
            }
            let Ok(group) = fs::File::open(entry.path()) else { continue };
            if group.try_lock().is_ok() && fs::remove_dir(entry.path()).is_ok() {
                removed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let lab = Lab::new(&[("area/passing", PASSING)]);
    lab.says(0, &["run", "--update"]);
    let mut slow = Command::new("strace");
    slow.args(["-f", "-o", "/dev/null", "-e", "trace=mkdirat", "-e", "inject=mkdirat:delay_exit=20000"]);
    slow.args([env!("CARGO_BIN_EXE_caplab"), "run"]).current_dir(lab.path()).stdout(Stdio::piped());
    let Ok(running) = slow.spawn() else {
        println!("not run: apt-get install strace");
        return;
    };
    let is_over = AtomicBool::new(false);
    let said = thread::scope(|scope| {
        scope.spawn(|| {
            // It gives up after a few, as others would have.
            while !is_over.load(Ordering::Relaxed) && removed.load(Ordering::Relaxed) < 8 {
                sweep();
            }
        });
        let output = running.wait_with_output().expect("strace ends");
        is_over.store(true, Ordering::Relaxed);
        output
    });
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    assert!(removed.into_inner() > 0, "nothing was swept");
}

#[test]
fn who_reads_no_further_causes_no_panic() {
    for arguments in [&["list"][..], &["doctor"], &["list", "--format", "json"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
            .args(arguments)
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .expect("caplab ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

/// A report that nobody can read must not be green.
#[test]
fn what_could_not_be_written_is_no_success() {
    let lab =
        Lab::new(&[("a/one", "title: One\ncontainer: {preset: docker}\nsteps: [{probe: set_time, expect: denied}]\n")]);
    let mut calls = vec![&["list"][..], &["list", "--format", "json"], &["--help"], &["schema"]];
    if runs() {
        calls.extend([&["run", "--update"][..], &["run", "--format", "junit"]]);
    }
    for arguments in calls {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
            .args(arguments)
            .current_dir(lab.path())
            .stdout(full)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .expect("caplab ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("standard output: No space left on device"), "{arguments:?}: {said}");
    }
}

#[test]
fn letters_that_changed_places_are_seen() {
    let said = Lab::new(&[]).says(2, &["to", "pdo", "a"]);
    assert!(said.contains("a similar value exists: 'pod'"), "{said}");
}

#[test]
fn a_red_case_says_what_decides_and_what_to_type_next() {
    if !runs() {
        return;
    }
    const WRONG: &str = "title: A wrong claim\nmatrix: {who: [root]}\ncontainer: {preset: docker, user: \"${who}\"}\nsteps:\n  - probe: list_firewall\n    expect: allowed\n";
    let lab = Lab::new(&[("a/wrong", WRONG)]);
    let output = lab.call(&["run"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let decides = "denied because the bounding set lacks CAP_NET_ADMIN: with CAP_NET_ADMIN given it is allowed";
    assert!(text.contains(decides), "{text}");
    let closer = "to look closer: caplab why 'a/wrong[who=root]' 1; caplab explain 'a/wrong[who=root]'; caplab shell 'a/wrong[who=root]'";
    assert!(text.contains(closer), "{text}");
    // What is typed works, and says the same.
    let why = lab.call(&["why", "a/wrong[who=root]", "1"]);
    assert!(String::from_utf8_lossy(&why.stdout).contains(decides));
    let document = json(&lab, 1, &["run", "--format", "json"]);
    assert_eq!(document["results"][0]["steps"][0]["why"][0], decides);
    // Who executes a command that prints something else has no use for it.
    lab.write("a/wrong", "title: Another text\ncontainer: {preset: docker, rootfs: host}\nsteps:\n  - run: echo one\n    expect: {stdout: two}\n");
    let document = json(&lab, 1, &["run", "--format", "json"]);
    assert_eq!(document["results"][0]["steps"][0]["why"].as_array().map(Vec::len), Some(0), "{document}");
    // Of several containers the one that matters, and beside what is wrong what could not be seen.
    lab.write("a/wrong", "title: Two\ncontainers: {a: {preset: docker}, b: {preset: docker}}\nsteps:\n  - {in: a, probe: mount, expect: allowed}\n  - {in: a, probe: {kill: 99}, expect: denied}\n");
    let output = lab.call(&["run"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("a really had") && !text.contains("b really had"), "{text}");
    assert!(text.contains("ESRCH (No such process) (could not be observed)"), "{text}");
}
