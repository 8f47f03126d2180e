//! Who a process is, on a host and in the lab host.

use oci_spec::runtime::Process;

use crate::{
    capability::{CapSet, Capability},
    engine::ContainerJob,
    scenario::model::Rootfs,
};

/// Who a process is, as far as the kernel asks.
pub(super) struct Who {
    /// The sets that it could use, whatever of them it does.
    pub(super) capabilities: CapSet,
    /// The container has a user namespace of its own: what the kernel asks of the first one it refuses on a host too.
    pub(super) own_namespace: bool,
    /// On a host it would be uid 0, or in group 0, of the first user namespace.
    pub(super) is_roots: bool,
    /// uid 0 there.
    pub(super) is_root: bool,
    /// Paths of the machine's that are hidden from it, under /dev/null or an empty directory of the container's.
    pub(super) masked: Vec<String>,
    /// Its root has the machine's programs.
    pub(super) has_programs: bool,
}

impl Who {
    pub(super) fn of(process: &Process, container: &ContainerJob) -> Self {
        let linux = container.spec.linux().clone().unwrap_or_default();
        let maps = linux.uid_mappings().as_deref().unwrap_or_default();
        let own_namespace = !maps.is_empty();
        let has_root = !own_namespace || maps.iter().any(|line| line.host_id() == 0);
        let sets = process.capabilities().clone().unwrap_or_default();
        let mut all = vec![sets.effective(), sets.permitted(), sets.ambient(), sets.inheritable()];
        // execve(2) gives root what the bounding set has.
        all.extend((process.user().uid() == 0).then_some(sets.bounding()));
        let user = process.user();
        let ids = user.additional_gids().iter().flatten().copied().chain([user.uid(), user.gid()]).any(|id| id == 0);
        Self {
            capabilities: all.into_iter().flat_map(|set| set.iter().flatten()).collect(),
            own_namespace,
            is_roots: ids && has_root,
            is_root: user.uid() == 0 && has_root,
            masked: linux.masked_paths().clone().unwrap_or_default(),
            has_programs: container.asked.rootfs == Rootfs::Host,
        }
    }

    /// Whether a path is hidden from it.
    pub(super) fn is_hidden(&self, path: &str) -> bool {
        self.masked
            .iter()
            .any(|mask| path.strip_prefix(mask.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        let named = names.iter().filter_map(|name| Capability::from_name(name));
        !self.own_namespace && named.into_iter().any(|capability| self.capabilities.contains(capability))
    }
}
