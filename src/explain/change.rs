//! What an author asked for beyond the preset: the OCI document of a container that asks for nothing, against his.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    capability::{CapSet, Capability},
    engine::ContainerJob,
    host::Machine,
    scenario::{self, model::Preset},
    spec::{self, Unresolvable},
};

/// One difference, by its place in the OCI document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `process.user.uid`.
    pub place: String,
    /// What the preset gives; of a list what is missing now.
    pub before: Vec<String>,
    /// What it is; of a list what was added.
    pub after: Vec<String>,
}

/// What a preset gives, a line a subject.
pub(super) fn given(plain: &ContainerJob) -> Vec<(&'static str, String)> {
    let linux = plain.spec.linux().clone().unwrap_or_default();
    let process = plain.spec.process().clone().unwrap_or_default();
    let sets = process.capabilities().clone().unwrap_or_default();
    let bounding: CapSet = sets.bounding().iter().flatten().collect();
    let list = |paths: &Option<Vec<String>>| paths.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let mut sysctls: Vec<String> =
        linux.sysctl().iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    sysctls.sort();
    let mounts = plain.spec.mounts().iter().flatten().map(|mount| mount.destination().display().to_string());
    let devices = linux.resources().as_ref().and_then(|resources| resources.devices().as_ref());
    let device = |number: Option<i64>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
    let rules = devices.into_iter().flatten().map(|rule| {
        let sign = if rule.allow() { "+" } else { "-" };
        format!("{sign}{}:{}", device(rule.major()), device(rule.minor()))
    });
    let namespaces = linux.namespaces().iter().flatten().map(|one| one.typ().to_string());
    let join = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(", ");
    vec![
        ("capabilities", format!("{:016x}, {} of them: {bounding}", bounding.0, bounding.names().len())),
        ("seccomp", if linux.seccomp().is_some() { "its own filter" } else { "none" }.to_owned()),
        ("namespaces", join(&mut namespaces.into_iter())),
        ("mounts", join(&mut mounts.into_iter())),
        ("read-only", list(linux.readonly_paths())),
        ("masked", list(linux.masked_paths())),
        ("devices", join(&mut rules.into_iter())),
        ("sysctls", sysctls.join(", ")),
        ("environment", process.env().clone().unwrap_or_default().join(" ")),
    ]
    .into_iter()
    .filter(|(_, what)| !what.is_empty())
    .collect()
}

/// The differences, by place.
pub(super) fn all(plain: &ContainerJob, job: &ContainerJob) -> Vec<Change> {
    let (before, after) = (flat(plain), flat(job));
    let places: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let empty = Vec::new();
    places
        .into_iter()
        .filter_map(|place| {
            let (old, new) = (before.get(place).unwrap_or(&empty), after.get(place).unwrap_or(&empty));
            let only = |these: &[String], those: &[String]| {
                these.iter().filter(|one| !those.contains(one)).cloned().collect::<Vec<_>>()
            };
            let (mut before, mut after) = (only(old, new), only(new, old));
            if place.starts_with("process.capabilities.") {
                // In the kernel's order, on a line.
                for names in [&mut before, &mut after].into_iter().filter(|names| !names.is_empty()) {
                    let set: CapSet = names.iter().filter_map(|name| Capability::from_name(name)).collect();
                    *names = vec![set.to_string()];
                }
            }
            (!(before.is_empty() && after.is_empty())).then(|| Change { place: place.clone(), before, after })
        })
        .collect()
}

/// A container that asks for nothing.
pub(super) fn default(preset: Preset, name: &str, machine: &Machine) -> Result<ContainerJob, Unresolvable> {
    let preset = match preset {
        Preset::Docker => "docker",
        Preset::Docker20_10_13 => "docker-20.10.13",
        Preset::Podman => "podman",
        Preset::Kubernetes => "kubernetes",
        Preset::Bare => "bare",
    };
    let text =
        format!("title: nothing\ncontainers: {{{name}: {{preset: {preset}}}}}\nsteps: [{{inspect: {{uid: 0}}}}]\n");
    let wrong = |error: String| Unresolvable(format!("the preset {preset} alone: {error}"));
    let scenario =
        scenario::load("nothing", std::path::Path::new("nothing"), &text).map_err(|error| wrong(error.to_string()))?;
    let case = scenario.cases.first().ok_or_else(|| wrong("no case".to_owned()))?;
    let job = spec::job(case, machine, Duration::from_secs(1))?;
    job.containers.into_iter().next().ok_or_else(|| wrong("no container".to_owned()))
}

/// Every value by its place; a list's items together.
fn flat(job: &ContainerJob) -> BTreeMap<String, Vec<String>> {
    let mut places = BTreeMap::new();
    if let Ok(document) = serde_json::to_value(&job.spec) {
        walk("", &document, &mut places);
    }
    places
}

fn walk(place: &str, value: &Value, places: &mut BTreeMap<String, Vec<String>>) {
    let below = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match value {
        // A filter is a list of some three hundred names, which no reader compares.
        Value::Object(_) if place == "linux.seccomp" => {
            places.insert(place.to_owned(), vec!["the preset's profile".to_owned()]);
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| walk(&below(key), value, places)),
        Value::Array(items) => {
            places.insert(place.to_owned(), items.iter().map(|item| item_words(place, item)).collect());
        }
        Value::Null => {}
        scalar => {
            places.insert(place.to_owned(), vec![words(scalar)]);
        }
    }
}

fn item_words(place: &str, item: &Value) -> String {
    let field = |name: &str| item.get(name).map(words).unwrap_or_default();
    match place {
        "mounts" => {
            let options = item.get("options").and_then(Value::as_array).into_iter().flatten();
            let options = options.map(words).collect::<Vec<_>>().join(",");
            format!("{} on {} ({} {options})", field("source"), field("destination"), field("type"))
        }
        "linux.namespaces" => field("type"),
        "linux.uidMappings" | "linux.gidMappings" => {
            format!("{} is the host's {}, {} ids", field("containerID"), field("hostID"), field("size"))
        }
        "process.rlimits" => format!("{} {}:{}", field("type"), field("soft"), field("hard")),
        _ if item.is_object() => item.to_string().replace('"', ""),
        _ => words(item),
    }
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
