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

#[test]
fn files_become_scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/convert");
    let lab = tempfile::tempdir().expect("a folder");
    for name in ["compose", "pod", "objects", "list"] {
        let text = says(&folder, &["from", &format!("{name}.yaml")]);
        insta::assert_snapshot!(format!("from_{name}"), &text);
        fs::write(lab.path().join(format!("{name}.yaml")), text).expect("written");
        says(lab.path(), &["check", &format!("{name}.yaml")]);
        if nix::unistd::geteuid().is_root() {
            says(lab.path(), &["run", "--update", &format!("{name}.yaml")]);
        }
    }
}

const PROFILE: &str =
    r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}"#;

/// In the place of a profile that is not here no other filter is asserted.
#[test]
fn a_profile_that_is_not_there_is_none_of_the_engines() {
    let lab = tempfile::tempdir().expect("a folder");
    let compose = "services: {web: {image: a, security_opt: [\"seccomp:p.json\"]}}\n";
    fs::create_dir(lab.path().join("below")).expect("a folder");
    fs::write(lab.path().join("below/compose.yaml"), compose).expect("written");
    let line = "docker run --security-opt seccomp=p.json --security-opt no-new-privileges box";
    let calls: [&[&str]; 3] = [
        &["from", line],
        &["from", "podman", "run", "--security-opt=seccomp=p.json", "box"],
        &["from", "below/compose.yaml"],
    ];
    for call in calls {
        let output = caplab(lab.path(), call);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{call:?}: {said}");
        assert!(said.contains("no seccomp profile p.json: it was looked for as /"), "{call:?}: {said}");
        assert!(output.stdout.is_empty(), "{call:?}");
    }
    for folder in ["", "below"] {
        fs::write(lab.path().join(folder).join("p.json"), PROFILE).expect("written");
    }
    for call in calls {
        let text = says(lab.path(), call);
        assert!(text.contains("copy it there as p.json") && text.contains("\n  security_opt: ["), "{text}");
        assert!(text.contains("seccomp: filter"), "{text}");
    }
    // There, and nothing that a scenario could name.
    fs::write(lab.path().join("odd.json"), "{}").expect("written");
    for file in [lab.path().join("p.json").to_str().expect("UTF-8"), "below/../p.json", "odd.json"] {
        let text = says(lab.path(), &["from", &format!("docker run --security-opt seccomp={file} box")]);
        assert!(text.contains(&format!("# seccomp profile {file}: ")), "{text}");
        assert!(!text.contains("seccomp: filter") && !text.contains("  security_opt"), "{text}");
    }
    let text = says(lab.path(), &["from", "docker run --security-opt seccomp=builtin box"]);
    assert!(text.contains("seccomp: filter") && text.contains("# seccomp=builtin: "), "{text}");
}

/// The text that a Pod with one container becomes; `security` is the container's, `more` what else it has.
fn of_pod(lab: &Path, pod: &str, security: &str, more: &str) -> Output {
    let text = format!(
        "kind: Pod\nspec:\n  securityContext: {{{pod}}}\n  containers:\n    - {{name: web, image: a, securityContext: {{{security}}}{more}}}\n"
    );
    fs::write(lab.join("pod.yaml"), text).expect("written");
    caplab(lab, &["from", "pod.yaml"])
}

#[test]
fn what_a_pod_leaves_to_others_is_not_asserted() {
    let lab = tempfile::tempdir().expect("a folder");
    let says = |pod: &str, security: &str, more: &str| {
        let output = of_pod(lab.path(), pod, security, more);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let localhost = "seccompProfile: {type: Localhost, localhostProfile: audit/p.json}";
    let text = says("", localhost, "");
    assert!(text.contains("it lies on the node") && text.contains("security_opt: [\"seccomp=p.json\"]"), "{text}");
    assert!(!text.contains("seccomp: ") && !text.contains("\n  security_opt"), "{text}");
    fs::create_dir(lab.path().join("audit")).expect("a folder");
    fs::write(lab.path().join("audit/p.json"), PROFILE).expect("written");
    let text = says("", localhost, "");
    assert!(text.contains("copy it there as audit/p.json") && text.contains("seccomp: filter"), "{text}");

    // A user whom only the image knows.
    let text = says("runAsNonRoot: true", "", "");
    assert!(text.contains("write that user as `user:`"), "{text}");
    assert!(!text.contains("uid: ") && !text.contains("gid: ") && !text.contains("effective: "), "{text}");
    let text = says("runAsNonRoot: true", "runAsGroup: 500", "");
    assert!(!text.contains("uid: ") && text.contains("gid: 500"), "{text}");
    let text = says("", "runAsGroup: 500", "");
    assert!(text.contains("# runAsUser is not said: the image decides, here it is root"), "{text}");
    assert!(text.contains("user: \"0:500\""), "{text}");
    assert!(says("runAsNonRoot: true, runAsUser: 0", "runAsUser: 1000", "").contains("uid: 1000"));
    assert!(says("runAsNonRoot: true", "runAsNonRoot: false, runAsUser: 0", "").contains("uid: 0"));
    for (pod, security) in [
        ("runAsNonRoot: true", "runAsUser: 0"),
        ("runAsUser: 0", "runAsNonRoot: true"),
        ("runAsNonRoot: true, runAsUser: 0", ""),
    ] {
        let output = of_pod(lab.path(), pod, security, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("container web: runAsUser 0 beside runAsNonRoot"), "{said}");
    }

    for (limit, cpus) in
        [("500m", "\"0.5\""), ("\"0.5\"", "\"0.5\""), ("2", "\"2\""), ("1250m", "\"1.25\""), ("2000m", "\"2\"")]
    {
        let text = says("", "", &format!(", resources: {{limits: {{cpu: {limit}}}}}"));
        assert!(text.contains(&format!("\n  cpus: {cpus}\n")), "{limit}: {text}");
    }
    assert!(says("", "", ", resources: {limits: {cpu: 0.5x}}").contains("# resources: limits: cpu 0.5x"));
}

/// The containers of a Pod have a sandbox's namespaces in common.
#[test]
fn containers_of_a_pod_share_what_a_sandbox_has() {
    let lab = tempfile::tempdir().expect("a folder");
    let long = "l".repeat(63);
    let from = |spec: &str| {
        let text = format!(
            "kind: Pod\nspec:\n  hostname: grey\n  securityContext: {{sysctls: [{{name: net.ipv4.ip_forward, value: \"1\"}}]}}\n  {spec}\n  containers: [{{name: {long}, image: a}}, {{name: log, image: b}}]\n"
        );
        fs::write(lab.path().join("pod.yaml"), text).expect("written");
        let text = says(lab.path(), &["from", "pod.yaml"]);
        let (web, log) = text.split_once("\n  log:\n").expect("two containers");
        (web.to_owned(), log.split("\nsteps:").next().expect("a container").to_owned())
    };
    let called = &long[..60];
    let shares = |log: &str, key: &str| log.contains(&format!("    {key}: \"container:{called}\"\n"));
    let (web, log) = from("");
    for key in ["network_mode", "ipc", "uts"] {
        assert!(shares(&log, key) && !web.contains(&format!("{key}: \"container")), "{key}: {web}{log}");
    }
    assert!(!shares(&log, "pid") && !log.contains("hostname") && !log.contains("sysctls"), "{log}");
    assert!(web.contains("hostname: grey") && web.contains("ip_forward"), "{web}");
    let (web, log) = from("shareProcessNamespace: true");
    assert!(shares(&log, "pid") && web.contains("# shareProcessNamespace: in the Pod pid 1 is"), "{web}{log}");
    let (_, log) = from("hostIPC: true");
    assert!(shares(&log, "network_mode") && log.contains("    ipc: host\n"), "{log}");
    let (_, log) = from("hostNetwork: true");
    assert!(shares(&log, "ipc") && log.contains("network_mode: host") && !shares(&log, "uts"), "{log}");
    let (_, log) = from("hostUsers: false");
    assert!(log.contains("# not carried over: network_mode, ipc, uts: in the Pod they are those of l"), "{log}");
    assert!(!log.contains("container:"), "{log}");

    let to = |log: &str| {
        let text = format!(
            "title: Two\ncontainers: {{web: {{preset: kubernetes}}, log: {{preset: kubernetes{log}}}}}\nsteps: [{{inspect: {{uid: 0}}, in: web}}]\n"
        );
        fs::write(lab.path().join("two.yaml"), text).expect("written");
        says(lab.path(), &["to", "pod", "two.yaml"])
    };
    let all = ", network_mode: \"container:web\", ipc: \"container:web\", uts: \"container:web\"";
    let text = to("");
    for key in ["network_mode", "ipc", "uts"] {
        assert!(text.contains(&format!("# {key}: the containers of a Pod share one ")), "{key}: {text}");
    }
    assert!(!text.contains("# pid") && !text.contains("shareProcessNamespace"), "{text}");
    let text = to(all);
    assert!(!text.contains("share") && !text.contains("# log: "), "{text}");
    let text = to(&format!("{all}, pid: \"container:web\""));
    assert!(text.contains("shareProcessNamespace: true") && !text.contains("# log: "), "{text}");
    // And back.
    fs::write(lab.path().join("pod.yaml"), text).expect("written");
    let back = says(lab.path(), &["from", "pod.yaml"]);
    for key in ["network_mode", "ipc", "uts", "pid"] {
        assert!(back.contains(&format!("    {key}: \"container:web\"\n")), "{key}: {back}");
    }
}

/// A kubelet maps the ids of volumes, the format does not.
#[test]
fn whose_the_files_of_a_pods_volumes_are_is_said() {
    let lab = tempfile::tempdir().expect("a folder");
    let from = |users: &str| {
        let text = format!(
            "kind: Pod\nspec:\n  {users}\n  containers: [{{name: web, image: a, volumeMounts: [{{name: h, mountPath: /mnt}}]}}, {{name: log, image: a}}]\n  volumes: [{{name: h, hostPath: {{path: /srv}}}}]\n"
        );
        fs::write(lab.path().join("pod.yaml"), text).expect("written");
        says(lab.path(), &["from", "pod.yaml"])
    };
    let said = "# not carried over: whose the files of /srv at /mnt are: ";
    assert_eq!(from("hostUsers: false").matches(said).count(), 1);
    assert!(!from("hostUsers: true").contains("whose the files"));
    let to = |keys: &str| {
        let text = format!("title: One\ncontainer: {{{keys}}}\nsteps: [{{inspect: {{uid: 0}}}}]\n");
        fs::write(lab.path().join("one.yaml"), text).expect("written");
        says(lab.path(), &["to", "pod", "one.yaml"])
    };
    let (map, volumes) = ("uidmap: [\"0:65536:65536\"]", "volumes: [\"/etc:/mnt\", \"/srv:/srv:ro\"]");
    let said = "# box: not carried over: whose the files of /mnt, /srv are: ";
    assert!(to(&format!("{map}, {volumes}")).contains(said));
    assert!(!to(volumes).contains("whose the files") && !to(map).contains("whose the files"));
}

/// Of two words of one container its engine's own rule says which counts.
#[test]
fn what_is_said_twice_is_what_its_engine_makes_of_it() {
    let lab = tempfile::tempdir().expect("a folder");
    let from = |line: &str| says(lab.path(), &["from", line]);
    for line in
        ["docker run --cap-drop CHOWN --cap-add CHOWN box", "docker run --cap-add=cap_chown --cap-drop=CHOWN box"]
    {
        let text = from(line);
        assert!(text.contains("\n  cap_add: [") && !text.contains("\n  cap_drop"), "{text}");
        assert!(text.contains("# cap_drop CHOWN: it is added too, and docker adds last"), "{text}");
    }
    let text = from("docker run --cap-drop ALL --cap-add ALL box");
    assert!(text.contains("bounding: ALL") && text.contains("# cap_drop ALL: every one is added too"), "{text}");
    for name in ["ALL", "KILL"] {
        let said = complains(&["from", &format!("podman run --cap-drop {name} --cap-add {name} box")]);
        assert!(said.contains(&format!("{name} is added and dropped, which podman refuses")), "{said}");
    }
    // containerd and CRI-O drop last.
    let output = of_pod(lab.path(), "", "capabilities: {add: [CHOWN, KILL], drop: [CHOWN, FOWNER]}", "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("cap_add: [KILL]") && text.contains("cap_drop: [CHOWN, FOWNER]"), "{text}");
    let output = of_pod(lab.path(), "", "capabilities: {add: [ALL], drop: [ALL]}", "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("effective: none, bounding: none"), "{text}");

    let twice = |first: &str, last: &str| {
        from(&format!("docker run --security-opt no-new-privileges{first} --security-opt no-new-privileges{last} box"))
    };
    let text = twice(":true", ":false");
    assert!(text.contains("no_new_privs: false"), "{text}");
    assert!(text.contains("# security_opt no-new-privileges:true: it is said again"), "{text}");
    assert!(twice("=false", "").contains("no_new_privs: true"));

    let to = |dialect: &str, keys: &str| {
        let text = format!("title: One\ncontainer: {{{keys}}}\nsteps: [{{inspect: {{uid: 0}}}}]\n");
        fs::write(lab.path().join("one.yaml"), text).expect("written");
        says(lab.path(), &["to", dialect, "one.yaml"])
    };
    let both = "cap_drop: [ALL], cap_add: [ALL]";
    assert!(to("podman", both).contains("podman refuses ALL in both"));
    assert!(!to("docker", both).contains("refuses"));
    let text = to("pod", both);
    assert!(text.contains("add: [ALL]") && !text.contains("drop: "), "{text}");
}

/// What there is a key or a flag for is no comment.
#[test]
fn what_has_a_key_is_carried_over() {
    let lab = tempfile::tempdir().expect("a folder");
    let swap = "\n  mem_limit: \"64m\"\n  memswap_limit: \"100m\"\n";
    // One without the other is none: asked in whatever order.
    let text = says(lab.path(), &["from", "docker run --memory-swap 100m -m 64m box"]);
    assert!(text.contains(swap) && !text.contains("# memory"), "{text}");
    let compose = |keys: &str| {
        fs::write(lab.path().join("compose.yaml"), format!("services: {{web: {{image: a, {keys}}}}}\n"))
            .expect("written");
        caplab(lab.path(), &["from", "compose.yaml"])
    };
    let reads = |keys: &str| {
        let output = compose(keys);
        assert!(output.status.success(), "{keys}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert!(reads("memswap_limit: 100m, mem_limit: 64m").contains(swap));
    let limits = "deploy: {replicas: 2, resources: {limits: {cpus: '0.5', memory: 50M, pids: 20}}}";
    let text = reads(limits);
    for key in ["cpus: \"0.5\"", "mem_limit: \"50M\"", "pids_limit: 20", "# deploy.replicas: "] {
        assert!(text.contains(&format!("\n  {key}")), "{key}: {text}");
    }
    let text = reads(&format!("{limits}, pids_limit: 10"));
    assert!(text.contains("pids_limit: 20") && text.contains("Compose refuses two that differ"), "{text}");
    for (word, is_true) in [
        ("true", true),
        ("\"true\"", true),
        ("\"false\"", false),
        ("\"${P:-true}\"", true),
        ("\"${P:-no}\"", false),
        ("yes", true),
        ("off", false),
    ] {
        let text = reads(&format!("privileged: {word}, read_only: {word}, init: {word}"));
        assert_eq!(text.contains("bounding: ALL"), is_true, "{word}: {text}");
        for key in ["privileged", "read_only", "init"] {
            assert!(text.contains(&format!("\n  {key}: {is_true}\n")), "{word}: {text}");
        }
    }
    for word in ["1", "\"maybe\"", "\"$P\""] {
        let output = compose(&format!("privileged: {word}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("is neither true nor false"), "{word}: {said}");
    }

    let pod = "kind: Pod\nspec:\n  securityContext: {fsGroup: 2000, supplementalGroups: [4000]}\n  initContainers:\n    - {name: ini, image: a}\n    - {name: mesh, image: a, restartPolicy: Always, securityContext: {privileged: true}}\n  containers: [{name: web, image: a, volumeMounts: [{name: h, mountPath: /mnt, readOnly: true, recursiveReadOnly: Enabled}]}]\n  volumes: [{name: h, hostPath: {path: /srv}}]\n";
    fs::write(lab.path().join("pod.yaml"), pod).expect("written");
    let text = says(lab.path(), &["from", "pod.yaml"]);
    assert!(text.contains("# initContainers ini: they end") && !text.contains("\n  ini:"), "{text}");
    assert!(text.contains("\n  mesh:\n") && text.contains("    network_mode: \"container:web\"\n"), "{text}");
    assert!(
        text.contains("group_add: [\"4000\", \"2000\"]") && text.contains("# fsGroup: its processes have"),
        "{text}"
    );
    assert!(text.contains("recursiveReadOnly is not carried over: in the Pod"), "{text}");

    for (option, lost) in [
        ("O", "podman puts an overlay there"),
        ("U", "the container's user"),
        ("noexec", "nothing on it can be executed there"),
        ("nosuid", "set-user-ID"),
    ] {
        let text = says(lab.path(), &["from", &format!("podman run -v /srv:/mnt:{option} box")]);
        assert!(text.contains(&format!("option {option} is not carried over: ")) && text.contains(lost), "{text}");
    }

    let to = |dialect: &str, keys: &str| {
        let text = format!("title: One\ncontainer: {{{keys}}}\nsteps: [{{inspect: {{seccomp: filter}}}}]\n");
        fs::write(lab.path().join("one.yaml"), text).expect("written");
        says(lab.path(), &["to", dialect, "one.yaml"])
    };
    fs::write(lab.path().join("p.json"), PROFILE).expect("written");
    let text = to("pod", "user: nobody, security_opt: [\"seccomp=p.json\"]");
    assert!(text.contains("type: Localhost") && text.contains("localhostProfile: p.json"), "{text}");
    assert!(text.contains("# box: not carried over: user nobody: "), "{text}");
    let swap = "mem_limit: 64m, memswap_limit: 100m";
    assert!(to("docker", swap).contains("--memory 64m \\\n  --memory-swap 100m"));
    assert!(to("compose", swap).contains("memswap_limit: \"100m\""));
    let words = "rootfs: host, entrypoint: [env, -i]";
    for (keys, line, argv) in [
        (words.to_owned(), "--entrypoint env \\\n  debian:stable-slim \\\n  -i\n", "[env, \"-i\"]"),
        (
            format!("{words}, command: [id, -u]"),
            "--entrypoint env \\\n  debian:stable-slim \\\n  -i id -u\n",
            "[env, \"-i\", id, \"-u\"]",
        ),
        ("rootfs: host, entrypoint: id".to_owned(), "--entrypoint id \\\n  debian:stable-slim\n", "[id]"),
    ] {
        let text = to("docker", &keys);
        assert!(text.contains(line) && !text.contains("# entrypoint"), "{text}");
        let text = to("compose", &keys);
        assert!(text.contains("entrypoint: ") && !text.contains("infinity"), "{text}");
        let text = to("pod", &keys);
        assert!(text.contains(&format!("command: {argv}\n")), "{text}");
    }
}

/// Kubernetes' word for the engine's own profile is to docker the name of a file.
#[test]
fn the_engines_own_profile_is_no_file() {
    let lab = tempfile::tempdir().expect("a folder");
    let text = "title: A pod's\ncontainer:\n  preset: kubernetes\n  cpus: 0.5\n  security_opt: [\"seccomp=runtime/default\"]\nsteps: [{inspect: {uid: 0}}]\n";
    fs::write(lab.path().join("pods.yaml"), text).expect("written");
    for dialect in ["docker", "podman", "compose"] {
        let text = says(lab.path(), &["to", dialect, "pods.yaml"]);
        assert!(!text.contains("runtime/default") && !text.contains("seccomp"), "{text}");
    }
    let text = says(lab.path(), &["to", "pod", "pods.yaml"]);
    assert!(text.contains("RuntimeDefault") && text.contains("cpu: \"0.5\""), "{text}");
}

const GIVEN: &str = "# cap_add: to who is not root podman gives it as ambient and effective";

/// What a Pod's container has and the engine by itself gives otherwise is said.
#[test]
fn an_engine_is_told_what_a_preset_has() {
    let lab = tempfile::tempdir().expect("a folder");
    let to = |dialect: &str, keys: &str| {
        let text = format!("title: A pod's\ncontainer: {{{keys}}}\nsteps: [{{inspect: {{no_new_privs: false}}}}]\n");
        fs::write(lab.path().join("pods.yaml"), text).expect("written");
        says(lab.path(), &["to", dialect, "pods.yaml"])
    };
    for dialect in ["docker", "podman", "compose"] {
        insta::assert_snapshot!(format!("to_{dialect}_kubernetes"), to(dialect, "preset: kubernetes, read_only: true"));
    }
    let cases = [
        ("docker", "preset: kubernetes", "--security-opt seccomp=unconfined", true),
        (
            "docker",
            "preset: kubernetes, security_opt: [\"seccomp=unconfined\"]",
            "seccomp=unconfined \\\n  --sec",
            false,
        ),
        ("docker", "preset: kubernetes, privileged: true", "seccomp", false),
        ("docker", "preset: kubernetes, sysctls: [net.ipv4.ip_unprivileged_port_start=80]", "port_start=1024", false),
        ("docker", "preset: kubernetes, cap_drop: [ALL]", "--cap-add", false),
        ("podman", "preset: kubernetes", "--cap-add NET_RAW", true),
        ("podman", "preset: kubernetes, cap_drop: [CAP_NET_RAW]", "--cap-add NET_RAW", false),
        ("podman", "preset: kubernetes, cap_drop: [ALL], cap_add: [NET_RAW]", "--cap-add MKNOD", false),
        // It would be the user's too.
        ("podman", "preset: kubernetes, user: \"1000\"", "--cap-add", false),
        ("podman", "preset: kubernetes, user: \"1000\"", "# preset kubernetes: podmans bounding set", true),
        ("podman", "preset: kubernetes, user: \"1000\", cap_drop: [ALL]", "bounding set", false),
        // podman gives what is added to a user, a Pod has it as bounding alone: dropped ones do not change that.
        ("podman", "preset: kubernetes, user: \"1000\", cap_drop: [ALL], cap_add: [NET_RAW]", GIVEN, true),
        ("podman", "preset: bare, user: \"1000\", cap_drop: [ALL], cap_add: [NET_RAW]", GIVEN, true),
        ("podman", "preset: docker, user: nobody, cap_drop: [ALL], cap_add: [NET_RAW]", GIVEN, true),
        ("podman", "preset: kubernetes, user: \"1000\", privileged: true, cap_add: [NET_RAW]", GIVEN, true),
        ("podman", "preset: kubernetes, user: \"1000\", cap_drop: [ALL]", GIVEN, false),
        ("podman", "preset: kubernetes, user: \"0:5\", cap_drop: [ALL], cap_add: [NET_RAW]", GIVEN, false),
        ("podman", "preset: kubernetes, cap_drop: [ALL], cap_add: [NET_RAW]", GIVEN, false),
        ("docker", "preset: kubernetes, user: \"1000\", cap_drop: [ALL], cap_add: [NET_RAW]", GIVEN, false),
        ("podman", "preset: podman, user: \"1000\", cap_drop: [ALL], cap_add: [NET_RAW]", GIVEN, false),
        ("podman", "preset: kubernetes, shm_size: 1m", "65536k", false),
        ("podman", "preset: kubernetes, pids_limit: 10", "--pids-limit -1", false),
        ("podman", "preset: kubernetes, security_opt: [\"unmask=ALL\"]", "mask=/", false),
        ("podman", "preset: docker, read_only: true", "--read-only-tmpfs=false", true),
        ("podman", "preset: podman, read_only: true", "--read-only-tmpfs", false),
        ("docker", "preset: bare", "--security-opt systempaths=unconfined", true),
        ("podman", "preset: bare", "--cap-add ALL", true),
        ("docker", "preset: docker", "--sysctl", false),
    ];
    for (dialect, keys, words, are_there) in cases {
        let text = to(dialect, keys).replace('\'', "");
        assert_eq!(text.contains(words), are_there, "{keys}: {words}\n{text}");
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
    let wrong: [(&[&str], &str); 14] = [
        (&["from", "docker", "run", "--cap-ad", "KILL", "box"], "did you mean `--cap-add`?"),
        (
            &["from", "docker", "run", "--uidmap", "0:1:1", "box"],
            "no flag of `docker run` `--uidmap`; it is podman's: `podman run …`",
        ),
        (&["from", "docker", "run", "--subuidname=a", "box"], "`--subuidname`; it is podman's"),
        (&["from", "podman", "run", "--gpus", "all", "box"], "no flag of `podman run` `--gpus`; it is docker's"),
        (
            &["from", "docker", "run", "--userns=keep-id", "box"],
            "no value of docker's --userns `keep-id`; it is podman's",
        ),
        (&["from", "docker", "run", "--userns", "keep-id:uid=5", "box"], "it is podman's: `podman run …`"),
        (
            &["from", "docker", "run", "--security-opt", "unmask=ALL", "box"],
            "--security-opt `unmask=ALL`; it is podman's",
        ),
        (&["from", "docker", "run", "--uts=container:a", "box"], "--uts `container:a`; it is podman's"),
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
        (
            "kind: Service\nmetadata: {name: a}\n---\nkind: ConfigMap\n",
            "nothing in it makes a container (Service a, ConfigMap); a Pod is wanted",
        ),
        ("kind: List\nitems: []\n", "nothing in it makes a container"),
        ("kind: Pod\n---\nkind: Service\n", "a Pod without the spec of a Pod"),
        ("services: {a: {image: b}}\n---\nservices: {}\n", "a second YAML document"),
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
