//! A container, in Compose's words.

use super::{
    Fields, capabilities,
    fields::unknown,
    idmap, list, list_of_text,
    scalar::{boolean, filled, id_text, number, path},
    text,
    volume::{tmpfs, volume},
};
use crate::{
    capability::CapSet,
    scenario::{
        diagnostic::{Fault, Place},
        model::{Container, ContainerExpect, IdOrName, Network, Preset, RefusedAt, Rootfs, Ulimit, User},
        tree::{Node, Value},
    },
    text::nearest,
};

const KEYS: [&str; 20] = [
    "preset",
    "rootfs",
    "privileged",
    "cap_add",
    "cap_drop",
    "user",
    "group_add",
    "uidmap",
    "gidmap",
    "volumes",
    "tmpfs",
    "read_only",
    "security_opt",
    "hostname",
    "environment",
    "working_dir",
    "command",
    "network_mode",
    "ulimits",
    "expect",
];

/// Keys of Compose and podman that the design has and this version does not build.
const PLANNED: [&str; 24] = [
    "blkio_config",
    "build",
    "cgroup",
    "cgroup_parent",
    "cpus",
    "cpuset",
    "device_cgroup_rules",
    "devices",
    "dns",
    "entrypoint",
    "extra_hosts",
    "image",
    "init",
    "ipc",
    "mem_limit",
    "networks",
    "pid",
    "pids_limit",
    "ports",
    "rootless",
    "shm_size",
    "sysctls",
    "userns_mode",
    "uts",
];

/// One container.
pub(in crate::scenario) fn container(name: &str, at: Place, node: &Node) -> Result<Container, Fault> {
    let fields = Fields::planned(node, "a container", &KEYS, &PLANNED)?;
    let flag = |key: &str| fields.get(key).map(boolean).transpose().map(|value| value.unwrap_or(false));
    let capabilities =
        |key: &str| fields.get(key).map(capabilities::several).transpose().map(Option::unwrap_or_default);
    let map = |key: &str| fields.get(key).map(idmap::podman).transpose().map(Option::unwrap_or_default);
    let each = |key: &str| fields.get(key).map(list).transpose().map(Option::unwrap_or_default);

    let volumes = each("volumes")?;
    let tmpfs_nodes = each("tmpfs")?;
    let security = fields.get("security_opt").map(security_opt).transpose()?.unwrap_or_default();
    let container = Container {
        name: name.to_owned(),
        preset: fields.get("preset").map(preset).transpose()?.unwrap_or(Preset::Docker),
        rootfs: fields.get("rootfs").map(rootfs).transpose()?.unwrap_or(Rootfs::Toolbox),
        privileged: flag("privileged")?,
        cap_add: capabilities("cap_add")?,
        cap_drop: capabilities("cap_drop")?,
        user: fields.get("user").map(user).transpose()?,
        group_add: each("group_add")?.iter().map(|node| id_or_name(node.at, text(node)?)).collect::<Result<_, _>>()?,
        uidmap: map("uidmap")?,
        gidmap: map("gidmap")?,
        volumes: volumes.iter().map(volume).collect::<Result<_, _>>()?,
        tmpfs: tmpfs_nodes.iter().map(tmpfs).collect::<Result<_, _>>()?,
        read_only: flag("read_only")?,
        no_new_privs: security.no_new_privs,
        seccomp_unconfined: security.seccomp_unconfined,
        hostname: fields.get("hostname").map(hostname).transpose()?,
        environment: fields.get("environment").map(environment).transpose()?.unwrap_or_default(),
        working_dir: fields.get("working_dir").map(path).transpose()?,
        command: fields.get("command").map(command).transpose()?,
        network: fields.get("network_mode").map(network).transpose()?.unwrap_or(Network::Default),
        ulimits: fields.get("ulimits").map(ulimits).transpose()?.unwrap_or_default(),
        expect: fields.get("expect").map(expect).transpose()?.unwrap_or(ContainerExpect::Started),
        lifted: CapSet::EMPTY,
        all_devices: false,
        withheld: CapSet::EMPTY,
        line: at.line,
    };
    check_targets(&container, volumes, tmpfs_nodes)?;
    if let (true, Some(dropped)) = (container.privileged, fields.get("cap_drop")) {
        return Err(Fault::new(dropped.at, "`cap_drop` beside `privileged`, which docker ignores")
            .help("leave `privileged` away and name what is wanted with `cap_add`"));
    }
    let both = container.cap_add.named.intersection(container.cap_drop.named);
    if let (false, Some(added)) = (both.is_empty(), fields.get("cap_add")) {
        return Err(Fault::new(added.at, format!("{both} is added and dropped")).help("only one can be meant"));
    }
    Ok(container)
}

fn check_targets(container: &Container, volumes: &[Node], tmpfs: &[Node]) -> Result<(), Fault> {
    let volumes = container.volumes.iter().map(|one| &one.target).zip(volumes);
    let all: Vec<_> = volumes.chain(container.tmpfs.iter().map(|one| &one.target).zip(tmpfs)).collect();
    for (index, (target, node)) in all.iter().enumerate() {
        if all[..index].iter().any(|(other, _)| other == target) {
            return Err(Fault::new(node.at, format!("a second mount at {target}")).help("only the last would be seen"));
        }
    }
    Ok(())
}

/// A word out of few.
fn choice<T: Copy>(node: &Node, what: &str, known: &[(&str, T)], planned: &[&str]) -> Result<T, Fault> {
    let word = text(node)?;
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    if planned.iter().any(|name| word.starts_with(name)) {
        return Err(Fault::new(node.at, format!("{what} `{word}` is not supported yet"))
            .help(format!("there is `{}`", names.join("`, `"))));
    }
    let fault = Fault::new(node.at, format!("no {what} `{word}`"));
    Err(match nearest(word, names.iter().copied()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("there is `{}`", names.join("`, `"))),
    })
}

fn preset(node: &Node) -> Result<Preset, Fault> {
    let known = [
        ("docker", Preset::Docker),
        ("docker-20.10.13", Preset::Docker20_10_13),
        ("podman", Preset::Podman),
        ("bare", Preset::Bare),
    ];
    choice(node, "preset", &known, &["kubernetes", "containerd"])
}

fn rootfs(node: &Node) -> Result<Rootfs, Fault> {
    choice(node, "rootfs", &[("toolbox", Rootfs::Toolbox), ("host", Rootfs::Host)], &["/", "."])
}

fn network(node: &Node) -> Result<Network, Fault> {
    let planned = ["host", "bridge", "container:", "service:", "slirp4netns", "pasta", "default"];
    choice(node, "network_mode", &[("none", Network::None)], &planned)
}

/// docker's `user[:group]`.
pub(super) fn user(node: &Node) -> Result<User, Fault> {
    let text = text(node)?;
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(id_or_name(node.at, group)?)),
        None => (text, None),
    };
    Ok(User { user: id_or_name(node.at, user)?, group })
}

fn id_or_name(at: Place, text: &str) -> Result<IdOrName, Fault> {
    if text.is_empty() || text.contains([':', ' ', '\n', '/']) {
        return Err(Fault::new(at, format!("`{text}` is no user or group")).help("a name or a number, `6667:6667`"));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return id_text(at, text).map(IdOrName::Id);
    }
    if text.starts_with('-') {
        return Err(Fault::new(at, format!("`{text}` is no user or group")).help("ids are not negative"));
    }
    Ok(IdOrName::Name(text.to_owned()))
}

/// What `security_opt` says.
#[derive(Default)]
struct Security {
    no_new_privs: bool,
    seccomp_unconfined: bool,
}

fn security_opt(node: &Node) -> Result<Security, Fault> {
    const THERE_IS: &str = "there are no-new-privileges and seccomp=unconfined";
    let mut security = Security::default();
    for (option, at) in list_of_text(node)? {
        match option.as_str() {
            "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true" => {
                security.no_new_privs = true;
            }
            "no-new-privileges:false" | "no-new-privileges=false" => {}
            "seccomp=unconfined" | "seccomp:unconfined" => security.seccomp_unconfined = true,
            other
                if ["seccomp", "apparmor", "label", "systempaths", "mask", "unmask"]
                    .iter()
                    .any(|name| other.starts_with(name)) =>
            {
                return Err(Fault::new(at, format!("security_opt `{other}` is not supported yet")).help(THERE_IS));
            }
            other => {
                return Err(Fault::new(at, format!("no security_opt `{other}`")).help(THERE_IS));
            }
        }
    }
    Ok(security)
}

fn hostname(node: &Node) -> Result<String, Fault> {
    let name = filled(node)?;
    let valid =
        name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    if !valid {
        return Err(
            Fault::new(node.at, format!("`{name}` is no host name")).help("at most 63 letters, digits, - and .")
        );
    }
    Ok(name)
}

fn environment(node: &Node) -> Result<Vec<(String, String)>, Fault> {
    let pairs: Vec<(Place, String, String)> = match &node.value {
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| Ok((key.at, key.text.clone(), text(value)?.to_owned())))
            .collect::<Result<_, Fault>>()?,
        _ => list_of_text(node)?
            .into_iter()
            .map(|(text, at)| match text.split_once('=') {
                Some((name, value)) => Ok((at, name.to_owned(), value.to_owned())),
                None => Err(Fault::new(at, format!("`{text}` has no value"))
                    .help("`NAME=value`; nothing is taken from the environment of whoever runs caplab")),
            })
            .collect::<Result<_, Fault>>()?,
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for (at, name, value) in pairs {
        if name.is_empty() || name.contains('=') {
            return Err(Fault::new(at, format!("`{name}` is no name of a variable")));
        }
        if found.iter().any(|(known, _)| *known == name) {
            return Err(Fault::new(at, format!("{name} is there twice")));
        }
        found.push((name, value));
    }
    Ok(found)
}

/// Compose's: a list is the argv, a string is words.
fn command(node: &Node) -> Result<Vec<String>, Fault> {
    let words: Vec<String> = match &node.value {
        Value::List(items) => items.iter().map(|item| text(item).map(str::to_owned)).collect::<Result<_, _>>()?,
        _ => {
            let line = text(node)?;
            if line.contains(['\'', '"', '\\', '$', '|', ';', '&', '>', '<', '`']) {
                return Err(Fault::new(node.at, "a command in one string is split at spaces, no shell reads it")
                    .help("write a list: `[sh, -c, \"…\"]`"));
            }
            line.split_whitespace().map(str::to_owned).collect()
        }
    };
    if words.first().is_none_or(String::is_empty) {
        return Err(Fault::new(node.at, "an empty command").help("leave it away: pid 1 then waits"));
    }
    Ok(words)
}

/// docker's names (moby, go-units ulimit.go).
pub(super) const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `{nofile: 1024}` or `{nofile: {soft: 64, hard: 128}}`.
pub(super) fn ulimits(node: &Node) -> Result<Vec<Ulimit>, Fault> {
    let mut found = Vec::new();
    for (key, value) in Fields::any(node, "ulimits")?.all() {
        let Some(name) = ULIMITS.iter().find(|name| **name == key.text) else {
            return Err(unknown(key, "ulimits", &ULIMITS));
        };
        let (soft, hard) = match &value.value {
            Value::Map(_) => {
                let both = Fields::of(value, "a limit", &["soft", "hard"])?;
                (limit(both.required("soft")?)?, limit(both.required("hard")?)?)
            }
            _ => limit(value).map(|both| (both, both))?,
        };
        if soft > hard {
            return Err(Fault::new(value.at, format!("{name}: the soft limit is above the hard one"))
                .help("setrlimit(2) refuses that: soft is at most hard"));
        }
        found.push(Ulimit { name, soft, hard });
    }
    Ok(found)
}

fn limit(node: &Node) -> Result<u64, Fault> {
    match text(node)? {
        "unlimited" | "-1" => Ok(u64::MAX),
        _ => number(node, "limit", 0, u64::MAX - 1),
    }
}

fn expect(node: &Node) -> Result<ContainerExpect, Fault> {
    let fields = Fields::of(node, "a container's expect", &["refused"])?;
    let known = [("create", RefusedAt::Create), ("start", RefusedAt::Start)];
    choice(fields.required("refused")?, "phase", &known, &[]).map(ContainerExpect::Refused)
}
