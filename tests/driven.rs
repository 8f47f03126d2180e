//! docker and podman as engines: the same pictures as the native engine's, and what goes wrong goes wrong in words, with
//! nothing left and nothing of the user's touched.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use serde_json::Value;

#[path = "support/wait.rs"]
mod wait;
use wait::within;

const ENGINES: [&str; 2] = ["podman", "docker"];

fn caplab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    // Of a skip that could be avoided the tests judge themselves.
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env("CI", "true").env_remove("CAPLAB_MUST_RUN");
    command
}

fn document(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no document ({error}): {said}"))
}

/// Whether an engine is there; where not, the test says so and is over. Must it run, it fails.
fn there(engine: &str) -> bool {
    let listed = document(&caplab(&["engine", "list", "--format", "json"]).output().expect("caplab starts"));
    let row = listed["engines"].as_array().expect("rows").iter().find(|row| row["engine"] == engine).expect("a row");
    let is_root = nix::unistd::geteuid().is_root();
    let there = is_root && row["lacking"].is_null();
    // An ordinary user's engines are not driven, whatever is installed.
    assert!(there || !is_root || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs root and {engine}: {row}");
    if !there {
        println!("not run: needs root and {engine}: {}", row["lacking"]);
    }
    there
}

/// What an engine says.
fn ask(engine: &str, arguments: &[&str]) -> String {
    let output = Command::new(engine).args(arguments).output().expect("the engine starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Containers of caplab's whose run is a child of this process or is over.
fn left(engine: &str, of: u32) -> String {
    let format = if engine == "docker" { "{{.Label \"caplab.owner\"}}" } else { "{{index .Labels \"caplab.owner\"}}" };
    let owners = ask(engine, &["ps", "--all", "--filter", "label=caplab.owner", "--format", format]);
    owners.lines().filter(|owner| owner.starts_with(&format!("{of}."))).collect()
}

/// Folders of a run.
fn folders(of: u32) -> Vec<String> {
    let begin = format!("caplab-engine-{of}.");
    let everywhere = ["/tmp", "/var/tmp", "/run"].into_iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten());
    everywhere.flatten().map(|entry| entry.path().display().to_string()).filter(|path| path.contains(&begin)).collect()
}

const SOME: [&str; 6] = [
    "capabilities/docker-default-set-by-name",
    "mounts/user-may-not-write-shadow",
    "namespaces/a-command-that-is-not-there",
    "seccomp/docker-closes-user-namespaces",
    "users/exec-as-another-user",
    "users/supplementary-groups",
];

#[test]
fn the_same_pictures_and_nothing_is_left() {
    for engine in ENGINES.into_iter().filter(|engine| there(engine)) {
        let run = caplab(&[&["run", "--deny-skip", "--engine", engine][..], &SOME].concat())
            .stdout(Stdio::piped())
            .spawn()
            .expect("caplab starts");
        let id = run.id();
        let output = run.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{engine}\n{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!((left(engine, id), folders(id)), (String::new(), Vec::new()), "{engine}");
    }
}

/// A `because` of being root: the case that lifts it is a second container natively, and none of docker's.
#[test]
fn what_a_because_changes_reaches_no_engine() {
    if !there("docker") {
        return;
    }
    let since = ask("docker", &["info", "--format", "{{.SystemTime}}"]);
    let run = caplab(&["run", "--deny-skip", "--engine", "docker", "mounts/user-may-not-write-shadow"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("caplab starts");
    let id = run.id();
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let until = ask("docker", &["info", "--format", "{{.SystemTime}}"]);
    let format = "{{index .Actor.Attributes \"caplab.owner\"}}";
    let filters = ["--filter", "event=create", "--filter", "type=container", "--format", format];
    let made = ask("docker", &[&["events", "--since", &since, "--until", &until][..], &filters].concat());
    let own = made.lines().filter(|owner| owner.starts_with(&format!("{id}."))).count();
    assert_eq!(own, 1, "{made}");
}

#[test]
fn two_runs_at_once_do_not_meet() {
    for engine in ENGINES.into_iter().filter(|engine| there(engine)) {
        let start = || -> Child {
            caplab(&["run", "--engine", engine, "users/supplementary-groups", "users/exec-as-another-user"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("caplab starts")
        };
        for run in [start(), start()] {
            let output = run.wait_with_output().expect("it ends");
            assert_eq!(output.status.code(), Some(0), "{engine}\n{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn a_killed_run_is_cleaned_up_after() {
    for engine in ENGINES.into_iter().filter(|engine| there(engine)) {
        for moment in [600, 1100, 1900] {
            let mut run = caplab(&["run", "--engine", engine, "users", "seccomp"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("caplab starts");
            sleep(Duration::from_millis(moment));
            run.kill().expect("it runs");
            run.wait().expect("it ends");
            let gone = within(40, || left(engine, run.id()).is_empty() && folders(run.id()).is_empty());
            assert!(gone, "{engine} after {moment} ms: {} {:?}", left(engine, run.id()), folders(run.id()));
        }
    }
}

/// Imports a root that holds a file of this content, as caplab does.
fn imported(engine: &str, name: &str, content: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("root.tar");
    let mut tar = tar::Builder::new(fs::File::create(&archive).expect("a file"));
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "file", content.as_bytes()).expect("written");
    tar.finish().expect("written");
    ask(engine, &["import", "--change", "LABEL caplab=root", archive.to_str().expect("a path"), name]);
}

#[test]
fn what_is_the_users_own_stays() {
    for engine in ENGINES.into_iter().filter(|engine| there(engine)) {
        let first = caplab(&["run", "--engine", engine, "users/exec-as-another-user"]).output().expect("caplab starts");
        assert!(first.status.success());
        let image =
            ask(engine, &["images", "--filter", "reference=caplab-root", "--format", "{{.Repository}}:{{.Tag}}"]);
        let image = image.lines().next().expect("an image").to_owned();
        // Of the scenario's name, made of caplab's own image: as bad as it gets.
        ask(engine, &["rm", "--force", "box"]);
        ask(engine, &["create", "--name", "box", "--network", "none", &image, "/never"]);
        let second = caplab(&["run", "--engine", engine, "users/run-as-6667-has"]).output().expect("caplab starts");
        assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stdout));
        // Two runs at once import the same root, and one's has no name any more.
        for content in ["one", "other"] {
            imported(engine, "caplab-root:twice", content);
        }
        let nameless = ["images", "--quiet", "--filter", "dangling=true", "--filter", "label=caplab=root"];
        assert!(!ask(engine, &nameless).is_empty(), "{engine}: the first has kept its name");
        let pruned = caplab(&["engine", "prune"]).output().expect("caplab starts");
        assert!(pruned.status.success());
        let still = ask(engine, &["ps", "--all", "--filter", "name=^box$", "--format", "{{.Image}}"]);
        ask(engine, &["rm", "--force", "box"]);
        assert!(still.ends_with(&image), "{engine}: {still:?} is not {image:?}");
        assert_eq!(ask(engine, &nameless), "", "{engine}");
    }
}

#[test]
fn an_engine_that_is_not_installed_is_a_skip_or_with_deny_skip_a_failure() {
    if !nix::unistd::geteuid().is_root() {
        return println!("not run: needs root");
    }
    // In a mount namespace of its own, where the programs' folder is empty.
    let without = |arguments: &str| {
        let call = format!(
            "mount -t tmpfs none /usr/bin && exec '{}' run --engine podman users/run-as-6667-has {arguments}",
            env!("CARGO_BIN_EXE_caplab")
        );
        Command::new("unshare")
            .args(["--mount", "sh", "-c", &call])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("CAPLAB_MUST_RUN")
            .output()
            .expect("unshare starts")
    };
    let output = without("");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the engine podman is not installed") && said.contains("apt-get install podman"), "{said}");
    assert_eq!(without("--deny-skip").status.code(), Some(1));
}

#[test]
fn a_daemon_that_is_dead_or_hangs_from_the_start_is_a_skip_in_words() {
    if !there("docker") {
        return;
    }
    let run = |socket: &Path| {
        let begun = Instant::now();
        let output = caplab(&["run", "--engine", "docker", "--format", "json", "users/run-as-6667-has"])
            .env("DOCKER_HOST", format!("unix://{}", socket.display()))
            .output()
            .expect("caplab starts");
        let reason = document(&output)["results"][0]["reason"].as_str().unwrap_or_default().to_owned();
        (output.status.code(), reason, begun.elapsed())
    };
    let dir = tempfile::tempdir().expect("a folder");
    let (status, reason, _) = run(&dir.path().join("nobody"));
    assert_eq!(status, Some(0));
    assert!(reason.contains("daemon does not answer"), "{reason}");

    let socket = dir.path().join("silent");
    let silent = UnixListener::bind(&socket).expect("a socket");
    let (status, reason, time) = run(&socket);
    drop(silent);
    assert_eq!(status, Some(0));
    assert!(reason.contains("did not answer within 10 s"), "{reason}");
    assert!(time < Duration::from_secs(30), "{time:?}");
}

/// A way to the daemon that is blocked as soon as somebody has made a container through it.
fn proxy(listener: UnixListener, blocked: Arc<AtomicBool>) {
    for client in listener.incoming() {
        let (Ok(client), Ok(daemon)) = (client, UnixStream::connect("/var/run/docker.sock")) else { return };
        let (to, from) = ((client.try_clone(), daemon.try_clone()), (daemon, client));
        let (Ok(mut client), Ok(mut daemon)) = to else { return };
        let blocks = Arc::clone(&blocked);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                while blocks.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(50));
                }
                let is_create = buffer[..count].windows(18).any(|words| words == b"/containers/create");
                if daemon.write_all(&buffer[..count]).is_err() {
                    return;
                }
                if is_create {
                    sleep(Duration::from_millis(500));
                    blocks.store(true, Ordering::Relaxed);
                }
            }
        });
        let (mut daemon, mut client) = from;
        let blocks = Arc::clone(&blocked);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = daemon.read(&mut buffer) {
                while blocks.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(50));
                }
                if client.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        });
    }
}

#[test]
fn a_daemon_that_hangs_in_the_middle_is_an_error_in_time_and_the_rest_goes_on() {
    if !there("docker") {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let blocked = Arc::new(AtomicBool::new(false));
    let blocks = Arc::clone(&blocked);
    thread::spawn(move || proxy(listener, blocks));
    let begun = Instant::now();
    let two = ["users/exec-as-another-user", "users/supplementary-groups"];
    let run = caplab(&[&["run", "--engine", "docker", "--jobs", "1", "--format", "json"][..], &two].concat())
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("caplab starts");
    let id = run.id();
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3));
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    let said = document(&output);
    let results = said["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    for result in results {
        assert_eq!(result["verdict"], "error", "{result}");
        assert!(result["reason"].as_str().is_some_and(|reason| reason.contains("did not answer in time")), "{result}");
    }
    blocked.store(false, Ordering::Relaxed);
    // The next run finds what that one could not remove.
    assert!(caplab(&["run", "--engine", "docker", two[0]]).output().expect("caplab starts").status.success());
    assert!(within(40, || left("docker", id).is_empty() && folders(id).is_empty()));
}

#[test]
fn a_full_image_store_is_an_error_in_words() {
    if !there("podman") {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("storage.conf");
    let root = dir.path().join("store");
    fs::create_dir(&root).expect("a folder");
    let text =
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n", root.display());
    fs::write(&config, text).expect("a config");
    let call = format!(
        "mount -t tmpfs -o size=1m none '{0}' && \
         head -c 950K /dev/zero > '{0}/filler'; \
         exec '{1}' run --engine podman --format json users/exec-as-another-user",
        root.display(),
        env!("CARGO_BIN_EXE_caplab")
    );
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &call])
        .env("CONTAINERS_STORAGE_CONF", &config)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("unshare starts");
    let said = document(&output);
    let result = &said["results"][0];
    let reason = result["reason"].as_str().unwrap_or_default();
    assert_eq!((output.status.code(), result["verdict"].as_str()), (Some(3), Some("error")), "{result}");
    assert!(reason.contains("no space left") && reason.contains("free space"), "{reason}");
}

/// conmon writes a file where `podman exec` was called, when the kernel has killed what that began.
#[test]
fn nothing_is_left_where_the_run_was_started() {
    for engine in ENGINES.into_iter().filter(|engine| there(engine)) {
        let folder = tempfile::tempdir().expect("a folder");
        let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/limits/mem-limit-kills.yaml");
        let output = caplab(&["run", "--engine", engine, "--format", "json", scenarios])
            .current_dir(folder.path())
            .output()
            .expect("caplab starts");
        assert_eq!(document(&output)["summary"]["passed"], 1, "{engine}: {}", String::from_utf8_lossy(&output.stdout));
        let left: Vec<_> = fs::read_dir(folder.path()).expect("the folder").flatten().map(|one| one.path()).collect();
        assert!(left.is_empty(), "{engine}: {left:?}");
    }
}

/// Processes whose command line has this in it.
fn processes(words: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = entries.filter_map(|entry| Some((entry.file_name(), fs::read(entry.path().join("cmdline")).ok()?)));
    let lines =
        lines.map(|(pid, line)| format!("{} {}", pid.display(), String::from_utf8_lossy(&line).replace('\0', " ")));
    lines.filter(|line| line.contains(words)).collect()
}

/// The container that a runtime is making in vain for this run, by its engine's id.
fn hanging(of: u32) -> Option<String> {
    let own = format!("/caplab-engine-{of}.");
    processes(" create --bundle ").into_iter().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let bundle = words.iter().skip_while(|word| **word != "--bundle").nth(1)?;
        let config = fs::read_to_string(Path::new(bundle).join("config.json")).ok()?;
        let names = Path::new(bundle).iter().map(|name| name.display().to_string());
        names.into_iter().find(|name| config.contains(&own) && name.len() == 64)
    })
}

/// runc waits for a thread that was killed, docker and podman wait for runc, and whoever wants to remove the container waits for them.
#[test]
fn a_runtime_that_hangs_at_create_is_ended_and_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile =
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["capset"], "action": "SCMP_ACT_KILL_THREAD"}]}"#;
    fs::write(folder.path().join("thread.json"), profile).expect("a file");
    let write = |name: &str, container: &str| {
        let text = format!(
            "title: A claim\ncontainer: {{{container}}}\nsteps:\n  - probe: {{setgroups: [1]}}\n    expect: allowed\n"
        );
        fs::write(folder.path().join(name), text).expect("a file");
    };
    for engine in ENGINES.into_iter().filter(|engine| there(engine)) {
        write("hangs.yaml", &format!("preset: {engine}, security_opt: [seccomp=thread.json]"));
        write("well.yaml", &format!("preset: {engine}"));
        let mut reviewed = caplab(&["run", "--update", "--accept-weaker", "well.yaml"]);
        assert!(reviewed.current_dir(folder.path()).output().expect("caplab starts").status.success());
        let start = |names: &[&str]| {
            caplab(&[&["run", "--engine", engine, "--jobs", "1", "--format", "json"][..], names].concat())
                .current_dir(folder.path())
                .stdout(Stdio::piped())
                .spawn()
                .expect("caplab starts")
        };
        let well = || {
            let begun = Instant::now();
            let next = start(&["well.yaml"]).wait_with_output().expect("it ends");
            assert_eq!(next.status.code(), Some(0), "{engine}\n{}", String::from_utf8_lossy(&next.stdout));
            assert!(begun.elapsed() < Duration::from_secs(20), "{engine}: {:?}", begun.elapsed());
        };
        let run = start(&["hangs.yaml", "well.yaml"]);
        let of = run.id();
        assert!(within(25, || hanging(of).is_some()), "{engine}: nothing hangs");
        let id = hanging(of).unwrap_or_default();
        let output = run.wait_with_output().expect("it ends");
        let said = document(&output);
        assert_eq!(
            (&said["results"][0]["verdict"], &said["results"][1]["verdict"]),
            (&"error".into(), &"pass".into()),
            "{said}"
        );
        let reason = said["results"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("runc create did not end") && reason.contains("SCMP_ACT_KILL_PROCESS"), "{reason}");
        let seen = || (left(engine, of), folders(of), processes(&id));
        assert!(within(5, || seen() == Default::default()), "{engine}: {:?}", seen());

        // Killed with its guard, or alone: the next run sweeps it, or the guard does.
        for guard_too in [true, false] {
            let mut run = start(&["hangs.yaml"]);
            let of = run.id();
            assert!(within(25, || hanging(of).is_some()), "{engine}: nothing hangs");
            let id = hanging(of).unwrap_or_default();
            if guard_too {
                let guards = processes(&format!("caplab-guard caplab.owner={of}."));
                for guard in guards {
                    let pid = guard.split(' ').next().and_then(|pid| pid.parse().ok()).expect("a pid");
                    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
                        .expect("killed");
                }
            }
            run.kill().expect("it runs");
            run.wait().expect("it ends");
            if guard_too {
                well();
            }
            let seen = || (left(engine, of), folders(of), processes(&id));
            assert!(within(40, || seen() == Default::default()), "{engine}, {guard_too}: {:?}", seen());
            well();
        }
    }
}

/// What somebody's dead run has left, and docker cannot remove, is tried for a short time, and the run goes on.
#[test]
fn a_leftover_that_cannot_be_removed_is_in_nobodys_way() {
    if !there("docker") {
        return;
    }
    let first = caplab(&["run", "--engine", "docker", "users/exec-as-another-user"]).output().expect("caplab starts");
    assert!(first.status.success());
    let image = ask("docker", &["images", "--filter", "reference=caplab-root", "--format", "{{.Repository}}:{{.Tag}}"]);
    let image = image.lines().next().expect("an image").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    // In a mount namespace of its own, where `docker rm` never ends.
    let docker = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .map(|dir| format!("{dir}/docker"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("docker");
    let place = folder.path().display();
    let shim = format!(
        "#!/bin/sh\ncase \"$*\" in *$STUCK*) : >{place}/tried; exec sleep 100;; esac\nexec {place}/real \"$@\"\n"
    );
    fs::write(folder.path().join("shim"), shim).expect("a file");
    fs::write(folder.path().join("real"), "").expect("a file");
    let call = format!(
        "chmod +x {place}/shim && mount --bind {docker} {place}/real && mount --bind {place}/shim {docker} && \
         exec '{}' run --engine docker users/exec-as-another-user",
        env!("CARGO_BIN_EXE_caplab")
    );
    let stuck = ask("docker", &["create", "--label", "caplab.owner=1.1-stuck", "--network", "none", &image, "/never"]);
    let begun = Instant::now();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &call])
        .env("STUCK", &stuck)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("unshare starts");
    let time = begun.elapsed();
    ask("docker", &["rm", "--force", &stuck]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(folder.path().join("tried").exists(), "nobody tried to remove it");
    assert!(time < Duration::from_secs(20), "{time:?}");
}

/// A variable that sends the client to somebody else is what to look at, and not a daemon.
#[test]
fn who_is_sent_elsewhere_is_told_by_what() {
    for (engine, variable, value) in [
        ("podman", "CONTAINER_HOST", "unix:///nowhere"),
        ("docker", "DOCKER_CONTEXT", "nowhere"),
        ("docker", "DOCKER_HOST", "unix:///nowhere"),
    ] {
        if !there(engine) {
            continue;
        }
        let listed = caplab(&["engine", "list", "--format", "json"]).env(variable, value).output();
        let listed = document(&listed.expect("caplab starts"));
        let row = listed["engines"].as_array().expect("rows").iter().find(|row| row["engine"] == engine);
        let remedy = row.and_then(|row| row["remedy"].as_str()).unwrap_or_default();
        assert!(remedy.contains(&format!("unset {variable}")), "{engine}, {variable}: {row:?}");
    }
}

/// What a container is, and what is tried in it, on each of the engines as natively: the picture is the native engine's.
#[test]
fn what_an_engine_says_in_words_of_its_own_is_what_was_asked_for() {
    let tried = [
        // It has one of its own there, which is nobody's.
        ("hosts", "volumes: [\"/etc/passwd:/etc/hosts:ro\", \"/etc/passwd:/etc/resolv.conf:ro\"]", "allowed"),
        // podman refuses a word that is there twice.
        ("words", "tmpfs: [\"/x:nosuid\", \"/y:noexec,nodev\"]", "allowed"),
        ("cover", "security_opt: [\"mask=/sys/fs/cgroup\"]", "allowed"),
        ("all", "cap_add: [ALL], user: \"1000\"", "allowed"),
        ("less", "cap_add: [ALL], cap_drop: [SYS_ADMIN], user: \"1000\", expect: {refused: create}", ""),
    ];
    // The container of docker's preset without podman's words.
    let presets =
        [("podman", "podman", &tried[..]), ("podman", "docker", &tried[..2]), ("docker", "docker", &tried[..2])];
    for (engine, preset, tried) in presets.into_iter().filter(|(engine, ..)| there(engine)) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, container, outcome) in tried {
            let step = match *outcome {
                "" => "host: {file: /etc/hostname}\n    expect: {changed: false}".to_owned(),
                outcome => format!("probe: {{open: {{path: /etc/passwd, mode: read}}}}\n    expect: {outcome}"),
            };
            let text = format!("title: A claim\ncontainer: {{preset: {preset}, {container}}}\nsteps:\n  - {step}\n");
            fs::write(folder.path().join(format!("{name}.yaml")), text).expect("a file");
        }
        let names: Vec<String> = tried.iter().map(|(name, ..)| format!("{name}.yaml")).collect();
        let run = |arguments: &[&str]| {
            let mut command = caplab(&["run"]);
            command.args(arguments).args(&names).current_dir(folder.path()).env_remove("CI");
            command.output().expect("caplab starts")
        };
        let reviewed = run(&["--update"]);
        assert!(reviewed.status.success(), "{}", String::from_utf8_lossy(&reviewed.stdout));
        let output = run(&["--deny-skip", "--engine", engine]);
        assert_eq!(output.status.code(), Some(0), "{engine}, {preset}\n{}", String::from_utf8_lossy(&output.stdout));
    }
}
