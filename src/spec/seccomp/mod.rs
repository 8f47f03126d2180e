//! Seccomp profiles in docker's JSON format, and what one is for a container's capabilities: `linux.seccomp`.
//!
//! `docker.json` holds the rules of moby 20.10.24 (profiles/seccomp/default.json), `podman.json` those of containers-common
//! 0.50.1 (seccomp.json), as Debian 12 ships them; all three projects are under the Apache License 2.0. Rules for machines
//! other than x86 and arm are left out. `containerd.json` is RuntimeDefault of a pod: containerd has its profile in code, and this is what
//! containerd 1.6.20's CRI plugin wrote into config.json on x86-64, without a capability and with each alone.

use std::sync::OnceLock;

use crate::{
    capability::{CapSet, Capability},
    profile::{Filter, Profile, Rule, version_of},
};
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompBuilder, LinuxSyscall, LinuxSyscallBuilder};

/// A profile of an engine, parsed once.
#[derive(Debug)]
pub(crate) struct BuiltIn {
    text: &'static str,
    parsed: OnceLock<Option<Profile>>,
}

/// docker's.
pub(super) static DOCKER: BuiltIn = BuiltIn { text: include_str!("docker.json"), parsed: OnceLock::new() };
/// podman's.
pub(super) static PODMAN: BuiltIn = BuiltIn { text: include_str!("podman.json"), parsed: OnceLock::new() };
/// containerd's.
pub(super) static CONTAINERD: BuiltIn = BuiltIn { text: include_str!("containerd.json"), parsed: OnceLock::new() };

impl BuiltIn {
    /// As docker and podman read it from a file.
    pub(super) fn document(&self) -> &'static str {
        self.text
    }

    /// The rules that a container with this bounding set has on this kernel. `None` is impossible for a profile that the
    /// tests have read.
    pub(super) fn resolve(&self, bounding: CapSet, kernel: Option<(u32, u32)>) -> Option<LinuxSeccomp> {
        resolve(self.parsed.get_or_init(|| serde_json::from_str(self.text).ok()).as_ref()?, bounding, kernel)
    }
}

/// This machine as profiles' conditions name it (Go's GOARCH), and as the runtime-spec does.
const MACHINE: (&str, Arch) =
    if cfg!(target_arch = "aarch64") { ("arm64", Arch::ScmpArchAarch64) } else { ("amd64", Arch::ScmpArchX86_64) };

/// The rules of a profile that a container with this bounding set has on this kernel: moby, profiles/seccomp/seccomp_linux.go
/// `setupSeccomp`; containers-common has the same. `None` is impossible: nothing that the builders want is missing.
pub(super) fn resolve(profile: &Profile, bounding: CapSet, kernel: Option<(u32, u32)>) -> Option<LinuxSeccomp> {
    let mapped = profile.arch_map.iter().find(|map| map.architecture == MACHINE.1);
    let mapped = mapped.into_iter().flat_map(|map| [map.architecture].into_iter().chain(map.sub_architectures.clone()));
    let architectures: Vec<Arch> = profile.architectures.iter().copied().chain(mapped).collect();
    let rules = profile.syscalls.iter().filter(|rule| applies(rule, bounding, kernel)).map(in_spec);
    let mut spec = LinuxSeccompBuilder::default()
        .default_action(profile.default_action)
        .syscalls(rules.collect::<Option<Vec<_>>>()?)
        .build()
        .ok()?;
    spec.set_default_errno_ret(profile.default_errno_ret)
        // Where none is named a runtime takes the machine's own.
        .set_architectures((!architectures.is_empty()).then_some(architectures));
    Some(spec)
}

fn applies(rule: &Rule, bounding: CapSet, kernel: Option<(u32, u32)>) -> bool {
    let has = |name: &String| Capability::from_name(name).is_some_and(|one| bounding.contains(one));
    let here = |arch: &String| arch == MACHINE.0;
    let Filter { caps, arches, min_kernel } = &rule.includes;
    // The same conditions the other way round keep a rule out as soon as one of them holds.
    if rule.excludes.caps.iter().any(has) || rule.excludes.arches.iter().any(here) {
        return false;
    }
    (arches.is_empty() || arches.iter().any(here))
        && caps.iter().all(has)
        && min_kernel.as_deref().and_then(version_of).is_none_or(|least| kernel.is_some_and(|kernel| kernel >= least))
}

fn in_spec(rule: &Rule) -> Option<LinuxSyscall> {
    let names: Vec<String> = rule.calls().cloned().collect();
    let mut spec = LinuxSyscallBuilder::default().names(names).action(rule.action).build().ok()?;
    spec.set_errno_ret(rule.errno_ret).set_args((!rule.args.is_empty()).then(|| rule.args.clone()));
    Some(spec)
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::LinuxSeccompAction;

    use super::*;

    fn action(seccomp: &LinuxSeccomp, name: &str) -> Option<(LinuxSeccompAction, Option<u32>)> {
        let rules = seccomp.syscalls().as_ref()?;
        let rule = rules.iter().find(|rule| rule.args().is_none() && rule.names().iter().any(|known| known == name))?;
        Some((rule.action(), rule.errno_ret()))
    }

    #[test]
    fn the_profiles_are_read_and_follow_the_capabilities() {
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
        let containerd = |bounding| CONTAINERD.resolve(bounding, Some((6, 1))).expect("resolved");
        assert_eq!(action(&containerd(CapSet::EMPTY), "mount"), None);
        assert_eq!(action(&containerd(admin), "mount"), allowed);
        assert_eq!(action(&containerd(CapSet::EMPTY), "clone3"), Some((LinuxSeccompAction::ScmpActErrno, Some(38))));
        assert_eq!(action(&containerd(admin), "clone3"), allowed);
    }
}
