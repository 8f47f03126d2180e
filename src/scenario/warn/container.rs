//! Containers.

use caplab_init::wire::IdMap;

use super::{Read, get, item, place};
use crate::{
    capability::Capability,
    host::fixture::SUBORDINATE,
    scenario::{
        diagnostic::Fault,
        model::{Container, ContainerExpect, IdOrName, User},
        tree::Node,
    },
};

/// `privileged` next to what it makes meaningless.
pub(super) fn privileged(read: &Read<'_>, found: &mut Vec<Fault>) {
    for (container, node) in read.containers() {
        if let (true, Some(added)) = (container.privileged, get(node, "cap_add")) {
            found.push(
                Fault::new(added.at, "`cap_add` beside `privileged`, which gives every capability")
                    .help("leave `privileged` away where these capabilities are what is meant"),
            );
        }
    }
}

/// Capabilities that are named beside ALL of the same list, or ALL in both.
pub(super) fn capabilities(read: &Read<'_>, found: &mut Vec<Fault>) {
    for (container, node) in read.containers() {
        if container.cap_add.all && container.cap_drop.all {
            found.push(
                Fault::new(place(node, "cap_drop"), "every capability is dropped, and added again")
                    .help("docker adds last: the container has all of them. Name those that are wanted"),
            );
        }
        for (key, list) in [("cap_add", &container.cap_add), ("cap_drop", &container.cap_drop)] {
            let Some(named) = get(node, key).filter(|_| list.all) else { continue };
            for capability in Capability::all().filter(|one| list.named.contains(*one)) {
                let at = item(named, |text| Capability::from_name(text) == Some(capability));
                found.push(
                    Fault::new(at.unwrap_or(named.at), format!("{capability} beside ALL in `{key}`"))
                        .help("ALL has it already: leave one of them away"),
                );
            }
        }
    }
}

/// A user namespace in which nobody has the id that a process is to have: no process can be made there.
pub(super) fn user(read: &Read<'_>, found: &mut Vec<Fault>) {
    for (container, node) in read.containers() {
        let starts = container.expect == ContainerExpect::Started;
        let own = container.user.as_ref();
        if let (true, Some(id)) = (starts, unmapped(container, own)) {
            let at = if own.is_some() { place(node, "user") } else { map(node) };
            found.push(nobody(Fault::new(at, format!("the user namespace has no uid {id}, as whom this runs"))));
        }
    }
    for (step, node) in read.steps() {
        let container = &read.case.containers[step.within];
        if let (Some(user), Some(id)) = (&step.as_user, unmapped(container, step.as_user.as_ref()))
            && container.user.as_ref() != Some(user)
        {
            let at = place(node, "as");
            found.push(nobody(Fault::new(at, format!("the user namespace has no uid {id}, as whom this runs"))));
        }
    }
}

/// System calls of a seccomp profile that there are not: docker and podman pass over them, and what was to be refused is not.
pub(super) fn calls(read: &Read<'_>, found: &mut Vec<Fault>) {
    for (container, node) in read.containers() {
        let (Some(file), Some(options)) = (&container.seccomp_profile, get(node, "security_opt")) else { continue };
        let named = item(options, |text| text.starts_with("seccomp") && text.ends_with(&file.name));
        for (name, meant) in file.profile.misspelled() {
            let message = format!("the seccomp profile {}: there is no system call `{name}`", file.name);
            found.push(Fault::new(named.unwrap_or(options.at), message).help(format!(
                "did you mean `{meant}`? A name that nobody knows is passed over, by docker and podman too"
            )));
        }
    }
}

fn nobody(fault: Fault) -> Fault {
    fault.help("setuid(2) to an id that is not mapped is EINVAL: let the map begin below it and reach beyond it")
}

fn map(node: &Node) -> super::Place {
    place(node, if get(node, "uidmap").is_some() { "uidmap" } else { "gidmap" })
}

/// The uid of a user, where the container's map has none for it. What a name is the toolbox's /etc/passwd says, but for root.
fn unmapped(container: &Container, user: Option<&User>) -> Option<u32> {
    let uid = match user.map(|user| &user.user) {
        None => 0,
        Some(IdOrName::Id(id)) => *id,
        Some(IdOrName::Name(name)) if name == "root" => 0,
        Some(IdOrName::Name(_)) => return None,
    };
    let lines = if container.uidmap.is_empty() { &container.gidmap } else { &container.uidmap };
    let has = |line: &IdMap| line.outside(uid).is_some();
    let mapped = match &container.rootless {
        Some(_) => uid <= SUBORDINATE,
        None => lines.is_empty() || lines.iter().any(has),
    };
    (!mapped).then_some(uid)
}
