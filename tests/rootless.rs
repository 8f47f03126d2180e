//! Without root: what is in the way is told apart, and what is run says what it says as root.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// caplab, for whoever has [`program`] as standard input: of its path nothing is asked, which may lie in root's home, or below what a
/// test lays over /tmp.
const CAPLAB: &str = "/proc/self/fd/0";

fn program() -> fs::File {
    fs::File::open(env!("CARGO_BIN_EXE_caplab")).expect("caplab")
}

/// `caplab doctor` as it says it, called by `before` where that is something, with this PATH.
fn doctor(before: &[&str], path: &str) -> Output {
    let words: Vec<&str> = before.iter().copied().chain([CAPLAB, "doctor"]).collect();
    // What comes before caplab is looked for in the PATH of this test.
    let first = if words[0] == CAPLAB { CAPLAB.to_owned() } else { format!("/usr/bin/{}", words[0]) };
    Command::new(first).args(&words[1..]).env("PATH", path).stdin(program()).output().expect("it starts")
}

/// An ordinary user's call: root steps down to a user without an entry in /etc/passwd.
fn stepping_down() -> Vec<&'static str> {
    if nix::unistd::geteuid().is_root() {
        vec!["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]
    } else {
        Vec::new()
    }
}

/// Its words on the lab host: the line, what is lost, what brings it.
fn lab_host(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let at = text.find("lab host").unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    text[at..].lines().take(3).collect::<Vec<_>>().join("\n")
}

/// A sh script as the root of a new user namespace, and at its end caplab without CAP_SYS_ADMIN there: no root then.
fn in_a_namespace(script: &str) -> Output {
    let drop = "setpriv --inh-caps=-sys_admin --bounding-set=-sys_admin";
    let script = format!("{script} && exec {drop} {CAPLAB} doctor");
    Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", &script])
        .stdin(program())
        .output()
        .expect("unshare starts")
}

/// Whether user namespaces can be made here at all.
fn has_namespaces() -> bool {
    let there =
        Command::new("unshare").args(["--user", "--map-root-user", "true"]).status().is_ok_and(|it| it.success());
    assert!(there || std::env::var_os("CAPLAB_MUST_RUN").is_none(), "needs user namespaces");
    if !there {
        println!("not run: needs user namespaces");
    }
    there
}

#[test]
fn without_newuidmap_the_lab_host_has_one_id_and_the_package_is_named() {
    if !has_namespaces() {
        return;
    }
    let output = doctor(&stepping_down(), "/nonexistent");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = lab_host(&output);
    assert!(said.contains("one id: newuidmap is not installed"), "{said}");
    assert!(said.contains("apt-get install uidmap"), "{said}");
}

#[test]
fn a_newuidmap_that_lost_its_set_uid_bit_is_named() {
    if !has_namespaces() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("open to everybody");
    let copy = folder.path().join("newuidmap");
    fs::write(&copy, "").expect("a file");
    let said = lab_host(&doctor(&stepping_down(), &folder.path().display().to_string()));
    assert!(said.contains("has lost its set-uid bit"), "{said}");
    assert!(said.contains(&format!("chmod u+s {}", copy.display())), "{said}");
}

#[test]
fn a_sandbox_with_no_new_privs_is_named() {
    if !has_namespaces() || !Path::new("/usr/bin/newuidmap").exists() {
        return;
    }
    let mut before = stepping_down();
    if before.is_empty() {
        before.push("setpriv");
    }
    before.push("--no-new-privs");
    let said = lab_host(&doctor(&before, "/usr/bin"));
    assert!(said.contains("this process runs with no_new_privs"), "{said}");
}

#[test]
fn a_limit_of_no_user_namespaces_is_named() {
    if !has_namespaces() {
        return;
    }
    let output = in_a_namespace("echo 0 > /proc/sys/user/max_user_namespaces");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = lab_host(&output);
    assert!(said.contains("user.max_user_namespaces is 0"), "{said}");
    assert!(said.contains("sysctl -w user.max_user_namespaces=15000"), "{said}");
}

#[test]
fn an_outer_containers_masked_proc_is_named() {
    if !has_namespaces() {
        return;
    }
    // As a container's engine does: the kernel gives no new /proc where the one that is there is not seen whole.
    let output = in_a_namespace("mount -t tmpfs none /proc/irq");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = lab_host(&output);
    assert!(said.contains("this is a container that may not make user namespaces (mount:"), "{said}");
    assert!(said.contains("systempaths=unconfined"), "{said}");
}

#[test]
fn neither_a_temporary_folder_without_programs_nor_hidden_processes_are_in_the_way() {
    if !has_namespaces() {
        return;
    }
    for script in [
        "mount -t tmpfs -o noexec,nodev,nosuid none /tmp && mount -t tmpfs -o noexec none /dev/shm",
        "mount -t proc -o hidepid=2 proc /proc",
    ] {
        let output = in_a_namespace(script);
        assert_eq!(output.status.code(), Some(0), "{script}: {output:?}");
        assert!(lab_host(&output).contains("a user namespace with"), "{script}");
    }
}

#[test]
fn a_users_facts_have_the_machines_uid_beside() {
    let machine = caplab::host::Machine::probe(false);
    if machine.lab.uids.len() < 2 || machine.obstacle.is_some() {
        println!("not run: for an ordinary user with subordinate ids");
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_caplab"))
        .args(["run", "--format", "json", "users/run-as-6667"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CI", "true")
        .output()
        .expect("caplab starts");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let steps = document["results"].as_array().expect("a list").iter().flat_map(|one| one["steps"].as_array());
    let host: Vec<_> = steps.flatten().filter(|step| step["kind"] == "host").collect();
    assert!(!host.is_empty());
    for step in host {
        let first = u64::from(machine.lab.uids[1].outside);
        assert_eq!((&step["facts"]["uid"], &step["facts"]["real_uid"]), (&6667.into(), &(first + 6666).into()));
    }
}
