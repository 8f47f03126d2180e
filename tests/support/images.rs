//! What an engine's own build makes of a Dockerfile, and what caplab does.

use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    process::{Command, Output},
};

use caplab::image::{Body, Config, Kind};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Engines with a build of their own.
pub(crate) const BUILDERS: [&str; 2] = ["docker", "podman"];
/// The repository of what caplab has them build.
pub(crate) const BUILT: &str = "localhost/caplab-build";

/// Those of an image, a line each.
pub(crate) type Files = Vec<String>;

/// Whether root can drive it here; where not, the test says so.
pub(crate) fn there(engine: &str) -> bool {
    let kind = caplab::engine::Kind::from_name(engine).expect("an engine");
    let lacking = kind.lacking(&caplab::host::Machine::probe(false));
    let is_root = nix::unistd::geteuid().is_root();
    let there = is_root && lacking.is_none();
    assert!(there || !is_root || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs {engine}: {lacking:?}");
    if !there {
        println!("not run: needs root and {engine}: {lacking:?}");
    }
    there
}

/// What a call says that goes well.
pub(crate) fn ask(engine: &str, arguments: &[&str]) -> Vec<u8> {
    let call = || Command::new(engine).args(arguments).env("DOCKER_BUILDKIT", "0").output().expect("it starts");
    // podman 4.3 lists no images where somebody removes one in that moment, and no containers either.
    let is_race = |output: &Output| {
        let said = String::from_utf8_lossy(&output.stderr);
        ["image not known", "container not known"].iter().any(|words| said.contains(words))
    };
    let output = (0..5).map(|_| call()).find(|output| !is_race(output)).unwrap_or_else(call);
    assert!(output.status.success(), "{engine} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The engine's own build of the Dockerfile in a folder: what is in the image, and what is said about it.
pub(crate) fn own_build(engine: &str, folder: &Path) -> (Files, Value) {
    let image = format!("localhost/test-of-builds:{}", std::process::id());
    let path = folder.to_str().expect("a path");
    // crun 1.8, which podman takes, refuses a machine with control groups of both versions.
    let is_hybrid = engine == "podman" && Path::new("/sys/fs/cgroup/unified").exists();
    let runtime: &[&str] = if is_hybrid { &["--runtime=runc"] } else { &[] };
    let build: &[&str] = &["build", "--network", "none", "--quiet", "--force-rm", "--no-cache", "--tag", &image];
    // podman keeps the images between two lines, also where they go into no cache.
    let own: &[&str] = if engine == "podman" { &["--format=docker", "--layers=false", path] } else { &[path] };
    ask(engine, &[runtime, build, own].concat());
    let seen = image_of(engine, &image);
    ask(engine, &["rmi", "--force", &image]);
    seen
}

/// What is in an image of an engine's, and what is said about it.
pub(crate) fn image_of(engine: &str, image: &str) -> (Files, Value) {
    let said = ask(engine, &["image", "inspect", "--format", "{{json .Config}}", image]);
    let container = String::from_utf8(ask(engine, &["create", "--network=none", image, "/never"])).expect("an id");
    let exported = ask(engine, &["export", container.trim()]);
    ask(engine, &["rm", container.trim()]);
    (files(&exported), serde_json::from_slice(&said).expect("a document"))
}

/// What engines make in every container, and what they mount on.
fn is_an_engines(path: &str) -> bool {
    let made =
        [".dockerenv", "etc", "run", "run/.containerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"];
    let below = ["dev", "proc", "sys", "etc/alternatives", "etc/ld.so.cache", "etc/ld.so.conf.d"];
    made.contains(&path)
        || below.iter().any(|top| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn line(path: &str, (mode, uid, gid): (u32, u64, u64), content: &[u8], link: &str) -> String {
    let content = match std::str::from_utf8(content) {
        Ok(text) if text.len() < 1000 => format!("{text:?}"),
        _ => Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    format!("{path} {mode:o} {uid}:{gid} {content} {link:?}")
}

fn files(archive: &[u8]) -> Files {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().trim_end_matches('/').to_owned();
        if is_an_engines(&path) || path.is_empty() {
            continue;
        }
        let header = entry.header().clone();
        let link = entry.link_name().expect("a name").map(|link| link.to_string_lossy().into_owned());
        if header.entry_type() == tar::EntryType::Link {
            let same: &(_, _, _) = &found[&link.expect("a target")];
            found.insert(path, same.clone());
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("read");
        let who = (header.mode().expect("a mode") & 0o7777, header.uid().expect("uid"), header.gid().expect("gid"));
        found.insert(path, (who, content, link.unwrap_or_default()));
    }
    let mut files: Files = found.iter().map(|(path, (who, content, link))| line(path, *who, content, link)).collect();
    files.sort();
    files
}

/// The same of caplab's image of the scenario in a folder.
pub(crate) fn own(folder: &Path) -> (Files, Config) {
    let scenario = caplab::scenario::read("box", &folder.join("scenarios/box.yaml")).expect("valid");
    let machine = caplab::host::Machine::probe(false);
    let case = caplab::build::prepared(&scenario.cases[0], &machine).expect("built");
    let image = case.containers[0].image.as_ref().and_then(|image| image.made.clone()).expect("made");
    let one = |(path, body): (&str, &Body)| {
        let (content, link) = match &body.kind {
            Kind::Dir => (&[][..], ""),
            Kind::File(content) => (content.as_slice(), ""),
            Kind::Symlink(target) => (&[][..], target.as_str()),
        };
        line(path, (body.mode, body.uid.into(), body.gid.into()), content, link)
    };
    let mut files: Files = image.tree.iter().filter(|(path, _)| !is_an_engines(path)).map(one).collect();
    files.sort();
    (files, image.config.clone())
}

/// That two images say the same.
pub(crate) fn says_the_same(config: &Config, said: &Value, of: &str) {
    let list = |key: &str| {
        said[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    let mut env = list("Env");
    let mut own: Vec<String> = config.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    env.sort();
    own.sort();
    assert_eq!(own, env, "{of}");
    assert_eq!(config.entrypoint, list("Entrypoint"), "{of}");
    assert_eq!(config.command, list("Cmd"), "{of}");
    assert_eq!(config.working_dir.clone().unwrap_or_default(), text("WorkingDir"), "{of}");
    assert_eq!(config.user.as_ref().map(ToString::to_string).unwrap_or_default(), text("User"), "{of}");
}
