//! `caplab shell` as somebody at a terminal has it: a real one, whose other side is the test.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use nix::{
    pty::{Winsize, openpty},
    sys::{signal, signal::Signal},
    unistd::Pid,
};
use rustix::termios::{LocalModes, tcgetattr, tcsetwinsize};
use tempfile::TempDir;

#[path = "support/users.rs"]
mod support;
use support::runs;

/// Whatever a loaded machine does in between, by then it is there or will never be.
const PATIENCE: Duration = Duration::from_secs(60);

const ONE: &str =
    "title: One\ncontainer: {preset: docker, rootfs: host, volumes: [\"/etc:/mnt\"]}\nsteps: [{inspect: {uid: 0}}]\n";
const TWO: &str = "title: Two\ncontainers:\n  a: {preset: docker, rootfs: host, hostname: aaa}\n  b: {preset: docker, rootfs: host, hostname: bbb}\nsteps: [{inspect: {uid: 0}, in: a}]\n";
const TOOLBOX: &str = "title: Toolbox\ncontainer: {preset: docker, hostname: toolbox}\nsteps: [{inspect: {uid: 0}}]\n";
const MAPPED: &str = "title: Mapped\ncontainer: {preset: docker, rootfs: host, uidmap: [\"0:1000:500\"]}\nsteps: [{inspect: {uid: 0}}]\n";
const BRIEF: &str = "title: Brief\ncontainer: {preset: docker, rootfs: host, command: [\"sleep\", \"2\"]}\nsteps: [{inspect: {uid: 0}}]\n";
const PRIVILEGED: &str =
    "title: Privileged\ncontainer: {preset: docker, rootfs: host, privileged: true}\nsteps: [{inspect: {uid: 0}}]\n";

/// A folder with scenarios, in which caplab is called.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        let lab = Self(tempfile::tempdir().expect("a folder"));
        let folder = lab.0.path().join("scenarios");
        fs::create_dir(&folder).expect("a folder");
        for (name, text) in [
            ("one", ONE),
            ("two", TWO),
            ("toolbox", TOOLBOX),
            ("mapped", MAPPED),
            ("brief", BRIEF),
            ("privileged", PRIVILEGED),
        ] {
            fs::write(folder.join(format!("{name}.yaml")), text).expect("written");
        }
        lab
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Without a terminal.
    fn piped(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_caplab"))
            .arg("shell")
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("caplab starts");
        // Beside the reading: neither side may wait for the other. Who has refused reads nothing.
        let (mut to, input) = (child.stdin.take().expect("a pipe"), input.to_owned());
        thread::spawn(move || to.write_all(input.as_bytes()).ok());
        child.wait_with_output().expect("it ends")
    }

    /// Standard output of one that ends with this status.
    fn says(&self, status: i32, arguments: &[&str], input: &str) -> String {
        let output = self.piped(arguments, input);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "caplab shell {arguments:?}\n{out}\n{err}");
        format!("{out}{err}")
    }

    fn terminal(&self, arguments: &[&str]) -> Terminal {
        Terminal::start(self.path(), arguments)
    }
}

/// caplab at a terminal.
struct Terminal {
    master: File,
    slave: OwnedFd,
    child: Child,
    said: Arc<Mutex<String>>,
    /// What was waited for already.
    read: usize,
}

impl Terminal {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: 30, ws_col: 99, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a terminal");
        let stream = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
        // Which gives it a session, and this as its controlling terminal.
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_caplab"), "shell"])
            .args(arguments)
            .current_dir(folder)
            .env("TERM", "vt100")
            .env("TMPDIR", folder)
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("setsid starts");
        let said = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (File::from(pair.master.try_clone().expect("a descriptor")), Arc::clone(&said));
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                to.lock().expect("nobody panics").push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        });
        Self { master: pair.master.into(), slave: pair.slave, child, said, read: 0 }
    }

    fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("it is there");
    }

    /// Whether it says this before the time is over; what comes after that is still to be read.
    fn hears(&mut self, text: &str, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            let said = self.said.lock().expect("nobody panics").clone();
            if let Some(at) = said[self.read..].find(text) {
                self.read += at + text.len();
                return true;
            }
            if Instant::now() > until {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn expect(&mut self, text: &str) {
        let heard = self.hears(text, PATIENCE);
        assert!(heard, "it never said {text:?}:\n{}", self.said.lock().expect("nobody panics"));
    }

    /// The shell has come so far.
    fn ready(&mut self) {
        self.types("echo r$((40+2))y\n");
        self.expect("r42y");
    }

    fn ends(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "it does not end:\n{}", self.said.lock().expect("nobody panics"));
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.slave).expect("a terminal").local_modes
    }

    fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.child.id() as i32), signal).expect("it is there");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn the_terminal_is_the_containers_own_and_has_the_size_of_the_users() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    let mut shell = lab.terminal(&["one"]);
    shell.ready();
    shell.types("tty; stty size; echo term $TERM\n");
    shell.expect("/dev/pts/0");
    shell.expect("30 99");
    shell.expect("term vt100");
    // The instance is the container's: there is no other terminal in it.
    shell.types("echo pts $(ls /dev/pts | tr '\\n' ' ')\n");
    shell.expect("pts 0 ptmx");
    let size = rustix::termios::Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(shell.master.as_fd(), size).expect("a terminal");
    // Who is told by a signal is told some time.
    let until = Instant::now() + PATIENCE;
    loop {
        shell.types("stty size\n");
        if shell.hears("33 101", Duration::from_millis(500)) {
            break;
        }
        assert!(Instant::now() < until, "the size never changed");
    }
    shell.types("exit 42\n");
    assert_eq!(shell.ends().code(), Some(42));
}

#[test]
fn ctrl_c_interrupts_what_runs_and_jobs_are_controlled() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    let mut shell = lab.terminal(&["one", "--", "sh"]);
    shell.ready();
    shell.types("sh -c 'echo be$((1+1))gin; exec sleep 1000'\n");
    shell.expect("be2gin");
    shell.types("\x03");
    shell.types("echo st$?tus\n");
    shell.expect("st130tus");
    shell.types("sleep 1000 &\njobs\n");
    shell.expect("Running");
    shell.expect("sleep 1000");
    // What is typed before fg has run is lost: with SIGTSTP the terminal throws away its input.
    shell.types("fg\n");
    shell.expect("sleep 1000");
    // The shell does not stop: only once the job has the terminal is there somebody to be stopped.
    let until = Instant::now() + PATIENCE;
    loop {
        shell.types("\x1a");
        if shell.hears("Stopped", Duration::from_millis(500)) {
            break;
        }
        assert!(Instant::now() < until, "the job never stopped");
    }
    shell.types("kill -KILL %1; wait; echo al$((1+1))ve\n");
    shell.expect("al2ve");
}

#[test]
fn a_user_may_open_his_own_terminal() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    for scenario in ["one", "mapped"] {
        let mut shell = lab.terminal(&[scenario, "--as", "123:45", "--", "sh"]);
        shell.ready();
        shell.types("id; stat -c 'owner %u' $(tty); echo wr$((1+1))tten > $(tty)\n");
        shell.expect("uid=123 gid=45");
        shell.expect("owner 123");
        shell.expect("wr2tten");
        shell.types("exit 3\n");
        assert_eq!(shell.ends().code(), Some(3));
    }
}

#[test]
fn without_a_terminal_there_are_pipes() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    assert!(lab.says(5, &["one"], "tty\necho to-err >&2\nexit 5\n").contains("not a tty\nto-err\n"));
    assert_eq!(lab.says(0, &["two", "--in", "b", "--", "hostname"], ""), "bbb\n");
    assert_eq!(lab.says(0, &["one", "--as", "daemon", "--", "id", "-u"], ""), "1\n");
    // More than a pipe holds, both ways at the same time.
    let much = "0123456789\n".repeat(50_000);
    assert_eq!(lab.says(0, &["one", "--", "cat"], &much), much);
}

#[test]
fn exit_statuses_are_those_of_docker_exec() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    lab.says(137, &["one", "--", "sh", "-c", "kill -KILL $$"], "");
    assert!(lab.says(127, &["one", "--", "no-such-command"], "").contains("command not found"));
    lab.says(126, &["one", "--", "/etc/passwd"], "");
    assert!(lab.says(125, &["toolbox"], "").contains("caplab shell --rootfs host toolbox"));
    assert_eq!(lab.says(0, &["--rootfs", "host", "toolbox", "--", "hostname"], ""), "toolbox\n");
    let said = lab.says(125, &["--as", "no-such-user", "one", "--", "id"], "");
    assert!(said.contains("caplab: --as no-such-user: the container's /etc/passwd has no user"), "{said}");
    assert!(lab.says(2, &["two"], "").contains("--in one of a, b"));
    assert!(lab.says(2, &["two", "--in", "c"], "").contains("no container `c`"));
    assert!(lab.says(2, &["--join", "one"], "").contains("no `caplab shell one` of yours runs"));
    assert!(lab.says(2, &["--engine", "docker", "one"], "").contains("docker exec -it"));
    // With its pid 1 the kernel kills everybody in a pid namespace.
    assert!(lab.says(137, &["brief", "--", "sleep", "1000"], "").contains("the container has ended"));
}

#[test]
fn where_there_is_no_devpts_there_is_no_terminal() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    let mut first = lab.terminal(&["privileged", "--", "sh"]);
    first.ready();
    first.types("umount -l /dev/pts && echo go$((1+1))ne\n");
    first.expect("go2ne");
    let mut second = lab.terminal(&["--join", "privileged", "--", "sh"]);
    second.expect("must have its devpts");
    assert_eq!(second.ends().code(), Some(125));
    assert_eq!(lab.says(0, &["--join", "privileged", "--", "echo", "piped"], ""), "piped\n");
}

#[test]
fn a_second_terminal_sees_the_host_and_joins_the_container() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    let mut first = lab.terminal(&["one", "--", "sh"]);
    first.expect("caplab shell --host one");
    first.ready();
    first.types("echo from-the-container > /mnt/made; echo m$((1+1))de\n");
    first.expect("m2de");
    // The host's /etc is the container's /mnt, its files are decoys, its processes those of the lab.
    assert_eq!(lab.says(0, &["--host", "one", "--", "cat", "/etc/made"], ""), "from-the-container\n");
    assert_eq!(lab.says(0, &["--host", "one", "--", "cat", "/etc/shadow"], ""), "root:*:19000::::::\n");
    let pids = "for one in /proc/[0-9]*; do cat $one/comm; done";
    let seen = lab.says(0, &["--host", "one", "--", "sh", "-c", pids], "");
    // The launcher, and pid 1 of the container and of the host's own.
    assert!(seen.lines().filter(|line| line.contains("caplab-in")).count() >= 3, "{seen}");
    lab.says(0, &["--host", "one", "--", "sh", "-c", "echo from-the-host > /etc/answer"], "");
    first.types("cat /mnt/answer\n");
    first.expect("from-the-host");
    // The same container, another process of it, and a terminal of its own.
    let mut second = lab.terminal(&["--join", "one", "--", "sh"]);
    second.ready();
    second.types("tty; cat /mnt/made\n");
    second.expect("/dev/pts/1");
    second.expect("from-the-container");
    // With the first everything ends.
    first.types("exit 9\n");
    assert_eq!(first.ends().code(), Some(9));
    second.expect("the containers are gone");
    assert_eq!(second.ends().code(), Some(125));
    lab.says(2, &["--join", "one"], "");
}

#[test]
fn the_host_can_be_had_alone() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    assert_eq!(lab.says(0, &["--host", "toolbox", "--", "cat", "/etc/hostname"], ""), "fixture\n");
    // Nothing of the machine is to be changed from there, nor is what lies at its root taken for the fixture's.
    for denied in
        ["mount -t tmpfs none /tmp", "touch /x", "touch /usr/x", "echo h > /proc/sysrq-trigger", "hostname other"]
    {
        let output = lab.piped(&["--host", "one", "--", "sh", "-c", denied], "");
        assert!(!output.status.success(), "{denied}");
    }
}

#[test]
fn the_terminal_is_put_back_whatever_ends_it() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    for (signal, status) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        let mut shell = lab.terminal(&["one", "--", "sh"]);
        shell.ready();
        assert!(!shell.modes().contains(LocalModes::ICANON), "keys go on as they are");
        shell.signal(signal);
        assert_eq!(shell.ends().code(), Some(status));
        let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        assert!(shell.modes().contains(cooked), "{signal}: {:?}", shell.modes());
    }
}

#[test]
fn nothing_is_left_of_one_that_is_killed() {
    if !runs() {
        return;
    }
    let lab = Lab::new();
    let mut shell = lab.terminal(&["one", "--", "sh"]);
    shell.ready();
    shell.types("sleep 1000 &\n");
    shell.ready();
    let family = descendants(shell.child.id());
    // The guard, the launcher, pid 1, the shell, and what it has in the background.
    assert!(family.len() >= 5, "{family:?}");
    shell.signal(Signal::SIGKILL);
    shell.ends();
    let until = Instant::now() + PATIENCE;
    while family.iter().any(|pid| is_alive(*pid)) {
        assert!(Instant::now() < until, "they live on: {family:?}");
        thread::sleep(Duration::from_millis(10));
    }
    let left = fs::read_dir(lab.path()).expect("a folder").flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("caplab-shell-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The number of its parent, and whether it is more than a zombie.
fn parent(pid: u32) -> Option<(u32, bool)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned));
    Some((field("PPid:")?.parse().ok()?, !field("State:")?.starts_with('Z')))
}

fn is_alive(pid: u32) -> bool {
    parent(pid).is_some_and(|(_, alive)| alive)
}

fn descendants(of: u32) -> Vec<u32> {
    let all: Vec<u32> = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let mut found = vec![of];
    let mut at = 0;
    while at < found.len() {
        let above = found[at];
        found.extend(all.iter().filter(|pid| parent(**pid).is_some_and(|(parent, _)| parent == above)));
        at += 1;
    }
    found.remove(0);
    found
}
