//! Devices: docker's `--device` and `--device-cgroup-rule`.

use std::collections::HashSet;

use super::{Fields, scalar::path_text, text};
use crate::scenario::{
    diagnostic::{Fault, Place},
    format,
    model::{Container, Device, DeviceKind, DeviceRule},
    problems::Problems,
    tree::{Node, Value},
};

/// What is in every container's /dev, or is mounted there.
const TAKEN: [&str; 15] = [
    "/dev",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/console",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
    "/dev/mqueue",
    "/dev/fd",
    "/dev/stdin",
    "/dev/stdout",
];

/// Whether every container has something there.
pub(super) fn is_taken(path: &str) -> bool {
    TAKEN.contains(&path) || path == "/dev/stderr" || path.starts_with("/dev/pts/")
}

/// `source[:target][:rwm]`, or Compose's long form.
pub(super) fn device(node: &Node, problems: &Problems) -> Result<Device, Fault> {
    if let Value::Map(_) = node.value {
        let fields = Fields::of(node, &format::container::DEVICE, problems)?;
        let part = |key: &str| fields.read(key, |node| text(node).map(|text| (text, node.at)));
        let (target, access) = (part("target"), part("permissions"));
        return make(node.at, fields.need("source", text)?, target, access);
    }
    let text = text(node)?;
    let at = node.at;
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [source] => make(at, source, None, None),
        // docker takes what comes second for the access where it can be one.
        [source, second] if !second.starts_with('/') => make(at, source, None, Some((second, at))),
        [source, second] => make(at, source, Some((second, at)), None),
        [source, target, access] => make(at, source, Some((target, at)), Some((access, at))),
        _ => Err(Fault::new(at, format!("`{text}` is no device")).help("`/dev/fuse`, `/dev/fuse:/dev/x:rw`")),
    }
}

fn make(at: Place, source: &str, target: Option<(&str, Place)>, asked: Option<(&str, Place)>) -> Result<Device, Fault> {
    let source = path_text(at, source)?;
    if !source.starts_with("/dev/") {
        return Err(Fault::new(at, format!("{source} is no device")).help("a device is below /dev, `/dev/fuse`"));
    }
    let (goal, place) = match target {
        Some((target, place)) => (path_text(place, target)?, place),
        None => (source.clone(), at),
    };
    if is_taken(&goal) {
        return Err(Fault::new(place, format!("{goal} is there in every container"))
            .help("another name keeps it: `/dev/fuse:/dev/x`"));
    }
    if goal == "/" || ["/proc", "/sys"].iter().any(|own| goal == *own || goal.starts_with(&format!("{own}/"))) {
        return Err(Fault::new(place, format!("a device at {goal}")).help("`/dev/x`"));
    }
    let given = asked.map(|(word, place)| access(place, word)).transpose()?;
    Ok(Device { source, target: goal, access: given })
}

/// Letters of `rwm`, each at most once.
fn access(at: Place, word: &str) -> Result<String, Fault> {
    let mut seen = Vec::new();
    let valid = word.chars().all(|letter| {
        let fresh = "rwm".contains(letter) && !seen.contains(&letter);
        seen.push(letter);
        fresh
    });
    if word.is_empty() || !valid {
        return Err(
            Fault::new(at, format!("`{word}` is no access to a device")).help("letters of rwm: read, write, mknod")
        );
    }
    Ok(word.to_owned())
}

/// `c 10:229 rwm`.
pub(super) fn rule(node: &Node) -> Result<DeviceRule, Fault> {
    let text = text(node)?;
    let wrong = || {
        Fault::new(node.at, format!("`{text}` is no rule of a device list"))
            .help("`c 10:229 rwm`: a, b or c; numbers or `*`; letters of rwm")
    };
    let [kind, numbers, word] = text.split(' ').collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let kind = match kind {
        "a" => DeviceKind::All,
        "b" => DeviceKind::Block,
        "c" => DeviceKind::Character,
        _ => return Err(wrong()),
    };
    let number = |text: &str| match text {
        "*" => Ok(None),
        digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map(Some).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(wrong)?;
    let (major, minor) = (number(major)?, number(minor)?);
    // The v1 controller reads nothing behind an `a` (devcgroup_update_access), so that `a 1:3 r` is everything.
    if kind == DeviceKind::All && !(major.is_none() && minor.is_none() && word.len() == 3) {
        return Err(Fault::new(node.at, format!("`{text}`: an `a` is every device, whatever stands behind it"))
            .help("`a *:* rwm`"));
    }
    Ok(DeviceRule { kind, major, minor, access: access(node.at, word)? })
}

/// What fits with nothing else of the container.
pub(super) fn together(container: &Container, devices: &[Node], rules: &[Node], problems: &Problems) {
    if let (true, Some(node)) = (container.privileged, devices.first().or(rules.first())) {
        problems.tell(
            Fault::new(node.at, "a device beside `privileged`, which opens every one")
                .help("leave `privileged` away and name what is wanted with `cap_add`"),
        );
    }
    if let (Some(_), Some(node)) = (&container.rootless, devices.first().or(rules.first())) {
        problems.tell(
            Fault::new(node.at, "a device of an engine that a user runs is not supported yet")
                .help("it has no device list, and its nodes are binds of what the user himself may open"),
        );
    }
    let user_namespace = !(container.uidmap.is_empty() && container.gidmap.is_empty());
    let mut seen = HashSet::new();
    for (device, node) in container.devices.iter().zip(devices) {
        if !seen.insert(&device.target) {
            problems.tell(
                Fault::new(node.at, format!("a second device at {}", device.target)).help("only one can be there"),
            );
        }
        // runc, rootfs_linux.go bindMountDeviceNode: the source is the path in the container.
        if user_namespace && device.source != device.target {
            problems
                .tell(Fault::new(node.at, "a device under another name in a user namespace").help(
                    "a runtime binds the machine's node there, and looks for it under its name in the container",
                ));
        }
    }
}
