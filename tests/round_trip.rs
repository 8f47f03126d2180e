//! What is said in other words and read again is the same: containers that nobody thought of.

use std::{path::Path, time::Duration};

use caplab::{
    capability::CapSet,
    convert::{self, Dialect, Draft, Keys, Part},
    host::Machine,
    scenario::{self, plain::Plain},
    spec,
};
use proptest::{collection, prelude::*, sample, string::string_regex};

const CAPABILITIES: [&str; 8] =
    ["CHOWN", "KILL", "NET_ADMIN", "NET_RAW", "SETUID", "SYS_ADMIN", "SYS_PTRACE", "SYS_TIME"];

/// Any text that a process can be given. What a scenario would take for a variable of a matrix is not said in it.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', "").replace("${", "$"))
}

fn name() -> impl Strategy<Value = String> {
    string_regex("[A-Za-z_][A-Za-z0-9_]{0,6}").expect("a pattern")
}

fn some<T: Clone + std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(strategy)
}

fn list(items: Vec<String>) -> Option<Plain> {
    (!items.is_empty()).then(|| Plain::List(items.into_iter().map(Plain::Text).collect()))
}

fn texts(items: Vec<(String, String)>) -> Option<Plain> {
    let mut map: Vec<(String, Plain)> = Vec::new();
    for (name, value) in items {
        if !map.iter().any(|(known, _)| *known == name) {
            map.push((name, Plain::Text(value)));
        }
    }
    (!map.is_empty()).then_some(Plain::Map(map))
}

/// A volume: the target is the n-th, so that no two are one.
fn volumes() -> impl Strategy<Value = Option<Plain>> {
    let source = string_regex("/(srv|opt)/[a-z \"'$é,:]{1,5}[a-z]").expect("a pattern");
    let propagation = proptest::option::weighted(0.3, sample::select(vec!["private", "rslave", "rshared"]));
    collection::vec((source, any::<bool>(), propagation), 0..3).prop_map(|volumes| {
        let volumes = volumes.into_iter().enumerate().map(|(index, (source, read_only, propagation))| {
            let target = format!("/mnt/{index}");
            if source.contains(':') {
                let mut map =
                    vec![("source".to_owned(), Plain::text(source)), ("target".to_owned(), Plain::text(target))];
                map.extend(read_only.then(|| ("read_only".to_owned(), Plain::truth(true))));
                let bind = |word| Plain::Map(vec![("propagation".to_owned(), Plain::text(word))]);
                map.extend(propagation.map(|word| ("bind".to_owned(), bind(word))));
                Plain::Map(map)
            } else {
                let options: Vec<&str> = read_only.then_some("ro").into_iter().chain(propagation).collect();
                let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
                Plain::text(format!("{source}:{target}{options}"))
            }
        });
        let volumes: Vec<_> = volumes.collect();
        (!volumes.is_empty()).then_some(Plain::List(volumes))
    })
}

fn ulimits() -> impl Strategy<Value = Option<Plain>> {
    collection::btree_map(sample::select(vec!["nofile", "core", "memlock"]), (1u64..500, 0u64..500), 0..3).prop_map(
        |limits| {
            let one = |(name, (soft, more)): (&str, (u64, u64))| {
                let limit = match more {
                    0 => Plain::text(soft.to_string()),
                    more => Plain::Map(vec![
                        ("soft".to_owned(), Plain::text(soft.to_string())),
                        ("hard".to_owned(), Plain::text((soft + more).to_string())),
                    ]),
                };
                (name.to_owned(), limit)
            };
            (!limits.is_empty()).then(|| Plain::Map(limits.into_iter().map(one).collect()))
        },
    )
}

fn keys() -> impl Strategy<Value = Vec<(&'static str, Plain)>> {
    let identity = (
        some(sample::select(vec!["6667:6667", "1000", "root", "0:5"])),
        collection::btree_set(0u32..70000, 0..3),
        sample::subsequence(CAPABILITIES.to_vec(), 0..4),
        0usize..4,
        any::<[bool; 6]>(),
    );
    let place = (volumes(), some(string_regex("/t/[a-z]{1,4}(:size=[0-9]{1,3}m)?").expect("a pattern")), ulimits());
    let process = (
        collection::vec((name(), text()), 0..3),
        collection::vec(text(), 0..3),
        some(string_regex("[a-z]([a-z-]{0,5}[a-z])?").expect("a pattern")),
        some(string_regex("/[a-z ]{0,5}[a-z]").expect("a pattern")),
    );
    (identity, place, process).prop_map(|(identity, place, process)| {
        let (user, groups, capabilities, dropped, [privileged, read_only, guarded, unconfined, init, limited]) =
            identity;
        let (volumes, tmpfs, ulimits) = place;
        let (environment, words, hostname, dir) = process;
        let (added, dropped) = capabilities.split_at(capabilities.len().saturating_sub(dropped));
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let options: Vec<String> = [(guarded, "no-new-privileges"), (unconfined, "seccomp=unconfined")]
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| word.to_owned())
            .collect();
        let command = (!words.is_empty()).then(|| ["/prog".to_owned()].into_iter().chain(words).collect());
        let all = [
            ("privileged", privileged.then(|| Plain::truth(true))),
            ("cap_add", list(owned(added))),
            ("cap_drop", if privileged { None } else { list(owned(dropped)) }),
            ("user", user.map(Plain::text)),
            ("group_add", list(groups.iter().map(u32::to_string).collect())),
            ("mem_limit", limited.then(|| Plain::text("64m"))),
            ("memswap_limit", limited.then(|| Plain::text("100m"))),
            ("init", init.then(|| Plain::truth(true))),
            ("read_only", read_only.then(|| Plain::truth(true))),
            ("security_opt", list(options)),
            ("volumes", volumes),
            ("tmpfs", list(tmpfs.into_iter().collect())),
            ("ulimits", ulimits),
            ("environment", texts(environment)),
            ("hostname", hostname.map(Plain::Text)),
            ("working_dir", dir.map(Plain::Text)),
            ("command", command.and_then(list)),
            ("network_mode", Some(Plain::text("none"))),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    })
}

fn draft(keys: &[(&str, Plain)]) -> Draft {
    let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let part = Part { name: "box".to_owned(), keys: Keys(keys), ..Part::default() };
    Draft { source: "a test".to_owned(), parts: vec![part], ..Draft::default() }
}

/// Keys by name, without those that only one side has.
fn sorted(draft: &Draft, without: &[&str]) -> Vec<(String, Plain)> {
    let mut keys = draft.parts[0].keys.0.clone();
    keys.retain(|(key, _)| !without.contains(&key.as_str()));
    keys.sort_by(|a, b| a.0.cmp(&b.0));
    keys
}

/// What a container is given and refused, but for what this engine has no flag for.
fn confined(draft: &Draft, dialect: Dialect) -> Vec<String> {
    let text = convert::to_scenario(draft).expect("a scenario");
    let scenario =
        scenario::load("test", Path::new("test.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
    let mut machine = Machine::probe(false);
    machine.bounding = CapSet::KNOWN;
    let job = spec::job(&scenario.cases[0], &machine, Duration::from_secs(1)).expect("a job");
    let spec = &job.containers[0].spec;
    let (process, linux) = (spec.process().as_ref().expect("a process"), spec.linux().as_ref().expect("Linux'"));
    let mut said = vec![format!("{:?} {:?}", process.user().uid(), process.no_new_privileges())];
    // podman gives a user what is added to his bounding set.
    if dialect == Dialect::Docker || process.user().uid() == 0 {
        let sets = process.capabilities().as_ref().expect("capabilities");
        let names = |set: &Option<oci_spec::runtime::Capabilities>| {
            let mut names: Vec<String> = set.iter().flatten().map(ToString::to_string).collect();
            names.sort();
            names.join(" ")
        };
        said.extend([sets.bounding(), sets.permitted(), sets.effective()].map(names));
    }
    said.push(format!("seccomp: {}", linux.seccomp().is_some()));
    let no_flag = |path: &&String| dialect == Dialect::Docker && *path == "/sys/devices/virtual/powercap";
    let mut masked: Vec<&String> = linux.masked_paths().iter().flatten().filter(|path| !no_flag(path)).collect();
    masked.sort();
    said.push(format!("{masked:?}"));
    let mut sysctls: Vec<_> =
        linux.sysctl().iter().flatten().filter(|(_, value)| !["1024", "1 0"].contains(&value.as_str())).collect();
    sysctls.sort();
    said.push(format!("{sysctls:?}"));
    let shm = spec.mounts().iter().flatten().filter(|mount| mount.destination() == Path::new("/dev/shm"));
    said.extend(shm.map(|mount| format!("{:?}", mount.options()).replace("65536k", "67108864")));
    let pids = linux.resources().as_ref().and_then(|resources| resources.pids().as_ref());
    said.push(format!("{:?}", pids.map(|pids| pids.limit()).filter(|limit| *limit > 0)));
    said
}

/// A word of a command line: a flag, known or not, a value, or anything.
fn word() -> impl Strategy<Value = String> {
    let flags = vec![
        "-it",
        "-d",
        "--privileged",
        "--cap-add=ALL",
        "--cap-drop",
        "NET_ADMIN",
        "-u",
        "1000:1000",
        "nobody",
        "-v",
        "/etc:/mnt:ro",
        "/srv/a.conf:/proc",
        "./a:/b:z",
        "a:/b",
        "--mount",
        "type=tmpfs,dst=/t,tmpfs-size=1m",
        "--tmpfs",
        "/run:size=1k",
        "--ulimit",
        "nofile=64:128",
        "nofile=9",
        "--uidmap",
        "0:2000:1000",
        "--read-only",
        "-e",
        "A=b",
        "--security-opt",
        "seccomp=unconfined",
        "--network=none",
        "--entrypoint",
        "sh",
        "-c",
        "image",
        "--",
        "--rm=false",
        "--hostname",
        "grey",
        "-w",
        "/tmp",
        "sleep",
        "infinity",
    ];
    prop_oneof![8 => sample::select(flags).prop_map(str::to_owned), 1 => any::<String>().prop_map(|text| text.replace('\0', ""))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_scenario(keys in keys()) {
        let asked = draft(&keys);
        let text = convert::to_scenario(&asked).expect("a scenario");
        let scenario = scenario::load("test", Path::new("test.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        let read = &convert::from_scenario(&scenario).expect("a draft")[0].1;
        prop_assert_eq!(sorted(&asked, &[]), sorted(read, &["preset", "rootfs"]), "{}", text);
    }

    #[test]
    fn a_command_line(keys in keys(), maps in collection::vec(0u32..9, 0..3)) {
        for dialect in [Dialect::Docker, Dialect::Podman] {
            let mut keys = keys.clone();
            if dialect == Dialect::Podman && !maps.is_empty() {
                let lines = maps.iter().enumerate().map(|(index, at)| format!("{}:{}:{}", index * 10, at + 10 * index as u32, 1));
                keys.push(("uidmap", list(lines.collect()).expect("lines")));
            }
            let asked = draft(&keys);
            let (line, _) = convert::to_command(dialect, &asked.parts[0], "image");
            let words = shlex::split(&line.replace(" \\\n ", " ")).expect("words");
            let read = convert::from_command(dialect, &words[1..]).expect("a draft");
            prop_assert_eq!(sorted(&asked, &[]), sorted(&read, &["preset"]), "{}", line);
        }
    }

    /// What the preset has is said too: who starts from other defaults has the same container.
    #[test]
    fn a_pods_container_as_a_command_line(keys in keys()) {
        let mut keys = keys;
        keys.retain(|(key, _)| *key != "init");
        keys.push(("preset", Plain::text("kubernetes")));
        for dialect in [Dialect::Docker, Dialect::Podman] {
            let asked = draft(&keys);
            let (line, _) = convert::to_command(dialect, &asked.parts[0], "image");
            let words = shlex::split(&line.replace(" \\\n ", " ")).expect("words");
            let read = convert::from_command(dialect, &words[1..]).expect("a draft");
            prop_assert_eq!(confined(&asked, dialect), confined(&read, dialect), "{}", line);
        }
    }

    #[test]
    fn a_compose_file(keys in keys()) {
        let asked = draft(&keys);
        let text = convert::to_compose(&asked, "image");
        let read = convert::from_compose(Path::new("compose.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        prop_assert_eq!(sorted(&asked, &[]), sorted(&read, &[]), "{}", text);
    }

    #[test]
    fn a_pod(keys in keys()) {
        let asked = draft(&keys);
        let text = convert::to_pod(&asked, "image");
        let read = convert::from_pod(Path::new("pod.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        // What a Pod has no field for, and what it says in other words for the same.
        let differs = ["preset", "network_mode", "mem_limit", "memswap_limit", "ulimits", "init", "user", "tmpfs", "security_opt", "volumes"];
        prop_assert_eq!(sorted(&asked, &differs), sorted(&read, &differs), "{}", text);
    }

    /// Whatever is given, it is converted or refused; what is converted is a valid scenario.
    #[test]
    fn no_command_line_is_a_panic(words in collection::vec(word(), 0..8)) {
        for dialect in [Dialect::Docker, Dialect::Podman] {
            let arguments: Vec<String> = ["run".to_owned()].into_iter().chain(words.clone()).collect();
            if let Ok(draft) = convert::from_command(dialect, &arguments) {
                let text = convert::to_scenario(&draft).unwrap_or_else(|wrong| panic!("{arguments:?}: {wrong}"));
                prop_assert!(scenario::load("test", Path::new("test.yaml"), &text).is_ok(), "{}", text);
            }
        }
    }

    #[test]
    fn no_file_is_a_panic(name in sample::select(vec!["compose", "pod"]), at in 0usize..2000, with in "[-:{}\\[\\]\"'a-z&*<|>#$ \n\t]{0,6}") {
        let text = std::fs::read_to_string(format!("tests/convert/files/{name}.yaml")).expect("a file");
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let text = format!("{}{with}{}", &text[..at], &text[at..]);
        for read in [convert::from_compose, convert::from_pod] {
            if let Ok(draft) = read(Path::new("file.yaml"), &text) {
                // Refused is fine: a name that is none. What is written is valid.
                if let Ok(text) = convert::to_scenario(&draft) {
                    prop_assert!(scenario::load("test", Path::new("test.yaml"), &text).is_ok(), "{}", text);
                }
            }
        }
    }
}
