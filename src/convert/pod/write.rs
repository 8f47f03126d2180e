//! Containers as a Pod.

use super::{PROPAGATIONS, reference::escaped};
use crate::{
    convert::{
        Draft, Part,
        command::sources,
        draft::{argv, pairs, texts},
        settled::bare,
        volume, yaml,
    },
    scenario::{model::Propagation, plain::Plain},
};

/// A map as it is filled.
type Map = Vec<(String, Plain)>;

fn put(map: &mut Map, key: &str, value: Plain) {
    map.push((key.to_owned(), value));
}

/// A Pod of the containers, with comments for what it does not say. `image` is what to run them from.
#[must_use]
pub fn write(draft: &Draft, image: &str) -> String {
    let mut notes = Vec::new();
    let (mut pod, mut security, mut volumes) = (Map::new(), Map::new(), Vec::new());
    for part in &draft.parts {
        of_pod(part, &mut pod, &mut security, &mut notes);
    }
    let shared = sharing(&draft.parts, &mut pod, &mut notes);
    let containers: Vec<Plain> =
        draft.parts.iter().map(|part| container(part, image, &shared, &mut volumes, &mut notes)).collect();
    if !security.is_empty() {
        put(&mut pod, "securityContext", Plain::Map(security));
    }
    put(&mut pod, "containers", Plain::List(containers));
    if !volumes.is_empty() {
        put(&mut pod, "volumes", Plain::List(volumes));
    }
    let last = draft.source.rsplit('/').next().unwrap_or("pod");
    let document = vec![
        ("apiVersion".to_owned(), Plain::text("v1")),
        ("kind".to_owned(), Plain::text("Pod")),
        ("metadata".to_owned(), Plain::Map(vec![("name".to_owned(), Plain::text(label(last)))])),
        ("spec".to_owned(), Plain::Map(pod)),
    ];
    notes.dedup();
    let notes: String = notes.iter().map(|note| format!("{}\n", yaml::comment(note))).collect();
    format!(
        "{}\n{notes}{}",
        yaml::comment(&format!("from the scenario {}", draft.source)),
        yaml::tall(&Plain::Map(document), 0)
    )
}

/// What Kubernetes takes for a name: RFC 1123.
fn label(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let label: String =
        lower.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).take(63).collect();
    let label = label.trim_matches('-');
    if label.is_empty() { "pod".to_owned() } else { label.to_owned() }
}

/// What is said once for all containers of a Pod.
fn of_pod(part: &Part, pod: &mut Map, security: &mut Map, notes: &mut Vec<String>) {
    let keys = &part.keys;
    let mut unnamed = Vec::new();
    let mut once = |map: &mut Map, key: &str, value: Plain| match map.iter().find(|(known, _)| known == key) {
        Some((_, known)) if *known != value => {
            notes.push(format!("{}: {key} is the whole Pod's, and another container's differs", part.name))
        }
        Some(_) => {}
        None => put(map, key, value),
    };
    if let Some(name) = keys.text("hostname") {
        once(pod, "hostname", Plain::text(name));
    }
    for (key, field) in [("pid", "hostPID"), ("ipc", "hostIPC"), ("network_mode", "hostNetwork")] {
        if keys.text(key) == Some("host") {
            once(pod, field, Plain::truth(true));
        }
    }
    if keys.get("uidmap").is_some() || keys.get("gidmap").is_some() {
        once(pod, "hostUsers", Plain::truth(false));
    }
    if let Some(groups) = keys.get("group_add") {
        let (numbers, names): (Vec<&str>, Vec<&str>) =
            groups.items().iter().filter_map(Plain::scalar).partition(|group| group.parse::<u32>().is_ok());
        once(security, "supplementalGroups", Plain::List(numbers.iter().map(Plain::number).collect()));
        unnamed.extend(names.iter().map(|name| format!("{}: group_add {name}: Kubernetes takes numbers", part.name)));
    }
    if let Some(sysctls) = keys.get("sysctls") {
        let sysctls = pairs(sysctls).into_iter().map(|(name, value)| {
            Plain::Map(vec![("name".to_owned(), Plain::text(name)), ("value".to_owned(), Plain::text(value))])
        });
        once(security, "sysctls", Plain::List(sysctls.collect()));
    }
    notes.extend(unnamed);
}

/// Whose a namespace is.
#[derive(Debug, PartialEq, Eq)]
enum Owner<'a> {
    Own,
    Host,
    Container(&'a str),
}

fn owner(value: &Plain) -> Owner<'_> {
    match value.scalar().unwrap_or_default() {
        "host" => Owner::Host,
        word => word.strip_prefix("container:").map_or(Owner::Own, Owner::Container),
    }
}

/// Keys of namespaces that all containers have in common, as a Pod's have; of those that they have not a comment says what a Pod does.
fn sharing(parts: &[Part], pod: &mut Map, notes: &mut Vec<String>) -> Vec<&'static str> {
    let mut shared = Vec::new();
    if parts.len() < 2 {
        return shared;
    }
    // Whose it is in the end; no scenario has a circle.
    fn whose<'a>(parts: &'a [Part], part: &'a Part, key: &str) -> &'a str {
        match part.keys.get(key).map_or(Owner::Own, owner) {
            Owner::Own => &part.name,
            Owner::Host => "host",
            Owner::Container(name) => {
                parts.iter().find(|other| other.name == name).map_or(name, |other| whose(parts, other, key))
            }
        }
    }
    let names = || parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(", ");
    for (key, what) in [
        ("network_mode", "network namespace, with its ports and its localhost"),
        ("ipc", "IPC namespace, with its /dev/shm"),
        ("uts", "host name"),
        ("pid", "pid namespace"),
    ] {
        let mut owners: Vec<&str> = parts.iter().map(|part| whose(parts, part, key)).collect();
        owners.sort_unstable();
        owners.dedup();
        let is_own = owners.len() == parts.len();
        if owners.len() == 1 {
            shared.push(key);
            if key == "pid" && owners != ["host"] {
                put(pod, "shareProcessNamespace", Plain::truth(true));
                notes.push("pid: with shareProcessNamespace pid 1 of all of them is the Pod's pause".to_owned());
            }
        } else if key != "pid" {
            notes.push(format!("{key}: the containers of a Pod share one {what}; {} of the scenario do not", names()));
        } else if !is_own || owners.contains(&"host") {
            notes.push(format!("pid: the containers of a Pod share one {what} or none; {} share some", names()));
        }
    }
    shared
}

fn container(part: &Part, image: &str, shared: &[&str], volumes: &mut Vec<Plain>, notes: &mut Vec<String>) -> Plain {
    let keys = &part.keys;
    let mut say = |what: String| notes.push(format!("{}: {what}", part.name));
    sources(part).into_iter().for_each(&mut say);
    let mut map = Map::new();
    put(&mut map, "name", Plain::text(label(&part.name)));
    put(&mut map, "image", Plain::text(image));
    let mut command: Vec<String> =
        ["entrypoint", "command"].iter().filter_map(|key| keys.get(key)).flat_map(argv).collect();
    if command.is_empty() {
        command = vec!["sleep".into(), "infinity".into()];
    }
    // $(NAME) is the kubelet's to replace.
    put(&mut map, "command", texts(command.iter().map(|word| escaped(word))));
    if let Some(dir) = keys.text("working_dir") {
        put(&mut map, "workingDir", Plain::text(dir));
    }
    if let Some(variables) = keys.get("environment") {
        let variables = pairs(variables).into_iter().map(|(name, value)| {
            Plain::Map(vec![("name".to_owned(), Plain::text(name)), ("value".to_owned(), Plain::text(escaped(&value)))])
        });
        put(&mut map, "env", Plain::List(variables.collect()));
    }
    let mut limits = Map::new();
    if let Some(limit) = keys.text("mem_limit") {
        match quantity(limit) {
            Some(limit) => put(&mut limits, "memory", Plain::text(limit)),
            None => say(format!("mem_limit {limit}: Kubernetes has no such quantity")),
        }
    }
    if let Some(processors) = keys.text("cpus") {
        put(&mut limits, "cpu", Plain::text(processors));
    }
    if !limits.is_empty() {
        put(&mut map, "resources", Plain::Map(vec![("limits".to_owned(), Plain::Map(limits))]));
    }
    let targets: Vec<String> = keys.items("volumes").iter().map(|one| volume::parts(one).target).collect();
    if !targets.is_empty() && ["uidmap", "gidmap"].iter().any(|key| keys.get(key).is_some()) {
        say(format!(
            "not carried over: whose the files of {} are: with hostUsers: false the kubelet maps the ids of every volume, and in the \
             Pod the file's owner is the container's user of that number, in the scenario it is the host's",
            targets.join(", ")
        ));
    }
    let mut mounts = Vec::new();
    let mut mount = |source: Map, target: &str, read_only: bool, propagation: Option<Propagation>| {
        let name = format!("volume-{}", volumes.len());
        let mut volume = vec![("name".to_owned(), Plain::text(&name))];
        volume.extend(source);
        volumes.push(Plain::Map(volume));
        let mut entry = vec![("name".to_owned(), Plain::text(&name)), ("mountPath".to_owned(), Plain::text(target))];
        entry.extend(read_only.then(|| ("readOnly".to_owned(), Plain::truth(true))));
        let word = PROPAGATIONS.iter().find(|(_, own)| Some(*own) == propagation).map(|(word, _)| *word);
        entry.extend(word.map(|word| ("mountPropagation".to_owned(), Plain::text(word))));
        mounts.push(Plain::Map(entry));
    };
    for one in keys.items("volumes") {
        let parts = volume::parts(one);
        let propagation = parts.propagation.as_deref().and_then(Propagation::from_name);
        if let Some(one) =
            propagation.filter(|one| !PROPAGATIONS.iter().any(|(_, own)| own == one) && !one.is_private())
        {
            say(format!("volume {}: a Pod has no word for {}", parts.target, one.name()));
        }
        mount(
            vec![("hostPath".to_owned(), Plain::Map(vec![("path".to_owned(), Plain::text(parts.source))]))],
            &parts.target,
            parts.read_only,
            propagation,
        );
    }
    for one in keys.items("tmpfs").iter().filter_map(Plain::scalar) {
        let (target, options) = one.split_once(':').unwrap_or((one, ""));
        let mut source = vec![("medium".to_owned(), Plain::text("Memory"))];
        let mut read_only = false;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.strip_prefix("size=").and_then(quantity) {
                Some(size) => source.push(("sizeLimit".to_owned(), Plain::text(size))),
                None if option == "ro" => read_only = true,
                None => say(format!("tmpfs {target}: an emptyDir has no option {option}")),
            }
        }
        mount(vec![("emptyDir".to_owned(), Plain::Map(source))], target, read_only, None);
    }
    if !mounts.is_empty() {
        put(&mut map, "volumeMounts", Plain::List(mounts));
    }
    put(&mut map, "securityContext", Plain::Map(security(part, &mut say)));
    for (key, value) in &keys.0 {
        let why = match key.as_str() {
            "preset" if value.scalar() == Some("kubernetes") => continue,
            "preset" => {
                "a Pod starts from containerd's or CRI-O's defaults: ports below 1024 are closed to users, for one (docs/presets.md)"
            }
            "uidmap" | "gidmap" => "the kubelet picks the range of ids for hostUsers: false",
            "ulimits" => "Kubernetes has no field for resource limits of processes",
            "pids_limit" => "it is the kubelet's setting (podPidsLimit), not a Pod's",
            key if shared.contains(&key) && owner(value) != Owner::Own => continue,
            "ipc" if shared.contains(&"ipc") && value.scalar() == Some("shareable") => continue,
            "network_mode" if value.scalar() == Some("host") => continue,
            "network_mode" => "a Pod always has the cluster's network; a NetworkPolicy closes it",
            "pid" | "ipc" if value.scalar() == Some("host") => continue,
            "init" => {
                "a Pod's containers have no init; with shareProcessNamespace its pause is pid 1 of all of them, and reaps"
            }
            "expect" => "whether it starts is seen, not asked for",
            "rootfs" | "privileged" | "cap_add" | "cap_drop" | "user" | "group_add" | "volumes" | "tmpfs"
            | "read_only" | "security_opt" | "hostname" | "environment" | "working_dir" | "entrypoint" | "command"
            | "sysctls" | "mem_limit" | "cpus" => continue,
            _ => "a Pod has no field for it",
        };
        say(format!("{key}: {why}"));
    }
    Plain::Map(map)
}

fn security(part: &Part, say: &mut impl FnMut(String)) -> Map {
    let keys = &part.keys;
    let mut security = Map::new();
    if let Some(user) = keys.text("user") {
        let (user, group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
        for (field, id) in [("runAsUser", Some(user)), ("runAsGroup", group)] {
            match id {
                Some(id) if id.parse::<u32>().is_ok() => put(&mut security, field, Plain::number(id)),
                Some("root") => put(&mut security, field, Plain::number(0)),
                Some(name) => say(format!(
                    "not carried over: user {name}: {field} takes numbers, and without it the image decides; look its number up"
                )),
                None => {}
            }
        }
    }
    if keys.is("privileged") {
        put(&mut security, "privileged", Plain::truth(true));
    }
    if keys.is("read_only") {
        put(&mut security, "readOnlyRootFilesystem", Plain::truth(true));
    }
    let mut file = None;
    let mut filtered = !keys.is("privileged") && !matches!(keys.text("preset"), Some("bare" | "kubernetes"));
    for option in keys.items("security_opt").iter().filter_map(Plain::scalar) {
        match option {
            "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true" => {
                if keys.is("privileged") {
                    say("no-new-privileges: Kubernetes refuses it beside privileged".to_owned());
                } else {
                    put(&mut security, "allowPrivilegeEscalation", Plain::truth(false));
                }
            }
            "no-new-privileges:false" | "no-new-privileges=false" => {}
            "seccomp=unconfined" | "seccomp:unconfined" => filtered = false,
            "seccomp=runtime/default" => filtered = true,
            "systempaths=unconfined" => put(&mut security, "procMount", Plain::text("Unmasked")),
            option => match option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:")) {
                Some(name) => {
                    say(format!(
                        "seccomp profile {name}: copy it to every node, into the kubelet's folder (/var/lib/kubelet/seccomp)"
                    ));
                    file = Some(name);
                }
                None => say(format!("security_opt {option}: a Pod has no field for it")),
            },
        }
    }
    let is_both = ["cap_add", "cap_drop"].iter().all(|key| keys.items(key).iter().any(|name| bare(name) == "ALL"));
    if is_both {
        say("cap_drop ALL: every one is added too; a Pod would drop last, and so it is left away".to_owned());
    }
    let lists: Map = [("cap_add", "add"), ("cap_drop", "drop")]
        .into_iter()
        .filter_map(|(key, field)| {
            let names = keys.get(key)?.items().iter().map(bare);
            // containerd and CRI-O drop last, docker and caplab add.
            let names: Vec<String> = names.filter(|name| !(is_both && key == "cap_drop" && name == "ALL")).collect();
            (!names.is_empty()).then(|| (field.to_owned(), texts(names)))
        })
        .collect();
    if !lists.is_empty() {
        put(&mut security, "capabilities", Plain::Map(lists));
    }
    let kind = match file {
        Some(_) => "Localhost",
        None if filtered => "RuntimeDefault",
        None => "Unconfined",
    };
    let mut profile = vec![("type".to_owned(), Plain::text(kind))];
    profile.extend(file.map(|file| ("localhostProfile".to_owned(), Plain::text(file))));
    put(&mut security, "seccompProfile", Plain::Map(profile));
    security
}

/// docker's `64m` as Kubernetes' `64Mi`.
fn quantity(size: &str) -> Option<String> {
    let split = size.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(size.len());
    let (digits, unit) = size.split_at(split);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => "",
        "k" | "kb" => "Ki",
        "m" | "mb" => "Mi",
        "g" | "gb" => "Gi",
        _ => return None,
    };
    (!digits.is_empty()).then(|| format!("{digits}{unit}"))
}
