//! New namespaces and nothing else: the floor that the other presets stand on.

use super::{ALL_DEVICES, Facts, Groups, Inheritable, MountFact, UserCapabilities};

const MOUNTS: &[MountFact] = &[
    MountFact { target: "/proc", fstype: "proc", source: "proc", options: &[] },
    MountFact { target: "/dev", fstype: "tmpfs", source: "tmpfs", options: &["mode=755", "size=65536k"] },
    MountFact {
        target: "/dev/pts",
        fstype: "devpts",
        source: "devpts",
        options: &["newinstance", "ptmxmode=0666", "mode=0620"],
    },
    MountFact { target: "/sys", fstype: "sysfs", source: "sysfs", options: &[] },
];

/// Nothing dropped, nothing masked.
pub(super) const BARE: Facts = Facts {
    capabilities: None,
    inheritable: Inheritable::Empty,
    users: UserCapabilities::BoundingOnly,
    groups: Groups::None,
    names_unknown_user: false,
    home_of_name: false,
    workdir_is_users: false,
    mounts: MOUNTS,
    tmpfs: &["noexec", "nosuid", "nodev"],
    read_only_tmpfs: &[],
    readonly_paths: &[],
    masked_paths: &[],
    sysctls: &[],
    environment: &[],
    devices: ALL_DEVICES,
    pids_limit: None,
    seccomp: None,
    always_cgroup_namespace: true,
};
