//! Scenarios become command lines, Compose files, Pods and a bundle's config.

use std::fs;

use super::says;

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
