//! Dockerfiles: what no scenario of the suite can say, because it goes wrong, or needs files beside it.

use std::{fs, os::unix::fs::symlink};

#[path = "support/dockerfile.rs"]
mod dockerfile;
#[path = "support/place.rs"]
mod place;
#[path = "support/users.rs"]
mod support;
#[path = "support/wait.rs"]
mod wait;
use dockerfile::{processes, scenario};
use place::{place, run, start};
use support::runs;
use wait::within;

const ANY: &str = "  - inspect: {uid: 0}\n";

#[test]
fn a_run_that_fails_is_told_by_its_line_and_its_last_words() {
    if !runs() {
        return;
    }
    for (dockerfile, said) in [
        (
            "FROM host\n\nRUN echo before; echo why >&2; exit 3",
            &["line 3: RUN: failed(exit 3)", "| before", "| why"][..],
        ),
        ("FROM toolbox\nRUN true", &["line 2: RUN:", "ENOENT"]),
        ("FROM host\nUSER nobody-here\nRUN true", &["line 3:", "no user `nobody-here`"]),
        ("FROM host\nRUN kill -9 $$", &["line 2: RUN: killed(SIGKILL)"]),
        ("FROM host\nWORKDIR /etc/passwd", &["line 2: /etc/passwd is no directory"]),
        ("FROM host\nCOPY none /", &["line 2: COPY none: No such file"]),
        ("FROM host\nCOPY box.yaml ../out /", &["line 2: COPY ../out:", "no `..` leads out"]),
        ("FROM host\nCOPY link /", &["line 2: COPY link: it leads out"]),
        ("FROM host\nADD packed.gz /", &["line 2: ADD packed.gz: docker would unpack"]),
        ("FROM scratch\nRUN true", &["line 2: RUN:", "ENOENT"]),
        ("FROM host\nCOPY box.yaml packed.gz /opt", &["line 2: COPY of several files to /opt:", "a `/` at the end"]),
        ("FROM host\nCOPY ignored /", &["line 2: COPY ignored:", ".dockerignore leaves it out"]),
        ("FROM host\nCOPY folder /", &["line 2: COPY folder:", ".dockerignore leaves it out"]),
    ] {
        let place = place(&scenario(dockerfile, ANY));
        symlink("/etc/hostname", place.path().join("scenarios/link")).expect("linked");
        fs::write(place.path().join("scenarios/packed.gz"), b"\x1f\x8b\x08").expect("written");
        fs::create_dir(place.path().join("scenarios/folder")).expect("made");
        for (name, text) in [("ignored", ""), ("folder/file", ""), (".dockerignore", "ignored\nfolder\n")] {
            fs::write(place.path().join("scenarios").join(name), text).expect("written");
        }
        let results = run(place.path(), "native");
        assert_eq!(results[0]["verdict"], "error", "{dockerfile}: {:#}", results[0]);
        let reason = results[0]["reason"].as_str().unwrap_or_default();
        for words in said {
            assert!(reason.contains(words), "{dockerfile}: {words}: {reason}");
        }
    }
}

#[test]
fn what_is_copied_is_roots_unless_somebody_else_is_named() {
    if !runs() {
        return;
    }
    let dockerfile = "FROM host
WORKDIR /opt
RUN useradd -U -u 6667 nonroot
COPY one two here/
COPY --chown=nonroot --chmod=0640 one owned
COPY folder /opt/folder
ADD [\"one\", \"with a space\"]
COPY one /opt/to-a-link/
RUN ln -s /usr /opt/usr";
    let steps = "  - run: cd /opt && cat here/one here/two 'with a space' folder/below/three && stat -c '%n %a %u:%g' owned here/one folder/below && readlink folder/link
    expect: {stdout: {equals: \"1\\n2\\n1\\n3\\nowned 640 6667:6667\\nhere/one 600 0:0\\nfolder/below 755 0:0\\n/etc/shadow\\n\"}}
";
    let place = place(&scenario(dockerfile, steps));
    let scenarios = place.path().join("scenarios");
    fs::create_dir_all(scenarios.join("folder/below")).expect("made");
    for (name, content) in [("one", "1\n"), ("two", "2\n"), ("folder/below/three", "3\n")] {
        fs::write(scenarios.join(name), content).expect("written");
        // Whoever it belongs to, and with a mode that is not a umask's. An ordinary user's is never root's.
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(scenarios.join(name), Some(4711), None).expect("given away");
        }
        fs::set_permissions(scenarios.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    }
    fs::set_permissions(scenarios.join("folder/below"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("set");
    symlink("/etc/shadow", scenarios.join("folder/link")).expect("linked");
    let results = run(place.path(), "native");
    assert_eq!(results[0]["verdict"], "pass", "{:#}", results[0]);
}

#[test]
fn a_container_changes_its_own_copy() {
    if !runs() {
        return;
    }
    let build =
        "{build: {dockerfile_inline: \"FROM host\\nRUN echo image > /opt/file && ln /opt/file /opt/again\\n\"}}";
    let text = format!(
        "title: t
matrix: {{time: [first, second]}}
containers:
  a: {build}
  b: {build}
steps:
  - run: test $(cat /opt/file) = image && echo ${{time}} > /opt/again && test $(cat /opt/file) = ${{time}} && rm -r /home
    in: a
    expect: allowed
  - run: test $(cat /opt/file) = image && test -d /home
    in: b
    expect: allowed
"
    );
    // caplab drives the others as root alone.
    let engines = if nix::unistd::geteuid().is_root() { &["native", "crun", "runc"][..] } else { &["native"] };
    for engine in engines {
        let results = run(place(&text).path(), engine);
        assert_eq!(results.len(), 2);
        for result in results {
            assert_eq!(result["verdict"], "pass", "{engine}: {result:#}");
        }
    }
}

#[test]
fn a_build_leaves_nothing_on_the_machine() {
    if !runs() {
        return;
    }
    let files = || {
        let tmp = fs::read_dir("/tmp").expect("read").filter_map(|entry| Some(entry.ok()?.file_name()));
        // A native run makes no folder for an engine; others may, at the same time, and mount what docker and podman do.
        let is_own = |name: &std::ffi::OsString| {
            name.to_string_lossy().contains("caplab") && !name.to_string_lossy().starts_with("caplab-engine-")
        };
        let own = tmp.filter(is_own).collect::<Vec<_>>();
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("read");
        let is_an_engines = |line: &&str| {
            let at = line.split(' ').nth(4).unwrap_or_default();
            ["/var/lib/docker/", "/run/docker/", "/var/lib/containers/", "/run/containers/"]
                .iter()
                .any(|place| at.starts_with(place))
        };
        let mounts: Vec<String> = mounts.lines().filter(|line| !is_an_engines(line)).map(str::to_owned).collect();
        (own, fs::read_to_string("/etc/passwd").expect("read"), mounts)
    };
    let before = files();
    let dockerfile =
        "FROM host\nRUN useradd -u 6667 nonroot-of-a-test && touch /tmp/caplab-of-a-test\nUSER nonroot-of-a-test";
    let place = place(&scenario(
        dockerfile,
        "  - inspect: {uid: 6667}\n  - probe: {open: {path: /tmp/caplab-of-a-test, mode: read}}\n    expect: allowed\n",
    ));
    let results = run(place.path(), "native");
    assert_eq!(results[0]["verdict"], "pass", "{:#}", results[0]);
    assert_eq!(files(), before);
}

#[test]
fn a_run_has_the_time_that_its_author_gives_it() {
    if !runs() {
        return;
    }
    let time = "31415.92654";
    let long = scenario(&format!("FROM host\nRUN true\nRUN [\"sleep\", \"{time}\"]"), ANY);
    let place = place(&long.replace("context: .", "timeout: 500ms"));
    let results = run(place.path(), "native");
    let reason = results[0]["reason"].as_str().unwrap_or_default();
    assert_eq!(results[0]["verdict"], "error", "{:#}", results[0]);
    assert!(reason.contains("line 3: RUN: took longer than 500ms") && reason.contains("`timeout: 10m`"), "{reason}");
    assert!(within(20, || processes(time) == 0), "its process is gone");
}

#[test]
fn a_build_that_is_killed_leaves_no_process() {
    if !runs() {
        return;
    }
    let time = "31415.92653";
    let place = place(&scenario(&format!("FROM host\nRUN [\"sleep\", \"{time}\"]"), ANY));
    let mut caplab = start(place.path(), "native");
    assert!(within(20, || processes(time) > 0), "the build runs");
    caplab.kill().expect("killed");
    caplab.wait().expect("gone");
    assert!(within(20, || processes(time) == 0), "its process is gone");
}
