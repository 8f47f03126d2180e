//! The machine, probed once, typed.

use crate::capability::CapSet;

/// What this machine can do. Absence is a value here, never an error.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: String,
    /// Effective uid of this process.
    pub uid: u32,
    /// Every capability that this kernel has (/proc/sys/kernel/cap_last_cap).
    pub kernel_capabilities: CapSet,
    /// This process's bounding set: what its root can have, and what "every capability the host has" means.
    pub bounding: CapSet,
    /// This process's effective set.
    pub effective: CapSet,
    /// Which cgroup hierarchy docker would take.
    pub cgroup: CgroupVersion,
    /// User namespaces can be made.
    pub userns: bool,
    /// `--trust-host` was given.
    pub trust_host: bool,
}

/// Which cgroup hierarchy is mounted where engines look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// /sys/fs/cgroup is no cgroup2: v1 or hybrid.
    V1,
    /// /sys/fs/cgroup is cgroup2.
    V2,
    /// No cgroups are mounted.
    None,
}
