//! A Container of a Pod.

use super::{
    fields::{CONTAINER, Field, of_container},
    quantity::{bytes, processors},
    sandbox,
    security::security,
};
use crate::{
    convert::{
        Part, Unconvertible,
        draft::{argv, texts},
        pod::{PROPAGATIONS, reference::expanded},
        unknown, volume,
    },
    scenario::plain::Plain,
};

pub(super) fn container(pod: &Plain, container: &Plain) -> Result<Part, Unconvertible> {
    let mut part = Part::default();
    part.keys.set("preset", Plain::text("kubernetes"));
    sandbox::namespaces(pod, &mut part);
    for (field, value) in container.entries() {
        match field.as_str() {
            "name" => part.name = value.scalar().unwrap_or_default().to_owned(),
            "image" => part.image = value.scalar().map(str::to_owned),
            "workingDir" => part.keys.set("working_dir", value.clone()),
            "env" => {
                for variable in value.items() {
                    let name = variable.get("name").and_then(Plain::scalar).unwrap_or_default();
                    match variable.get("value").and_then(Plain::scalar) {
                        Some(value) => {
                            let value = expanded(value, part.keys.get("environment"));
                            part.keys.enter("environment", name, Plain::text(value));
                        }
                        None if variable.get("valueFrom").is_some() => {
                            part.notes.push(format!("env {name}: a scenario takes nothing from the cluster"));
                        }
                        None => part.keys.enter("environment", name, Plain::text("")),
                    }
                }
            }
            "volumeMounts" => value.items().iter().for_each(|mount| self::mount(pod, mount, &mut part)),
            "resources" => resources(value, &mut part),
            "command" | "args" | "securityContext" => {}
            other => match of_container(other) {
                Some(Field::Known) => {}
                Some(Field::Idle(why)) => part.notes.push(format!("{other}: {why}")),
                None => return Err(unknown("field of a Container", other, CONTAINER)),
            },
        }
    }
    let words = ["command", "args"].iter().filter_map(|field| container.get(field)).flat_map(argv);
    let words: Vec<String> = words.map(|word| expanded(&word, part.keys.get("environment"))).collect();
    if container.get("command").is_none() {
        let what = if words.is_empty() { "the command" } else { "the command before `args`" };
        part.notes.push(format!("{what} that its image brings is not known here: pid 1 waits"));
    } else if words != ["sleep", "infinity"] {
        part.keys.set("command", texts(words));
    }
    security(pod.get("securityContext"), container.get("securityContext"), &mut part)?;
    let sources = part.keys.items("volumes").iter().map(volume::parts);
    let sources: Vec<String> = sources.map(|one| format!("{} at {}", one.source, one.target)).collect();
    if !sources.is_empty() && part.keys.get("uidmap").is_some() {
        part.notes.push(format!(
            "not carried over: whose the files of {} are: with hostUsers: false the kubelet maps the ids of every volume, and in the Pod \
             the file's owner is the container's user of that number, here it is the host's",
            sources.join(", ")
        ));
    }
    Ok(part)
}

fn mount(pod: &Plain, mount: &Plain, part: &mut Part) {
    let field = |name: &str| mount.get(name).and_then(Plain::scalar);
    let (name, target) = (field("name").unwrap_or_default(), field("mountPath").unwrap_or_default());
    for (option, _) in mount.entries() {
        match option.as_str() {
            "name" | "mountPath" | "readOnly" | "subPath" | "mountPropagation" => {}
            "recursiveReadOnly" if field(option) == Some("Disabled") => {}
            "recursiveReadOnly" => part.notes.push(format!(
                "volumeMounts {name}: recursiveReadOnly is not carried over: in the Pod what is mounted below it is read-only too, \
                 here only the volume itself"
            )),
            option => part.notes.push(format!("volumeMounts {name}: {option} has no meaning here")),
        }
    }
    let mut volumes = pod.get("volumes").map_or(&[][..], Plain::items).iter();
    let volume = volumes.find(|volume| volume.get("name").and_then(Plain::scalar) == Some(name));
    let read_only = field("readOnly") == Some("true");
    let Some((kind, source)) = volume.and_then(|volume| volume.entries().iter().find(|(key, _)| key != "name")) else {
        part.notes.push(format!("volumeMounts {name}: the Pod has no such volume"));
        return;
    };
    match kind.as_str() {
        "hostPath" => {
            let path = source.get("path").and_then(Plain::scalar).unwrap_or_default().trim_end_matches('/');
            let below = field("subPath").map(|below| format!("/{below}")).unwrap_or_default();
            let path = if path.is_empty() && below.is_empty() { "/".to_owned() } else { format!("{path}{below}") };
            let propagation = field("mountPropagation").and_then(|word| {
                PROPAGATIONS.iter().find(|(own, _)| *own == word).map(|(_, propagation)| propagation.name())
            });
            let options: Vec<&str> = read_only.then_some("ro").into_iter().chain(propagation).collect();
            let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
            part.keys.add("volumes", Plain::text(format!("{path}:{target}{options}")));
        }
        "emptyDir" => {
            if source.get("medium").and_then(Plain::scalar) != Some("Memory") {
                part.notes.push(format!("volume {name}: an emptyDir lies on the node's disk; a tmpfs stands for it"));
            }
            let size =
                source.get("sizeLimit").and_then(Plain::scalar).and_then(bytes).map(|size| format!("size={size}"));
            let options: Vec<String> = size.into_iter().chain(read_only.then(|| "ro".to_owned())).collect();
            let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
            part.keys.add("tmpfs", Plain::text(format!("{target}{options}")));
        }
        kind => {
            part.notes.push(format!("volume {name}: a {kind} comes from the cluster, of which a scenario has none"))
        }
    }
}

fn resources(value: &Plain, part: &mut Part) {
    for (name, amount) in value.get("limits").map_or(&[][..], Plain::entries) {
        let amount = amount.scalar().unwrap_or_default();
        let key = match name.as_str() {
            "memory" => bytes(amount).map(|bytes| ("mem_limit", bytes.to_string())),
            "cpu" => processors(amount).map(|processors| ("cpus", processors)),
            _ => None,
        };
        match key {
            Some((key, amount)) => part.keys.set(key, Plain::text(amount)),
            None => part.notes.push(format!("resources: limits: {name} {amount}: the format has no key for it")),
        }
    }
    if value.get("requests").is_some() {
        part.notes.push("resources: requests: it is about where the cluster runs it".to_owned());
    }
}
