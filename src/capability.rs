//! Capabilities as sets, with the names of capabilities(7).

use std::fmt;

/// Names in the order of their numbers, linux/capability.h of Linux 5.9 and later, without `CAP_`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// One capability, by its kernel number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(u8);

impl Capability {
    /// CAP_NET_ADMIN.
    pub const NET_ADMIN: Self = Self(12);
    /// CAP_SYS_ADMIN.
    pub const SYS_ADMIN: Self = Self(21);

    /// Reads a name as docker does: `NET_ADMIN`, `CAP_NET_ADMIN`, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        NAMES.iter().position(|known| *known == bare).map(|number| Self(number as u8))
    }

    /// The known name that is nearest to a misspelt one, for a message.
    #[must_use]
    pub fn nearest(name: &str) -> Option<&'static str> {
        crate::text::nearest(name.to_ascii_uppercase().trim_start_matches("CAP_"), NAMES)
    }

    /// Every capability this program knows, in the kernel's order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..NAMES.len() as u8).map(Self)
    }

    /// `NET_ADMIN`.
    #[must_use]
    pub fn short_name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAP_{}", self.short_name())
    }
}

/// A set of capabilities as the kernel keeps it: bit n is the capability of number n. Numbers that this
/// program has no name for are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CapSet(pub u64);

impl CapSet {
    /// No capability.
    pub const EMPTY: Self = Self(0);

    /// Every capability that this program knows.
    pub const KNOWN: Self = Self((1 << NAMES.len()) - 1);

    /// With one more.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability.0)
    }

    /// Without one.
    #[must_use]
    pub fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability.0))
    }

    /// Whether it is in the set.
    #[must_use]
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability.0) != 0
    }

    /// In either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// In both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In this one, not in the other.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Names in the kernel's order, `CAP_CHOWN`; a number without a name is `CAP_41`.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        (0..64u8)
            .filter(|number| self.0 & (1 << number) != 0)
            .map(|number| match NAMES.get(usize::from(number)) {
                Some(name) => format!("CAP_{name}"),
                None => format!("CAP_{number}"),
            })
            .collect()
    }
}

impl FromIterator<Capability> for CapSet {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// `CAP_CHOWN, CAP_KILL`, or `none`.
impl fmt::Display for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() { f.write_str("none") } else { f.write_str(&self.names().join(", ")) }
    }
}

/// The runtime-spec's list of names as a set.
impl<'a> FromIterator<&'a oci_spec::runtime::Capability> for CapSet {
    fn from_iter<I: IntoIterator<Item = &'a oci_spec::runtime::Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().filter_map(|capability| Capability::from_name(&capability.to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_runtime_spec_is_known() {
        for capability in Capability::all() {
            let spec: oci_spec::runtime::Capability = capability.short_name().parse().expect("a name of the spec");
            assert_eq!([&spec].into_iter().collect::<CapSet>(), CapSet::EMPTY.with(capability));
        }
    }

    #[test]
    fn a_misspelt_name_has_a_nearest_one() {
        assert_eq!(Capability::nearest("NET_ADMN"), Some("NET_ADMIN"));
        assert_eq!(Capability::nearest("cap_sysadmin"), Some("SYS_ADMIN"));
        assert_eq!(Capability::nearest("elephant_in_the_room"), None);
    }
}
