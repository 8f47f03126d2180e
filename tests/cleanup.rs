//! A run leaves the machine as it found it, also where it is killed at any moment.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::{
    prctl,
    wait::{WaitPidFlag, WaitStatus, waitpid},
};

/// How often a run is killed.
const KILLS: u32 = 50;

/// How long the kernel may take to remove what a killed run had made.
const GRACE: Duration = Duration::from_secs(2);

/// What a run could leave behind, each as a line for a reader. Of what others do on the machine at the same time nothing
/// is in it, but for mounts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Machine {
    mounts: BTreeSet<String>,
    processes: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    cgroups: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Machine {
    /// `scratch` is where a run has its temporary files.
    fn look(scratch: &Path) -> Self {
        // Who lost its parent is a child of this process, which is their subreaper, until it is waited for.
        while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status != WaitStatus::StillAlive) {}
        let mut machine = Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").expect("mountinfo").lines().map(str::to_owned).collect(),
            cgroups: folders(Path::new("/sys/fs/cgroup"), 3)
                .into_iter()
                .filter(|path| path.contains("caplab"))
                .collect(),
            files: list(scratch).into_iter().collect(),
            ..Self::default()
        };
        let everywhere = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/mnt"];
        let ours = everywhere.iter().flat_map(|dir| list(Path::new(dir))).filter(|path| path.contains("caplab"));
        machine.files.extend(ours);
        let own = identities("self");
        for pid in descendants() {
            // A process that ends while it is looked at is not there.
            let Ok(command) = fs::read(format!("/proc/{pid}/cmdline")) else { continue };
            machine.processes.insert(format!("{pid} {}", String::from_utf8_lossy(&command).replace('\0', " ")));
            machine.namespaces.extend(identities(&pid).difference(&own).cloned());
        }
        machine
    }

    /// What is there now and was not before.
    fn beyond(&self, before: &Self) -> Vec<String> {
        let pairs = [
            ("mount", &self.mounts, &before.mounts),
            ("process", &self.processes, &before.processes),
            ("namespace", &self.namespaces, &before.namespaces),
            ("cgroup", &self.cgroups, &before.cgroups),
            ("file", &self.files, &before.files),
        ];
        pairs
            .iter()
            .flat_map(|(what, now, then)| now.difference(then).map(move |one| format!("{what} {one}")))
            .collect()
    }
}

/// Everybody below this process, those that have ended apart.
fn descendants() -> BTreeSet<String> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
        if !field("State:").starts_with('Z') {
            parents.push((pid, field("PPid:")));
        }
    }
    let mut found = BTreeSet::from([std::process::id().to_string()]);
    loop {
        let more: Vec<_> = parents
            .iter()
            .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, _)| pid.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.remove(&std::process::id().to_string());
    found
}

/// The namespaces of a process.
fn identities(pid: &str) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten();
    links.filter_map(|link| Some(fs::read_link(link.path()).ok()?.display().to_string())).collect()
}

fn list(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path().display().to_string()).collect()
}

fn folders(dir: &Path, depth: u32) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.insert(entry.path().display().to_string());
            if depth > 1 {
                found.extend(folders(&entry.path(), depth - 1));
            }
        }
    }
    found
}

/// A run of caplab in this folder.
fn start(folder: &Path, scratch: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_caplab"))
        .arg("run")
        .args(arguments)
        .current_dir(folder)
        .env("CI", "true")
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("caplab starts")
}

fn suite(scratch: &Path) -> Child {
    start(Path::new(env!("CARGO_MANIFEST_DIR")), scratch, &["--jobs", "2"])
}

/// What is left after at most [`GRACE`].
fn left_behind(scratch: &Path, before: &Machine) -> Vec<String> {
    let deadline = Instant::now() + GRACE;
    loop {
        let left = Machine::look(scratch).beyond(before);
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_leaves_nothing_even_when_it_is_killed() {
    if !nix::unistd::geteuid().is_root() {
        assert!(std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs root");
        println!("not run: without root there is nothing to leave behind");
        return;
    }
    prctl::set_child_subreaper(true).expect("prctl");
    let folder = tempfile::tempdir().expect("a folder");
    let scratch = folder.path();
    let before = Machine::look(scratch);
    let start = Instant::now();
    let status = suite(scratch).wait().expect("caplab ends");
    let whole = start.elapsed();
    assert_eq!(status.code(), Some(0), "the suite passes when it is left alone");
    assert_eq!(left_behind(scratch, &before), Vec::<String>::new(), "after a whole run");

    let mut seen_at_work = 0;
    for kill in 0..KILLS {
        let mut child = suite(scratch);
        // Every second kill falls into the first tenth: that is where namespaces and mounts begin.
        let share = if kill % 2 == 0 { whole / 10 } else { whole };
        sleep(share * kill / KILLS);
        seen_at_work += usize::from(!Machine::look(scratch).namespaces.is_empty());
        // Where it was faster than the first run it has ended, and may have been waited for by the look.
        child.kill().ok();
        child.wait().ok();
        let left = left_behind(scratch, &before);
        assert_eq!(left, Vec::<String>::new(), "{kill}: killed {:?} after its start", share * kill / KILLS);
    }
    // The look must be able to see what it says is not there.
    assert!(seen_at_work > KILLS as usize / 2, "only {seen_at_work} of {KILLS} runs were seen at work");
    guard_killed(scratch, &before);
    for engine in ["runc", "crun"] {
        runtime_killed(engine, scratch, &before);
    }
}

/// A runtime's containers do not outlive caplab either.
fn runtime_killed(engine: &str, scratch: &Path, before: &Machine) {
    if !Path::new("/usr/sbin").join(engine).exists() && !Path::new("/usr/bin").join(engine).exists() {
        assert!(std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs {engine}");
        return;
    }
    for kill in 1..=5 {
        let mut child =
            start(Path::new(env!("CARGO_MANIFEST_DIR")), scratch, &["--engine", engine, "mounts/read-only-volume"]);
        sleep(Duration::from_millis(60 * kill));
        child.kill().ok();
        child.wait().ok();
        assert_eq!(left_behind(scratch, before), Vec::<String>::new(), "{engine}, killed after {} ms", 60 * kill);
    }
}

/// The guard removes the control groups. Where it is killed itself the next run does.
fn guard_killed(scratch: &Path, before: &Machine) {
    let lab = tempfile::tempdir().expect("a folder");
    let scenarios = lab.path().join("scenarios");
    fs::create_dir(&scenarios).expect("a folder");
    let waits = "title: It waits\ncontainer: {preset: docker, rootfs: host}\nsteps:\n  - {run: sleep 60, expect: allowed, timeout: 90s}\n";
    fs::write(scenarios.join("waits.yaml"), waits).expect("a file");
    let mut child = start(lab.path(), scratch, &[]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let is_asleep = |machine: &Machine| machine.processes.iter().any(|process| process.contains("sleep 60"));
    while !is_asleep(&Machine::look(scratch)) {
        assert!(Instant::now() < deadline, "the step never began");
        sleep(Duration::from_millis(20));
    }
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("children");
    for guard in children.split_whitespace() {
        let guard = nix::unistd::Pid::from_raw(guard.parse().expect("a pid"));
        nix::sys::signal::kill(guard, nix::sys::signal::Signal::SIGKILL).expect("killed");
    }
    let status = child.wait().expect("caplab ends");
    assert_eq!(status.code(), Some(3), "a case whose launcher died was not observed");
    let left = left_behind(scratch, before);
    assert!(left.iter().all(|one| one.starts_with("cgroup ")), "{left:?}");
    // Where cgroup v2 is not mounted nobody sees it.
    let mounted = fs::read_to_string("/proc/mounts").expect("mounts").contains(" cgroup2 ");
    assert_eq!(!left.is_empty(), mounted, "{left:?}");
    let again = suite(scratch).wait().expect("caplab ends");
    assert_eq!(again.code(), Some(0));
    assert_eq!(left_behind(scratch, before), Vec::<String>::new(), "after the next run");
}
