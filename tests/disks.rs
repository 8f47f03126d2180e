//! The fixture host's disk is given back to the machine, whatever becomes of the run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Mounted on the fixture host and in a container, with a writer in it, when the run is killed.
const SCENARIO: &str = r"
title: A disk that is in use
host:
  disks: {decoy: {at: /srv}}
container:
  preset: docker
  rootfs: host
  privileged: true
steps:
  - run: mkdir /tmp/disk && mount -t ext4 /dev/decoy /tmp/disk
    expect: allowed
  - run: while echo more >> /tmp/disk/file; do sleep 0.01; done
    timeout: 60s
    expect: allowed
";

/// Loop devices over a disk of caplab's, of any run.
fn attached() -> Vec<PathBuf> {
    let is_ours = |path: &Path| {
        fs::read_to_string(path.join("loop/backing_file")).is_ok_and(|file| file.starts_with("/memfd:caplab-disk"))
    };
    let all = fs::read_dir("/sys/block").into_iter().flatten().flatten().map(|entry| entry.path());
    all.filter(|path| is_ours(path)).collect()
}

/// Waits until a condition holds.
fn within(seconds: u64, what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(seconds), "{what}: not within {seconds} s");
        sleep(Duration::from_millis(10));
    }
}

fn start(folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.args(["run", "--format", "tap"]).current_dir(folder).stdout(Stdio::null());
    command.spawn().expect("caplab starts")
}

#[test]
fn a_killed_run_leaves_no_loop_device() {
    if !nix::unistd::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
        println!("not run: needs root and loop devices");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let area = folder.path().join("scenarios/x");
    fs::create_dir_all(&area).expect("a folder");
    fs::write(area.join("disk.yaml"), SCENARIO).expect("written");
    for _ in 0..5 {
        let mut run = start(folder.path());
        within(30, "a disk is attached", || !attached().is_empty());
        // Somewhere between the first mount and the writer.
        sleep(Duration::from_millis(100));
        run.kill().expect("it runs");
        run.wait().expect("it ends");
        within(20, "the kernel gives the loop device back", || attached().is_empty());
    }
}
