//! A run leaves the machine as it found it, also where it is killed at any moment.

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How often a run is killed.
const KILLS: u32 = 50;

/// How long the kernel may take to remove what a killed run had made.
const GRACE: Duration = Duration::from_secs(2);

/// What a run could leave behind, each as a line for a reader.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    mounts: BTreeSet<String>,
    processes: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    cgroups: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Machine {
    fn look() -> Self {
        let mut processes = BTreeSet::new();
        let mut namespaces = BTreeSet::new();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            // A process that ends while it is looked at is not there.
            let Ok(command) = fs::read_to_string(entry.path().join("comm")) else { continue };
            if command.starts_with("caplab") {
                processes.insert(format!("{} {}", entry.path().display(), command.trim()));
            }
            for link in fs::read_dir(entry.path().join("ns")).into_iter().flatten().flatten() {
                namespaces.extend(fs::read_link(link.path()).ok().map(|target| target.display().to_string()));
            }
        }
        Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").expect("mountinfo").lines().map(str::to_owned).collect(),
            processes,
            namespaces,
            cgroups: folders(Path::new("/sys/fs/cgroup"), 3),
            files: ["/tmp", "/var/tmp", "/dev/shm", "/run", "/mnt"]
                .iter()
                .flat_map(|dir| list(Path::new(dir)))
                .collect(),
        }
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

fn suite() -> io::Result<Child> {
    Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(["run", "--jobs", "2"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CI", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// What is left after at most [`GRACE`].
fn left_behind(before: &Machine) -> Vec<String> {
    let deadline = Instant::now() + GRACE;
    loop {
        let left = Machine::look().beyond(before);
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
    let before = Machine::look();
    let start = Instant::now();
    let status = suite().expect("caplab starts").wait().expect("caplab ends");
    let whole = start.elapsed();
    assert_eq!(status.code(), Some(0), "the suite passes when it is left alone");
    assert_eq!(left_behind(&before), Vec::<String>::new(), "after a whole run");

    let mut seen_at_work = 0;
    for kill in 0..KILLS {
        let mut child = suite().expect("caplab starts");
        // Every second kill falls into the first tenth: that is where namespaces and mounts begin.
        let share = if kill % 2 == 0 { whole / 10 } else { whole };
        sleep(share * kill / KILLS);
        if !Machine::look().beyond(&before).iter().all(|line| line.contains("process")) {
            seen_at_work += 1;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("reaped");
        let left = left_behind(&before);
        assert_eq!(left, Vec::<String>::new(), "{}: killed {:?} after its start", kill, share * kill / KILLS);
    }
    // The look must be able to see what it says is not there.
    assert!(seen_at_work > KILLS / 2, "only {seen_at_work} of {KILLS} runs were seen at work");
}
