//! errno(3) and signal(7) by name.

use std::{fmt, str::FromStr};

use nix::{errno::Errno as Raw, sys::signal::Signal as RawSignal};

/// An error number of the kernel, shown as its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

impl Errno {
    /// The kernel's own words, "Operation not permitted".
    #[must_use]
    pub fn description(self) -> &'static str {
        Raw::from_raw(self.0).desc()
    }

    /// Reads a name, `EPERM`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::known().find(|(known, _)| known == name).map(|(_, errno)| errno)
    }

    /// Every name, for a message about a misspelt one.
    pub fn known() -> impl Iterator<Item = (String, Self)> {
        (1..=133).filter_map(|number| {
            let raw = Raw::from_raw(number);
            (raw != Raw::UnknownErrno).then(|| (format!("{raw:?}"), Self(number)))
        })
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Raw::from_raw(self.0) {
            Raw::UnknownErrno => write!(f, "errno {}", self.0),
            raw => write!(f, "{raw:?}"),
        }
    }
}

/// A signal, shown as its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(pub i32);

impl Signal {
    /// Reads a name, `SIGSYS`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        RawSignal::from_str(name).ok().map(|signal| Self(signal as i32))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match RawSignal::try_from(self.0) {
            Ok(signal) => f.write_str(signal.as_str()),
            Err(_) => write!(f, "signal {}", self.0),
        }
    }
}
