//! Pods become scenarios, and scenarios Pods.

use std::{fs, path::Path, process::Output};

use super::{PROFILE, becomes, caplab, says};

/// The text that a Pod with one container becomes; `security` is the container's, `more` what else it has.
pub(super) fn of_pod(lab: &Path, pod: &str, security: &str, more: &str) -> Output {
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
    let to = |keys: &str| becomes(lab.path(), "pod", keys, "uid: 0");
    let (map, volumes) = ("uidmap: [\"0:65536:65536\"]", "volumes: [\"/etc:/mnt\", \"/srv:/srv:ro\"]");
    let said = "# box: not carried over: whose the files of /mnt, /srv are: ";
    assert!(to(&format!("{map}, {volumes}")).contains(said));
    assert!(!to(volumes).contains("whose the files") && !to(map).contains("whose the files"));
}
