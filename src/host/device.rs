//! Devices of the real machine: which of them are nobody's, and what a node is.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
};

use caplab_init::wire::DISK_NUMBERS;

use crate::scenario::model::{Container, Device, DeviceKind, DeviceRule, Host};

/// Character devices that hold nothing of the machine and change nothing of it, whatever is read from them and written to them. docs/adr/0015
/// says why these and no others. Linux, Documentation/admin-guide/devices.txt.
const HARMLESS: [(&str, u32, u32); 8] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
    ("/dev/net/tun", 10, 200),
    ("/dev/fuse", 10, 229),
];

/// A node as the machine has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    /// A block device.
    pub(crate) block: bool,
    /// Major number.
    pub(crate) major: u32,
    /// Minor number.
    pub(crate) minor: u32,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
}

/// The node of a device that a container asks for. A harmless one is known also where the machine does not have it, so that a
/// scenario can be checked there.
pub(crate) fn of(device: &Device, host: &Host) -> Option<Node> {
    if is_fixture(device, host) {
        let (major, minor) = DISK_NUMBERS;
        // As a machine's udev makes it, root:disk.
        return Some(Node { block: true, major, minor, mode: 0o660, uid: 0, gid: 6 });
    }
    let known = HARMLESS.iter().find(|(path, ..)| *path == device.source);
    let known = known.map(|&(_, major, minor)| Node { block: false, major, minor, mode: 0o600, uid: 0, gid: 0 });
    node(&device.source).or(known)
}

/// What the device list allows of it. What is the machine's own is read-only unless the file says otherwise.
pub(crate) fn access<'a>(device: &'a Device, host: &Host) -> &'a str {
    let own = is_harmless(device) || is_fixture(device, host);
    device.access.as_deref().unwrap_or(if own { "rwm" } else { "r" })
}

/// Whether it is the fixture host's own disk, whatever the machine has of this name.
pub(crate) fn is_fixture(device: &Device, host: &Host) -> bool {
    host.disk.as_ref().is_some_and(|disk| disk.node() == device.source)
}

/// The node at a path, links followed; `None` where there is none.
pub(crate) fn node(path: &str) -> Option<Node> {
    let found = fs::metadata(path).ok()?;
    let kind = found.file_type();
    let device = found.rdev();
    (kind.is_block_device() || kind.is_char_device()).then(|| Node {
        block: kind.is_block_device(),
        major: rustix::fs::major(device),
        minor: rustix::fs::minor(device),
        mode: found.mode() & 0o777,
        uid: found.uid(),
        gid: found.gid(),
    })
}

/// What a container asks for of the machine's devices that are not harmless, each for a message.
pub(crate) fn needing_trust(container: &Container, host: &Host) -> Vec<String> {
    let machines = |device: &&Device| !is_harmless(device) && !is_fixture(device, host);
    let devices = container.devices.iter().filter(machines).map(|device| device.source.clone());
    let rules = container.device_cgroup_rules.iter().filter(|rule| !reaches_nothing(rule));
    devices.chain(rules.map(|rule| format!("the devices {rule}"))).collect()
}

/// By name, and, where it is there, by number: a link of that name may lead to a disk.
fn is_harmless(device: &Device) -> bool {
    HARMLESS.iter().any(|(path, major, minor)| {
        *path == device.source
            && node(path).is_none_or(|node| !node.block && (node.major, node.minor) == (*major, *minor))
    })
}

fn reaches_nothing(rule: &DeviceRule) -> bool {
    // Whoever may make a node may not open it yet.
    rule.access == "m"
        || (rule.kind == DeviceKind::Character
            && HARMLESS.iter().any(|(_, major, minor)| (rule.major, rule.minor) == (Some(*major), Some(*minor))))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario;

    fn container(keys: &str) -> Container {
        let text = format!("title: A claim\ncontainer: {{{keys}}}\nsteps:\n  - inspect: {{uid: 0}}\n");
        let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
        scenario.cases[0].containers[0].clone()
    }

    #[test]
    fn what_is_the_machines_needs_trust() {
        let trust = |keys: &str| needing_trust(&container(keys), &Host::default());
        assert!(trust("devices: [/dev/fuse, '/dev/net/tun:/dev/x:rw']").is_empty());
        assert!(trust("device_cgroup_rules: ['c 10:229 rwm', 'c *:* m', 'a *:* rwm']") == ["the devices a *:* rwm"]);
        assert_eq!(trust("devices: [/dev/kmsg, /dev/sda, /dev/loop0]"), ["/dev/kmsg", "/dev/sda", "/dev/loop0"]);
        // The numbers of a harmless one, as a disk.
        assert_eq!(
            trust("device_cgroup_rules: ['b 1:3 r', 'c 1:* r']"),
            ["the devices b 1:3 r", "the devices c 1:* r"]
        );
    }

    #[test]
    fn the_machines_own_is_read_only_unless_said() {
        let access_of = |keys: &str| access(&container(keys).devices[0], &Host::default()).to_owned();
        assert_eq!(access_of("devices: [/dev/fuse]"), "rwm");
        assert_eq!(access_of("devices: [/dev/kmsg]"), "r");
        assert_eq!(access_of("devices: ['/dev/kmsg:rw']"), "rw");
        // A folder, a file and nothing are no nodes.
        assert_eq!([node("/dev"), node("/etc/passwd"), node("/dev/none")], [None; 3]);
        let null = node("/dev/null").expect("a node");
        assert_eq!((null.block, null.major, null.minor), (false, 1, 3));
    }
}
