//! A container, in Compose's words.

use std::{collections::HashSet, str::FromStr};

use super::{
    Fields, capabilities, device, idmap, image, list, resources,
    scalar::{boolean, choice, filled, id_text, number, path, texts},
    security::security,
    sharing::sharing,
    size, sysctl, text,
    volume::{tmpfs, volume},
};
use crate::scenario::{
    beside::Beside,
    diagnostic::{Fault, Place},
    format::{self, words},
    model::{Altered, Container, ContainerExpect, IdOrName, Owner, Preset, Rootfs, Ulimit, User},
    problems::Problems,
    tree::{Key, Node, Value},
};

/// One container.
pub(in crate::scenario) fn container(
    name: &str,
    at: Place,
    node: &Node,
    beside: Beside<'_>,
    problems: &Problems,
) -> Result<Container, Fault> {
    let before = problems.count();
    let fields = Fields::of(node, &format::container::CONTAINER, problems)?;
    let flag = |key: &str| fields.read(key, boolean).unwrap_or(false);
    let capabilities = |key: &str| fields.read(key, |node| capabilities::several(node, problems)).unwrap_or_default();
    let map = |key: &str| fields.read(key, |node| idmap::podman(node, problems)).unwrap_or_default();
    let security = fields.read("security_opt", |node| security(node, beside, problems)).unwrap_or_default();
    let image = image::image(&fields, beside);
    let (image, own_root) = image.map_or((None, Rootfs::Toolbox), |(image, root)| (Some(image), root));
    let has_image = fields.get("image").or(fields.get("build")).is_some();
    let container = Container {
        name: name.to_owned(),
        preset: fields.read("preset", preset).unwrap_or(Preset::Docker),
        rootfs: fields.read("rootfs", rootfs).unwrap_or(own_root),
        image,
        privileged: flag("privileged"),
        cap_add: capabilities("cap_add"),
        cap_drop: capabilities("cap_drop"),
        user: fields.read("user", user),
        group_add: fields.each("group_add", |node| id_or_name(node.at, text(node)?)),
        uidmap: map("uidmap"),
        gidmap: map("gidmap"),
        volumes: fields.each("volumes", |node| volume(node, problems)),
        tmpfs: fields.each("tmpfs", |node| tmpfs(node, problems)),
        read_only: flag("read_only"),
        no_new_privs: security.no_new_privs,
        seccomp_unconfined: security.seccomp_unconfined,
        seccomp_profile: security.seccomp_profile,
        seccomp_runtime_default: security.seccomp_runtime_default,
        system_paths: security.system_paths,
        devices: fields.each("devices", |node| device::device(node, problems)),
        device_cgroup_rules: fields.each("device_cgroup_rules", device::rule),
        shm_size: fields.read("shm_size", size::bytes),
        sysctls: fields.read("sysctls", |node| sysctl::sysctls(node, problems)).unwrap_or_default(),
        hostname: fields.read("hostname", hostname),
        environment: fields.read("environment", |node| environment(node, problems)).unwrap_or_default(),
        working_dir: fields.read("working_dir", path),
        command: whole_command(&fields, has_image),
        init: flag("init"),
        sharing: sharing(&fields),
        ulimits: fields.read("ulimits", |node| ulimits(node, problems)).unwrap_or_default(),
        resources: resources::resources(&fields),
        rootless: fields.read("rootless", filled),
        expect: fields.read("expect", |node| expect(node, problems)).unwrap_or(ContainerExpect::Started),
        altered: Altered::default(),
        line: at.line,
    };
    if let Some(node) = fields.get("userns_mode") {
        let planned = ["auto", "keep-id", "nomap", "container:", "ns:", "private"];
        problems.ok(choice(node, "userns_mode", &words::USERNS_MODES, &planned));
    }
    // What fits together can be said of what was read as it was meant.
    if problems.count() == before {
        together(&container, &fields);
    }
    Ok(container)
}

/// What does not fit together.
fn together(container: &Container, fields: &Fields<'_>) {
    let problems = fields.problems;
    let items = |key: &str| fields.get(key).and_then(|node| list(node).ok()).unwrap_or_default();
    let wrong = |node: &Node, message: &str, help: &str| problems.tell(Fault::new(node.at, message).help(help));
    check_targets(container, items("volumes"), items("tmpfs"), problems);
    device::together(container, items("devices"), items("device_cgroup_rules"), problems);
    if let (Preset::Bare, Some(node)) = (container.preset, fields.get("shm_size")) {
        wrong(node, "preset bare has no /dev/shm", "`tmpfs: [\"/tmp:size=64m\"]`");
    }
    if let (true, Some(node)) = (container.init, fields.get("init")) {
        if container.sharing.pid != Owner::Own {
            wrong(
                node,
                "an init where pid 1 is another's",
                "orphans go to the pid 1 of the namespace: docker leaves the init out, podman refuses the container",
            );
        }
        if container.preset == Preset::Kubernetes {
            wrong(node, "a pod's containers have no init", "their command is pid 1, unless it is one itself");
        }
    }
    if let (Some(node), false) = (fields.get("userns_mode"), container.uidmap.is_empty() && container.gidmap.is_empty())
    {
        wrong(node, "the host's user namespace, and an id map", "only one can be meant");
    }
    if let (true, Some(dropped)) = (container.privileged, fields.get("cap_drop")) {
        wrong(
            dropped,
            "`cap_drop` beside `privileged`, which docker ignores",
            "leave `privileged` away and name what is wanted with `cap_add`",
        );
    }
    if let (true, Some(node)) = (container.seccomp_runtime_default, fields.get("security_opt"))
        && container.preset != Preset::Kubernetes
    {
        wrong(
            node,
            "seccomp=runtime/default is a pod's, `preset: kubernetes`",
            "docker and podman have their own profile without being asked",
        );
    }
    if let (true, Some(_), Some(node)) = (container.privileged, &container.seccomp_profile, fields.get("security_opt"))
    {
        wrong(
            node,
            "a seccomp profile beside `privileged`",
            "docker leaves it out, podman does not: name what is wanted with `cap_add`",
        );
    }
    let limits = ["pids_limit", "mem_limit", "memswap_limit", "cpus"];
    if let (Some(_), Some(limit)) = (&container.rootless, limits.iter().find_map(|key| fields.get(key))) {
        wrong(
            limit,
            "a limit of control groups beside `rootless` is not supported yet",
            "an ordinary user's engine has those that were delegated to him; `ulimits` need nobody's leave",
        );
    }
    if let (Some(_), Some(map)) = (&container.rootless, fields.get("uidmap").or(fields.get("gidmap"))) {
        wrong(
            map,
            "a map of one's own beside `rootless` is not supported yet",
            "a rootless container has that of the user's subordinate ids",
        );
    }
    let both = container.cap_add.named.intersection(container.cap_drop.named);
    if let (false, Some(added)) = (both.is_empty(), fields.get("cap_add")) {
        wrong(added, &format!("{both} is added and dropped"), "only one can be meant");
    }
    if let (true, true, Preset::Podman, Some(dropped)) =
        (container.cap_add.all, container.cap_drop.all, container.preset, fields.get("cap_drop"))
    {
        wrong(
            dropped,
            "ALL is added and dropped, which podman refuses",
            "leave `cap_drop` away: what is added is all there is",
        );
    }
}

fn check_targets(container: &Container, volumes: &[Node], tmpfs: &[Node], problems: &Problems) {
    let volumes = container.volumes.iter().map(|one| &one.target).zip(volumes);
    let mut seen = HashSet::new();
    for (target, node) in volumes.chain(container.tmpfs.iter().map(|one| &one.target).zip(tmpfs)) {
        if !seen.insert(target) {
            problems
                .tell(Fault::new(node.at, format!("a second mount at {target}")).help("only the last would be seen"));
        }
    }
}

fn preset(node: &Node) -> Result<Preset, Fault> {
    choice(node, "preset", &words::PRESETS, &["containerd"])
}

fn rootfs(node: &Node) -> Result<Rootfs, Fault> {
    choice(node, "rootfs", &words::ROOTFS, &["/", "."])
}

/// docker's `user[:group]`.
pub(super) fn user(node: &Node) -> Result<User, Fault> {
    user_text(node.at, text(node)?)
}

fn user_text(at: Place, text: &str) -> Result<User, Fault> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(id_or_name(at, group)?)),
        None => (text, None),
    };
    Ok(User { user: id_or_name(at, user)?, group })
}

impl FromStr for User {
    type Err = String;

    /// The same of a command line, a Dockerfile or an image.
    fn from_str(text: &str) -> Result<Self, String> {
        user_text(Place::default(), text).map_err(|Fault { message, help, .. }| match help {
            Some(help) => format!("{message}; {help}"),
            None => message,
        })
    }
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

fn environment(node: &Node, problems: &Problems) -> Result<Vec<(String, String)>, Fault> {
    let help = "`NAME=value`; nothing is taken from the environment of whoever runs caplab";
    let mut found: Vec<(String, String)> = Vec::new();
    let mut names = HashSet::new();
    for (at, name, value) in pairs(node, help, problems)? {
        if name.is_empty() || name.contains('=') {
            problems.tell(Fault::new(at, format!("`{name}` is no name of a variable")).help("`NAME=value`"));
        } else if !names.insert(name.clone()) {
            problems.tell(Fault::new(at, format!("{name} is there twice")).help("only the last would count"));
        } else {
            found.push((name, value));
        }
    }
    Ok(found)
}

/// A map, or a list of `name=value`.
pub(super) fn pairs(
    node: &Node,
    help: &'static str,
    problems: &Problems,
) -> Result<Vec<(Place, String, String)>, Fault> {
    if let Value::Map(entries) = &node.value {
        let pair = |(key, value): &(Key, Node)| {
            let value = problems.ok(text(value))?;
            Some((key.at, key.text.clone(), value.to_owned()))
        };
        return Ok(entries.iter().filter_map(pair).collect());
    }
    Ok(problems.each(texts(node)?, |item| match text(item)?.split_once('=') {
        Some((name, value)) => Ok((item.at, name.to_owned(), value.to_owned())),
        None => Err(Fault::new(item.at, format!("`{}` has no value", text(item)?)).help(help)),
    }))
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

/// What is executed: the entry point and, behind it, the command. Without an image there are none but these, so that either alone is
/// all of it; with one an empty list is Compose's way to say that there is to be none.
fn whole_command(fields: &Fields<'_>, has_image: bool) -> Option<Vec<String>> {
    let read = |key: &str| {
        let empty = has_image
            && fields.get(key).is_some_and(|node| matches!(&node.value, Value::List(items) if items.is_empty()));
        if empty { Some(Vec::new()) } else { fields.read(key, command) }
    };
    match (read("entrypoint"), read("command")) {
        (Some(entrypoint), Some(command)) => Some([entrypoint, command].concat()),
        (entrypoint, command) => entrypoint.or(command),
    }
}

/// `{nofile: 1024}` or `{nofile: {soft: 64, hard: 128}}`.
pub(super) fn ulimits(node: &Node, problems: &Problems) -> Result<Vec<Ulimit>, Fault> {
    let fields = Fields::of(node, &format::container::LIMITS, problems)?;
    let read = |name: &'static str| fields.read(name, |node| ulimit(name, node, problems));
    Ok(fields
        .all()
        .iter()
        .filter_map(|(key, _)| words::ULIMITS.into_iter().find(|name| *name == key.text))
        .filter_map(read)
        .collect())
}

fn ulimit(name: &'static str, node: &Node, problems: &Problems) -> Result<Ulimit, Fault> {
    let (soft, hard) = match &node.value {
        Value::Map(_) => {
            let both = Fields::of(node, &format::container::BOTH, problems)?;
            let (soft, hard) = (both.need("soft", limit), both.need("hard", limit));
            (soft?, hard?)
        }
        _ => limit(node).map(|both| (both, both))?,
    };
    if soft > hard {
        return Err(Fault::new(node.at, format!("{name}: the soft limit is above the hard one"))
            .help("setrlimit(2) refuses that: soft is at most hard"));
    }
    Ok(Ulimit { name, soft, hard })
}

fn limit(node: &Node) -> Result<u64, Fault> {
    match text(node)? {
        "unlimited" | "-1" => Ok(u64::MAX),
        _ => number(node, "limit", 0, u64::MAX - 1),
    }
}

fn expect(node: &Node, problems: &Problems) -> Result<ContainerExpect, Fault> {
    let fields = Fields::of(node, &format::container::EXPECT, problems)?;
    fields.need("refused", |node| choice(node, "phase", &words::REFUSED, &[])).map(ContainerExpect::Refused)
}
