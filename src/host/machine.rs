//! The machine, probed once, typed.

use std::{fs, path::Path};

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

impl Machine {
    /// Looks at the machine this process runs on. What cannot be read counts as absent.
    #[must_use]
    pub fn probe(trust_host: bool) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
        let mask = |name| field(name).and_then(|mask| u64::from_str_radix(mask, 16).ok()).map_or(CapSet::EMPTY, CapSet);
        Self {
            kernel: number("/proc/sys/kernel/osrelease").unwrap_or_default(),
            uid: nix::unistd::geteuid().as_raw(),
            kernel_capabilities: caps::runtime::procfs_all_supported(None)
                .map(|all| CapSet(all.iter().fold(0, |set, capability| set | 1 << capability.index())))
                .unwrap_or(CapSet::EMPTY),
            bounding: mask("CapBnd"),
            effective: mask("CapEff"),
            cgroup: cgroup(),
            // The limit is 0 where an administrator has switched them off.
            userns: Path::new("/proc/self/ns/user").exists()
                && number("/proc/sys/user/max_user_namespaces").is_none_or(|most| most != "0"),
            trust_host,
        }
    }

    /// Version of the kernel: major and minor.
    #[must_use]
    pub fn kernel_version(&self) -> Option<(u32, u32)> {
        let mut parts = self.kernel.split(|letter: char| !letter.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

/// What a file of /proc/sys holds.
pub(super) fn number(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Where docker and podman look: /sys/fs/cgroup itself. Hybrid counts as v1 there.
fn cgroup() -> CgroupVersion {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let at = |dir: &str| {
        mounts.lines().rev().find_map(|line| {
            let (fixed, rest) = line.split_once(" - ")?;
            (fixed.split(' ').nth(4) == Some(dir)).then(|| rest.split(' ').next().unwrap_or("").to_owned())
        })
    };
    match at("/sys/fs/cgroup").as_deref() {
        Some("cgroup2") => CgroupVersion::V2,
        Some(_) => CgroupVersion::V1,
        None => CgroupVersion::None,
    }
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
