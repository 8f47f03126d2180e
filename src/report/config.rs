//! A container in the words of the tools: a scenario's keys, docker's and podman's flags, a Compose service, a Pod.

use serde_json::{Map, Value, json};

use crate::{
    capability::Capability,
    scenario::{
        image::{Build, Origin, RUN_TIMEOUT},
        model::{Container, Device, IdOrName, Preset, Propagation, Rootfs, User, Volume, VolumeSource},
        resources::{limit_text, processors},
    },
};

/// The keys of the scenario format, without what is its default.
#[must_use]
pub fn scenario(container: &Container) -> Value {
    let mut keys = Map::new();
    let preset = match container.preset {
        Preset::Docker => "docker",
        Preset::Docker20_10_13 => "docker-20.10.13",
        Preset::Podman => "podman",
        Preset::Kubernetes => "kubernetes",
        Preset::Bare => "bare",
    };
    keys.insert("preset".to_owned(), json!(preset));
    if let Some(image) = &container.image {
        let (key, value) = match &*image.origin {
            Origin::Image(location) => ("image", json!(location.name)),
            Origin::Build(build) => ("build", of_build(build)),
        };
        keys.insert(key.to_owned(), value);
    } else if container.rootfs == Rootfs::Host {
        keys.insert("rootfs".to_owned(), json!("host"));
    }
    common(container, &mut keys);
    let maps = |lines: &[caplab_init::wire::IdMap]| {
        lines.iter().map(|line| json!(format!("{}:{}:{}", line.inside, line.outside, line.count))).collect::<Vec<_>>()
    };
    for (key, lines) in [("uidmap", &container.uidmap), ("gidmap", &container.gidmap)] {
        if !lines.is_empty() {
            keys.insert(key.to_owned(), json!(maps(lines)));
        }
    }
    keys.extend(container.sharing.keys().into_iter().map(|(key, value)| (key.to_owned(), json!(value))));
    if let Some(command) = &container.command {
        // With its image that is the whole of it: the image's own entry point is in it.
        let key = if container.image.is_some() { "entrypoint" } else { "command" };
        keys.insert(key.to_owned(), json!(command));
    }
    Value::Object(keys)
}

fn of_build(build: &Build) -> Value {
    let mut keys = Map::new();
    if let Some(context) = &build.context {
        keys.insert("context".to_owned(), json!(context.name));
    }
    keys.insert("dockerfile_inline".to_owned(), json!(build.dockerfile.text));
    if !build.args.is_empty() {
        let args = build.args.iter().map(|(name, value)| (name.clone(), json!(value)));
        keys.insert("args".to_owned(), Value::Object(args.collect()));
    }
    if build.timeout != RUN_TIMEOUT {
        keys.insert("timeout".to_owned(), json!(format!("{}ms", build.timeout.as_millis())));
    }
    Value::Object(keys)
}

/// What a Compose service says with the same key.
fn common(container: &Container, keys: &mut Map<String, Value>) {
    let mut add = |key: &str, value: Value| {
        let empty =
            matches!(&value, Value::Null) || value.as_array().is_some_and(Vec::is_empty) || value == json!(false);
        if !empty {
            keys.insert(key.to_owned(), value);
        }
    };
    add("privileged", json!(container.privileged));
    add("cap_drop", json!(dropped(container)));
    add("cap_add", json!(added(container)));
    add("user", json!(container.user.as_ref().map(ToString::to_string)));
    add("group_add", json!(container.group_add.iter().map(ToString::to_string).collect::<Vec<_>>()));
    let volumes = container.volumes.iter().map(|one| match &one.source {
        VolumeSource::Fixture(_) => json!(volume(one)),
        VolumeSource::RealHost(source) => json!({
            "type": "bind", "source": source, "target": one.target, "real_host": true, "read_only": one.read_only,
        }),
    });
    add("volumes", json!(volumes.collect::<Vec<_>>()));
    let tmpfs = container.tmpfs.iter().map(|one| match one.options.as_slice() {
        [] => one.target.clone(),
        options => format!("{}:{}", one.target, options.join(",")),
    });
    add("tmpfs", json!(tmpfs.collect::<Vec<_>>()));
    add("read_only", json!(container.read_only));
    add("security_opt", json!(security(container)));
    add("devices", json!(container.devices.iter().map(device).collect::<Vec<_>>()));
    add(
        "device_cgroup_rules",
        json!(container.device_cgroup_rules.iter().map(ToString::to_string).collect::<Vec<_>>()),
    );
    add("shm_size", json!(container.shm_size));
    let resources = &container.resources;
    add("pids_limit", resources.pids.map_or(Value::Null, or_minus_one));
    add("mem_limit", json!(resources.memory));
    add("memswap_limit", resources.memory_swap.map_or(Value::Null, or_minus_one));
    add("cpus", json!(resources.nano_cpus.map(processors)));
    add("sysctls", json!(container.sysctls.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()));
    add("init", json!(container.init));
    add("hostname", json!(container.hostname));
    let environment: Vec<String> =
        container.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    add("environment", json!(environment));
    add("working_dir", json!(container.working_dir));
    let limits: Map<String, Value> = container
        .ulimits
        .iter()
        .map(|limit| (limit.name.to_owned(), json!({"soft": amount(limit.soft), "hard": amount(limit.hard)})))
        .collect();
    if !limits.is_empty() {
        add("ulimits", Value::Object(limits));
    }
}

fn or_minus_one(limit: u64) -> Value {
    if limit == u64::MAX { json!(-1) } else { json!(limit) }
}

fn added(container: &Container) -> Vec<&'static str> {
    let all = container.cap_add.all.then_some("ALL");
    let named = Capability::all().filter(|one| container.cap_add.named.contains(*one)).map(Capability::short_name);
    all.into_iter().chain(named).collect()
}

fn dropped(container: &Container) -> Vec<&'static str> {
    let all = container.cap_drop.all.then_some("ALL");
    let named = Capability::all().filter(|one| container.cap_drop.named.contains(*one)).map(Capability::short_name);
    all.into_iter().chain(named).collect()
}

fn security(container: &Container) -> Vec<String> {
    let paths = &container.system_paths;
    let list = |option: &str, paths: &[String]| (!paths.is_empty()).then(|| format!("{option}={}", paths.join(":")));
    let word = |there: bool, word: &str| there.then(|| word.to_owned());
    [
        word(container.no_new_privs, "no-new-privileges"),
        word(container.seccomp_unconfined, "seccomp=unconfined"),
        word(container.seccomp_runtime_default, "seccomp=runtime/default"),
        container.seccomp_profile.as_ref().map(|file| format!("seccomp={}", file.name)),
        word(paths.unconfined, "systempaths=unconfined"),
        list("mask", &paths.mask),
        list("unmask", &paths.unmask),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `/dev/fuse:/dev/x:r`.
fn device(device: &Device) -> String {
    let access = device.access.as_ref().map(|letters| format!(":{letters}")).unwrap_or_default();
    format!("{}:{}{access}", device.source, device.target)
}

fn volume(volume: &Volume) -> String {
    let (VolumeSource::Fixture(source) | VolumeSource::RealHost(source)) = &volume.source;
    let propagation = volume.propagation.map(Propagation::name);
    let options: Vec<&str> = volume.read_only.then_some("ro").into_iter().chain(propagation).collect();
    let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
    format!("{source}:{}{options}", volume.target)
}

fn amount(limit: u64) -> Value {
    if limit == u64::MAX { json!("unlimited") } else { json!(limit) }
}

/// What no key of the format says: the paths and devices that are left open, each in words.
#[must_use]
pub fn beyond(container: &Container) -> Vec<String> {
    let altered = &container.altered;
    let open = altered.uncovered.iter().map(|path| format!("{path} as the kernel has it"));
    let writable = altered.writable.iter().map(|target| format!("{target} writable"));
    altered.all_devices.then(|| "every device".to_owned()).into_iter().chain(open).chain(writable).collect()
}

/// docker's command line, up to the image.
#[must_use]
pub fn docker(container: &Container) -> String {
    let mut words = flags(container);
    if !container.altered.uncovered.is_empty() {
        words.push("--security-opt systempaths=unconfined".to_owned());
    }
    ["docker run".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// podman's command line, up to the image.
#[must_use]
pub fn podman(container: &Container) -> String {
    let mut words = flags(container);
    for (flag, lines) in [("--uidmap", &container.uidmap), ("--gidmap", &container.gidmap)] {
        words.extend(lines.iter().map(|line| format!("{flag} {}:{}:{}", line.inside, line.outside, line.count)));
    }
    if !container.altered.uncovered.is_empty() {
        words.push(format!("--security-opt unmask={}", container.altered.uncovered.join(":")));
    }
    ["podman run".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

fn flags(container: &Container) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(container.privileged.then(|| "--privileged".to_owned()));
    words.extend(dropped(container).into_iter().map(|name| format!("--cap-drop {name}")));
    words.extend(added(container).into_iter().map(|name| format!("--cap-add {name}")));
    words.extend(container.user.as_ref().map(|one| format!("--user {one}")));
    words.extend(container.group_add.iter().map(|one| format!("--group-add {one}")));
    words.extend(container.volumes.iter().map(|one| format!("-v {}", quoted(&volume(one)))));
    words.extend(container.tmpfs.iter().map(|one| match one.options.as_slice() {
        [] => format!("--tmpfs {}", quoted(&one.target)),
        options => format!("--tmpfs {}", quoted(&format!("{}:{}", one.target, options.join(",")))),
    }));
    words.extend(container.read_only.then(|| "--read-only".to_owned()));
    words.extend(security(container).into_iter().map(|option| format!("--security-opt {option}")));
    words.extend(container.devices.iter().map(|one| format!("--device {}", quoted(&device(one)))));
    words.extend(
        container.device_cgroup_rules.iter().map(|rule| format!("--device-cgroup-rule {}", quoted(&rule.to_string()))),
    );
    words.extend(container.shm_size.map(|bytes| format!("--shm-size {bytes}")));
    words.extend(
        container.sysctls.iter().map(|(name, value)| format!("--sysctl {}", quoted(&format!("{name}={value}")))),
    );
    let resources = &container.resources;
    words.extend(resources.pids.map(|pids| format!("--pids-limit {}", limit_text(pids))));
    words.extend(resources.memory.map(|bytes| format!("--memory {bytes}")));
    words.extend(resources.memory_swap.map(|bytes| format!("--memory-swap {}", limit_text(bytes))));
    words.extend(resources.nano_cpus.map(|billionths| format!("--cpus {}", processors(billionths))));
    words.extend(container.altered.all_devices.then(|| "--device-cgroup-rule 'a *:* rwm'".to_owned()));
    words.extend(container.init.then(|| "--init".to_owned()));
    words.extend(container.hostname.as_ref().map(|name| format!("--hostname {name}")));
    words
        .extend(container.environment.iter().map(|(name, value)| format!("-e {}", quoted(&format!("{name}={value}")))));
    words.extend(container.working_dir.as_ref().map(|dir| format!("-w {}", quoted(dir))));
    words.extend(container.sharing.keys().into_iter().map(|(key, value)| {
        let flag = match key {
            "network_mode" => "network",
            "cgroup" => "cgroupns",
            key => key,
        };
        format!("--{flag} {value}")
    }));
    let limits = container.ulimits.iter();
    words.extend(limits.map(|one| format!("--ulimit {}={}:{}", one.name, limit_text(one.soft), limit_text(one.hard))));
    words
}

/// For a shell, where that is needed.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,+@%".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// What a printed config runs: a scenario's containers are of no registry's image.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a> {
    /// The image; IMAGE stands for one that is not known.
    pub image: &'a str,
    /// The command, where there is one.
    pub command: Option<&'a [String]>,
}

impl<'a> Runs<'a> {
    /// What a container of a scenario does.
    #[must_use]
    pub fn of(container: &'a Container) -> Self {
        Self { image: "IMAGE", command: container.command.as_deref() }
    }

    /// The end of a command line.
    #[must_use]
    pub fn words(&self) -> String {
        let command = self.command.unwrap_or_default();
        [self.image].into_iter().chain(command.iter().map(String::as_str)).map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// A Compose service.
#[must_use]
pub fn compose(container: &Container, runs: Runs<'_>) -> Value {
    let mut keys = Map::from_iter([("image".to_owned(), json!(runs.image))]);
    common(container, &mut keys);
    keys.extend(container.sharing.keys().into_iter().map(|(key, value)| (key.to_owned(), json!(value))));
    if let Some(command) = runs.command {
        keys.insert("command".to_owned(), json!(command));
    }
    json!({"services": {container.name.as_str(): keys}})
}

/// The part of a Pod that is about security. What it has no word for (ids of a map, single covered paths) is left out.
#[must_use]
pub fn pod(container: &Container, runs: Runs<'_>) -> Value {
    let mut security = Map::new();
    let mut add = |key: &str, value: Value| security.insert(key.to_owned(), value);
    add("privileged", json!(container.privileged));
    // Kubernetes, "Configure a Security Context": it is always true for a privileged container and for one with CAP_SYS_ADMIN.
    let escalates = container.privileged || added(container).iter().any(|name| ["SYS_ADMIN", "ALL"].contains(name));
    add("allowPrivilegeEscalation", json!(escalates || !container.no_new_privs));
    add("capabilities", json!({"drop": dropped(container), "add": added(container)}));
    add("readOnlyRootFilesystem", json!(container.read_only));
    match container.user.as_ref() {
        Some(User { user: IdOrName::Id(uid), group }) if *uid != 0 => {
            add("runAsNonRoot", json!(true));
            add("runAsUser", json!(uid));
            if let Some(IdOrName::Id(gid)) = group {
                add("runAsGroup", json!(gid));
            }
        }
        _ => {
            add("runAsNonRoot", json!(false));
        }
    }
    let profile = if container.seccomp_unconfined || container.privileged { "Unconfined" } else { "RuntimeDefault" };
    add("seccompProfile", json!({"type": profile}));
    if !container.altered.uncovered.is_empty() {
        add("procMount", json!("Unmasked"));
    }
    let own_users = !(container.uidmap.is_empty() && container.gidmap.is_empty());
    let sysctls: Vec<Value> =
        container.sysctls.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut one = json!({"name": container.name, "image": runs.image, "securityContext": security});
    if let Some(command) = runs.command {
        // `command` would take the place of the image's entry point.
        one["args"] = json!(command);
    }
    let mut pod = json!({"hostUsers": !own_users, "containers": [one]});
    if !sysctls.is_empty() {
        pod["securityContext"] = json!({"sysctls": sysctls});
    }
    pod
}

/// What a tool's own defaults change of a container that was tried with another's.
#[must_use]
pub fn other_defaults(container: &Container, tool: &str) -> Option<String> {
    let own = match tool {
        "docker" | "compose" => matches!(container.preset, Preset::Docker | Preset::Docker20_10_13),
        "podman" => container.preset == Preset::Podman,
        "pod" => container.preset == Preset::Kubernetes,
        _ => true,
    };
    if own {
        return None;
    }
    let with = match tool {
        "pod" => "; with `preset: kubernetes` it would be".to_owned(),
        tool => format!("; `caplab run --engine {}` tries the scenario there", tool.replace("compose", "docker")),
    };
    let whose = if tool == "pod" { "a Pod" } else { tool };
    Some(format!("not tried with {whose}'s own defaults, which are others (docs/presets.md){with}"))
}

/// JSON's values as YAML, strings quoted where they could be taken for something else.
#[must_use]
pub fn yaml(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| match value {
                Value::Object(inner) if !inner.is_empty() => format!("{indent}{key}:\n{}", yaml(value, depth + 1)),
                Value::Array(items) if items.iter().any(Value::is_object) => {
                    let items = items.iter().map(|item| {
                        let text = yaml(item, depth + 1);
                        format!("{indent}- {}", text.trim_start())
                    });
                    format!("{indent}{key}:\n{}", items.collect::<String>())
                }
                other => format!("{indent}{key}: {}\n", inline(other)),
            })
            .collect(),
        other => format!("{indent}{}\n", inline(other)),
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=".contains(letter);
            let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
            let bare = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/')
                && text.chars().all(plain)
                && !words.contains(&text.to_ascii_lowercase().as_str());
            if bare { text.clone() } else { value.to_string() }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::{host::Machine, scenario, spec};

    /// The YAML that is printed asks for the same container.
    #[test]
    fn what_is_printed_is_read_again_as_the_same() {
        let text = "title: A claim\ncontainer:\n  preset: podman\n  cap_drop: [ALL]\n  cap_add: [NET_ADMIN]\n  user: \"10:20\"\n  group_add: [\"7\"]\n  \
                    uidmap: [\"0:2000:1000\"]\n  volumes: [\"/etc:/mnt:ro\"]\n  tmpfs: [\"/x:size=64m\"]\n  read_only: true\n  \
                    security_opt: [no-new-privileges, seccomp=unconfined]\n  environment: {A: \"yes: #\"}\n  command: [\"sleep\", \"1 2\"]\n  \
                    ulimits: {nofile: {soft: 64, hard: unlimited}}\nsteps:\n  - inspect: {uid: 0}\n";
        let machine = Machine::probe(false);
        let spec = |text: &str| {
            let scenario = scenario::load("test", Path::new("test.yaml"), text).expect("valid");
            let job = spec::job(&scenario.cases[0], &machine, Duration::ZERO).expect("resolved");
            (job.containers[0].spec.clone(), scenario.cases[0].containers[0].clone())
        };
        let (wanted, container) = spec(text);
        let printed =
            json!({"title": "A claim", "container": scenario(&container), "steps": [{"inspect": {"uid": 0}}]});
        assert_eq!(spec(&yaml(&printed, 0)).0, wanted, "{}", yaml(&printed, 0));
    }

    #[test]
    fn a_pod_says_what_a_pod_can() {
        let text = "title: A claim\ncontainer: {cap_drop: [ALL], user: \"6667:6667\", read_only: true, security_opt: [no-new-privileges]}\nsteps:\n  - inspect: {uid: 0}\n";
        let scenario = scenario::load("test", Path::new("test.yaml"), text).expect("valid");
        let one = &scenario.cases[0].containers[0];
        let pod = pod(one, Runs::of(one));
        let security = &pod["containers"][0]["securityContext"];
        assert_eq!(
            (&security["runAsUser"], &security["allowPrivilegeEscalation"], &security["capabilities"]["drop"]),
            (&json!(6667), &json!(false), &json!(["ALL"]))
        );
        assert_eq!((&pod["hostUsers"], &security["seccompProfile"]["type"]), (&json!(true), &json!("RuntimeDefault")));
    }
}
