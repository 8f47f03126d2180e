//! The machine, probed once, typed.

use std::{borrow::Cow, fs, path::Path};

use super::{
    Cgroups,
    lab::{self, LabHost, Obstacle},
};
use crate::{capability::CapSet, scenario::model::Case};

/// What this machine can do. Absence is a value here, never an error.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: String,
    /// Effective uid of this process.
    pub uid: u32,
    /// Every capability that this kernel has (/proc/sys/kernel/cap_last_cap).
    pub kernel_capabilities: CapSet,
    /// The bounding set of the lab host's root: what it can have, and what "every capability the host has" means.
    pub bounding: CapSet,
    /// This process's effective set.
    pub effective: CapSet,
    /// Its control groups.
    pub cgroups: Cgroups,
    /// User namespaces can be made.
    pub userns: bool,
    /// `--trust-host` was given.
    pub trust_host: bool,
    /// What stands for the host.
    pub lab: LabHost,
    /// Why that cannot be made.
    pub obstacle: Option<Obstacle>,
}

impl Machine {
    /// Looks at the machine this process runs on. What cannot be read counts as absent.
    #[must_use]
    pub fn probe(trust_host: bool) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
        let mask = |name| field(name).and_then(|mask| u64::from_str_radix(mask, 16).ok()).map_or(CapSet::EMPTY, CapSet);
        let kernel_capabilities = caps::runtime::procfs_all_supported(None)
            .map(|all| CapSet(all.iter().fold(0, |set, capability| set | 1 << capability.index())))
            .unwrap_or(CapSet::EMPTY);
        let lab = LabHost::of_this_process().clone();
        Self {
            kernel: number("/proc/sys/kernel/osrelease").unwrap_or_default(),
            uid: nix::unistd::geteuid().as_raw(),
            kernel_capabilities,
            // The root of a new user namespace has every one, whoever made it (`set_cred_user_ns`).
            bounding: if lab.is_made() { kernel_capabilities } else { mask("CapBnd") },
            effective: mask("CapEff"),
            cgroups: Cgroups::OfThisMachine,
            // The limit is 0 where an administrator has switched them off.
            userns: Path::new("/proc/self/ns/user").exists()
                && number("/proc/sys/user/max_user_namespaces").is_none_or(|most| most != "0"),
            trust_host,
            obstacle: lab.is_made().then(lab::obstacle).flatten(),
            lab,
        }
    }

    /// The machine as it is to a case: another lab host stands for it where the case asks for one.
    #[must_use]
    pub fn for_case(&self, case: &Case) -> Cow<'_, Self> {
        if !case.host.apart || self.lab.is_made() {
            return Cow::Borrowed(self);
        }
        let lab = self.lab.apart();
        // A launcher in a user namespace makes no control groups.
        let cgroups = Cgroups::Told(self.cgroups.version(), Box::default());
        Cow::Owned(Self { bounding: self.kernel_capabilities, lab, cgroups, ..self.clone() })
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
