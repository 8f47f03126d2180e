//! docker, as Docker 20.10.24 with runc 1.1.5 reports it (Debian 12), and the version before CVE-2022-24769 was mended.

use super::super::seccomp;
use super::{DeviceRule, Facts, Groups, Inheritable, MountFact, UserCapabilities};
use crate::capability::CapSet;

/// moby, oci/caps/defaults.go: the 14 of a80425fb.
const CAPABILITIES: CapSet = CapSet(0xa804_25fb);

/// moby, oci/defaults.go DefaultLinuxSpec. Its cgroup mount comes with cgroups.
const MOUNTS: &[MountFact] = &[
    MountFact { target: "/proc", fstype: "proc", source: "proc", options: &["nosuid", "noexec", "nodev"] },
    MountFact {
        target: "/dev",
        fstype: "tmpfs",
        source: "tmpfs",
        options: &["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    MountFact {
        target: "/dev/pts",
        fstype: "devpts",
        source: "devpts",
        options: &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    MountFact { target: "/sys", fstype: "sysfs", source: "sysfs", options: &["nosuid", "noexec", "nodev", "ro"] },
    MountFact { target: "/dev/mqueue", fstype: "mqueue", source: "mqueue", options: &["nosuid", "noexec", "nodev"] },
    MountFact {
        target: "/dev/shm",
        fstype: "tmpfs",
        source: "shm",
        options: &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
];

/// moby, oci/defaults.go.
const READONLY_PATHS: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// moby, oci/defaults.go.
const MASKED_PATHS: &[&str] = &[
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// moby, daemon/oci_linux.go WithSysctls: set where the container has a network namespace of its own; the second
/// only where it has no user namespace.
const SYSCTLS: &[(&str, &str)] =
    &[("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", "0 2147483647")];

/// moby, oci/defaults.go DefaultLinuxSpec: zero, null, urandom, random, tty, console (measured in config.json).
pub(super) const DEVICES: &[DeviceRule] = &[
    DeviceRule::NOTHING,
    DeviceRule::allow(1, 5),
    DeviceRule::allow(1, 3),
    DeviceRule::allow(1, 9),
    DeviceRule::allow(1, 8),
    DeviceRule::allow(5, 0),
    DeviceRule::allow(5, 1),
];

/// Docker from 20.10.14 on.
pub(super) const DOCKER: Facts = Facts {
    capabilities: Some(CAPABILITIES),
    inheritable: Inheritable::Empty,
    users: UserCapabilities::BoundingOnly,
    groups: Groups::PrimaryAndMemberships,
    names_unknown_user: false,
    home_of_name: false,
    workdir_is_users: false,
    mounts: MOUNTS,
    // moby, volume/mounts/linux_parser.go.
    tmpfs: &["noexec", "nosuid", "nodev"],
    read_only_tmpfs: &[],
    readonly_paths: READONLY_PATHS,
    masked_paths: MASKED_PATHS,
    sysctls: SYSCTLS,
    environment: &[],
    devices: DEVICES,
    // `--pids-limit` has no default (measured in config.json).
    pids_limit: None,
    seccomp: Some(&seccomp::DOCKER),
    always_cgroup_namespace: false,
};

/// Docker before 20.10.14.
pub(super) const DOCKER_20_10_13: Facts = Facts { inheritable: Inheritable::Full, ..DOCKER };
