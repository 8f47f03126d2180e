//! Compose files. A scenario's keys are Compose's, so that most go over as they are.

use std::path::Path;

use super::{
    Draft, Part, Unconvertible,
    draft::{argv, pairs, texts},
    unknown, volume, yaml,
};
use crate::scenario::plain::{self, Plain};

/// Keys of a service that mean something to a scenario, now or one day: its reader says which.
const CARRIED: [&str; 32] = [
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "command",
    "cpus",
    "cpuset",
    "device_cgroup_rules",
    "devices",
    "entrypoint",
    "environment",
    "extra_hosts",
    "group_add",
    "hostname",
    "image",
    "init",
    "ipc",
    "mem_limit",
    "memswap_limit",
    "network_mode",
    "pid",
    "pids_limit",
    "privileged",
    "read_only",
    "security_opt",
    "shm_size",
    "sysctls",
    "tmpfs",
    "ulimits",
    "user",
    "userns_mode",
    "uts",
];
/// Those that mean nothing to a scenario (compose-spec, 05-services.md), and why.
const IGNORED: [(&[&str], &str); 7] = [
    (
        &[
            "dns",
            "dns_opt",
            "dns_search",
            "domainname",
            "expose",
            "external_links",
            "links",
            "mac_address",
            "networks",
            "ports",
        ],
        "a container of caplab has loopback and no other network",
    ),
    (
        &[
            "attach",
            "depends_on",
            "develop",
            "healthcheck",
            "post_start",
            "pre_stop",
            "profiles",
            "provider",
            "restart",
            "scale",
            "stop_grace_period",
            "stop_signal",
            "models",
        ],
        "a scenario's containers live as long as its steps",
    ),
    (&["stdin_open", "tty"], "nobody types into a step, which has no terminal"),
    (
        &["build", "platform", "pull_policy", "pull_refresh_after", "runtime", "isolation", "use_api_socket"],
        "nothing is built or fetched; what a container is made of is `rootfs`",
    ),
    (
        &["annotations", "container_name", "label_file", "labels", "logging"],
        "it names or describes, and changes nothing that a process may do",
    ),
    (
        &["configs", "credential_spec", "driver_opts", "env_file", "gpus", "secrets", "storage_opt", "volumes_from"],
        "a scenario takes nothing from the machine it runs on",
    ),
    (
        &[
            "blkio_config",
            "cpu_count",
            "cpu_percent",
            "cpu_period",
            "cpu_quota",
            "cpu_rt_period",
            "cpu_rt_runtime",
            "cpu_shares",
            "mem_reservation",
            "mem_swappiness",
            "oom_kill_disable",
            "oom_score_adj",
        ],
        "the format has no key for this limit",
    ),
];
/// Handled by themselves.
const OWN: [&str; 5] = ["deploy", "volumes", "working_dir", "extends", "<<"];

/// Reads a Compose file; each service becomes a container.
///
/// # Errors
/// What is no YAML, has no services, or has a key that Compose does not know.
pub fn read(path: &Path, text: &str) -> Result<Draft, Unconvertible> {
    let document = plain::parse(path, text).map_err(|wrong| Unconvertible(wrong.to_string()))?;
    let shown = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Compose's paths count from the file.
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut draft = Draft { source: shown.clone(), folder, ..Draft::default() };
    for (key, _) in document.entries() {
        match key.as_str() {
            "services" | "version" | "name" => {}
            "networks" | "volumes" | "configs" | "secrets" | "models" => {
                draft
                    .notes
                    .push(format!("{key}: a scenario has containers and a fixture host, nothing that they share"));
            }
            "include" => draft.notes.push("include: other files are not read".to_owned()),
            extension if extension.starts_with("x-") => {}
            other => {
                let known = ["services", "version", "name", "networks", "volumes", "configs", "secrets", "include"];
                return Err(unknown(&format!("key of the Compose file {shown}"), other, known));
            }
        }
    }
    for (name, service) in document.get("services").map_or(&[][..], Plain::entries) {
        draft.parts.push(self::service(name, service)?);
    }
    if draft.parts.is_empty() {
        return Err(Unconvertible(format!("{shown} has no services; a Compose file begins with `services:`")));
    }
    Ok(draft)
}

fn service(name: &str, service: &Plain) -> Result<Part, Unconvertible> {
    let mut part = Part { name: name.to_owned(), ..Part::default() };
    let mut entrypoint = Vec::new();
    let mut entries = merged(service);
    // It is over the service's own limits.
    entries.sort_by_key(|(key, _)| key == "deploy");
    for (key, value) in entries {
        let value = interpolated(&value, &mut part.notes);
        if value.is_nothing() {
            continue;
        }
        match key.as_str() {
            "privileged" | "read_only" | "init" => part.keys.set(&key, truth(name, &key, &value)?),
            "deploy" => deploy(&value, &mut part),
            "image" => part.image = value.scalar().map(str::to_owned),
            "entrypoint" => entrypoint = argv(&value),
            "command" => part.keys.set("command", texts(argv(&value))),
            "volumes" => volumes(&value, &mut part)?,
            "working_dir" => part.keys.set("working_dir", value),
            "tmpfs" | "security_opt" | "cap_add" | "cap_drop" | "group_add" => {
                part.keys.set(&key, Plain::List(value.items().to_vec()));
            }
            "environment" => {
                for (name, value) in pairs(&value) {
                    part.keys.enter("environment", &name, Plain::text(value));
                }
            }
            "extends" => {
                part.notes.push("extends: another service's keys are not looked up; write them out".to_owned())
            }
            key if CARRIED.contains(&key) => part.keys.set(key, value),
            key if key.starts_with("x-") => {}
            key => match IGNORED.iter().find(|(keys, _)| keys.contains(&key)) {
                Some((_, why)) => part.notes.push(format!("{key}: {why}")),
                None => {
                    let known =
                        CARRIED.into_iter().chain(OWN).chain(IGNORED.iter().flat_map(|(keys, _)| keys.iter().copied()));
                    return Err(unknown(&format!("key of a Compose service, in {name},"), key, known));
                }
            },
        }
    }
    if !entrypoint.is_empty() {
        entrypoint.extend(part.keys.get("command").map(argv).unwrap_or_default());
        part.keys.set("command", texts(entrypoint));
    }
    if part.keys.get("command").map(argv).is_some_and(|words| words == ["sleep", "infinity"]) {
        part.keys.take("command");
    } else if part.keys.get("command").is_none() && part.image.is_some() {
        part.notes.push("the command that its image brings is not known here: pid 1 waits".to_owned());
    }
    Ok(part)
}

/// What Compose takes for a truth (compose-go, interpolation's toBoolean): texts too, which quotes and variables are.
fn truth(service: &str, key: &str, value: &Plain) -> Result<Plain, Unconvertible> {
    let word = value.scalar().unwrap_or_default();
    let is_number = matches!(value, Plain::Word(_)) && word.bytes().all(|byte| byte.is_ascii_digit());
    match word.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" | "y" | "yes" | "on" if !is_number => Ok(Plain::truth(true)),
        "false" | "0" | "f" | "n" | "no" | "off" if !is_number => Ok(Plain::truth(false)),
        _ => Err(Unconvertible(format!(
            "service {service}: {key} `{word}` is neither true nor false, and Compose refuses it; \
             of a variable a default is taken, `${{NAME:-true}}`"
        ))),
    }
}

/// `resources.limits` are limits like the others; the rest is about how many run where.
fn deploy(value: &Plain, part: &mut Part) {
    for (name, value) in value.entries() {
        if name != "resources" {
            part.notes.push(format!("deploy.{name}: a scenario's containers live as long as its steps"));
            continue;
        }
        for (name, value) in value.entries() {
            if name != "limits" {
                part.notes.push(format!("deploy.resources.{name}: it is about where a cluster runs it"));
                continue;
            }
            for (name, limit) in value.entries() {
                let key = match name.as_str() {
                    "cpus" => "cpus",
                    "memory" => "mem_limit",
                    "pids" => "pids_limit",
                    _ => {
                        part.notes.push(format!("deploy.resources.limits.{name}: the format has no key for it"));
                        continue;
                    }
                };
                if part.keys.get(key).is_some_and(|other| other.scalar() != limit.scalar()) {
                    part.notes.push(format!(
                        "deploy.resources.limits.{name} beside another {key}: Compose refuses two that differ; take one away"
                    ));
                }
                part.keys.set(key, limit.clone());
            }
        }
    }
}

fn volumes(value: &Plain, part: &mut Part) -> Result<(), Unconvertible> {
    for item in value.items() {
        let (key, read) = match item.scalar() {
            Some(text) => ("volumes", volume::short(text)),
            None => {
                let mut fields: Vec<(String, String)> = Vec::new();
                for (name, value) in item.entries() {
                    match value.scalar() {
                        Some(text) => fields.push((name.clone(), text.to_owned())),
                        None if name == "tmpfs" => {
                            fields.extend(value.entries().iter().filter_map(|(name, value)| {
                                Some((format!("tmpfs-{name}"), value.scalar()?.to_owned()))
                            }));
                        }
                        None if name == "bind" => {
                            fields.extend(value.entries().iter().filter_map(|(name, value)| {
                                Some((format!("bind-{name}"), value.scalar()?.to_owned()))
                            }));
                        }
                        None => part.notes.push(format!("volumes: {name}: it has no meaning here")),
                    }
                }
                let target = item.get("target").and_then(Plain::scalar).unwrap_or("?");
                volume::long(&fields, target).map_err(Unconvertible)?
            }
        };
        match read.volume {
            Ok(volume) => part.keys.add(key, volume),
            Err(why) => part.notes.push(why),
        }
        part.notes.extend(read.notes);
    }
    Ok(())
}

/// A map with what `<<` takes in: its own keys win.
fn merged(map: &Plain) -> Vec<(String, Plain)> {
    let mut entries: Vec<(String, Plain)> = map.entries().iter().filter(|(key, _)| key != "<<").cloned().collect();
    let taken_in = match map.get("<<") {
        Some(Plain::List(maps)) => maps.iter().flat_map(merged).collect(),
        Some(one) => merged(one),
        None => Vec::new(),
    };
    for (key, value) in taken_in {
        if !entries.iter().any(|(known, _)| *known == key) {
            entries.push((key, value));
        }
    }
    entries
}

/// Compose's `${NAME:-default}` with nothing set: the default, else nothing.
fn interpolated(value: &Plain, notes: &mut Vec<String>) -> Plain {
    match value {
        Plain::List(items) => Plain::List(items.iter().map(|item| interpolated(item, notes)).collect()),
        Plain::Map(_) => {
            Plain::Map(merged(value).into_iter().map(|(key, value)| (key, interpolated(&value, notes))).collect())
        }
        Plain::Word(_) => value.clone(),
        Plain::Text(text) if !text.contains('$') => value.clone(),
        Plain::Text(text) => Plain::text(expand(text, notes)),
    }
}

fn expand(text: &str, notes: &mut Vec<String>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            done.push('$');
            rest = after;
            continue;
        }
        let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let (name, default, after) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((inner, after)) => {
                let end = inner.find(|letter| !word(letter)).unwrap_or(inner.len());
                let default = inner[end..].trim_start_matches(':').strip_prefix('-').unwrap_or_default();
                (&inner[..end], default, after)
            }
            None => {
                let end = after.find(|letter| !word(letter)).unwrap_or(after.len());
                (&after[..end], "", &after[end..])
            }
        };
        if name.is_empty() {
            done.push('$');
        } else {
            notes.push(format!("variable {name}: nothing is taken from the environment, `{default}` is in its place"));
            done.push_str(default);
        }
        rest = after;
    }
    done.push_str(rest);
    done
}

/// Containers as a Compose file, with comments for what it does not say. `image` is what to run them from.
#[must_use]
pub fn write(draft: &Draft, image: &str) -> String {
    let mut text = format!("{}\nservices:\n", yaml::comment(&format!("from the scenario {}", draft.source)));
    for part in &draft.parts {
        let mut keys = vec![("image".to_owned(), Plain::text(image))];
        let mut notes = super::command::sources(part);
        let said = super::preset::said(super::Dialect::Docker, part);
        if part.keys.text("preset").is_some_and(|preset| preset != "docker") {
            notes.push(format!(
                "preset {}: docker starts from defaults of its own (docs/presets.md)",
                part.keys.text("preset").unwrap_or_default()
            ));
        }
        let entrypoint = part.keys.get("entrypoint").map(argv).filter(|words| !words.is_empty());
        for (key, value) in &said.keys.0 {
            match key.as_str() {
                "preset" | "rootfs" | "network_mode" | "command" => {}
                "uidmap" | "gidmap" => {
                    notes.push(format!("{key}: Compose has no key for a user namespace of one container's own"));
                }
                "expect" => notes.push("expect: whether it starts is seen, not asked for".to_owned()),
                "rootless" => notes.push("rootless: it is the daemon that is rootless, not a service".to_owned()),
                "volumes" => {
                    let volumes = value.items().iter().map(|one| match one.scalar() {
                        Some(_) => one.clone(),
                        None => {
                            let parts = volume::parts(one);
                            let mut map = vec![
                                ("type".to_owned(), Plain::text("bind")),
                                ("source".to_owned(), Plain::text(parts.source)),
                                ("target".to_owned(), Plain::text(parts.target)),
                                ("read_only".to_owned(), Plain::truth(parts.read_only)),
                            ];
                            map.extend(parts.propagation.as_deref().map(volume::bind));
                            Plain::Map(map)
                        }
                    });
                    keys.push((key.clone(), doubled(&Plain::List(volumes.collect()))));
                }
                "security_opt" => {
                    let is_own = |item: &Plain| {
                        item.scalar().is_some_and(|item| super::command::is_engines_own("security_opt", item))
                    };
                    let said: Vec<Plain> = value.items().iter().filter(|item| !is_own(item)).cloned().collect();
                    if !said.is_empty() {
                        keys.push((key.clone(), doubled(&Plain::List(said))));
                    }
                }
                "ulimits" => keys.push((key.clone(), limits(value))),
                // A dollar is Compose's to replace.
                _ => keys.push((key.clone(), doubled(value))),
            }
        }
        let network = part.keys.text("network_mode").unwrap_or("none");
        keys.push(("network_mode".to_owned(), Plain::text(network)));
        match part.keys.get("command").map(argv) {
            Some(command) => keys.push(("command".to_owned(), doubled(&texts(command)))),
            None if entrypoint.is_none() => keys.push(("command".to_owned(), texts(["sleep", "infinity"]))),
            None => {}
        }
        text.push_str(&format!("  {}:\n", yaml::quoted(&part.name)));
        notes.iter().for_each(|note| text.push_str(&format!("    {}\n", yaml::comment(note))));
        text.push_str(&yaml::tall(&Plain::Map(keys), 4));
    }
    text
}

/// Compose's word for no limit is docker's.
fn limits(value: &Plain) -> Plain {
    match value {
        Plain::Text(text) if text == "unlimited" => Plain::number(-1),
        Plain::Map(entries) => Plain::Map(entries.iter().map(|(key, value)| (key.clone(), limits(value))).collect()),
        value => value.clone(),
    }
}

fn doubled(value: &Plain) -> Plain {
    match value {
        Plain::Word(_) => value.clone(),
        Plain::Text(text) => Plain::text(text.replace('$', "$$")),
        Plain::List(items) => Plain::List(items.iter().map(doubled).collect()),
        Plain::Map(entries) => Plain::Map(entries.iter().map(|(key, value)| (key.clone(), doubled(value))).collect()),
    }
}
