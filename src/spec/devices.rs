//! Devices: the nodes beyond those that every container has, `linux.devices`, and the device list, `linux.resources.devices`.

use oci_spec::runtime::{LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceType};

use super::{
    Unresolvable,
    preset::{self, Facts},
};
use crate::{
    host::device::{self, Node},
    scenario::model::{Container, Device, DeviceKind, DeviceRule, Host},
};

/// The nodes.
///
/// docker and podman give a privileged container every device of the host's; of the fixture host that is its disk. In a user
/// namespace they would be binds of the machine's nodes, and it has none of this.
pub(super) fn nodes(container: &Container, host: &Host) -> Result<Vec<LinuxDevice>, Unresolvable> {
    let given = container.devices.iter().find(|one| container.has_user_namespace() && device::is_fixture(one, host));
    if let Some(given) = given {
        return Err(Unresolvable(format!(
            "{}: the fixture host's disk in a user namespace is not supported yet; a runtime binds the machine's node there, and the machine has none",
            given.source
        )));
    }
    let disk = host.disk.as_ref().filter(|_| container.privileged && !container.has_user_namespace());
    let disk = disk.map(|disk| Device { source: disk.node(), target: disk.node(), access: None });
    let all = container.devices.iter().chain(&disk);
    all.map(|device| found(device, host).and_then(|node| in_spec(device, node))).collect()
}

/// The list: the preset's, then what is added. For a privileged container docker's and podman's is one that allows everything; without
/// a list a runtime would allow nothing but its own.
pub(super) fn list(container: &Container, host: &Host, facts: &Facts) -> Result<Vec<LinuxDeviceCgroup>, Unresolvable> {
    let unlimited = container.privileged || container.altered.all_devices;
    let own = if unlimited { preset::ALL_DEVICES } else { facts.devices };
    let mut list: Vec<LinuxDeviceCgroup> = own.iter().map(preset::DeviceRule::in_spec).collect();
    for device in &container.devices {
        let Node { block, major, minor, .. } = found(device, host)?;
        let access = device::access(device, host).to_owned();
        let kind = if block { DeviceKind::Block } else { DeviceKind::Character };
        list.push(line(&DeviceRule { kind, major: Some(major), minor: Some(minor), access }));
    }
    list.extend(container.device_cgroup_rules.iter().map(line));
    Ok(list)
}

fn found(device: &Device, host: &Host) -> Result<Node, Unresolvable> {
    device::of(device, host)
        .ok_or_else(|| Unresolvable(format!("{} is no device of this machine; docker refuses it too", device.source)))
}

fn in_spec(device: &Device, node: Node) -> Result<LinuxDevice, Unresolvable> {
    let built = LinuxDeviceBuilder::default()
        .path(device.target.clone())
        .typ(if node.block { LinuxDeviceType::B } else { LinuxDeviceType::C })
        .major(i64::from(node.major))
        .minor(i64::from(node.minor))
        .file_mode(node.mode)
        .uid(node.uid)
        .gid(node.gid)
        .build();
    built.map_err(|error| Unresolvable(format!("device {}: {error}", device.source)))
}

fn line(rule: &DeviceRule) -> LinuxDeviceCgroup {
    let mut line = LinuxDeviceCgroup::default();
    line.set_allow(true)
        .set_typ(match rule.kind {
            DeviceKind::All => None,
            DeviceKind::Block => Some(LinuxDeviceType::B),
            DeviceKind::Character => Some(LinuxDeviceType::C),
        })
        .set_major(rule.major.map(i64::from))
        .set_minor(rule.minor.map(i64::from))
        .set_access(Some(rule.access.clone()));
    line
}
