//! What a container that overwrites its runtime (CVE-2019-5736) can reach: the decoy of its own scenario, and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::fs::{SealFlags, fcntl_get_seals};

/// Takes every program that ever runs in the container and is not its own, by /proc/PID/exe, and keeps each open.
const TAKER: &str = r#"
      while :; do
        for dir in /proc/[0-9]*; do
          exe=$(readlink $dir/exe) || continue
          case "$exe" in /usr/*|/bin/*|"") continue;; esac
          grep -qxF "$exe" /tmp/seen && continue
          echo "$exe" >> /tmp/seen
          sleep 120 3< $dir/exe &
        done
      done
"#;

const STEPS: &str = r"
  - run: printf '#!/proc/self/exe pause\n' > /tmp/sh && chmod 755 /tmp/sh
    expect: allowed
";

fn folder(scenario: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let area = folder.path().join("scenarios/x");
    fs::create_dir_all(&area).expect("a folder");
    fs::write(area.join("attack.yaml"), scenario).expect("written");
    folder
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.args(["run", "--update", "--format", "json"]).current_dir(folder);
    command
}

/// Processes below one, itself too.
fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        // Each thread has children of its own.
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        next += 1;
    }
    found
}

/// What the container's pid 1 holds as descriptor 3, by a path of this process.
fn held(run: &Child) -> Option<PathBuf> {
    let below = descendants(run.id()).into_iter();
    below.map(|pid| PathBuf::from(format!("/proc/{pid}/fd/3"))).find(|path| {
        let command = fs::read(path.with_file_name("../cmdline")).unwrap_or_default();
        command.starts_with(b"sh\0-c")
            && fs::read_link(path).is_ok_and(|file| file.to_string_lossy().starts_with("/memfd:caplab-init"))
    })
}

#[test]
fn the_program_that_a_container_takes_from_caplab_is_sealed() {
    if !nix::unistd::geteuid().is_root() {
        println!("not run: needs root, who may look at what a container holds");
        return;
    }
    let scenario = format!(
        r#"
title: A container takes hold of the program that enters it
container:
  preset: docker
  rootfs: host
  command:
    - sh
    - -c
    - |
      until [ "$pid" ]; do
        for dir in /proc/[0-9]*; do
          case "$(readlink $dir/exe)" in /memfd:*) pid=$(basename $dir);; esac
        done
      done
      exec 3< /proc/$pid/exe
      kill -9 $pid
      while :; do sleep 1; done
steps: {STEPS}
  - run: [/tmp/sh]
    expect: {{killed: SIGKILL}}
  - run: sleep 3
    expect: allowed
"#
    );
    let folder = folder(&scenario);
    let mut run = command(folder.path()).stdout(Stdio::null()).spawn().expect("caplab starts");
    let begun = Instant::now();
    let path = loop {
        if let Some(path) = held(&run) {
            break path;
        }
        assert!(run.try_wait().expect("it can be waited for").is_none(), "it ended before the program was taken");
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing was taken");
        sleep(Duration::from_millis(10));
    };
    let seals = fcntl_get_seals(fs::File::open(&path).expect("it is open")).expect("a memfd");
    assert!(seals.contains(SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE), "{seals:?}");
    assert!(run.wait().expect("it ends").success());
}

#[test]
fn of_all_programs_that_enter_a_container_the_decoy_alone_can_be_written() {
    let scenario = format!(
        r#"
title: A container takes hold of every program that enters it
host:
  runtimes: {{/usr/sbin/decoy: {{start: file}}}}
container:
  preset: docker
  rootfs: host
  command:
    - sh
    - -c
    - |
      : > /tmp/seen
{TAKER}
steps: {STEPS}
  - run: /tmp/sh & pid=$!; until grep -q caplab-init /tmp/seen; do sleep 0.05; done; kill -9 $pid
    expect: allowed
  - run: [/tmp/sh]
    through: /usr/sbin/decoy
    timeout: 3s
    expect: {{exit: 0}}
  - run: cat /tmp/seen
    expect: allowed
  - run: cd /proc; for file in [0-9]*/fd/3; do name=$(readlink $file); case "$name" in /*) ;; *) continue;; esac; (echo hit >> $file) 2>/dev/null && echo "$name"; done; true
    expect: allowed
"#
    );
    let folder = folder(&scenario);
    let caplab = fs::read(env!("CARGO_BIN_EXE_caplab")).expect("caplab");
    let Output { stdout, .. } = command(folder.path()).output().expect("caplab starts");
    let told: serde_json::Value = serde_json::from_slice(&stdout).expect("one document");
    let steps = told["results"][0]["steps"].as_array().expect("steps");
    let text = |index: usize| steps[index]["stdout"].as_str().expect("text").trim().to_owned();
    let (seen, hit) = (text(3), text(4));
    assert!(seen.lines().any(|line| line.ends_with("/usr/sbin/decoy")), "the decoy was not taken: {seen}");
    assert!(
        !hit.is_empty() && hit.lines().all(|line| line.ends_with("/usr/sbin/decoy")),
        "written: {hit}; seen: {seen}"
    );
    assert!(caplab == fs::read(env!("CARGO_BIN_EXE_caplab")).expect("caplab"), "caplab's own program has changed");
}
