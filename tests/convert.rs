//! Command lines, Compose files and Pods become scenarios, and scenarios become them again.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use caplab::convert::{self, Dialect};

/// A command line, the name of its snapshot, and what its author adds: a text of the scenario and what stands there instead.
type Line = (&'static str, &'static str, Option<(&'static str, &'static str)>);

const ALLOWED: &str = "expect: allowed    # it exits with 0; where it must fail: docs/format.md, \"expect\"";
const NO_FIREWALL: &str = "expect: {outcome: denied, exit: 4, stderr: {contains: \"Permission denied\"}}\n    because: {capability: NET_ADMIN}";

/// The seven of the course note.
const NOTE: [Line; 7] = [
    ("docker run -it bash iptables -L", "note-1-default", Some((ALLOWED, NO_FIREWALL))),
    ("docker run -it --privileged bash iptables -L", "note-2-privileged", None),
    ("docker run -it --cap-add NET_ADMIN bash iptables -L", "note-3-cap-add", None),
    ("docker run -it -v /etc:/mnt bash sh -c 'echo hello >> /mnt/shadow'", "note-4-volume", None),
    (
        "docker run -it -v /etc:/mnt -u 6667:6667 bash sh -c 'echo hello >> /mnt/shadow'",
        "note-5-user",
        Some((
            ALLOWED,
            "expect: {outcome: denied, exit: 2, stderr: {contains: \"Permission denied\"}}\n    because: user",
        )),
    ),
    (
        "podman run -it --uidmap 0:2000:1000 -v /etc:/mnt bash sh -c 'echo hello >> /mnt/shadow'",
        "note-6-uidmap",
        Some((
            ALLOWED,
            "expect: {outcome: denied, exit: 2, stderr: {contains: \"Permission denied\"}}\n    because: uidmap",
        )),
    ),
    // Rootless: what podman makes of it for uid 1001 with a range of 65536.
    ("podman run -it --uidmap 0:1001:1 --uidmap 1:100000:65535 bash id", "note-7-rootless", None),
];

const OTHERS: [Line; 11] = [
    ("docker run --cap-drop ALL --cap-add NET_BIND_SERVICE -u 1000 web", "bind-service", None),
    ("docker run --rm --read-only --tmpfs /run:size=64k,mode=1777 --tmpfs /tmp alpine", "read-only", None),
    ("docker run -d --name web -p 8080:80 --restart=always -e 'A=b c' -eD=e -w /srv nginx sleep 100", "detached", None),
    ("docker run --security-opt no-new-privileges --security-opt seccomp=unconfined box id", "security-opt", None),
    (
        "docker run --mount type=bind,src=/var/run/docker.sock,dst=/docker.sock,readonly --mount type=volume,src=data,dst=/data x id",
        "mount",
        None,
    ),
    ("docker run -itu 0:5 --group-add 44 --group-add tty -h grey box", "groups", None),
    ("docker run --ulimit nofile=64:128 --ulimit core=0 box sh -c 'ulimit -n'", "limits", None),
    ("docker run -v data:/data -v ./site:/site:ro,z -v /anonymous box", "volumes", None),
    (
        "docker run -v /srv:/srv:ro,rslave --mount type=bind,src=/data,dst=/data,bind-propagation=rshared box",
        "propagation",
        None,
    ),
    ("podman run --cap-add SYS_TIME,NET_RAW -u 1000 --network none box date", "podman", None),
    ("docker run --entrypoint /usr/bin/id box -u", "entrypoint", None),
];

fn caplab(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(arguments)
        .current_dir(folder)
        .env("CI", "true")
        .env_remove("CAPLAB_MUST_RUN")
        .output()
        .expect("caplab starts")
}

/// Standard output of a call that succeeds.
fn says(folder: &Path, arguments: &[&str]) -> String {
    let output = caplab(folder, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "caplab {arguments:?}\n{out}\n{err}");
    out.into_owned()
}

/// What a call that is wrong says on standard error.
fn complains(arguments: &[&str]) -> String {
    let output = caplab(Path::new("/"), arguments);
    assert_eq!(output.status.code(), Some(2), "caplab {arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn a_command_line_becomes_a_scenario_that_is_valid_and_passes() {
    let lab = tempfile::tempdir().expect("a folder");
    fs::create_dir(lab.path().join("scenarios")).expect("a folder");
    for (line, name, added) in NOTE.into_iter().chain(OTHERS) {
        let words = shlex::split(line).expect("words");
        let arguments: Vec<&str> = ["from"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let text = says(lab.path(), &arguments);
        insta::assert_snapshot!(format!("from_{name}"), &text);
        assert_eq!(text, says(lab.path(), &["from", line]), "as one text");
        let text = match added {
            Some((there, instead)) => {
                assert!(text.contains(there), "{text}");
                text.replace(there, instead)
            }
            None => text,
        };
        fs::write(lab.path().join(format!("scenarios/{name}.yaml")), text).expect("written");
    }
    says(lab.path(), &["check", "scenarios"]);
    if !nix::unistd::geteuid().is_root() {
        return println!("not run: needs root");
    }
    let report: serde_json::Value =
        serde_json::from_str(&says(lab.path(), &["run", "--update", "--format", "json"])).expect("JSON");
    assert_eq!(report["summary"]["failed"], 0);
    assert_eq!(report["summary"]["errored"], 0);
}

/// Whether the format has a key yet is its own to say; what it has not is a comment, never lost.
#[test]
fn what_the_format_does_not_take_is_a_comment() {
    let flags = [
        ("--pids-limit 10", "pids_limit"),
        ("-m 64m", "mem_limit"),
        ("--pid host", "pid"),
        ("--device /dev/fuse", "devices"),
        ("--userns host", "userns_mode"),
        ("--sysctl net.ipv4.ip_forward=1", "sysctls"),
        ("--security-opt apparmor=strict", "security_opt"),
        ("-u somebody", "user"),
    ];
    for (flag, key) in flags {
        let text = says(Path::new("/"), &["from", &format!("docker run {flag} box")]);
        let carried = text.contains(&format!("\n  {key}: "));
        assert_ne!(carried, text.contains(&format!("\n  # {key} ")), "{text}");
    }
    let text = says(Path::new("/"), &["from", "docker run --cap-add KILL --cap-add CAP_TO_FLY box"]);
    assert!(text.contains("cap_add: [KILL]") && text.contains("# cap_add CAP_TO_FLY: no capability"), "{text}");
}

#[test]
fn files_become_scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/convert");
    let lab = tempfile::tempdir().expect("a folder");
    for name in ["compose", "pod"] {
        let text = says(&folder, &["from", &format!("{name}.yaml")]);
        insta::assert_snapshot!(format!("from_{name}"), &text);
        fs::write(lab.path().join(format!("{name}.yaml")), text).expect("written");
        says(lab.path(), &["check", &format!("{name}.yaml")]);
        if nix::unistd::geteuid().is_root() {
            says(lab.path(), &["run", "--update", &format!("{name}.yaml")]);
        }
    }
}

#[test]
fn a_scenario_becomes_other_words() {
    let lab = tempfile::tempdir().expect("a folder");
    let text = "title: All of it\nhost: {files: {/srv/a file: {}}}\ncontainer:\n  preset: podman\n  rootfs: host\n  cap_drop: [ALL]\n  cap_add: [CHOWN, CAP_KILL]\n  user: \"1000:1000\"\n  group_add: [tty, \"44\"]\n  uidmap: [\"0:2000:1001\"]\n  volumes: [\"/etc:/mnt:ro\", {source: /srv/a file, target: /a file, bind: {propagation: rshared}}]\n  tmpfs: [\"/run:size=64k,ro\"]\n  read_only: true\n  security_opt: [no-new-privileges]\n  environment: {A: \"it's $5\"}\n  ulimits: {nofile: {soft: 64, hard: unlimited}}\n  hostname: grey\n  working_dir: /tmp\n  command: [sleep, \"100\"]\nsteps:\n  - inspect: {uid: 1000}\n";
    fs::write(lab.path().join("all.yaml"), text).expect("written");
    for dialect in ["docker", "podman", "compose", "pod"] {
        insta::assert_snapshot!(format!("to_{dialect}"), says(lab.path(), &["to", dialect, "all.yaml"]));
    }
    let document: serde_json::Value =
        serde_json::from_str(&says(lab.path(), &["to", "oci", "all.yaml"])).expect("JSON");
    assert_eq!(document["process"]["user"]["uid"], 1000);
    assert_eq!(document["linux"]["uidMappings"][0]["hostID"], 2000);
    // A bundle's config.json as a runtime reads it.
    oci_spec::runtime::Spec::load(&{
        let path = lab.path().join("config.json");
        fs::write(&path, document.to_string()).expect("written");
        path
    })
    .expect("a runtime-spec document");
}

#[test]
fn what_is_not_known_is_named_with_what_was_meant() {
    let wrong: [(&[&str], &str); 8] = [
        (&["from", "docker", "run", "--cap-ad", "KILL", "box"], "did you mean `--cap-add`?"),
        (&["from", "docker", "run", "--uidmap", "0:1:1", "box"], "no flag of `docker run` `--uidmap`"),
        (&["from", "docker", "run", "-x", "box"], "no flag of `docker run` `-x`"),
        (&["from", "docker", "run", "--user"], "--user wants a value"),
        (&["from", "docker", "run", "--privileged"], "no image"),
        (&["from", "docker", "ps"], "makes no container"),
        (&["from", "/etc/hostname"], "neither a Compose file"),
        (&["to", "docker", "users/no-such"], "no scenario"),
    ];
    for (arguments, what) in wrong {
        let said = complains(arguments);
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
    let lab = tempfile::tempdir().expect("a folder");
    for (text, what) in [
        ("services: {web: {cap_ad: [KILL]}}\n", "did you mean `cap_add`?"),
        ("kind: Pod\nspec: {containers: [{name: a, securityContext: {runAsUsr: 1}}]}\n", "did you mean `runAsUser`?"),
        ("kind: Service\nspec: {}\n", "makes no container"),
        ("services: [a: b\n", "not YAML"),
        ("services:\n\t- x\n", "a tab before"),
    ] {
        let path = lab.path().join("file.yaml");
        fs::write(&path, text).expect("written");
        let said = complains(&["from", path.to_str().expect("UTF-8")]);
        assert!(said.contains(what), "{text}: {said}");
    }
}

/// Every flag that the engine of this machine lists is known, so that an error about one is the author's.
#[test]
fn every_flag_of_the_engines_is_known() {
    for dialect in [Dialect::Docker, Dialect::Podman] {
        let engine = dialect.name();
        let Ok(output) = Command::new(engine).args(["run", "--help"]).output() else {
            println!("not run: {engine} is not installed");
            continue;
        };
        let help = String::from_utf8_lossy(&output.stdout);
        let flags = help.lines().filter(|line| line.trim_start().starts_with('-'));
        let listed: Vec<&str> = flags.filter_map(|line| line.split_once("--")?.1.split(' ').next()).collect();
        assert!(listed.len() > 50, "{help}");
        for name in listed {
            // A value that no flag takes for its own: a switch complains of it, and is known by that.
            let arguments = ["run", &format!("--{name}=type=tmpfs,target=/t"), "image"].map(str::to_owned);
            let complaint = convert::from_command(dialect, &arguments).err();
            assert!(!complaint.iter().any(|wrong| wrong.0.starts_with("no flag of")), "{complaint:?}");
        }
    }
}
