//! Which key a word becomes, whatever dialect it is said in, and what becomes of two that are said of one thing.

use std::fs;

use super::{PROFILE, becomes, caplab, complains, pod::of_pod, says};

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

    let to = |dialect: &str, keys: &str| becomes(lab.path(), dialect, keys, "uid: 0");
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

    let to = |dialect: &str, keys: &str| becomes(lab.path(), dialect, keys, "seccomp: filter");
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
