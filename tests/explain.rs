//! What `caplab explain` tells is what is called, and strace(1) saw it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use caplab::capability::Capability;
use serde_json::Value;

/// Every call that is told; what strace sees of others is plumbing.
const TOLD: &str = "umask,setgroups,setresgid,setresuid,mount,fsopen,fsconfig,fsmount,move_mount,open_tree,mount_setattr,mkdirat,mknodat,symlinkat,fchmodat,fchownat,openat2,write,fchdir,pivot_root,umount2,chdir,sethostname,socket,ioctl,prlimit64,prctl,capset,seccomp,execveat,clone3,unshare,bpf";

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_caplab")).args(arguments).current_dir(folder).output().expect("caplab starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "caplab {arguments:?}: {err}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// One line of strace: the pid, the call, what stands between its name and its result.
struct Seen {
    pid: u32,
    name: String,
    text: String,
}

fn trace(folder: &Path, scenario: &str) -> Option<Vec<Seen>> {
    let out = folder.join("trace");
    let status = Command::new("strace")
        .args(["-f", "-s", "4096", "-e", &format!("trace={TOLD}"), "-e", "signal=none", "-o"])
        .arg(&out)
        .arg(env!("CARGO_BIN_EXE_caplab"))
        .args(["run", "--update", "--jobs", "1", scenario])
        .current_dir(folder)
        .stdout(Stdio::null())
        .status();
    let Ok(status) = status else {
        println!("not run: strace is not installed");
        return None;
    };
    assert!(status.success(), "{scenario} under strace");
    let text = fs::read_to_string(out).expect("a trace");
    let seen = text.lines().filter(|line| !line.contains("resumed>")).filter_map(|line| {
        let (pid, call) = line.split_once(' ')?;
        let (name, text) = call.trim_start().split_once('(')?;
        Some(Seen { pid: pid.parse().ok()?, name: name.to_owned(), text: text.to_owned() })
    });
    Some(seen.collect())
}

/// What must stand in strace's line: texts in quotes, words in capitals, numbers that stand alone.
fn evidence(argument: &str) -> Vec<String> {
    if let Some(text) = argument.strip_prefix('"') {
        let path = text.trim_end_matches('"');
        // Paths are told from the root; the call has what is left after its parent was looked up.
        return vec![path.rsplit('/').next().unwrap_or(path).to_owned()];
    }
    let word = |word: &&str| {
        word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let words = argument.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let mut found: Vec<String> =
        words.filter(word).filter(|word| word.parse::<u64>().is_err()).map(str::to_owned).collect();
    if argument.parse::<u64>().is_ok() {
        found.push(argument.to_owned());
    }
    found
}

/// The masks of a capset, which strace writes as names.
fn masks(text: &str) -> Vec<u64> {
    let mask = |field: &str| {
        let rest = text.split_once(&format!("{field}="))?.1;
        let names = rest.split([',', '}']).next()?;
        let named = names.split('|').filter_map(|bit| Capability::from_name(bit.strip_prefix("1<<")?));
        Some(named.collect::<caplab::capability::CapSet>().0)
    };
    ["effective", "permitted", "inheritable"].iter().filter_map(|field| mask(field)).collect()
}

fn same(told: &Value, seen: &Seen) -> Result<(), String> {
    let name = told["call"].as_str().expect("a name");
    if name != seen.name {
        return Err(format!("told {name}, called {}({}", seen.name, seen.text));
    }
    let arguments: Vec<&str> = told["arguments"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    if name == "capset" {
        let told: Vec<u64> = arguments[1]
            .split(['=', ',', '}'])
            .filter(|part| part.len() == 16)
            .filter_map(|mask| u64::from_str_radix(mask, 16).ok())
            .collect();
        return if told == masks(&seen.text) { Ok(()) } else { Err(format!("told {told:x?}, called {}", seen.text)) };
    }
    // As strace writes: the environment is an address, a length of a program a number.
    for piece in arguments.iter().filter(|argument| **argument != "environment").flat_map(|argument| evidence(argument))
    {
        if !seen.text.contains(&piece) {
            return Err(format!("told {name}({}), but `{piece}` is not in {name}({}", arguments.join(", "), seen.text));
        }
    }
    Ok(())
}

const CONTAINERS: [(&str, &str); 9] = [
    ("docker", "{preset: docker}"),
    ("user", "{preset: docker, user: \"6667:6667\", cap_add: [NET_ADMIN], security_opt: [no-new-privileges]}"),
    ("ambient", "{preset: podman, user: \"6667\", cap_add: [NET_RAW, CHOWN], group_add: [\"44\"]}"),
    ("uidmap", "{preset: podman, uidmap: [\"0:2000:1000\"], volumes: [\"/etc:/mnt:ro\"], read_only: true}"),
    ("host", "{preset: docker, rootfs: host, volumes: [\"/etc/passwd:/srv/deep/er/file\", \"/etc:/tmp/etc\"]}"),
    ("privileged", "{privileged: true, ulimits: {nofile: {soft: 64, hard: 128}}, tmpfs: [\"/mnt/a:size=1m,ro\"]}"),
    ("bare", "{preset: bare, cap_drop: [ALL], hostname: grey, working_dir: /srv}"),
    ("then", "{preset: docker-20.10.13}"),
    ("copied", "{preset: podman, tmpfs: [\"/etc:ro\", \"/var:mode=0700\", /made], volumes: [\"/srv:/var/lib/srv\"]}"),
];

#[test]
fn what_is_told_is_what_is_called() {
    if !nix::unistd::geteuid().is_root() {
        return println!("not run: needs root");
    }
    let lab = tempfile::tempdir().expect("a folder");
    fs::create_dir(lab.path().join("scenarios")).expect("a folder");
    for (name, container) in CONTAINERS {
        let text = format!("title: {name}\ncontainer: {container}\nsteps: [{{inspect: {{seccomp: SECCOMP}}}}]\n");
        let filtered = !container.contains("privileged") && !container.contains("bare");
        let text = text.replace("SECCOMP", if filtered { "filter" } else { "disabled" });
        fs::write(lab.path().join(format!("scenarios/{name}.yaml")), text).expect("written");
        let Some(seen) = trace(lab.path(), name) else { return };
        let story = &json(lab.path(), &["explain", name, "--format", "json"])["containers"][0];
        let child = seen.iter().find(|call| call.name == "pivot_root").expect("a container").pid;
        // Look-ups are left out, and so is what the bounding set is asked for before it is lowered.
        let counts = |call: &&Seen| {
            call.pid == child
                && (call.name != "openat2" || call.text.contains("O_WRONLY"))
                && !call.text.contains("PR_CAPBSET_READ")
        };
        let mut called: Vec<&Seen> = seen.iter().filter(counts).collect();
        let end = called.iter().position(|call| call.name == "execveat").expect("an execveat");
        called.truncate(end + 1);
        let operations = story["operations"].as_array().expect("a list");
        let calls = |by: &str| -> Vec<Value> {
            let of = operations.iter().filter(|operation| operation["by"] == by);
            of.flat_map(|operation| operation["calls"].as_array().expect("a list").clone()).collect()
        };
        let told = calls("container");
        for (index, (told, called)) in told.iter().zip(&called).enumerate() {
            same(told, called).unwrap_or_else(|wrong| panic!("{name}, call {index}: {wrong}"));
        }
        assert_eq!(told.len(), called.len(), "{name}: as many calls");
        // The launcher's: the fork, into exactly these namespaces.
        let words = |text: &str| -> BTreeSet<String> {
            let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            words.filter(|word| word.starts_with("CLONE_")).map(str::to_owned).collect()
        };
        for fork in calls("launcher").iter().filter(|call| call["call"] == "clone3") {
            let told = words(&fork["arguments"].to_string());
            assert!(seen.iter().any(|call| call.name == "clone3" && words(&call.text) == told), "{name}: {told:?}");
        }
    }
}

/// Of whom strace has the launcher cannot be the tracer too, so that nobody sees a container with a command being made.
#[test]
fn an_init_is_told_with_its_child() {
    let lab = tempfile::tempdir().expect("a folder");
    let file = lab.path().join("a.yaml");
    let container = "{init: true, rootfs: host, command: [sleep, \"9\"]}";
    fs::write(&file, format!("title: a\ncontainer: {container}\nsteps: [{{inspect: {{uid: 0}}}}]\n")).expect("written");
    let story = &json(lab.path(), &["explain", "a.yaml", "--format", "json"])["containers"][0];
    let last: Vec<String> = story["operations"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|operation| operation["stage"] == "execve")
        .flat_map(|operation| operation["calls"].as_array().expect("a list"))
        .map(|call| format!("{} {}", call["call"], call["arguments"]).replace(['"', '\\'], ""))
        .collect();
    let told = [
        "execveat [helper,,[caplab-init, reap, sleep, 9],environment,AT_EMPTY_PATH]",
        "clone [SIGCHLD]",
        "setpgid [0,0]",
        "execve [sleep,[sleep, 9],environment]",
    ];
    assert_eq!(last, told);
}

#[test]
fn the_story_says_why_each_capability_is_there() {
    let lab = tempfile::tempdir().expect("a folder");
    let rules = |container: &str| {
        fs::write(
            lab.path().join("a.yaml"),
            format!("title: a\ncontainer: {container}\nsteps: [{{inspect: {{uid: 0}}}}]\n"),
        )
        .expect("written");
        json(lab.path(), &["explain", "a.yaml", "--format", "json"])["containers"][0]["capabilities"].clone()
    };
    let root = rules("{preset: docker}");
    assert_eq!(root["before"], root["after"]);
    assert!(root["rules"][0]["rule"].as_str().is_some_and(|rule| rule.starts_with("uid 0")));
    let user = rules("{preset: docker, user: \"6667\", cap_add: [NET_ADMIN]}");
    assert_eq!(user["after"]["effective"], serde_json::json!([]));
    assert!(user["rules"][0]["rule"].as_str().is_some_and(|rule| rule.contains("not ambient")));
    let ambient = rules("{preset: podman, user: \"6667\", cap_add: [NET_RAW]}");
    assert_eq!(ambient["after"]["effective"], serde_json::json!(["CAP_NET_RAW"]));
}
