//! Seccomp profiles in docker's JSON format, and what one is for a container's capabilities: `linux.seccomp`.
//!
//! `docker.json` holds the rules of moby 20.10.24 (profiles/seccomp/default.json), `podman.json` those of containers-common
//! 0.50.1 (seccomp.json), as Debian 12 ships them; both projects are under the Apache License 2.0. Rules for machines
//! other than x86 and arm are left out.

use std::sync::OnceLock;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompBuilder, LinuxSyscall, LinuxSyscallBuilder,
};
use serde::Deserialize;

use crate::capability::{CapSet, Capability};

/// A profile of an engine, parsed once.
#[derive(Debug)]
pub(super) struct BuiltIn {
    text: &'static str,
    parsed: OnceLock<Option<Profile>>,
}

/// docker's.
pub(super) static DOCKER: BuiltIn = BuiltIn { text: include_str!("docker.json"), parsed: OnceLock::new() };
/// podman's.
pub(super) static PODMAN: BuiltIn = BuiltIn { text: include_str!("podman.json"), parsed: OnceLock::new() };

impl BuiltIn {
    /// The rules that a container with this bounding set has on this kernel. `None` is impossible for a profile that the
    /// tests have read.
    pub(super) fn resolve(&self, bounding: CapSet, kernel: Option<(u32, u32)>) -> Option<LinuxSeccomp> {
        self.parsed.get_or_init(|| serde_json::from_str(self.text).ok()).as_ref()?.resolve(bounding, kernel)
    }
}

/// moby, profiles/seccomp/seccomp.go `Seccomp`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    default_action: LinuxSeccompAction,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    arch_map: Vec<Architectures>,
    syscalls: Vec<Rule>,
}

/// A machine and what else it can execute.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Architectures {
    architecture: Arch,
    sub_architectures: Vec<Arch>,
}

/// One rule: what is done about these calls, under these conditions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    names: Vec<String>,
    action: LinuxSeccompAction,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Vec<LinuxSeccompArg>,
    #[serde(default)]
    includes: Filter,
    #[serde(default)]
    excludes: Filter,
}

/// When a rule is, or is not, one of the container's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    #[serde(default)]
    min_kernel: Option<String>,
}

/// This machine as profiles' conditions name it (Go's GOARCH), and as the runtime-spec does.
const MACHINE: (&str, Arch) =
    if cfg!(target_arch = "aarch64") { ("arm64", Arch::ScmpArchAarch64) } else { ("amd64", Arch::ScmpArchX86_64) };

impl Profile {
    /// moby, profiles/seccomp/seccomp_linux.go `setupSeccomp`; containers-common has the same.
    fn resolve(&self, bounding: CapSet, kernel: Option<(u32, u32)>) -> Option<LinuxSeccomp> {
        let mapped = self.arch_map.iter().find(|map| map.architecture == MACHINE.1)?;
        let architectures = [mapped.architecture].into_iter().chain(mapped.sub_architectures.iter().copied());
        let rules = self.syscalls.iter().filter(|rule| rule.applies(bounding, kernel)).map(Rule::in_spec);
        let mut spec = LinuxSeccompBuilder::default()
            .default_action(self.default_action)
            .architectures(architectures.collect::<Vec<_>>())
            .syscalls(rules.collect::<Option<Vec<_>>>()?)
            .build()
            .ok()?;
        spec.set_default_errno_ret(self.default_errno_ret);
        Some(spec)
    }
}

impl Rule {
    fn applies(&self, bounding: CapSet, kernel: Option<(u32, u32)>) -> bool {
        let has = |name: &String| Capability::from_name(name).is_some_and(|one| bounding.contains(one));
        let here = |arch: &String| arch == MACHINE.0;
        let Filter { caps, arches, min_kernel } = &self.includes;
        // The same conditions the other way round keep a rule out as soon as one of them holds.
        if self.excludes.caps.iter().any(has) || self.excludes.arches.iter().any(here) {
            return false;
        }
        (arches.is_empty() || arches.iter().any(here))
            && caps.iter().all(has)
            && min_kernel.as_deref().and_then(version).is_none_or(|least| kernel.is_some_and(|kernel| kernel >= least))
    }

    fn in_spec(&self) -> Option<LinuxSyscall> {
        let mut rule = LinuxSyscallBuilder::default().names(self.names.clone()).action(self.action).build().ok()?;
        rule.set_errno_ret(self.errno_ret).set_args((!self.args.is_empty()).then(|| self.args.clone()));
        Some(rule)
    }
}

/// `4.8`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(seccomp: &LinuxSeccomp, name: &str) -> Option<(LinuxSeccompAction, Option<u32>)> {
        let rules = seccomp.syscalls().as_ref()?;
        let rule = rules.iter().find(|rule| rule.args().is_none() && rule.names().iter().any(|known| known == name))?;
        Some((rule.action(), rule.errno_ret()))
    }

    #[test]
    fn both_profiles_are_read_and_follow_the_capabilities() {
        let admin = CapSet::EMPTY.with(Capability::SYS_ADMIN);
        let allowed = Some((LinuxSeccompAction::ScmpActAllow, None));
        let docker = |bounding| DOCKER.resolve(bounding, Some((6, 1))).expect("resolved");
        assert_eq!(action(&docker(CapSet::EMPTY), "mount"), None);
        assert_eq!(action(&docker(admin), "mount"), allowed);
        assert_eq!(action(&docker(CapSet::EMPTY), "clone3"), Some((LinuxSeccompAction::ScmpActErrno, Some(38))));
        assert_eq!(action(&docker(CapSet::EMPTY), "ptrace"), allowed);
        assert_eq!(action(&DOCKER.resolve(CapSet::EMPTY, Some((4, 7))).expect("resolved"), "ptrace"), None);
        let podman = |bounding| PODMAN.resolve(bounding, Some((6, 1))).expect("resolved");
        assert_eq!(podman(CapSet::EMPTY).default_errno_ret(), Some(38));
        assert_eq!(action(&podman(CapSet::EMPTY), "bpf"), Some((LinuxSeccompAction::ScmpActErrno, Some(1))));
        assert_eq!(action(&podman(admin), "bpf"), allowed);
    }
}
