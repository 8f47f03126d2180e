//! docker's and podman's own builds: they make of a Dockerfile what the native engine makes, and leave nothing.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

#[path = "support/dockerfile.rs"]
mod dockerfile;
#[path = "support/images.rs"]
mod images;
#[path = "support/place.rs"]
mod place;
#[path = "support/wait.rs"]
mod wait;
use dockerfile::{processes, scenario};
use images::{BUILDERS, BUILT, ask, image_of, own, own_build, says_the_same, there};
use place::{place, results, run, start};
use wait::within;

/// What needs no program.
const WITHOUT_RUN: [&str; 2] = [
    "FROM scratch
ARG WHO=arg
ENV A=1 B=\"x y\" C=$A PATH=/opt/bin:$PATH D='$A' E=${NONE:-dflt} F=$WHO G=a\\ b H=\"a\\\"b\"
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
COPY . /whole
COPY --chown=42 odd /odd
COPY /one /absolute
WORKDIR $B/../${A}
USER 6667:42
CMD echo $A
ENTRYPOINT [\"/init\", \"-c\"]",
    "FROM scratch
ENV Q \"q  r\" s
ENV BACK a\\ b
ENV DEEP=${NONE:-$Q} DEEPER=${Q:+${NONE:-${BACK}}}
WORKDIR /v
COPY one name.
COPY one /dot/.
WORKDIR \"/q  r\"/$Q
COPY one /
USER \"6667\":'42'
CMD [\"a\"]
ENTRYPOINT b c",
];

/// docs/fidelity.md, build-shell: podman makes something else of it.
const OTHER_SHELL: &str = "FROM scratch
ENTRYPOINT b c
SHELL [\"/sh\", \"-x\"]
CMD d";

/// In the root that [`programs`] makes.
const WITH_RUN: &str = "ARG BEFORE=before
FROM scratch
ARG BEFORE
ARG UNSET
ARG WHO=6667
LABEL a=b
COPY root /
RUN useradd -U -u $WHO nonroot && mkdir -p /opt/own && chown nonroot:nonroot /opt/own && \\
    # a comment in between
    chmod 2750 /opt/own
ENV A=1 WHO=env
RUN [\"cp\", \"/bin/id\", \"/opt/id\"]
RUN chmod 4755 /opt/id && ln /opt/id /opt/again && ln -s nowhere /opt/link && rm /one && rm -r /gone
RUN echo $A $WHO $BEFORE ${UNSET-unset} \"$HOME\" > /opt/said; id -u >> /opt/said; pwd >> /opt/said
WORKDIR /opt/own
USER nonroot
RUN id -un > who && umask 077 && mkdir -p deep/er && echo $HOME >> who
SHELL [\"/bin/sh\", \"-e\", \"-c\"]
USER 0
RUN rm -f deep/none; echo \"$0 $-\" > shell
USER nonroot:nonroot
CMD [\"sh\"]";

/// The same in a container that sees the machine's programs.
const FROM_HOST: &str = "ARG BASE=host
FROM ${BASE} AS only
ARG UNIT=s
ARG OVER=arg
ENV A=\"of the $UNIT\" OVER=env
RUN useradd -U -u 6667 nonroot && echo $A $UNIT $OVER > /opt/said
LABEL a=b
HEALTHCHECK CMD false
COPY one /opt/one
ARG LATE=$A-late
ENV A=2
RUN [\"cp\", \"/opt/one\", \"/opt/two\"]
RUN echo $A $LATE $UNIT >> /opt/said; ! mount -t tmpfs none /srv; test \"$(wc -l < /proc/net/dev)\" = 3; test -s /etc/hosts
ENTRYPOINT [\"sleep\"]
WORKDIR /opt/own
RUN chown nonroot /opt/own /opt/one && chmod 4711 /opt/two
USER nonroot
SHELL [\"/bin/bash\", \"-c\"]
RUN if [[ a == a ]]; then id -un > who; fi
USER 0
RUN grep -e Cap -e Seccomp: -e NoNewPrivs /proc/self/status > /opt/status
USER nonroot
CMD [\"infinity\"]";

/// A folder with a Dockerfile and what it copies.
fn context(folder: &Path, dockerfile: &str) {
    fs::create_dir_all(folder.join("folder/below")).expect("made");
    for (name, content) in [("one", "1"), ("two", "2"), ("folder/below/three", "3"), ("Dockerfile", dockerfile)] {
        fs::write(folder.join(name), content).expect("written");
    }
    symlink("/etc/shadow", folder.join("folder/link")).expect("linked");
    for (name, content) in [("odd/a.log", "a"), ("odd/deep/b.log", "b"), ("odd/deep/c", "c"), ("odd/kept/b.log", "d")] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }
    let ignored = "# none of it\nDockerfile\n**/*.log\nodd/kept\n!odd/kept/[a-c].log\n";
    fs::write(folder.join(".dockerignore"), ignored).expect("written");
    fs::set_permissions(folder.join("one"), fs::Permissions::from_mode(0o600)).expect("set");
}

/// A root with a few of the machine's programs and what they load.
fn programs(root: &Path) {
    let mut files = BTreeSet::new();
    for name in ["sh", "cp", "id", "chmod", "chown", "ln", "mkdir", "rm", "sleep", "useradd"] {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", name]).output().expect("sh");
        let path = String::from_utf8(found.stdout).expect("a path").trim().to_owned();
        let loaded = String::from_utf8(Command::new("ldd").arg(&path).output().expect("ldd").stdout).expect("text");
        files.extend(loaded.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned));
        let target = root.join("bin").join(name);
        fs::create_dir_all(root.join("bin")).expect("made");
        fs::copy(&path, target).expect("copied");
    }
    for path in files {
        let target = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        fs::copy(&path, target).expect("copied");
    }
    for dir in ["dev", "etc", "gone/deep", "home", "proc", "run", "sys", "tmp"] {
        fs::create_dir_all(root.join(dir)).expect("made");
    }
    for (path, text) in [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
        ("gone/deep/file", ""),
        ("one", ""),
    ] {
        fs::write(root.join(path), text).expect("written");
    }
}

const BUILD: &str = "title: t\ncontainer: {build: context}\nsteps: [{inspect: {uid: 0}}]\n";

#[test]
fn an_engines_own_build_makes_the_same() {
    for engine in BUILDERS.into_iter().filter(|engine| there(engine)) {
        let other = (engine == "docker").then_some(OTHER_SHELL);
        for dockerfile in WITHOUT_RUN.into_iter().chain([WITH_RUN]).chain(other) {
            let place = place(BUILD);
            let folder = place.path().join("scenarios/context");
            context(&folder, dockerfile);
            programs(&folder.join("root"));
            let (mut files, said) = own_build(engine, &folder);
            let (own_files, config) = own(place.path());
            // docs/fidelity.md, workdir-later: podman makes the directory when somebody is to be in it.
            let dir = said["WorkingDir"].as_str().unwrap_or_default().trim_start_matches('/');
            let is_there = files.iter().any(|line| line.starts_with(&format!("{dir} ")));
            if engine == "podman" && !dir.is_empty() && !is_there {
                files.push(format!("{dir} 755 0:0 \"\" \"\""));
                files.sort();
            }
            assert_eq!(own_files, files, "{engine}: {dockerfile}");
            says_the_same(&config, &said, &format!("{engine}: {dockerfile}"));
        }
    }
}

#[test]
fn a_line_for_another_shell_is_not_put_to_podman() {
    if there("podman") {
        let place = place(&scenario(OTHER_SHELL, "  - inspect: {uid: 0}\n"));
        let results = run(place.path(), "podman");
        assert_eq!(results[0]["verdict"], "skip", "{:#}", results[0]);
        assert!(results[0]["reason"].as_str().is_some_and(|why| why.contains("build-shell")), "{:#}", results[0]);
    }
}

fn lines(engine: &str, arguments: &[&str]) -> Vec<String> {
    String::from_utf8(ask(engine, arguments)).expect("text").lines().map(str::to_owned).collect()
}

/// The images that a run has built.
fn built(engine: &str, of: u32) -> Vec<String> {
    let reference = format!("reference={BUILT}");
    let mut all = lines(engine, &["images", "--filter", &reference, "--format", "{{.Repository}}:{{.Tag}}"]);
    all.retain(|image| image.starts_with(&format!("{BUILT}:{of}.")));
    all
}

/// All that a run has in an engine's store.
fn left(engine: &str, of: u32) -> Vec<String> {
    let format = "{{.Config.Labels}}";
    let unnamed = lines(engine, &["images", "--quiet", "--filter", "dangling=true", "--filter", "label=caplab.owner"]);
    let is_own = |id: &&String| {
        let said = Command::new(engine).args(["image", "inspect", "--format", format, id]).output().expect("it starts");
        String::from_utf8_lossy(&said.stdout).contains(&format!("caplab.owner:{of}."))
    };
    let mut all: Vec<String> = unnamed.iter().filter(is_own).cloned().collect();
    all.extend(built(engine, of));
    let external: &[&str] = if engine == "podman" { &["--external"] } else { &[] };
    let containers = lines(engine, &[&["ps", "--all", "--format", "{{.Image}} {{.Names}}"], external].concat());
    let own = [format!("{BUILT}:{of}."), format!("caplab-engine-{of}.")];
    all.extend(containers.into_iter().filter(|line| own.iter().any(|own| line.contains(own))));
    all
}

#[test]
fn what_caplab_has_an_engine_build_is_what_it_builds_itself() {
    for engine in BUILDERS.into_iter().filter(|engine| there(engine)) {
        let place = place(&BUILD.replace("{inspect: {uid: 0}}", "{run: sleep 600, timeout: 600s, expect: allowed}"));
        context(&place.path().join("scenarios/context"), FROM_HOST);
        let (own_files, config) = own(place.path());
        let mut caplab = start(place.path(), engine);
        let of = caplab.id();
        let label = ["--filter", "label=caplab.owner"];
        let format = ["--format", "{{.Names}} {{.Image}}"];
        let mut runs = Vec::new();
        let begun = within(60, || {
            runs = lines(engine, &[&["ps"], &label[..], &format[..]].concat());
            runs.retain(|line| line.ends_with("-0") && line.contains(&format!("{BUILT}:{of}.")));
            !runs.is_empty()
        });
        assert!(begun, "{engine}: {:?}", left(engine, of));
        let (name, image) = runs[0].split_once(' ').expect("two words");
        let (files, said) = image_of(engine, image);
        // What the container itself is said to be: nobody has repeated the image's words.
        let inspected = ask(engine, &["inspect", "--format", "{{json .Config}}", name]);
        let of_container: Value = serde_json::from_slice(&inspected).expect("a document");
        let tops = lines(engine, &["exec", name, "ps", "-o", "user=,args=", "-p", "1"]);
        caplab.kill().expect("killed");
        caplab.wait().expect("gone");
        assert_eq!(own_files, files, "{engine}");
        says_the_same(&config, &said, engine);
        assert_eq!(of_container["User"], "nonroot", "{engine}");
        assert_eq!(of_container["WorkingDir"], "/opt/own", "{engine}");
        assert_eq!(tops, ["nonroot  sleep infinity"], "{engine}");
        assert!(within(40, || left(engine, of).is_empty()), "{engine}: {:?}", left(engine, of));
    }
}

/// A RUN that takes its time on docker and podman: natively, where it is built first, neither file is there.
fn only_there(time: &str) -> String {
    format!("RUN if test -e /.dockerenv || test -e /run/.containerenv; then sleep {time}; fi")
}

/// A folder with this scenario, what it copies, and a root with programs.
fn with_programs(scenario: &str) -> TempDir {
    let place = place(scenario);
    let folder = place.path().join("scenarios");
    context(&folder, "");
    programs(&folder.join("root"));
    place
}

#[test]
fn a_build_that_is_killed_leaves_nothing() {
    for engine in BUILDERS.into_iter().filter(|engine| there(engine)) {
        // docker's FROM host is built in pieces, everything else by its build.
        for (from, number) in [("FROM host", 41), ("FROM scratch\nCOPY root /", 42)] {
            let time = format!("31415.9{number}{}", std::process::id());
            let dockerfile = format!("{from}\nCOPY one /\nRUN true\n{}\nRUN true", only_there(&time));
            let place = with_programs(&scenario(&dockerfile, "  - inspect: {uid: 0}\n"));
            let mut caplab = start(place.path(), engine);
            let of = caplab.id();
            assert!(within(60, || processes(&time) > 0), "{engine} {from}: the build runs");
            caplab.kill().expect("killed");
            caplab.wait().expect("gone");
            let gone = within(40, || processes(&time) == 0 && left(engine, of).is_empty());
            assert!(gone, "{engine} {from}: {} {:?}", processes(&time), left(engine, of));
        }
    }
}

#[test]
fn a_build_that_runs_out_of_time_is_ended() {
    for engine in BUILDERS.into_iter().filter(|engine| there(engine)) {
        for (from, number) in [("FROM host", 43), ("FROM scratch\nCOPY root /", 44)] {
            let time = format!("31415.9{number}{}", std::process::id());
            let dockerfile = format!("{from}\n{}", only_there(&time));
            let text = scenario(&dockerfile, "  - inspect: {uid: 0}\n");
            let place = with_programs(&text.replace("context: .", "context: .\n    timeout: 3s"));
            let caplab = start(place.path(), engine);
            let of = caplab.id();
            let results = results(caplab);
            assert_eq!(results[0]["verdict"], "error", "{engine} {from}: {:#}", results[0]);
            let reason = results[0]["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("a RUN took longer than 3s"), "{engine} {from}: {reason}");
            let gone = within(40, || processes(&time) == 0 && left(engine, of).is_empty());
            assert!(gone, "{engine} {from}: {} {:?}", processes(&time), left(engine, of));
        }
    }
}

#[test]
fn every_engine_has_what_was_built() {
    let dockerfile = "FROM host
RUN useradd -U -u 6667 nonroot && mkdir /opt/own && chown nonroot:nonroot /opt/own && cp /usr/bin/id /opt/own/id && chmod 4755 /opt/own/id
WORKDIR /opt/own
ENV A=image
USER nonroot";
    let steps = "  - run: id -un; pwd; echo $A; stat -c '%a %U' id .
    expect: {stdout: {equals: \"nonroot\\n/opt/own\\nimage\\n4755 root\\n755 nonroot\\n\"}}
";
    for engine in ["native", "crun", "runc", "docker", "podman"].into_iter().filter(|engine| there(engine)) {
        let place = place(&scenario(dockerfile, steps));
        let results = run(place.path(), engine);
        assert_eq!(results[0]["verdict"], "pass", "{engine}: {:#}", results[0]);
    }
}
