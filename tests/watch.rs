//! `caplab watch` as an editor meets it: files saved in every way, and what is printed then.

use std::{
    fs,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{signal, signal::Signal},
    unistd::Pid,
};
use tempfile::TempDir;

#[path = "support/users.rs"]
mod support;
use support::runs;

/// Whatever a loaded machine does in between, by then it is there or will never be.
const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario that claims this of mount(2), which docker's defaults deny.
fn scenario(title: &str, expect: &str) -> String {
    format!("title: {title}\ncontainer: {{preset: docker}}\nsteps:\n  - probe: mount\n    expect: {expect}\n")
}

const DENIED: &str = "{denied: EPERM}";

/// caplab that watches a folder.
struct Watching {
    folder: TempDir,
    child: Child,
    said: Arc<Mutex<String>>,
    read: usize,
}

impl Watching {
    /// With these scenarios, all of which have their snapshots.
    fn start(scenarios: &[(&str, String)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let caplab = || {
            // Who runs the tests in the background of a script has them ignore SIGINT, and what they start.
            let mut command = Command::new("env");
            command
                .args(["--default-signal=INT", env!("CARGO_BIN_EXE_caplab")])
                .current_dir(folder.path())
                .env("CI", "true")
                .env_remove("CAPLAB_MUST_RUN")
                .stdin(Stdio::null());
            command
        };
        for (name, text) in scenarios {
            let path = folder.path().join(format!("scenarios/{name}.yaml"));
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("written");
        }
        assert!(caplab().args(["run", "--update"]).output().expect("caplab starts").status.success());
        let watch = caplab().arg("watch").args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = watch.expect("caplab starts");
        let said = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (child.stdout.take().expect("a pipe"), Arc::clone(&said));
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                to.lock().expect("nobody panics").push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        });
        Self { folder, child, said, read: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The next screen: all up to its last line, which tells how long it took.
    fn screen(&mut self) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.said.lock().expect("nobody panics").clone();
            let new = &said[self.read..];
            let end =
                new.find(" s after ").or_else(|| new.find(" s\n")).and_then(|at| Some(at + new[at..].find('\n')? + 1));
            if let Some(end) = end {
                self.read += end;
                return new[..end].to_owned();
            }
            assert!(Instant::now() < until, "no further screen:\n{said}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Nothing is said for a while.
    fn is_quiet(&self) -> bool {
        thread::sleep(Duration::from_millis(600));
        self.said.lock().expect("nobody panics")[self.read..].trim().is_empty()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Another file renamed over it, as vim, sed -i and most editors do.
fn rename_over(path: &Path, text: &str) {
    let beside = path.with_extension("yaml.tmp");
    fs::write(&beside, text).expect("written");
    fs::rename(beside, path).expect("renamed");
}

#[test]
fn what_is_saved_runs_however_it_is_saved() {
    if !runs() {
        return;
    }
    let good = scenario("One", DENIED);
    let mut watching = Watching::start(&[("a/one", good.clone()), ("a/two", scenario("Two", DENIED))], &[]);
    let first = watching.screen();
    assert!(first.contains("pass  a/one") && first.contains("pass  a/two"), "{first}");
    assert!(first.contains("2 passed, 0 failed") && first.contains("2 scenarios in"), "{first}");
    let one = watching.path("scenarios/a/one.yaml");
    // Written into: only that one runs, and it is told first.
    fs::write(&one, scenario("One", "allowed")).expect("written");
    let red = watching.screen();
    assert!(red.starts_with("FAIL") || red.trim_start().starts_with("FAIL  a/one"), "{red}");
    assert!(!red.contains("a/two") && red.contains("1 passed, 1 failed") && red.contains("1 scenario in"), "{red}");
    // Renamed over; what has failed before is no more.
    rename_over(&one, &good);
    let green = watching.screen();
    assert!(green.contains("pass  a/one") && green.contains("2 passed, 0 failed"), "{green}");
    // A broken file shows what is wrong with it, and the other stays as it was.
    fs::write(&one, "title: One\nno_such_key: 1\n").expect("written");
    let broken = watching.screen();
    assert!(
        broken.contains("no_such_key") && broken.contains("1 passed, 0 failed") && broken.contains("1 invalid"),
        "{broken}"
    );
    // Removed and made anew.
    fs::remove_file(&one).expect("removed");
    fs::write(&one, &good).expect("written");
    let mut again = watching.screen();
    if !again.contains("pass  a/one") {
        again = watching.screen();
    }
    assert!(again.contains("2 passed, 0 failed"), "{again}");
    // What an editor keeps beside is nothing.
    fs::write(watching.path("scenarios/a/.one.yaml.swp"), "x").expect("written");
    fs::write(watching.path("scenarios/a/one.yaml~"), "x").expect("written");
    assert!(watching.is_quiet());
}

#[test]
fn a_snapshot_and_a_file_that_is_named_are_their_scenarios() {
    if !runs() {
        return;
    }
    let profile = "title: Profile\ncontainer: {preset: docker, security_opt: [\"seccomp=mine.json\"]}\nsteps:\n  - probe: mount\n    expect: {denied: EPERM}\n";
    let folder = [("one", scenario("One", DENIED)), ("two", scenario("Two", DENIED))];
    let mut watching = Watching::start(&folder, &[]);
    watching.screen();
    let snapshot = watching.path("snapshots/two.snap");
    let text = fs::read_to_string(&snapshot).expect("a snapshot");
    fs::write(&snapshot, text.replace("no_new_privs: false", "no_new_privs: true")).expect("written");
    let red = watching.screen();
    assert!(
        red.contains("FAIL  two") && red.contains("the picture is not the reviewed one") && !red.contains("one.yaml"),
        "{red}"
    );
    fs::write(&snapshot, text).expect("written");
    assert!(watching.screen().contains("pass  two"));
    // A new folder with a scenario that names a file beside it.
    let new = watching.path("scenarios/new");
    fs::create_dir(&new).expect("a folder");
    fs::write(new.join("mine.json"), "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}").expect("written");
    fs::write(new.join("three.yaml"), profile).expect("written");
    let mut added = watching.screen();
    while !added.contains("new/three") {
        added = watching.screen();
    }
    fs::write(new.join("mine.json"), "{\"defaultAction\": \"SCMP_ACT_NO_SUCH\"}").expect("written");
    let mut told = watching.screen();
    while !told.contains("SCMP_ACT_NO_SUCH") {
        told = watching.screen();
    }
    assert!(told.contains("1 invalid") && told.contains("after scenarios/new/mine.json"), "{told}");
    // Of one that is gone nothing stands.
    fs::remove_dir_all(&new).expect("removed");
    let mut gone = watching.screen();
    while !gone.contains("2 passed, 0 failed, 0 skipped ") {
        gone = watching.screen();
    }
}

#[test]
fn ctrl_c_ends_it() {
    if !runs() {
        return;
    }
    let mut watching = Watching::start(&[("one", scenario("One", DENIED))], &["scenarios/one.yaml"]);
    assert!(watching.screen().contains("pass  one"));
    signal::kill(Pid::from_raw(watching.child.id() as i32), Signal::SIGINT).expect("it is there");
    assert_eq!(watching.child.wait().expect("it ends").signal(), Some(Signal::SIGINT as i32));
}

#[test]
fn without_a_folder_there_is_nothing_to_watch() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_caplab")).arg("watch").current_dir(folder.path()).output();
    let output = output.expect("caplab starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("run it where scenarios/ is"), "{said}");
    assert!(!said.contains("came with caplab"), "{said}");
}

/// Nobody waits for what is misspelt.
#[test]
fn a_name_that_nothing_has_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scenarios")).expect("made");
    fs::write(folder.path().join("scenarios/clock.yaml"), scenario("Clock", DENIED)).expect("written");
    for (what, why) in [("clokc", "did you mean `clock`?"), ("./none.yaml", "no such file or folder")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_caplab"))
            .args(["watch", what])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("caplab starts");
        let began = Instant::now();
        while child.try_wait().expect("a child").is_none() {
            if began.elapsed() > Duration::from_secs(60) {
                child.kill().expect("killed");
            }
            thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(2), "{what}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why), "{what}: {said}");
    }
}
