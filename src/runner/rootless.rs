//! What the lab host of an ordinary user cannot show truthfully, each a row of docs/rootless.md under the same name.
//!
//! It is decided before anything runs, from what a case and its counterfactuals ask for. The rule behind most rows: where the
//! kernel asks for a capability in the *first* user namespace (`capable`), a process that has that capability is allowed on a
//! host and refused in the lab host. One that does not have it is refused in both, by the same check and with the same errno:
//! that is run.

mod attempts;
mod reasons;
#[cfg(test)]
mod tests;
mod who;

use std::time::Duration;

use caplab_init::wire::IdMap;
use oci_spec::runtime::{LinuxNamespaceType, LinuxResources, Mount, PosixRlimit, PosixRlimitType, Process};
use rustix::process::{Resource, getrlimit};

use crate::{
    counterfactual,
    engine::{CONTAINER_ROOT, ContainerJob, Job, Program, StepJobKind},
    host::{
        LabHost, Machine,
        lab::{LabRoot, has_range},
    },
    result::Skip,
    scenario::model::{Case, VolumeSource},
    spec,
};
use attempts::{of_command, of_probe};
use reasons::Beyond;
use who::Who;

/// Why a case or one of its counterfactuals is not for this lab host; `None` where all are.
pub(super) fn with_counterfactuals(case: &Case, machine: &Machine) -> Option<Skip> {
    let machine = &*machine.for_case(case);
    if machine.lab.initial {
        return None;
    }
    let mut all = [case.clone()].into_iter().chain(counterfactual::cases(case, machine));
    all.find_map(|case| beyond(&case, machine))
}

/// Why a case, as it stands, is not for this lab host; `None` where it is.
#[must_use]
pub fn beyond(case: &Case, machine: &Machine) -> Option<Skip> {
    let machine = &*machine.for_case(case);
    if machine.lab.initial {
        return None;
    }
    // What cannot be asked for is said by the run. An image that is not there yet says nothing of what is tried.
    let mut case = case.clone();
    for container in &mut case.containers {
        container.image.take_if(|image| image.made.is_none());
    }
    let job = spec::job(&case, machine, Duration::ZERO).ok()?;
    of_job(&job, &machine.lab).map(|found| skip(found, &machine.lab))
}

fn skip(found: Beyond, lab: &LabHost) -> Skip {
    let (name, why) = found.words();
    let of_ids = matches!(found, Beyond::Ids | Beyond::Groups);
    let remedy = match &lab.root {
        LabRoot::Single(lacking) if of_ids => lacking.remedy(),
        LabRoot::Mapped(_) if of_ids => {
            Some("more of them: usermod --add-subuids 200000-599999 --add-subgids 200000-599999 $USER".to_owned())
        }
        _ => None,
    };
    let lacking = match &lab.root {
        LabRoot::Single(lacking) if of_ids => format!(": {}", lacking.reason()),
        _ => String::new(),
    };
    let reason = match &lab.root {
        // Root asked, and has given the host a map of its own.
        LabRoot::Apart => {
            format!("needs a host without `userns: own`, which gives it a map of its own ({name}): {why}")
        }
        _ => format!("needs root ({name}): {why}{lacking}"),
    };
    Skip { reason, remedy }
}

fn of_job(job: &Job, lab: &LabHost) -> Option<Beyond> {
    let fixture = job.sees_fixture().then(|| {
        let has = |entry: &caplab_init::wire::FixtureEntry| has(&lab.uids, entry.uid) && has(&lab.gids, entry.gid);
        (!job.fixture.iter().all(has)).then_some(Beyond::Ids)
    });
    if job.disk.is_some() {
        return Some(Beyond::Disks);
    }
    let containers = || job.containers.iter().find_map(|container| of_container(container, lab));
    let steps = || {
        job.steps.iter().find_map(|step| match &step.kind {
            StepJobKind::Exec { container, process, program, .. } => {
                let within = job.containers.get(*container)?;
                of_process(process, within, lab).or_else(|| match program {
                    Program::Probe(probe) => of_probe(probe, &Who::of(process, within), lab),
                    Program::Args | Program::Through(..) => {
                        of_command(process.args().as_deref().unwrap_or_default(), &Who::of(process, within))
                    }
                    Program::Inspect => None,
                })
            }
            StepJobKind::HostProcess { .. } | StepJobKind::HostFile { .. } => None,
        })
    };
    fixture.flatten().or_else(containers).or_else(steps)
}

fn has(map: &[IdMap], id: u32) -> bool {
    has_range(map, id, 1)
}

fn of_container(container: &ContainerJob, lab: &LabHost) -> Option<Beyond> {
    let linux = container.spec.linux().clone().unwrap_or_default();
    let asked = |mappings: &Option<Vec<oci_spec::runtime::LinuxIdMapping>>, map: &[IdMap]| {
        mappings.iter().flatten().all(|line| has_range(map, line.host_id(), line.size()))
    };
    let own_maps = linux.uid_mappings().as_ref().is_some_and(|lines| !lines.is_empty());
    if !asked(linux.uid_mappings(), &lab.uids) || !asked(linux.gid_mappings(), &lab.gids) {
        return Some(Beyond::Ids);
    }
    if own_maps && !lab.set_groups {
        return Some(Beyond::Groups);
    }
    // Its own, or another container's, which is the lab host's too.
    let here = |path: &std::path::Path| path.starts_with(CONTAINER_ROOT);
    let own =
        |typ| linux.namespaces().iter().flatten().any(|one| one.typ() == typ && one.path().as_deref().is_none_or(here));
    let needed = [LinuxNamespaceType::Network, LinuxNamespaceType::Ipc, LinuxNamespaceType::Uts];
    if !needed.into_iter().all(own) {
        return Some(Beyond::HostNamespaces);
    }
    // All but the device list, which nobody here could make a device for.
    let mut resources = linux.resources().clone().unwrap_or_default();
    resources.set_devices(None);
    if resources != LinuxResources::default() {
        return Some(Beyond::ControlGroups);
    }
    if linux.devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
        return Some(Beyond::DeviceNodes);
    }
    if linux.sysctl().iter().flatten().any(|(name, _)| !name.starts_with("net.")) {
        return Some(Beyond::Sysctls);
    }
    let writable = |mount: &&Mount| !mount.options().iter().flatten().any(|word| word == "ro");
    let asks_sys =
        container.spec.mounts().iter().flatten().filter(writable).any(|mount| mount.typ().as_deref() == Some("sysfs"));
    if asks_sys && has_read_only_sys() {
        return Some(Beyond::WritableSys);
    }
    if container.asked.volumes.iter().any(|volume| matches!(volume.source, VolumeSource::RealHost(_))) {
        return Some(Beyond::RealFiles);
    }
    container.spec.process().as_ref().and_then(|process| of_process(process, container, lab))
}

/// Whether /sys is mounted read-only where this process is: a user namespace may not undo that (`mount_too_revealing`).
fn has_read_only_sys() -> bool {
    rustix::fs::statvfs("/sys").is_ok_and(|on| on.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// Ids, groups and limits of a process.
fn of_process(process: &Process, container: &ContainerJob, lab: &LabHost) -> Option<Beyond> {
    if !Who::of(process, container).own_namespace {
        let user = process.user();
        let groups = user.additional_gids().clone().unwrap_or_default();
        if !has(&lab.uids, user.uid()) || !has(&lab.gids, user.gid()) || !groups.iter().all(|gid| has(&lab.gids, *gid))
        {
            return Some(Beyond::Ids);
        }
        if !lab.set_groups && groups != inherited(lab) {
            return Some(Beyond::Groups);
        }
    }
    // The first namespace's root may have more processes than its limit (`copy_process`).
    let exempt = Who::of(process, container).is_root;
    let is_beyond = |limit: &PosixRlimit| is_higher(limit) || (exempt && limit.typ() == PosixRlimitType::RlimitNproc);
    process.rlimits().iter().flatten().any(is_beyond).then_some(Beyond::Limits)
}

/// The groups that a process has where none can be set.
fn inherited(lab: &LabHost) -> Vec<u32> {
    let own = nix::unistd::getgroups().unwrap_or_default();
    let inside = |gid: u32| lab.gids.iter().find(|line| gid == line.outside).map_or(65_534, |line| line.inside);
    own.into_iter().map(|gid| inside(gid.as_raw())).collect()
}

fn is_higher(limit: &PosixRlimit) -> bool {
    let resource = match limit.typ() {
        PosixRlimitType::RlimitCpu => Resource::Cpu,
        PosixRlimitType::RlimitFsize => Resource::Fsize,
        PosixRlimitType::RlimitData => Resource::Data,
        PosixRlimitType::RlimitStack => Resource::Stack,
        PosixRlimitType::RlimitCore => Resource::Core,
        PosixRlimitType::RlimitRss => Resource::Rss,
        PosixRlimitType::RlimitNproc => Resource::Nproc,
        PosixRlimitType::RlimitNofile => Resource::Nofile,
        PosixRlimitType::RlimitMemlock => Resource::Memlock,
        PosixRlimitType::RlimitAs => Resource::As,
        PosixRlimitType::RlimitLocks => Resource::Locks,
        PosixRlimitType::RlimitSigpending => Resource::Sigpending,
        PosixRlimitType::RlimitMsgqueue => Resource::Msgqueue,
        PosixRlimitType::RlimitNice => Resource::Nice,
        PosixRlimitType::RlimitRtprio => Resource::Rtprio,
        PosixRlimitType::RlimitRttime => Resource::Rttime,
    };
    getrlimit(resource).maximum.is_some_and(|most| limit.hard() > most)
}
