//! What a preset has that no engine gives by itself, in keys whose flags say it: kubernetes', whose containers a kubelet makes, and bare,
//! whose nobody does. docker's and podman's are their own engines' defaults; what differs between those two a note says.

use super::{Dialect, Part, draft::pairs, settled::bare};
use crate::{
    capability::CapSet,
    scenario::{model::Preset, plain::Plain, sysctl::SWITCHES},
    spec::preset::{Facts, facts},
};

const SHM: &str = "/dev/shm";
const PING: &str = "net.ipv4.ping_group_range";

/// The container with all of it that this engine has a flag for.
pub(super) fn said(dialect: Dialect, part: &Part) -> Part {
    let preset = match part.keys.text("preset") {
        Some("kubernetes") => facts(Preset::Kubernetes),
        Some("bare") => facts(Preset::Bare),
        _ => return part.clone(),
    };
    let engine = facts(match dialect {
        Dialect::Docker => Preset::Docker,
        Dialect::Podman => Preset::Podman,
    });
    let mut said = part.clone();
    if !part.keys.is("privileged") {
        capabilities(dialect, preset, engine, &mut said);
        seccomp(preset, &mut said);
        paths(dialect, preset, engine, &mut said);
    }
    sysctls(preset, engine, &mut said);
    shared_memory(preset, engine, &mut said);
    // An ordinary user's engine has no control groups to give.
    let may_limit = part.keys.get("pids_limit").is_none() && part.keys.get("rootless").is_none();
    if preset.pids_limit.is_none() && engine.pids_limit.is_some() && may_limit {
        said.keys.set("pids_limit", Plain::number(-1));
    }
    said
}

/// Whether the flags can give it the preset's bounding set: to who is not root for certain podman gives what is added as ambient ones.
/// With ALL there are none of an engine's left.
pub(super) fn has_capabilities(dialect: Dialect, part: &Part) -> bool {
    let is_all = || part.keys.is("privileged") || asked(part).iter().any(|name| name == "ALL");
    dialect == Dialect::Docker || is_root(part) || is_all()
}

/// Whether what its author added is a user's own on this engine: libpod, specgen/generate/security_linux.go, a privileged one's too.
pub(super) fn is_given(dialect: Dialect, part: &Part) -> bool {
    dialect == Dialect::Podman && !is_root(part) && !part.keys.items("cap_add").is_empty()
}

/// Whether it is root for certain: an image may name somebody else.
fn is_root(part: &Part) -> bool {
    match part.keys.text("user") {
        Some(user) => ["root", "0"].contains(&user.split(':').next().unwrap_or_default()),
        None => part.keys.get("image").is_none() && part.keys.get("build").is_none(),
    }
}

/// Names in cap_add and cap_drop.
fn asked(part: &Part) -> Vec<String> {
    ["cap_add", "cap_drop"].into_iter().flat_map(|key| part.keys.items(key)).map(bare).collect()
}

fn capabilities(dialect: Dialect, preset: &Facts, engine: &Facts, part: &mut Part) {
    let asked = asked(part);
    let Some(own) = engine.capabilities.filter(|_| !asked.iter().any(|name| name == "ALL")) else { return };
    let unasked = |set: CapSet| -> Vec<String> {
        let names = set.names().into_iter().map(|name| name.trim_start_matches("CAP_").to_owned());
        names.filter(|name| !asked.contains(name)).collect()
    };
    let (more, less) = match preset.capabilities {
        Some(set) => (unasked(set.difference(own)), unasked(own.difference(set))),
        None => (vec!["ALL".to_owned()], Vec::new()),
    };
    if has_capabilities(dialect, part) {
        add(part, "cap_add", more);
    }
    add(part, "cap_drop", less);
}

fn seccomp(preset: &Facts, part: &mut Part) {
    let is_said = options(part).iter().any(|option| option.starts_with("seccomp"));
    if preset.seccomp.is_none() && !is_said {
        add(part, "security_opt", ["seccomp=unconfined".to_owned()]);
    }
}

fn paths(dialect: Dialect, preset: &Facts, engine: &Facts, part: &mut Part) {
    let options = options(part);
    let unmasked: Vec<&str> = options.iter().filter_map(|option| option.strip_prefix("unmask=")).collect();
    let none = |pattern: &&str| pattern.eq_ignore_ascii_case("all");
    if options.iter().any(|option| option == "systempaths=unconfined") || unmasked.iter().any(none) {
        return;
    }
    if preset.masked_paths.is_empty() {
        return add(part, "security_opt", ["systempaths=unconfined".to_owned()]);
    }
    // docker masks all of its own or none.
    if dialect == Dialect::Docker {
        return;
    }
    let is_unmasked = |path: &str| {
        unmasked.iter().flat_map(|paths| paths.split(':')).any(|pattern| pattern == path || pattern.contains('*'))
    };
    let beyond = |more: &[&'static str], than: &[&str]| -> Vec<&'static str> {
        more.iter().copied().filter(|path| !than.contains(path) && !is_unmasked(path)).collect()
    };
    let lists = [
        ("mask", beyond(preset.masked_paths, engine.masked_paths)),
        ("unmask", beyond(engine.masked_paths, preset.masked_paths)),
    ];
    let lists = lists.into_iter().filter(|(_, paths)| !paths.is_empty());
    add(part, "security_opt", lists.map(|(option, paths)| format!("{option}={}", paths.join(":"))));
}

/// Those that the engine sets, as the kernel has them in a new namespace.
fn sysctls(preset: &Facts, engine: &Facts, part: &mut Part) {
    let is_own = matches!(part.keys.text("network_mode"), None | Some("none"));
    // A group of that range may have no number in the map.
    let is_mapped = ["uidmap", "gidmap", "rootless"].iter().any(|key| part.keys.get(key).is_some());
    let mut all = part.keys.get("sysctls").map(pairs).unwrap_or_default();
    let before = all.len();
    for (name, _) in engine.sysctls.iter().filter(|_| is_own) {
        let is_known = preset.sysctls.iter().any(|(own, _)| own == name) || all.iter().any(|(own, _)| own == name);
        let switch = SWITCHES.iter().find(|switch| switch.name == *name && !(is_mapped && *name == PING));
        if let (Some(switch), false) = (switch, is_known) {
            all.push((switch.name.to_owned(), switch.closed.to_owned()));
        }
    }
    if all.len() > before {
        part.keys.set("sysctls", Plain::Map(all.into_iter().map(|(name, value)| (name, Plain::Text(value))).collect()));
    }
}

fn shared_memory(preset: &Facts, engine: &Facts, part: &mut Part) {
    let size = |facts: &Facts| {
        let mount = facts.mounts.iter().find(|mount| mount.target == SHM)?;
        mount.options.iter().find_map(|option| option.strip_prefix("size="))
    };
    let is_own = matches!(part.keys.text("ipc"), None | Some("private" | "shareable"));
    if let (Some(wanted), true) = (size(preset), is_own && part.keys.get("shm_size").is_none())
        && size(engine) != Some(wanted)
    {
        part.keys.set("shm_size", Plain::text(wanted));
    }
}

fn options(part: &Part) -> Vec<String> {
    part.keys.items("security_opt").iter().filter_map(Plain::scalar).map(str::to_owned).collect()
}

/// More items of a list, which its author may have written as one.
fn add(part: &mut Part, key: &str, more: impl IntoIterator<Item = String>) {
    let mut items = part.keys.items(key).to_vec();
    let before = items.len();
    items.extend(more.into_iter().map(Plain::Text));
    if items.len() > before {
        part.keys.set(key, Plain::List(items));
    }
}
