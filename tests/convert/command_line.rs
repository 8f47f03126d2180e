//! Command lines of docker and podman become scenarios.

use std::{fs, path::Path, process::Command};

use caplab::convert::{self, Dialect};

use super::{PROFILE, says};

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

/// docker gives a privileged container everything, in whatever order the words stand: nothing is asserted of what it ignores.
#[test]
fn privileged_wins_over_what_engines_ignore() {
    let lab = tempfile::tempdir().expect("a folder");
    fs::write(lab.path().join("p.json"), PROFILE).expect("written");
    let ignored = ["--cap-drop=ALL", "--device /dev/fuse", "--device-cgroup-rule 'c 10:229 rwm'"];
    for (flag, engine) in ignored.into_iter().flat_map(|flag| ["docker", "podman"].map(|engine| (flag, engine))) {
        for flags in [format!("{flag} --privileged"), format!("--privileged {flag}")] {
            let text = says(lab.path(), &["from", &format!("{engine} run {flags} box")]);
            assert!(text.contains("\n  privileged: true\n"), "{flags}: {text}");
            assert!(text.contains("beside `privileged`, which "), "{flags}: {text}");
            assert!(!text.contains("\n  cap_drop") && !text.contains("\n  device"), "{flags}: {text}");
            assert!(text.contains("effective: ALL, bounding: ALL"), "{flags}: {text}");
        }
    }
    let compose = "services: {web: {image: a, cap_drop: [ALL, KILL], privileged: true}}\n";
    fs::write(lab.path().join("compose.yaml"), compose).expect("written");
    let text = says(lab.path(), &["from", "compose.yaml"]);
    assert!(text.contains("\n  privileged: true\n") && text.contains("bounding: ALL"), "{text}");
    // docker and a kubelet leave a profile out beside it, podman does not.
    for (engine, said) in [("docker", true), ("podman", false)] {
        let line = format!("{engine} run --security-opt seccomp=p.json --privileged box");
        let text = says(lab.path(), &["from", &line]);
        assert!(text.contains("\n  privileged: true\n"), "{text}");
        assert_eq!(text.contains("seccomp: disabled"), said, "{text}");
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
