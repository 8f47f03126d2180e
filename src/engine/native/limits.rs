//! Limits of control groups, `linux.resources`, as groups and what is written into their files.

use caplab_init::wire::{Hierarchy, LimitGroup};
use oci_spec::runtime::LinuxResources;

use super::EngineError;
use crate::host::{Controller, HierarchyVersion as Version, controllers};

/// The groups that a container needs, one for each hierarchy in which it has a limit.
///
/// # Errors
/// Where this machine has no such controller.
pub(super) fn plan(resources: &LinuxResources) -> Result<Vec<LimitGroup>, EngineError> {
    let mut groups: Vec<LimitGroup> = Vec::new();
    if resources.pids().is_none() && resources.memory().is_none() && resources.cpu().is_none() {
        return Ok(groups);
    }
    let controllers = controllers();
    for controller in Controller::ALL {
        let home = controllers.home(controller);
        let version = home.map_or(Version::V2, |home| home.version);
        let Some(settings) = settings(resources, controller, version) else { continue };
        let home = home.ok_or_else(|| {
            EngineError(format!("no {} controller: {}", controller.name(), controllers.remedy(controller)))
        })?;
        let hierarchy = (version == Version::V1).then(|| home.mount.clone());
        let settings = settings.into_iter().map(|(file, value)| (file.to_owned(), value));
        match groups.iter_mut().find(|group| group.hierarchy == hierarchy) {
            Some(group) => {
                group.controllers.push(controller.name().to_owned());
                group.settings.extend(settings);
            }
            None => groups.push(LimitGroup {
                hierarchy,
                controllers: vec![controller.name().to_owned()],
                settings: settings.collect(),
            }),
        }
    }
    Ok(groups)
}

/// Where the limits of these groups are read.
pub(super) fn read(groups: &[LimitGroup]) -> Vec<Hierarchy> {
    if groups.is_empty() {
        return Vec::new();
    }
    let limited = |controller: &Controller| {
        groups.iter().flat_map(|group| &group.controllers).any(|name| name == controller.name())
    };
    controllers().hierarchies(limited)
}

/// What a controller's files get, in the order in which the kernel takes it; `None` where nothing is limited.
fn settings(
    resources: &LinuxResources,
    controller: Controller,
    version: Version,
) -> Option<Vec<(&'static str, String)>> {
    match controller {
        // 0 and less are no limit (runc, libcontainer/cgroups/fs/pids.go).
        Controller::Pids => {
            let limit = resources.pids().as_ref()?.limit();
            (limit > 0).then(|| vec![("pids.max", limit.to_string())])
        }
        Controller::Memory => {
            let memory = resources.memory().as_ref()?;
            let limit = memory.limit().filter(|limit| *limit > 0)?;
            let swap = memory.swap().filter(|swap| *swap >= limit);
            Some(match version {
                // Both together, which may not be less than memory alone.
                Version::V1 => [("memory.limit_in_bytes", Some(limit)), ("memory.memsw.limit_in_bytes", swap)],
                // Swap alone.
                Version::V2 => [("memory.max", Some(limit)), ("memory.swap.max", swap.map(|swap| swap - limit))],
            })
            .map(|files| files.into_iter().filter_map(|(file, value)| Some((file, value?.to_string()))).collect())
        }
        Controller::Cpu => {
            let cpu = resources.cpu().as_ref()?;
            let (quota, period) = (cpu.quota().filter(|quota| *quota > 0)?, cpu.period()?);
            Some(match version {
                Version::V1 => {
                    vec![("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.to_string())]
                }
                Version::V2 => vec![("cpu.max", format!("{quota} {period}"))],
            })
        }
    }
}
