//! Dockerfiles: what no scenario of the suite can say, because it goes wrong, or needs files beside it.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

#[path = "support/root.rs"]
mod support;
use support::root;

/// A folder with this scenario.
fn place(scenario: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scenarios")).expect("made");
    fs::write(folder.path().join("scenarios/box.yaml"), scenario).expect("written");
    folder
}

/// The results, by this engine. Pictures are not what is looked at.
fn run(place: &Path, engine: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
    command.args(["run", "--update", "--format", "json", "--engine", engine]).current_dir(place).env_remove("CI");
    let output = command.output().expect("caplab starts");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    document["results"].as_array().expect("results").clone()
}

/// A scenario with this Dockerfile and these steps.
fn scenario(dockerfile: &str, steps: &str) -> String {
    let lines: String = dockerfile.lines().map(|line| format!("      {line}\n")).collect();
    format!("title: t\ncontainer:\n  build:\n    context: .\n    dockerfile_inline: |\n{lines}steps:\n{steps}")
}

const ANY: &str = "  - inspect: {uid: 0}\n";

#[test]
fn a_run_that_fails_is_told_by_its_line_and_its_last_words() {
    if !root() {
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
    ] {
        let place = place(&scenario(dockerfile, ANY));
        symlink("/etc/hostname", place.path().join("scenarios/link")).expect("linked");
        fs::write(place.path().join("scenarios/packed.gz"), b"\x1f\x8b\x08").expect("written");
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
    if !root() {
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
        // Whoever it belongs to, and with a mode that is not a umask's.
        std::os::unix::fs::chown(scenarios.join(name), Some(4711), None).expect("given away");
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
    if !root() {
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
    for engine in ["native", "crun", "runc"] {
        let results = run(place(&text).path(), engine);
        assert_eq!(results.len(), 2);
        for result in results {
            assert_eq!(result["verdict"], "pass", "{engine}: {result:#}");
        }
    }
}

#[test]
fn docker_and_podman_have_what_was_built() {
    if !root() {
        return;
    }
    let dockerfile = "FROM host
RUN useradd -U -u 6667 nonroot && mkdir /opt/own && chown nonroot:nonroot /opt/own && cp /usr/bin/id /opt/own/id && chmod 4755 /opt/own/id
WORKDIR /opt/own
ENV A=image
USER nonroot";
    let steps = "  - run: id -un; pwd; echo $A; stat -c '%a %U' id .
    expect: {stdout: {equals: \"nonroot\\n/opt/own\\nimage\\n4755 root\\n755 nonroot\\n\"}}
";
    for engine in ["native", "crun", "runc", "docker", "podman"] {
        let place = place(&scenario(dockerfile, steps));
        let results = run(place.path(), engine);
        if results[0]["verdict"] == "skip"
            && results[0]["reason"].as_str().is_some_and(|why| why.contains("engine") || why.contains("daemon"))
        {
            println!("not run on {engine}: {}", results[0]["reason"]);
            continue;
        }
        assert_eq!(results[0]["verdict"], "pass", "{engine}: {:#}", results[0]);
    }
}

#[test]
fn a_build_leaves_nothing_on_the_machine() {
    if !root() {
        return;
    }
    let files = || {
        let tmp = fs::read_dir("/tmp").expect("read").filter_map(|entry| Some(entry.ok()?.file_name()));
        let own = tmp.filter(|name| name.to_string_lossy().contains("caplab")).collect::<Vec<_>>();
        (
            own,
            fs::read_to_string("/etc/passwd").expect("read"),
            fs::read_to_string("/proc/self/mountinfo").expect("read"),
        )
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

/// docker's own build of the same lines: what is in the image, and what is said about it. `None` where there is no docker.
fn of_docker(folder: &Path) -> Option<(Vec<String>, Value)> {
    const IMAGE: &str = "caplab-root:test-of-builds";
    let docker = |arguments: &[&str]| {
        Command::new("docker").args(arguments).output().ok().filter(|output| output.status.success())
    };
    docker(&["version", "--format", "{{.Server.Version}}"])?;
    let path = folder.to_str().expect("a path");
    let built = Command::new("docker")
        .args(["build", "--network", "none", "--quiet", "--tag", IMAGE, path])
        .output()
        .expect("docker");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let said = docker(&["image", "inspect", "--format", "{{json .Config}}", IMAGE]).expect("inspected").stdout;
    let container = docker(&["create", IMAGE]).expect("created").stdout;
    let container = String::from_utf8(container).expect("an id");
    let exported = docker(&["export", container.trim()]).expect("exported").stdout;
    docker(&["rm", container.trim()]).expect("removed");
    docker(&["rmi", "--force", IMAGE]).expect("removed");
    let mut files = Vec::new();
    for entry in tar::Archive::new(exported.as_slice()).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().trim_end_matches('/').to_owned();
        // What docker makes in every container.
        if [".dockerenv", "dev", "etc", "proc", "sys"].contains(&path.split('/').next().unwrap_or_default()) {
            continue;
        }
        let mut content = String::new();
        std::io::Read::read_to_string(&mut entry, &mut content).expect("text");
        let header = entry.header().clone();
        let link =
            header.link_name().expect("a name").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
        let owner = (header.uid().expect("uid"), header.gid().expect("gid"));
        files.push(format!(
            "{path} {:o} {}:{} {content:?} {link:?}",
            header.mode().expect("a mode") & 0o7777,
            owner.0,
            owner.1
        ));
    }
    files.sort();
    Some((files, serde_json::from_slice(&said).expect("a document")))
}

/// caplab's.
fn own(folder: &Path) -> (Vec<String>, caplab::image::Config) {
    use caplab::image::Kind;
    let scenario = caplab::scenario::read("box", &folder.join("../box.yaml")).expect("valid");
    let machine = caplab::host::Machine::probe(false);
    let case = caplab::build::prepared(&scenario.cases[0], &machine).expect("built");
    let image = case.containers[0].image.as_ref().and_then(|image| image.made.clone()).expect("made");
    let one = |(path, body): (&str, &caplab::image::Body)| {
        let (content, link) = match &body.kind {
            Kind::Dir => (String::new(), String::new()),
            Kind::File(content) => (String::from_utf8_lossy(content).into_owned(), String::new()),
            Kind::Symlink(target) => (String::new(), target.clone()),
        };
        format!("{path} {:o} {}:{} {content:?} {link:?}", body.mode, body.uid, body.gid)
    };
    let mut files: Vec<String> = image.tree.iter().map(one).collect();
    files.sort();
    (files, image.config.clone())
}

#[test]
fn docker_builds_the_same_of_what_needs_no_program() {
    if !root() {
        return;
    }
    for dockerfile in [
        "FROM scratch
ARG WHO=arg
ENV A=1 B=\"x y\" C=$A D='$A' E=${NONE:-dflt} F=$WHO G=a\\ b H=\"a\\\"b\"
ENV A=2 C=$A-${A}
ENV OLD one  two
WORKDIR /opt
WORKDIR rel
COPY one two here/
COPY --chown=6667 one owned
COPY --chown=6667:42 folder /owned-folder
COPY --chown=6667:42 one /new/deep/
COPY --chown=42 one /other/deep
COPY folder /opt/folder
COPY folder there
ADD [\"one\", \"with a space\"]
COPY one /x/y/
COPY one .
COPY one ./two
COPY folder/ here
COPY /one /absolute
WORKDIR $B/../${A}
USER 6667:42
CMD echo $A
ENTRYPOINT [\"/init\", \"-c\"]",
        "FROM scratch
COPY one /
CMD [\"a\"]
ENTRYPOINT b c
SHELL [\"/sh\", \"-x\"]
CMD d",
    ] {
        let place = place("title: t\ncontainer: {build: context}\nsteps: [{inspect: {uid: 0}}]\n");
        let context = place.path().join("scenarios/context");
        fs::create_dir_all(context.join("folder/below")).expect("made");
        for (name, content) in [("one", "1"), ("two", "2"), ("folder/below/three", "3"), ("Dockerfile", dockerfile)] {
            fs::write(context.join(name), content).expect("written");
        }
        symlink("/etc/shadow", context.join("folder/link")).expect("linked");
        fs::set_permissions(context.join("one"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
        let Some((files, said)) = of_docker(&context) else {
            println!("not run: no docker");
            return;
        };
        let (own_files, config) = own(&context);
        assert_eq!(own_files, files, "{dockerfile}");
        let list = |key: &str| {
            said[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        // The PATH is docker's own: caplab's containers have the same without being told.
        let mut env: Vec<String> = list("Env").into_iter().filter(|entry| !entry.starts_with("PATH=")).collect();
        let mut own_env: Vec<String> =
            config.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        env.sort();
        own_env.sort();
        assert_eq!(own_env, env, "{dockerfile}");
        assert_eq!(config.entrypoint, list("Entrypoint"), "{dockerfile}");
        assert_eq!(config.command, list("Cmd"), "{dockerfile}");
        assert_eq!(
            config.working_dir.unwrap_or_default(),
            said["WorkingDir"].as_str().unwrap_or_default(),
            "{dockerfile}"
        );
        assert_eq!(
            config.user.map(|user| user.to_string()).unwrap_or_default(),
            said["User"].as_str().unwrap_or_default(),
            "{dockerfile}"
        );
    }
}

#[test]
fn a_build_that_is_killed_leaves_no_process() {
    if !root() {
        return;
    }
    let runs = |what: &str| {
        fs::read_dir("/proc")
            .expect("read")
            .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
            .any(|line| String::from_utf8_lossy(&line).split('\0').any(|word| word == what))
    };
    let wait = |until: &dyn Fn() -> bool| {
        (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            until()
        })
    };
    let time = "31415.92653";
    let place = place(&scenario(&format!("FROM host\nRUN [\"sleep\", \"{time}\"]"), ANY));
    let mut caplab = Command::new(env!("CARGO_BIN_EXE_caplab"));
    let mut caplab = caplab
        .args(["run", "--update"])
        .current_dir(place.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("caplab starts");
    assert!(wait(&|| runs(time)), "the build runs");
    caplab.kill().expect("killed");
    caplab.wait().expect("gone");
    assert!(wait(&|| !runs(time)), "its process is gone");
}
