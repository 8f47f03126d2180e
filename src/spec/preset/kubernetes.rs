//! A container of a Kubernetes pod on containerd, as containerd 1.6.20's CRI plugin (Debian 12) makes it from what a kubelet asks for where
//! the pod's manifest says nothing. The plugin was asked over the CRI (RunPodSandbox, CreateContainer): its config.json and what /proc
//! says of the process are what is called measured. No kubelet ran: what it asks for is read in its source, and named. What `ctr run` gives is
//! containerd's bare default and another thing: it has no_new_privs, a limit of 1024 open files and a tmpfs at /run, which the plugin
//! takes away again.

use super::{DeviceRule, Facts, Groups, Inheritable, MountFact, UserCapabilities};
use crate::capability::CapSet;

/// containerd, oci/spec.go defaultUnixCaps: docker's 14 (measured; inheritable and ambient are empty).
const CAPABILITIES: CapSet = CapSet(0xa804_25fb);

/// containerd, oci/mounts.go defaultMounts, less /run (measured). /dev/shm is the pod's, bound from a tmpfs with these options (measured in
/// mountinfo).
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
    MountFact { target: "/dev/mqueue", fstype: "mqueue", source: "mqueue", options: &["nosuid", "noexec", "nodev"] },
    MountFact { target: "/sys", fstype: "sysfs", source: "sysfs", options: &["nosuid", "noexec", "nodev", "ro"] },
    MountFact {
        target: "/dev/shm",
        fstype: "tmpfs",
        source: "shm",
        options: &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
];

/// kubernetes, pkg/securitycontext/util.go defaultMaskedPaths, in the version that has the last one; 1.26 has neither that nor /proc/asound, which
/// it has among the read-only ones. The kubelet sends the list, and containerd has none of its own then (container_create_linux.go).
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
    "/sys/devices/virtual/powercap",
];

/// The same file, defaultReadonlyPaths.
const READONLY_PATHS: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What the runtime allows to everybody is left (measured).
const DEVICES: &[DeviceRule] = &[DeviceRule::NOTHING];

/// The CRI plugin of containerd 1.6.
pub(super) const KUBERNETES: Facts = Facts {
    capabilities: Some(CAPABILITIES),
    inheritable: Inheritable::Empty,
    // config.json has the same sets for a user, and execve(2) leaves him the bounding one (measured).
    users: UserCapabilities::BoundingOnly,
    // Measured; since 1.6.18 (CVE-2023-25173, oci/spec_opts.go ensureAdditionalGids).
    groups: Groups::PrimaryAndMemberships,
    names_unknown_user: false,
    home_of_name: false,
    workdir_is_users: false,
    mounts: MOUNTS,
    // An emptyDir of medium Memory is the kubelet's, and is not sourced here: what the author writes is what is mounted.
    tmpfs: &[],
    read_only_tmpfs: &[],
    readonly_paths: READONLY_PATHS,
    masked_paths: MASKED_PATHS,
    // Measured, ip_unprivileged_port_start is 1024: enable_unprivileged_ports and enable_unprivileged_icmp are false by default.
    sysctls: &[],
    // What a kubelet adds, KUBERNETES_SERVICE_HOST and the like, depends on the cluster.
    environment: &[],
    devices: DEVICES,
    // config.json has none (measured); a kubelet's podPidsLimit is of the pod, and has no default.
    pids_limit: None,
    // A pod without seccompProfile is unconfined (measured); RuntimeDefault is asked for with seccomp=runtime/default.
    seccomp: None,
    // Measured on version 1: the host's. container_create_linux.go: of its own where cgroups are of version 2.
    always_cgroup_namespace: false,
};
