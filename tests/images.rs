//! Containers that are made of an image: what no scenario can say, because the image has to lie beside it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

#[path = "support/users.rs"]
mod support;
use support::runs;

/// Those that caplab drives here: an ordinary user has the native one.
fn engines() -> &'static [&'static str] {
    if nix::unistd::geteuid().is_root() { &["native", "crun", "runc"] } else { &["native"] }
}

/// Whether the host has the ids of the maps here: useradd(8) gives an ordinary user fewer. Must they be there, the test fails.
fn has_ids() -> bool {
    let machine = caplab::host::Machine::probe(false);
    let last = 100_000 + 65_536;
    let has = |one: &caplab_init::wire::IdMap| u64::from(one.inside) + u64::from(one.count) >= last;
    let there = machine.lab.initial || machine.lab.uids.iter().any(has);
    assert!(there || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "too few ids: {:?}", machine.lab.uids);
    if !there {
        println!("not run: too few ids for a uidmap");
    }
    there
}

/// A folder with this scenario, `box.yaml`, and an image beside it, `image`.
struct Place(TempDir);

/// A file of a layer: path, kind, mode, owner, content or target.
type File<'a> = (&'a str, EntryType, u32, (u64, u64), &'a [u8]);

/// A program that runs in an empty root: caplab's own helper.
fn program() -> &'static [u8] {
    caplab::engine::decoy_runtime()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn layer(files: &[File<'_>]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (path, kind, mode, (uid, gid), content) in files {
        if path.ends_with("ping") {
            // CAP_NET_RAW in the permitted set, and effective: what `setcap cap_net_raw+ep` writes.
            let value: &[u8] = &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            archive.append_pax_extensions([("SCHILY.xattr.security.capability", value)]).expect("appended");
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(*uid);
        header.set_gid(*gid);
        match kind {
            EntryType::Symlink | EntryType::Link => {
                header.set_size(0);
                let target = std::str::from_utf8(content).expect("a path");
                archive.append_link(&mut header, path, target).expect("appended");
            }
            _ => {
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, path, *content).expect("appended");
            }
        }
    }
    archive.into_inner().expect("finished")
}

impl Place {
    fn new(scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("scenarios")).expect("made");
        fs::write(folder.path().join("scenarios/box.yaml"), scenario).expect("written");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// An OCI layout of one layer.
    fn image(self, config: &Value, files: &[File<'_>]) -> Self {
        let image = self.path().join("scenarios/image");
        fs::create_dir_all(image.join("blobs/sha256")).expect("made");
        fs::write(image.join("oci-layout"), "{}").expect("written");
        let blob = |bytes: &[u8]| {
            fs::write(image.join("blobs/sha256").join(hex(bytes)), bytes).expect("written");
            json!({"digest": format!("sha256:{}", hex(bytes)), "size": bytes.len()})
        };
        let layer = layer(files);
        let ids = [format!("sha256:{}", hex(&layer))];
        let config = blob(json!({"os": "linux", "config": config, "rootfs": {"diff_ids": ids}}).to_string().as_bytes());
        let manifest = json!({"config": config, "layers": [blob(&layer)]}).to_string();
        let index = json!({"manifests": [blob(manifest.as_bytes())]});
        fs::write(image.join("index.json"), index.to_string()).expect("written");
        self
    }

    fn caplab(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplab"));
        command.args(arguments).current_dir(self.path()).env_remove("CI");
        command.output().expect("caplab starts")
    }

    /// The result of the one case, by this engine. The picture, of which there is none, is not what is looked at.
    fn run(&self, engine: &str) -> Value {
        let output = self.caplab(&["run", "--update", "--format", "json", "--engine", engine]);
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        document["results"][0].clone()
    }

    /// That the one case passes.
    fn passes(&self, engine: &str) -> Value {
        let result = self.run(engine);
        assert_eq!(result["verdict"], "pass", "{engine}: {result:#}");
        result
    }
}

const DIR: EntryType = EntryType::Directory;
const FILE: EntryType = EntryType::Regular;
const ROOTS: (u64, u64) = (0, 0);

/// A small root: two users, a few files, the helper as a program.
fn files() -> Vec<File<'static>> {
    vec![
        ("etc", DIR, 0o755, ROOTS, b""),
        ("etc/passwd", FILE, 0o644, ROOTS, b"root:x:0:0::/root:/sh\nnonroot:x:6667:42:a comment:/home/nonroot:/sh\n"),
        ("etc/group", FILE, 0o644, ROOTS, b"root:x:0:\nown:x:42:\nwheel:x:10:root,nonroot\naudio:x:29:nonroot,other\n"),
        ("init", FILE, 0o755, ROOTS, program()),
        ("srv", DIR, 0o750, (6667, 42), b""),
        ("srv/own", FILE, 0o600, (6667, 42), b"own"),
        ("srv/roots", FILE, 0o600, ROOTS, b"root's"),
        ("su", FILE, 0o4755, ROOTS, program()),
        ("ping", FILE, 0o755, ROOTS, program()),
        ("again", EntryType::Link, 0o755, ROOTS, b"ping"),
    ]
}

#[test]
fn what_the_image_says_holds_where_nothing_else_is_said() {
    if !runs() {
        return;
    }
    let config = json!({"User": "nonroot", "Env": ["A=image", "B=image"], "WorkingDir": "/srv", "Entrypoint": ["/init"], "Cmd": ["pause"]});
    let steps = "
steps:
  - inspect: {uid: 6667, gid: 42, groups: [42, 10, 29]}
  - host: {process: box}
    expect: {uid: 6667}
  - probe: {open: {path: /srv/own, mode: write}}
    expect: allowed
  - probe: {open: {path: /srv/roots, mode: read}}
    expect: {denied: EACCES}
    because: user
  - probe: {open: {path: /srv/roots, mode: read}}
    as: root
    expect: allowed
";
    let place = Place::new(&format!("title: t\ncontainer: {{image: image}}\n{steps}")).image(&config, &files());
    for engine in engines() {
        let result = place.passes(engine);
        // Its own command is pid 1, not caplab's.
        let said = place.caplab(&["explain", "--format", "json", "box"]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            said.contains("\"/init\"") && said.contains("\"A=image\"") && said.contains("\"cwd\": \"/srv\""),
            "{said}"
        );
        assert_eq!(result["containers"]["box"]["effective"]["uid"], 6667);
    }
    // And what the author says is over it: an entry point of his drops the image's command.
    let over =
        "container: {image: image, user: root, environment: {B: own}, working_dir: /new, entrypoint: [/init, pause]}";
    let over = Place::new(&format!("title: t\n{over}\nsteps: [{{inspect: {{uid: 0, groups: [0, 10]}}}}]\n"))
        .image(&config, &files());
    over.passes("native");
    let said = over.caplab(&["explain", "--format", "json", "box"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for words in ["\"A=image\"", "\"B=own\"", "\"cwd\": \"/new\""] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("B=image"), "{said}");
}

#[test]
fn owners_set_uid_and_capabilities_are_the_images() {
    if !runs() {
        return;
    }
    let of = |keys: &str, inside: &str| {
        // The helper as it is executed by nonroot from its three files: who it then is.
        let scenario = format!(
            "title: t
container: {{image: image, entrypoint: [], {keys}}}
steps:
  - run: [/su, inspect]
    as: nonroot
    expect: allowed
  - run: [/ping, inspect]
    as: nonroot
    expect: allowed
  - run: [/again, inspect]
    as: nonroot
    expect: allowed
  - probe: {{open: {{path: /srv/own, mode: write}}}}
    as: nonroot
    expect: allowed
  - inspect: {{{inside}}}
"
        );
        Place::new(&scenario).image(&json!({}), &files())
    };
    let maps = if has_ids() { &["", "uidmap: [\"0:100000:65536\"]"][..] } else { &[""] };
    for engine in engines() {
        for keys in maps {
            let place = of(keys, "uid: 0");
            let result = place.passes(engine);
            let text = |step: usize| result["steps"][step]["stdout"].as_str().unwrap_or_default().to_owned();
            // /proc/self/status is in what it says: effective uid 0 of the container, CAP_NET_RAW (bit 13) and nothing else.
            let effective = |text: &str| {
                text.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse::<u32>().ok())
            };
            let caps = |text: &str| {
                text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok())
            };
            assert_eq!(effective(&text(0)), Some(0), "{engine} {keys}: {}", text(0));
            assert_eq!((effective(&text(1)), caps(&text(1))), (Some(6667), Some(1 << 13)), "{engine} {keys}");
            assert_eq!(
                (effective(&text(2)), caps(&text(2))),
                (Some(6667), Some(1 << 13)),
                "{engine} {keys}: a hard link"
            );
        }
    }
}

/// What podman has copied into a tmpfs is as it was, but for the capabilities of a file, and each name of one is a file of its own.
#[test]
fn what_a_tmpfs_covers_is_copied_with_owners_and_modes() {
    if !runs() {
        return;
    }
    let mut files = files();
    files.extend([
        ("opt", DIR, 0o755, ROOTS, &b""[..]),
        ("opt/deep", DIR, 0o710, (6667, 42), b""),
        ("opt/deep/own", FILE, 0o600, (6667, 42), b"own"),
        ("opt/deep/roots", FILE, 0o600, ROOTS, b"root's"),
        ("opt/ping", FILE, 0o755, ROOTS, program()),
        ("opt/su", FILE, 0o4755, ROOTS, program()),
        ("opt/su-again", EntryType::Link, 0o4755, ROOTS, b"opt/su"),
        ("opt/su-link", EntryType::Symlink, 0o777, ROOTS, b"su-again"),
    ]);
    let scenario = |keys: &str| {
        format!(
            "title: t
container: {{image: image, entrypoint: [], preset: podman, tmpfs: [\"/opt:suid,size=64m\"], {keys}}}
steps:
  - run: [/opt/su-link, inspect]
    as: nonroot
    expect: allowed
  - run: [/opt/ping, inspect]
    as: nonroot
    expect: allowed
  - probe: {{open: {{path: /opt/deep/own, mode: write}}}}
    as: nonroot
    expect: allowed
  - probe: {{open: {{path: /opt/deep/roots, mode: read}}}}
    as: nonroot
    expect: {{denied: EACCES}}
  - probe: {{open: {{path: /opt/deep/own, mode: read}}}}
    as: \"4242\"
    expect: {{denied: EACCES}}
  - probe: {{open: {{path: /opt/su, mode: append}}}}
    as: root
    expect: allowed
"
        )
    };
    let maps = if has_ids() { &["", "uidmap: [\"0:100000:65536\"]"][..] } else { &[""] };
    // Of who may open what below a tmpfs of crun nothing is said (docs/fidelity.md, tmpfs-default-mode).
    for engine in engines().iter().filter(|engine| **engine != "crun") {
        for keys in maps {
            let place = Place::new(&scenario(keys)).image(&json!({}), &files);
            let result = place.passes(engine);
            let text = |step: usize| result["steps"][step]["stdout"].as_str().unwrap_or_default().to_owned();
            let line = |step: usize, name: &str| {
                let text = text(step);
                text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
            };
            assert_eq!(line(0, "Uid:").split_whitespace().nth(1), Some("0"), "{engine} {keys}: {}", text(0));
            assert_eq!(line(1, "Uid:").split_whitespace().nth(1), Some("6667"), "{engine} {keys}: {}", text(1));
            assert_eq!(line(1, "CapEff:"), "0000000000000000", "{engine} {keys}");
        }
    }
}

/// A tmpfs that is too small for it is the container's refusal, and says which file, and what helps.
#[test]
fn a_tmpfs_that_is_too_small_for_what_it_covers_is_told() {
    if !runs() {
        return;
    }
    let scenario = "title: t\ncontainer: {image: image, entrypoint: [], preset: podman, tmpfs: [\"/srv:size=4k\"]}\n\
        steps: [{inspect: {uid: 0}}]\n";
    let mut files = files();
    let large = vec![7; 40_000];
    files.push(("srv/large", FILE, 0o600, ROOTS, &large));
    let said = Place::new(scenario).image(&json!({}), &files).run("native").to_string();
    let words = "write: tmpfs on /srv: ENOSPC (No space left on device) [/srv/large]; podman has what a tmpfs covers copied into it";
    assert!(said.contains(words), "{said}");
}

#[test]
fn an_id_that_the_container_does_not_have_is_told() {
    if !runs() || !has_ids() {
        return;
    }
    let scenario = "title: t\ncontainer: {image: image, entrypoint: [], uidmap: [\"0:100000:100\"]}\nsteps: [{inspect: {uid: 0}}]\n";
    let place = Place::new(scenario).image(&json!({}), &files());
    let result = place.run("native");
    assert_eq!(result["verdict"], "error", "{result:#}");
    let reason = result["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("fchownat") && reason.contains("/srv") && reason.contains("extend uidmap"), "{reason}");
}

#[test]
fn an_image_that_is_broken_is_no_containers_fault() {
    if !runs() {
        return;
    }
    let scenario = "title: t\ncontainer: {image: image}\nsteps: [{inspect: {uid: 0}}]\n";
    let place = Place::new(scenario).image(&json!({}), &files());
    for blob in fs::read_dir(place.path().join("scenarios/image/blobs/sha256")).expect("read") {
        let blob = blob.expect("read").path();
        if fs::metadata(&blob).expect("there").len() > 10_000 {
            fs::write(&blob, vec![0; fs::metadata(&blob).expect("there").len() as usize]).expect("written");
        }
    }
    let result = place.run("native");
    assert_eq!(result["verdict"], "error", "{result:#}");
    assert!(result["reason"].as_str().is_some_and(|why| why.contains("not what its digest says")), "{result:#}");
}

#[test]
fn a_folder_is_an_image_and_nothing_of_the_machine_comes_with_it() {
    if !runs() {
        return;
    }
    let scenario = "title: t
container: {image: tree, entrypoint: [/init, pause]}
steps:
  - probe: {open: {path: /etc/own, mode: read}}
    expect: allowed
  - probe: {open: {path: /out, mode: read}}
    expect: {unavailable: ENOENT}
";
    let place = Place::new(&scenario.replace("    expect: {unavailable: ENOENT}\n", "    expect: allowed\n"));
    let tree = place.path().join("scenarios/tree");
    fs::create_dir_all(tree.join("etc")).expect("made");
    fs::write(tree.join("etc/own"), "own").expect("written");
    fs::write(tree.join("init"), program()).expect("written");
    fs::set_permissions(tree.join("init"), fs::Permissions::from_mode(0o755)).expect("executable");
    fs::write(place.path().join("secret"), "secret").expect("written");
    std::os::unix::fs::symlink("../../secret", tree.join("out")).expect("linked");
    let result = place.run("native");
    assert_eq!(result["steps"][0]["ok"], true, "{result:#}");
    // The link is the container's, and leads nowhere in it.
    assert_eq!(result["steps"][1]["outcome"]["kind"], "unavailable", "{result:#}");
}

#[test]
fn a_check_reads_the_image_and_says_what_is_left_out_of_it() {
    let scenario = "title: t\ncontainer: {image: tree, entrypoint: [/init, pause]}\nsteps: [{inspect: {uid: 0}}]\n";
    let place = Place::new(scenario);
    let tree = place.path().join("scenarios/tree");
    fs::create_dir(&tree).expect("made");
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("pipe")).expect("made");
    let output = place.caplab(&["check", "scenarios", "--format", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!((&said["valid"], said["problems"].as_array().map(Vec::len)), (&json!(true), Some(0)), "{said:#}");
    let warning = &said["warnings"][0];
    assert_eq!(warning["message"], "left out: /pipe is neither a file, a directory nor a link", "{said:#}");
    assert_eq!((warning["line"].as_u64(), output.status.code()), (Some(2), Some(0)));
    assert_eq!(place.caplab(&["check", "scenarios", "--deny-warnings"]).status.code(), Some(2));

    // Where the image cannot be read there is something wrong, and said before anything is run.
    fs::write(tree.join("proc"), "").expect("written");
    let output = place.caplab(&["check", "scenarios", "--format", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(output.status.code(), Some(2), "{said:#}");
    let message = said["problems"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("the image tree: /proc is no directory"), "{said:#}");
}
