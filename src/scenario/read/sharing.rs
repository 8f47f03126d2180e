//! Namespaces that are somebody else's, and the order that this gives containers.

use std::collections::HashSet;

use super::{Fields, scalar::choice, text};
use crate::{
    scenario::{
        describe::namespace,
        diagnostic::{Fault, Place},
        format::words,
        model::{Container, ContainerExpect, Preset},
        problems::Problems,
        sharing::{CgroupNamespace, OwnIpc, Owner, Sharing},
        tree::{Node, Value},
    },
    text::nearest,
};
use caplab_init::wire::Namespace;

/// The key of each namespace that can be shared.
const KEYS: [(Namespace, &str); 4] =
    [(Namespace::Pid, "pid"), (Namespace::Ipc, "ipc"), (Namespace::Network, "network_mode"), (Namespace::Uts, "uts")];

/// The keys of one container.
pub(super) fn sharing(fields: &Fields<'_>) -> Sharing {
    let mut sharing = Sharing {
        cgroup: fields.read("cgroup", cgroup),
        own_ipc: fields.get("ipc").map_or(OwnIpc::Default, own_ipc),
        network_none: fields.get("network_mode").is_some_and(|node| text(node).is_ok_and(|word| word == "none")),
        ..Sharing::default()
    };
    for (which, key) in KEYS {
        let Some(owner) = fields.read(key, |node| owner(node, key)) else { continue };
        match which {
            Namespace::Pid => sharing.pid = owner,
            Namespace::Ipc => sharing.ipc = owner,
            Namespace::Network => sharing.network = owner,
            _ => sharing.uts = owner,
        }
    }
    sharing
}

fn own_ipc(node: &Node) -> OwnIpc {
    match text(node).unwrap_or_default() {
        "private" => OwnIpc::Private,
        "shareable" => OwnIpc::Shareable,
        "none" => OwnIpc::None,
        _ => OwnIpc::Default,
    }
}

fn cgroup(node: &Node) -> Result<CgroupNamespace, Fault> {
    choice(node, "cgroup", &words::CGROUPS, &[])
}

fn owner(node: &Node, key: &str) -> Result<Owner, Fault> {
    let word = text(node)?;
    let own: &[&str] = match key {
        "ipc" => &["private", "shareable", "none"],
        "network_mode" => &["none"],
        _ => &[],
    };
    if own.contains(&word) {
        return Ok(Owner::Own);
    }
    if word == "host" {
        return Ok(Owner::Host);
    }
    if let Some(name) = word.strip_prefix("container:").filter(|name| !name.is_empty()) {
        return Ok(Owner::Container(name.to_owned()));
    }
    if let Some(name) = word.strip_prefix("service:") {
        return Err(Fault::new(node.at, format!("{key} `{word}` is not supported yet"))
            .help(format!("containers of a scenario are named: `container:{name}`")));
    }
    let words = own.iter().copied().chain(["host", "container:NAME"]).collect::<Vec<_>>();
    if key == "network_mode" && ["bridge", "slirp4netns", "pasta", "default"].iter().any(|name| word.starts_with(name))
    {
        return Err(Fault::new(node.at, format!("network_mode `{word}` is not supported yet"))
            .help(format!("there is `{}`", words.join("`, `"))));
    }
    let fault = Fault::new(node.at, format!("no {key} `{word}`"));
    Err(match nearest(word, words.iter().copied()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("there is `{}`", words.join("`, `"))),
    })
}

/// Containers in the order in which they are made: as written, but for one that is named by an earlier one, which comes before
/// that. Each with the map that it was read from.
pub(in crate::scenario) fn in_order(
    mut waiting: Vec<(Container, &Node)>,
    unsound: &mut HashSet<String>,
    problems: &Problems,
) -> Vec<Container> {
    for (container, node) in &waiting {
        if unsound.contains(&container.name) {
            continue;
        }
        let before = problems.count();
        for (which, name) in owners(container) {
            problems.ok(check_owner(container, place(node, which), (which, name), &waiting, unsound));
        }
        problems.ok(check(container, node));
        if problems.count() > before {
            unsound.insert(container.name.clone());
        }
    }
    let mut ready: Vec<Container> = Vec::new();
    while !waiting.is_empty() {
        // One whose owner is no container was told of.
        let next = waiting.iter().position(|(container, _)| {
            owners(container).all(|(_, name)| name == container.name || waiting.iter().all(|(one, _)| one.name != name))
        });
        if next.is_none() {
            let names: Vec<&str> = waiting.iter().map(|(container, _)| container.name.as_str()).collect();
            let (first, node) = &waiting[0];
            let at = owners(first).next().map_or(node.at, |(which, _)| place(node, which));
            problems.tell(
                Fault::new(at, format!("{} wait for each other", names.join(" and ")))
                    .help("one of them must be made first, in a namespace of its own"),
            );
            unsound.extend(names.into_iter().map(str::to_owned));
        }
        match next {
            Some(next) => ready.push(waiting.remove(next).0),
            None => ready.extend(waiting.drain(..).map(|(container, _)| container)),
        }
    }
    ready
}

fn owners(container: &Container) -> impl Iterator<Item = (Namespace, &str)> {
    Sharing::SHARED.into_iter().filter_map(|which| match container.sharing.owner(which) {
        Owner::Container(name) => Some((which, name.as_str())),
        _ => None,
    })
}

/// Where a container says whose a namespace is.
fn place(node: &Node, which: Namespace) -> Place {
    let key = KEYS.iter().find(|(namespace, _)| *namespace == which).map_or("", |(_, key)| key);
    value(node, key).map_or(node.at, |value| value.at)
}

/// What a container that was read has for a key.
fn value<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(known, _)| known.text == key).map(|(_, value)| value)
}

/// Whether there is a container with a namespace that this one may join.
fn check_owner(
    container: &Container,
    at: Place,
    (which, name): (Namespace, &str),
    all: &[(Container, &Node)],
    unsound: &HashSet<String>,
) -> Result<(), Fault> {
    if name == container.name {
        return Err(Fault::new(at, format!("{name} would join its own {} namespace", namespace(which)))
            .help("leave the key away: it has one of its own"));
    }
    if unsound.contains(name) {
        return Ok(());
    }
    let Some((owner, _)) = all.iter().find(|(other, _)| other.name == name) else {
        let names: Vec<&str> =
            all.iter().map(|(one, _)| one.name.as_str()).filter(|one| *one != container.name).collect();
        let fault = Fault::new(at, format!("no container `{name}`"));
        return Err(match nearest(name, names.iter().copied()) {
            Some(meant) => fault.help(format!("did you mean `container:{meant}`?")),
            None if names.is_empty() => {
                fault.help("another container of the same scenario: `containers: {a: …, b: …}`")
            }
            None => fault.help(format!("there is {}", names.join(", "))),
        });
    };
    if owner.rootless.is_some() {
        return Err(Fault::new(at, format!("{name} is a container of another user's engine"))
            .help("an engine knows its own containers only"));
    }
    if owner.expect != ContainerExpect::Started {
        return Err(Fault::new(at, format!("{name} is expected to be refused: it has no namespace to share"))
            .help("share that of a container that starts"));
    }
    if which == Namespace::Ipc { shareable(owner, at) } else { Ok(()) }
}

/// What docker and podman refuse too, and what no container can be.
fn check(container: &Container, node: &Node) -> Result<(), Fault> {
    let sharing = &container.sharing;
    let fault = |which, message: String| Fault::new(place(node, which), message);
    if let Some(hostname) = value(node, "hostname") {
        if sharing.uts != Owner::Own {
            return Err(Fault::new(hostname.at, "`hostname` beside `uts`: the name is that of whose namespace it is")
                .help("docker and podman refuse it; leave one of them away"));
        }
        if matches!(sharing.network, Owner::Container(_)) && is_docker(container.preset) {
            return Err(Fault::new(hostname.at, "`hostname` beside `network_mode: container:`")
                .help("docker refuses it (\"conflicting options\"): the container has the name of the one whose network it is in"));
        }
    }
    if !container.has_user_namespace() {
        return Ok(());
    }
    let shared = Sharing::SHARED.into_iter().find(|which| *sharing.owner(*which) != Owner::Own);
    if let (Some(_), Some(which)) = (&container.rootless, shared) {
        return Err(fault(
            which,
            format!("a shared {} namespace beside `rootless` is not supported yet", namespace(which)),
        )
        .help("a rootless engine's containers have their user namespace in common, these have not"));
    }
    // Measured with podman 4.3.1 and runc 1.1.5. A joined pid or IPC namespace the kernel itself refuses, when /proc or
    // /dev/mqueue is mounted.
    for which in [Namespace::Network, Namespace::Uts] {
        if matches!(sharing.owner(which), Owner::Container(_)) {
            return Err(fault(which, format!("another container's {} namespace beside a uidmap", namespace(which)))
                .help("podman makes such a container and can execute nothing in it: from within its user namespace runc may not enter"));
        }
    }
    for which in [Namespace::Network, Namespace::Pid] {
        if *sharing.owner(which) == Owner::Host {
            return Err(fault(
                which,
                format!("the host's {} namespace beside a uidmap is not supported yet", namespace(which)),
            )
            .help("podman binds the host's own /proc or /sys then; leave the uidmap away"));
        }
    }
    Ok(())
}

/// Whether others may join its IPC namespace. The words of both engines.
fn shareable(owner: &Container, at: Place) -> Result<(), Fault> {
    let non = |help: &str| Err(Fault::new(at, format!("non-shareable IPC of {}", owner.name)).help(help.to_owned()));
    match (&owner.sharing.ipc, owner.sharing.own_ipc) {
        (Owner::Host | Owner::Container(_), _) | (Owner::Own, OwnIpc::Shareable) => Ok(()),
        (Owner::Own, OwnIpc::Default) if is_docker(owner.preset) => {
            non(&format!("docker's is private unless it says otherwise: {} must have `ipc: shareable`", owner.name))
        }
        (Owner::Own, OwnIpc::Default) => Ok(()),
        (Owner::Own, OwnIpc::Private) => non("it says `ipc: private`; `ipc: shareable` lets others in"),
        (Owner::Own, OwnIpc::None) => non("it says `ipc: none`; `ipc: shareable` lets others in"),
    }
}

fn is_docker(preset: Preset) -> bool {
    matches!(preset, Preset::Docker | Preset::Docker20_10_13)
}
