//! podman as root, as podman 4.3.1 with runc 1.1.5 reports it (Debian 12).

use super::super::seccomp;
use super::{DeviceRule, Facts, Groups, Inheritable, MountFact, UserCapabilities};
use crate::capability::CapSet;

/// containers/common, pkg/config/default.go DefaultCapabilities: the 11 of 800405fb.
const CAPABILITIES: CapSet = CapSet(0x8004_05fb);

/// libpod, pkg/specgen/generate/oci.go over runtime-tools' defaults; /dev is noexec and /dev/shm smaller than docker's.
const MOUNTS: &[MountFact] = &[
    MountFact { target: "/proc", fstype: "proc", source: "proc", options: &["nosuid", "noexec", "nodev"] },
    MountFact {
        target: "/dev",
        fstype: "tmpfs",
        source: "tmpfs",
        options: &["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
    },
    MountFact { target: "/sys", fstype: "sysfs", source: "sysfs", options: &["nosuid", "noexec", "nodev", "ro"] },
    MountFact {
        target: "/dev/pts",
        fstype: "devpts",
        source: "devpts",
        options: &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    MountFact { target: "/dev/mqueue", fstype: "mqueue", source: "mqueue", options: &["nosuid", "noexec", "nodev"] },
    MountFact {
        target: "/dev/shm",
        fstype: "tmpfs",
        source: "shm",
        options: &["nosuid", "noexec", "nodev", "mode=1777", "size=64000k"],
    },
];

/// containers/common, pkg/config/default.go and libpod's security_linux.go.
const MASKED_PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/sys/dev/block",
];

/// docker's, and /proc/asound, which docker masks (measured in config.json).
const READONLY_PATHS: &[&str] =
    &["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// runtime-tools' default, which podman takes: nothing but what every runtime allows (measured in config.json).
const DEVICES: &[DeviceRule] = &[DeviceRule::NOTHING];

/// podman 4 as root.
pub(super) const PODMAN: Facts = Facts {
    capabilities: Some(CAPABILITIES),
    inheritable: Inheritable::Empty,
    users: UserCapabilities::AddedAmbient,
    groups: Groups::PrimaryOfNamedUser,
    names_unknown_user: true,
    home_of_name: true,
    workdir_is_users: true,
    mounts: MOUNTS,
    // libpod, pkg/util/mountOpts.go ProcessOptions; measured. What the image has there is copied (`tmpcopyup`).
    tmpfs: &["nosuid", "nodev", "tmpcopyup"],
    // libpod, pkg/specgenutil/volumes.go, with the same options; measured. `--read-only-tmpfs` is its default.
    read_only_tmpfs: &["/run", "/tmp", "/var/tmp"],
    readonly_paths: READONLY_PATHS,
    masked_paths: MASKED_PATHS,
    // containers.conf: a ping for every group is what podman as root has set; measured "0 0" for groups.
    sysctls: &[("net.ipv4.ping_group_range", "0 0")],
    environment: &[("TERM", "xterm"), ("container", "podman")],
    devices: DEVICES,
    // containers/common, pkg/config/default.go DefaultPidsLimit; measured in config.json, of a privileged container too.
    pids_limit: Some(2048),
    seccomp: Some(&seccomp::PODMAN),
    always_cgroup_namespace: false,
};
