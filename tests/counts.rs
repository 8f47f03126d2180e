//! A host whose users are counted apart: neither the machine's users nor another run has anything of it.

use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Nobody's on a machine, and of no scenario of the suite: what else runs meanwhile is in no count of his.
const USER: u32 = 66_671;

/// Thirty processes of that user for as long as it takes to look, under a limit of forty.
const CROWD: &str = r#"
title: A crowd
host: {userns: own, sysctls: {user.max_inotify_instances: 3}}
container:
  preset: docker
  rootfs: host
  user: "66671:66671"
  ulimits: {nproc: 40}
  command: [sh, -c, "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29; do sleep 60 & done; tail -f /etc/passwd & tail -f /etc/group & wait"]
steps:
  - run: until test "$(ls -d /proc/[0-9]* | wc -l)" -gt 31; do sleep 0.01; done
    expect: allowed
  - run: sleep 2
    expect: allowed
  - probe: {fork: 20}
    expect: {denied: EAGAIN}
  - probe: {inotify: 2}
    expect: {denied: EMFILE}
"#;

fn caplab(folder: &std::path::Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.args(["run", "--update", "--format", "tap"]).current_dir(folder);
    command.stdout(Stdio::piped()).spawn().expect("caplab starts")
}

/// How many processes of that user the machine has.
fn crowd() -> usize {
    let owner = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("status")).unwrap_or_default();
    let uid = format!("Uid:\t{USER}\t");
    fs::read_dir("/proc").expect("/proc").flatten().map(owner).filter(|status| status.contains(&uid)).count()
}

#[test]
fn the_machines_user_of_the_same_uid_and_another_run_have_counts_of_their_own() {
    if !nix::unistd::geteuid().is_root() {
        println!("not run: needs root, who alone can be that user");
        return;
    }
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a folder")).collect();
    for folder in &folders {
        let area = folder.path().join("scenarios/x");
        fs::create_dir_all(&area).expect("a folder");
        fs::write(area.join("crowd.yaml"), CROWD).expect("written");
    }
    let runs: Vec<Child> = folders.iter().map(|folder| caplab(folder.path())).collect();
    let begun = Instant::now();
    while crowd() < 90 {
        assert!(begun.elapsed() < Duration::from_secs(60), "three crowds of 32 are not there: {}", crowd());
        sleep(Duration::from_millis(10));
    }
    // Three processes, and the machine's user may have five: a hundred others of his number are not his.
    let forks = "ulimit -u 5 && { sleep 0 & sleep 0 & wait; }";
    let machines = Command::new("/bin/bash").args(["-c", forks]).uid(USER).gid(USER).output().expect("a shell");
    assert!(machines.status.success(), "{}", String::from_utf8_lossy(&machines.stderr));
    for run in runs {
        let output = run.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
