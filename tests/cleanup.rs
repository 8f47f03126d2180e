//! A run leaves the machine as it found it, also where it is killed at any moment.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
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
            mounts: mounts(),
            cgroups: folders(Path::new("/sys/fs/cgroup"), 3)
                .into_iter()
                .filter(|path| path.contains("caplab") && is_own(path) && !is_anothers(path))
                .collect(),
            files: list(scratch).into_iter().collect(),
            ..Self::default()
        };
        let everywhere = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/mnt"];
        let ours = everywhere
            .iter()
            .flat_map(|dir| list(Path::new(dir)))
            .filter(|path| path.contains("caplab") && is_own(path));
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

/// The mounts of this namespace, but for those of containers that somebody has docker or podman run beside: no run here asks them.
fn mounts() -> BTreeSet<String> {
    let anothers = ["/var/lib/docker/", "/run/docker/", "/var/lib/containers/", "/run/containers/"];
    let text = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let point = |line: &str| line.split(' ').nth(4).unwrap_or_default().to_owned();
    text.lines()
        .filter(|line| !anothers.iter().any(|place| point(line).starts_with(place)))
        .map(str::to_owned)
        .collect()
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

/// Whether a control group is of a run that somebody else has started and that goes on: its name has the guard's pid.
fn is_anothers(group: &str) -> bool {
    let names = group.split('/').filter_map(|name| name.strip_prefix("caplab-").or(name.strip_prefix("caplabrt-")));
    let guard = names.filter_map(|rest| rest.split('-').next()).next().unwrap_or_default();
    Path::new("/proc").join(guard).join("status").exists() && !descendants().contains(guard)
}

/// The namespaces of a process.
fn identities(pid: &str) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten();
    links.filter_map(|link| Some(fs::read_link(link.path()).ok()?.display().to_string())).collect()
}

/// Whether it is this user's: another's runs leave it alone, and are not looked at here.
fn is_own(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.uid() == nix::unistd::geteuid().as_raw())
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
    let machine = caplab::host::Machine::probe(false);
    if let Some(obstacle) = &machine.obstacle {
        assert!(std::env::var_os("CAPLAB_MUST_RUN").is_none(), "{obstacle:?}");
        println!("not run: where nothing can be made there is nothing to leave behind");
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
    if machine.lab.initial {
        limited_killed(scratch, &before);
    }
    guard_killed(scratch, &before, machine.lab.initial);
    // An ordinary user's engines are not driven.
    for engine in ["runc", "crun"].iter().filter(|_| !machine.lab.is_made()) {
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

/// Limits of every controller.
const LIMITS: &str = ", pids_limit: 37, mem_limit: 64m, cpus: 0.5";

/// A scenario whose step sleeps in a container with these limits.
fn sleeper(lab: &Path, limits: &str) {
    let scenarios = lab.join("scenarios");
    fs::create_dir(&scenarios).expect("a folder");
    let waits = format!(
        "title: It waits\ncontainer: {{preset: docker, rootfs: host{limits}}}\nsteps:\n  \
         - {{run: [sleep, \"60\"], expect: allowed, timeout: 90s}}\n"
    );
    fs::write(scenarios.join("waits.yaml"), waits).expect("a file");
}

/// The pid of that step, once it sleeps.
fn asleep(scratch: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let machine = Machine::look(scratch);
        if let Some(process) = machine.processes.iter().find(|process| process.contains(" sleep 60")) {
            return process.split(' ').next().expect("a pid").to_owned();
        }
        assert!(Instant::now() < deadline, "the step never began");
        sleep(Duration::from_millis(20));
    }
}

/// Those of a run's control groups that a process is in, where this machine has them mounted.
fn groups_of(pid: &str) -> Vec<String> {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("cgroup");
    let groups = cgroup.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        Some(format!("/sys/fs/cgroup/{controllers}{path}"))
    });
    groups.filter(|group| group.contains("caplab")).collect()
}

/// The step of a container with limits is in its control groups, which are its own, and they go when the run is killed.
fn limited_killed(scratch: &Path, before: &Machine) {
    let lab = tempfile::tempdir().expect("a folder");
    sleeper(lab.path(), LIMITS);
    let mut child = start(lab.path(), scratch, &[]);
    let groups = groups_of(&asleep(scratch));
    let files = ["pids.max", "memory.limit_in_bytes", "cpu.cfs_quota_us"];
    let paths = groups.iter().flat_map(|group| files.map(|file| format!("{group}/{file}")));
    let limits: Vec<_> = paths.filter_map(|path| fs::read_to_string(path).ok()).collect();
    // Machines with version 2 alone mount it elsewhere, and name it otherwise.
    if Path::new("/sys/fs/cgroup/pids").exists() {
        for limit in ["37", "67108864", "50000"] {
            assert!(limits.iter().any(|seen| seen.trim() == limit), "no limit of {limit} in {groups:?}: {limits:?}");
        }
    }
    child.kill().expect("killed");
    child.wait().ok();
    assert_eq!(left_behind(scratch, before), Vec::<String>::new(), "killed with limits");
}

/// The guard removes the control groups. Where it is killed itself the next run does.
fn guard_killed(scratch: &Path, before: &Machine, has_groups: bool) {
    let lab = tempfile::tempdir().expect("a folder");
    sleeper(lab.path(), if has_groups { LIMITS } else { "" });
    let mut child = start(lab.path(), scratch, &[]);
    let groups = groups_of(&asleep(scratch));
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("children");
    for guard in children.split_whitespace() {
        let guard = nix::unistd::Pid::from_raw(guard.parse().expect("a pid"));
        nix::sys::signal::kill(guard, nix::sys::signal::Signal::SIGKILL).expect("killed");
    }
    let status = child.wait().expect("caplab ends");
    assert_eq!(status.code(), Some(3), "a case whose launcher died was not observed");
    let left = left_behind(scratch, before);
    assert!(left.iter().all(|one| one.starts_with("cgroup ")), "{left:?}");
    // Where cgroup v2 is not mounted nobody sees it; the lab host of an ordinary user has none.
    let mounted = has_groups && fs::read_to_string("/proc/mounts").expect("mounts").contains(" cgroup2 ");
    assert_eq!(!left.is_empty(), mounted, "{left:?}");
    // Those of version 1 too.
    let elsewhere = groups.iter().filter(|group| Path::new(group).exists());
    assert!(elsewhere.clone().all(|group| left.contains(&format!("cgroup {group}"))), "{left:?}");
    let has_version_1 = has_groups && Path::new("/sys/fs/cgroup/pids").exists();
    assert_eq!(elsewhere.count() > 0, has_version_1, "{groups:?}");
    let again = suite(scratch).wait().expect("caplab ends");
    assert_eq!(again.code(), Some(0));
    assert_eq!(left_behind(scratch, before), Vec::<String>::new(), "after the next run");
}
