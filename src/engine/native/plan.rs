//! From OCI Specs to operations: the order of a setup is decided here and nowhere else.

mod mounts;
mod process;

pub(in crate::engine) use mounts::for_id_map;

use std::path::Path;

use caplab_init::wire::{Base, Case, Container, DeviceNode, IdMap, Instruction, LimitGroup, Op};
use oci_spec::runtime::{Linux, LinuxDevice, LinuxDeviceType, LinuxNamespaceType, Process, Spec};

use super::{devices, limits, seccomp};
use crate::{
    engine::{
        ContainerJob, EngineError, Job,
        lab::request::{self, OUTPUT_LIMIT, id_map},
    },
    host::LabHost,
};

/// The devices that a runtime gives every container, runtime-spec config-linux.md "Default Devices".
pub(in crate::engine) const DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// The links that a runtime gives every container, runtime-spec runtime-linux.md "Dev symbolic links".
const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// The whole case as the launcher of this lab host takes it.
///
/// # Errors
/// Where a Spec asks for something that this engine does not do.
pub(super) fn case(job: &Job, host: &LabHost) -> Result<Case, EngineError> {
    let filters = job.containers.iter().map(filter).collect::<Result<Vec<_>, _>>()?;
    let containers = job.containers.iter().zip(&filters);
    let containers = containers.map(|(one, filter)| container(job, one, filter.as_deref(), host));
    let exec = |container: usize, process: &Process, program| {
        Ok(process::plan(process, filters.get(container).and_then(Option::as_deref), program, host.set_groups))
    };
    Ok(Case {
        fixture: if job.sees_fixture() { job.fixture.clone() } else { Vec::new() },
        shared: job.shares_fixture(),
        shared_memory: job.shared_memory.clone(),
        disk: job.disk.as_ref().map(|(_, at)| at.clone()),
        sysctls: job.sysctls.clone(),
        containers: containers.collect::<Result<_, _>>()?,
        steps: job.steps.iter().map(|step| request::step(step, exec)).collect::<Result<_, _>>()?,
        runtime: None,
        capture: job.capture,
        output_limit: OUTPUT_LIMIT,
    })
}

/// The same for one that is held: whoever comes later may want to see the fixture host.
///
/// # Errors
/// As [`case`].
pub(super) fn held(job: &Job, host: &LabHost) -> Result<Case, EngineError> {
    Ok(Case { fixture: job.fixture.clone(), ..case(job, host)? })
}

/// A container's seccomp filter; `exec` puts every process under it too.
fn filter(job: &ContainerJob) -> Result<Option<Vec<Instruction>>, EngineError> {
    let seccomp = job.spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    seccomp.map(seccomp::compile).transpose()
}

fn container(
    whole: &Job,
    job: &ContainerJob,
    filter: Option<&[Instruction]>,
    host: &LabHost,
) -> Result<Container, EngineError> {
    let spec = &job.spec;
    let linux = spec.linux().clone().unwrap_or_default();
    let (process, program) = request::init(job)?;
    let limits = limits(&linux)?;
    let (uid_map, gid_map) = (id_map(linux.uid_mappings().as_deref()), id_map(linux.gid_mappings().as_deref()));
    let root = |map: &[IdMap]| map.first().map(|line| line.outside);
    let engine = job.asked.rootless.as_ref().and_then(|_| root(&uid_map).zip(root(&gid_map)));
    Ok(Container {
        name: job.name.clone(),
        namespaces: namespaces(&linux),
        joins: request::joins(whole, &linux)?,
        engine,
        uid_map,
        gid_map,
        // Nobody makes a device in a user namespace, and what would keep a list of them is root's to load.
        devices: if host.initial { devices(&linux)? } else { None },
        hierarchies: limits::read(&limits),
        sysctls: request::sysctls(spec),
        limits,
        setup: setup(job, spec, &linux, host)?,
        bundle: None,
        init: process::plan(process, filter, program, host.set_groups),
    })
}

/// The operations of a setup, in runc's order (rootfs_linux.go prepareRootfs, then standard_init_linux.go).
fn setup(job: &ContainerJob, spec: &Spec, linux: &Linux, host: &LabHost) -> Result<Vec<Op>, EngineError> {
    let own = id_map(linux.gid_mappings().as_deref());
    let is_hosts = own.is_empty();
    let maps = if is_hosts && !host.initial { host.gids.clone() } else { own };
    let mounts: Vec<Op> =
        spec.mounts().iter().flatten().map(|mount| mounts::plan(mount, &maps)).collect::<Result<_, _>>()?;
    let peers = mounts.iter().filter_map(|op| match op {
        Op::Bind { from: Base::Peer, source, .. } => Some(Op::Peer(source.clone())),
        _ => None,
    });
    let mut ops: Vec<Op> = peers.collect();
    ops.extend([Op::PrivateMounts, Op::Root]);
    ops.extend(request::root(&job.root));
    ops.extend(mounts);
    let bind = !is_hosts || !host.initial;
    if mounts::own_dev(spec) {
        ops.extend(DEVICES.map(|(path, major, minor)| Op::Device {
            node: DeviceNode { path: path.to_owned(), mode: 0o666, uid: 0, gid: 0, block: false, major, minor },
            bind,
        }));
        ops.extend(LINKS.map(|(path, target)| Op::Symlink { path: path.to_owned(), target: target.to_owned() }));
    }
    for device in linux.devices().iter().flatten() {
        ops.push(Op::Device { node: node(device)?, bind });
    }
    // A mount may hide the one that the image had (runc, rootfs_linux.go prepareRootfs; crun does the same).
    let dir = spec.process().as_ref().map(|process| process.cwd().to_string_lossy().into_owned());
    let hidden = |dir: &String| {
        let mut targets = spec.mounts().iter().flatten().map(|mount| mount.destination());
        dir != "/" && targets.any(|target| Path::new(dir).starts_with(target))
    };
    ops.extend(dir.filter(hidden).map(Op::WorkingDir));
    ops.push(Op::Pivot);
    ops.extend(spec.hostname().clone().map(Op::Hostname));
    if namespaces(linux) & LinuxNamespaceType::Network as u64 != 0 {
        ops.push(Op::LoopbackUp);
    }
    let mut sysctls: Vec<_> = linux.sysctl().iter().flatten().collect();
    sysctls.sort();
    // In the machine's own namespace the kernel would write the machine's, and runc refuses it too
    // (libcontainer/configs/validate/validator.go sysctl); in another container's it is that one's from then on.
    let has = |kind| linux.namespaces().iter().flatten().any(|one| one.typ() == kind);
    let machines = |name: &str| match name.starts_with("net.") {
        true => !has(LinuxNamespaceType::Network),
        false => !has(LinuxNamespaceType::Ipc),
    };
    if let Some((name, _)) = sysctls.iter().find(|(name, _)| machines(name)) {
        return Err(EngineError(format!(
            "sysctl {name}: the container has the machine's own namespace of it, and would change the machine: leave it away, or the namespace"
        )));
    }
    ops.extend(sysctls.into_iter().map(|(name, value)| Op::Sysctl { name: name.clone(), value: value.clone() }));
    // The paths before the root: over a path a mount is put, and the root's own flag does not reach it.
    ops.extend(linux.readonly_paths().iter().flatten().cloned().map(Op::ReadonlyPath));
    ops.extend(linux.masked_paths().iter().flatten().cloned().map(Op::MaskPath));
    ops.extend(spec.mounts().iter().flatten().filter_map(mounts::late));
    if spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false) {
        ops.push(Op::ReadonlyRoot);
    }
    Ok(ops)
}

fn node(device: &LinuxDevice) -> Result<DeviceNode, EngineError> {
    let path = device.path().to_string_lossy().into_owned();
    let number = |number: i64| {
        u32::try_from(number)
            .map_err(|_| EngineError(format!("device {path}: the number {number} is none of a device")))
    };
    Ok(DeviceNode {
        mode: device.file_mode().unwrap_or(0o666) & 0o777,
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
        block: device.typ() == LinuxDeviceType::B,
        major: number(device.major())?,
        minor: number(device.minor())?,
        path,
    })
}

fn devices(linux: &Linux) -> Result<Option<Vec<u64>>, EngineError> {
    let list = linux.resources().as_ref().and_then(|resources| resources.devices().as_ref());
    Ok(list.map(|list| devices::compile(list)).transpose()?.flatten())
}

fn limits(linux: &Linux) -> Result<Vec<LimitGroup>, EngineError> {
    linux.resources().as_ref().map_or(Ok(Vec::new()), limits::plan)
}

/// `CLONE_NEW*` flags of those that are the container's own.
fn namespaces(linux: &Linux) -> u64 {
    let own = linux.namespaces().iter().flatten().filter(|namespace| namespace.path().is_none());
    own.fold(0, |flags, namespace| flags | namespace.typ() as u64)
}
