//! Command lines, Compose files and Pods become scenarios, and scenarios become them again.

mod command_line;
mod keys;
mod pod;
mod to;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const PROFILE: &str =
    r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}"#;

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

/// What a container with these keys becomes, of which these facts are looked at.
fn becomes(folder: &Path, dialect: &str, keys: &str, facts: &str) -> String {
    let text = format!("title: One\ncontainer: {{{keys}}}\nsteps: [{{inspect: {{{facts}}}}}]\n");
    fs::write(folder.join("one.yaml"), text).expect("written");
    says(folder, &["to", dialect, "one.yaml"])
}

/// What a call that is wrong says on standard error.
fn complains(arguments: &[&str]) -> String {
    let output = caplab(Path::new("/"), arguments);
    assert_eq!(output.status.code(), Some(2), "caplab {arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn files_become_scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/convert/files");
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
