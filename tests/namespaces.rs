//! Namespaces that are another container's or the host's: what no scenario can say of itself.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

#[path = "support/root.rs"]
mod support;
use support::root;

fn is_installed(engine: &str) -> bool {
    let is_there = ["/usr/sbin", "/usr/bin"].iter().any(|dir| Path::new(dir).join(engine).exists());
    assert!(is_there || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs {engine}");
    is_there
}

/// A folder with these scenarios.
fn lab(scenarios: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in scenarios {
        let path = folder.path().join("scenarios/x").join(format!("{name}.yaml"));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    folder
}

fn run(lab: &TempDir, arguments: &[&str], must_run: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.arg("run").args(arguments).current_dir(lab.path()).env("CI", "true").env_remove("CAPLAB_MUST_RUN");
    if must_run {
        command.env("CAPLAB_MUST_RUN", "1");
    }
    command.output().expect("caplab starts")
}

/// What a run with --format json says of its one case.
fn told(lab: &TempDir, arguments: &[&str]) -> Value {
    let output = run(lab, &[arguments, &["--format", "json"]].concat(), false);
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    document["results"][0].clone()
}

/// The exit status of an init that is given this command, where it is not pid 1: the same program, with nobody orphaned to it.
fn init(helper: &Path, command: &[&str], meanwhile: impl FnOnce(u32)) -> Option<i32> {
    let mut start = Command::new(helper);
    // Of a PATH with a directory that the user may not search execve(2) says EACCES, and a shell 126.
    start.arg("reap").args(command).env("PATH", "/usr/bin:/bin").stdout(Stdio::piped());
    let mut init = loop {
        match start.spawn() {
            // Another test's child has the file open for writing until it is executed.
            Err(busy) if busy.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            started => break started.expect("it starts"),
        }
    };
    // Until the command has been executed.
    let mut said = Vec::new();
    init.stdout.take().expect("a pipe").read_to_end(&mut said).expect("read");
    assert_eq!(said, [0], "it says that it runs");
    meanwhile(init.id());
    init.wait().expect("its end").code()
}

/// What `--init` promises beside reaping: tini's and catatonit's statuses, measured on both.
#[test]
fn an_init_ends_as_its_command_ends_and_hands_signals_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let helper = folder.path().join("helper");
    fs::write(&helper, caplab::engine::decoy_runtime()).expect("written");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("executable");
    let ends = |command: &[&str]| init(&helper, command, |_| {});
    assert_eq!(ends(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(ends(&["sh", "-c", "kill -KILL $$"]), Some(128 + 9));
    assert_eq!(ends(&["caplab-no-such-command"]), Some(127));
    assert_eq!(ends(&["/"]), Some(126));
    assert_eq!(ends(&["sh", "-c", "(sleep 0.1; exit 3) & exec sh -c 'exit 5'"]), Some(5), "its own child's alone");
    let term = |pid: u32| {
        let pid = nix::unistd::Pid::from_raw(pid.try_into().expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("sent");
    };
    assert_eq!(init(&helper, &["sleep", "60"], term), Some(128 + 15));
    // None of its signals is blocked, and SIGPIPE is not ignored, as Rust's runtime has it in this program.
    for fresh in ["SigBlk:.0*$", "SigIgn:.*[02468ace]...$"] {
        assert_eq!(ends(&["grep", "-q", fresh, "/proc/self/status"]), Some(0), "{fresh}");
    }
}

#[test]
fn a_shared_namespace_is_told_by_its_owner() {
    if !root() {
        return;
    }
    let lab = lab(&[(
        "shared",
        "title: Shared\ncontainers:\n  b: {pid: \"container:a\"}\n  a: {}\nsteps:\n  - in: b\n    inspect: {uid: 0}\n  \
         - host: {process: b}\n    expect: {uid: 0}\n",
    )]);
    let result = told(&lab, &[]);
    let namespaces = |facts: &Value| (facts["namespaces"]["pid"].clone(), facts["namespaces"]["ipc"].clone());
    let shared = ("container:a".into(), "new".into());
    assert_eq!(namespaces(&result["containers"]["a"]["effective"]), ("new".into(), "new".into()));
    assert_eq!(namespaces(&result["containers"]["b"]["effective"]), shared);
    assert_eq!(namespaces(&result["steps"][0]["facts"]), shared);
    assert_eq!(namespaces(&result["steps"][1]["facts"]), shared);
}

/// The kernel kills everybody in a pid namespace with its pid 1: no step in it may come out as anything but an error, also none
/// whose expectation a failing command would satisfy.
#[test]
fn with_the_owner_of_a_pid_namespace_all_in_it_end_and_no_step_passes() {
    if !root() {
        return;
    }
    let lab = lab(&[(
        "ends",
        "title: The owner ends\ncontainers:\n  a: {rootfs: host, command: [sleep, \"2\"]}\n  b: {rootfs: host, pid: \"container:a\"}\n\
         steps:\n  - in: b\n    run: sleep 5\n    expect: {killed: SIGKILL}\n  - in: b\n    run: \"false\"\n    expect: {exit: 1}\n  \
         - in: a\n    run: \"false\"\n    expect: {exit: 1}\n",
    )]);
    for engine in ["native", "runc", "crun"] {
        if engine != "native" && !is_installed(engine) {
            continue;
        }
        let result = told(&lab, &["--engine", engine]);
        assert_eq!(result["verdict"], "error", "{engine}: {result:#}");
        for step in result["steps"].as_array().expect("steps") {
            assert_eq!(step["outcome"]["kind"], "unclear", "{engine}: {step:#}");
        }
        let said = result["steps"][0]["outcome"]["reason"].as_str().unwrap_or_default();
        assert!(said.contains("container b does not run") && said.contains("or a's has"), "{engine}: {said}");
    }
}

#[test]
fn who_joins_one_that_has_ended_is_not_refused_but_an_error() {
    if !root() {
        return;
    }
    let lab = lab(&[(
        "gone",
        "title: The owner has ended\ncontainers:\n  a: {rootfs: host, command: [\"true\"]}\n  wait: {rootfs: host, command: [sleep, \"0.2\"]}\n  \
         b: {pid: \"container:a\", expect: {refused: create}}\nsteps:\n  - host: {file: /etc/shadow}\n    expect: {changed: false}\n",
    )]);
    // a may take its time to end: then b is made, which is not as expected either.
    let result = told(&lab, &[]);
    assert_ne!(result["verdict"], "pass", "{result:#}");
}

#[test]
fn the_launcher_is_where_it_was_and_nothing_runs_on() {
    if !root() {
        return;
    }
    let steps = "steps:\n  - in: b\n    run: (sleep 98765.4321 >/dev/null 2>&1 &)\n    expect: allowed\n";
    let joined = format!(
        "title: All of a's\ncontainers:\n  a: {{rootfs: host, ipc: shareable}}\n  b: {{rootfs: host, pid: \"container:a\", ipc: \"container:a\", \
         network_mode: \"container:a\", uts: \"container:a\"}}\n{steps}"
    );
    let hosts = format!("title: The host's\ncontainers:\n  b: {{rootfs: host, pid: host}}\n{steps}");
    let after = "title: After it\ncontainer: {rootfs: host, pid: host, ipc: host, network_mode: host, uts: host}\nsteps:\n  \
                 - run: ps -eo args | grep '[9]8765'\n    expect: {exit: 1, stdout: {equals: \"\"}}\n  - inspect:\n      \
                 namespaces: {pid: host, ipc: host, network: host, uts: host, mount: new}\n";
    let lab = lab(&[("a-joined", &joined), ("b-hosts", &hosts), ("c-after", after)]);
    let output = run(&lab, &["--trust-host", "--jobs", "1", "--update"], false);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("3 passed"), "{said}");
}

/// What an option of the call would bring is a skip that the machine could not avoid; --deny-skip fails it all the same.
#[test]
fn trust_and_the_engine_are_the_callers_to_choose() {
    if !root() {
        return;
    }
    let step = "steps:\n  - probe: mount\n    expect: {denied: EPERM}\n";
    for (keys, remedy) in [
        ("container: {pid: host}\n", "--trust-host, if you trust the scenario"),
        ("container: {network_mode: host}\n", "--trust-host, if you trust the scenario"),
        ("requires: [{engine: [docker, podman]}]\ncontainer: {}\n", "--engine docker"),
    ] {
        let lab = lab(&[("one", &format!("title: A claim\n{keys}{step}"))]);
        for must_run in [false, true] {
            let output = run(&lab, &[], must_run);
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "{said}");
            assert!(said.contains("1 skipped") && said.contains(remedy), "{said}");
        }
        assert_eq!(run(&lab, &["--deny-skip"], false).status.code(), Some(1), "{keys}");
    }
}

/// What a container mounts below an rshared volume goes to the lab host, whose mounts are private to it: no process of the machine sees it.
#[test]
fn what_is_mounted_on_the_fixture_host_is_not_mounted_on_the_machine() {
    if !root() {
        return;
    }
    let lab = lab(&[(
        "shared",
        "title: Shared\nhost: {files: {/srv/below/note: {}}}\n\
         container: {rootfs: host, cap_add: [SYS_ADMIN], volumes: [\"/srv:/mnt:rshared\"]}\nsteps:\n  \
         - run: mount -t tmpfs caplab-reaches-nobody /mnt/below && sleep 2\n    expect: allowed\n    \
         because: {capability: SYS_ADMIN}\n  - host: {file: /srv/below}\n    expect: {mounted: true}\n",
    )]);
    let mut run = Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(["run", "--update"])
        .current_dir(lab.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("caplab starts");
    let own = fs::read_link("/proc/self/ns/mnt").expect("a namespace");
    let (mut on_the_lab_host, mut on_the_machine) = (false, false);
    let status = loop {
        for process in fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path()) {
            let Ok(mounts) = fs::read_to_string(process.join("mountinfo")) else { continue };
            let here = mounts.lines().filter(|line| line.contains(" caplab-reaches-nobody "));
            let is_machines = fs::read_link(process.join("ns/mnt")).is_ok_and(|one| one == own);
            for mount in here {
                on_the_machine |= is_machines;
                on_the_lab_host |= mount.contains("/host/srv/below ");
            }
        }
        if let Some(status) = run.try_wait().expect("it can be waited for") {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!((status.code(), on_the_lab_host, on_the_machine), (Some(0), true, false));
}
