//! What a case names and its own file does not have: a source of a volume, a user, a disk. What only the machine knows is asked when it
//! is run.

use std::cell::LazyCell;

use caplab_init::wire::{Device, Probe};

use super::{
    diagnostic::{Fault, Place},
    model::{Action, Case, Container, IdOrName, User, VolumeSource},
    problems::Problems,
    tree::{Node, Value},
    warn::{Read, get, place},
};
use crate::host::{device, fixture};

/// Users of every container that is made of no image, as base images agree on them (Debian's base-passwd): name, uid, gid, home.
pub(crate) const USERS: [(&str, u32, u32, &str); 3] =
    [("root", 0, 0, "/root"), ("daemon", 1, 1, "/usr/sbin"), ("nobody", 65534, 65534, "/nonexistent")];
/// Its groups.
pub(crate) const GROUPS: [(&str, u32); 5] = [("root", 0), ("daemon", 1), ("tty", 5), ("disk", 6), ("nogroup", 65534)];

/// Tells all of it. The case is valid but for that.
pub(super) fn check(case: &Case, document: &Node, problems: &Problems) {
    let read = Read { case, document };
    let paths = LazyCell::new(|| fixture::paths(&case.host));
    for (container, node) in read.containers() {
        for (volume, at) in container.volumes.iter().zip(items(node, "volumes")) {
            if let VolumeSource::Fixture(path) = &volume.source
                && path != "/"
                && !paths.contains(path)
            {
                let fault = Fault::new(at, format!("the volume's source {path} is not there on the fixture host"));
                problems.tell(fault.help("add a file of it under `host: files:`"));
            }
        }
        if let Some(user) = &container.rootless
            && fixture::map_of(&case.host, user).is_none()
        {
            let message = format!("the fixture host has no ordinary user `{user}` to run the engine");
            let fault = Fault::new(place(node, "rootless"), message);
            problems.tell(fault.help(format!("`host: {{users: {{{user}: 1001}}}}`")));
        }
        for (device, at) in container.devices.iter().zip(items(node, "devices")) {
            if container.has_user_namespace() && device::is_fixture(device, &case.host) {
                let message = "the fixture host's disk in a user namespace is not supported yet";
                let fault = Fault::new(at, message);
                problems.tell(fault.help("a runtime binds the machine's node there, and the machine has none"));
            }
        }
        if let Some(user) = &container.user {
            accounts(container, user, place(node, "user"), problems);
        }
        for (group, at) in container.group_add.iter().zip(items(node, "group_add")) {
            self::group(container, group, at, problems);
        }
    }
    for (step, node) in read.steps() {
        if let Some(user) = &step.as_user {
            // There is none where the file's own is what is wrong with it.
            if let Some(container) = case.containers.get(step.within) {
                accounts(container, user, place(node, "as"), problems);
            }
        }
        match &step.action {
            Action::Probe { probe: Probe::OpenDevice { device: Device::Disk { .. } }, .. }
                if case.host.disk.is_none() =>
            {
                let fault = Fault::new(place(node, "probe"), "the host has no disk");
                problems.tell(fault.help("`host: {disks: {decoy: {at: /srv}}}` gives it one"));
            }
            Action::Run { through: Some(path), .. }
                if case.host.runtime.as_ref().is_none_or(|runtime| runtime.path != *path) =>
            {
                let fault = Fault::new(place(node, "through"), format!("the host has no runtime {path}"));
                problems.tell(fault.help(format!("`host: {{runtimes: {{{path}: {{start: file}}}}}}` gives it one")));
            }
            _ => {}
        }
    }
}

/// Where the items of a list stand.
fn items<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = Place> + 'a {
    let items = match get(node, key).map(|list| &list.value) {
        Some(Value::List(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter().map(|item| item.at)
}

fn accounts(container: &Container, user: &User, at: Place, problems: &Problems) {
    if let (IdOrName::Name(name), None) = (&user.user, &container.image)
        && !USERS.iter().any(|(known, ..)| known == name)
    {
        let names = USERS.map(|(name, ..)| name).join(", ");
        let fault = Fault::new(at, format!("the container's /etc/passwd has no user `{name}`"));
        problems.tell(fault.help(format!("it has {names}: write a number")));
    }
    if let Some(group) = &user.group {
        self::group(container, group, at, problems);
    }
}

fn group(container: &Container, group: &IdOrName, at: Place, problems: &Problems) {
    if let (IdOrName::Name(name), None) = (group, &container.image)
        && !GROUPS.iter().any(|(known, _)| known == name)
    {
        let names = GROUPS.map(|(name, _)| name).join(", ");
        let fault = Fault::new(at, format!("the container's /etc/group has no group `{name}`"));
        problems.tell(fault.help(format!("it has {names}: write a number")));
    }
}
