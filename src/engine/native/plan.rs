//! From OCI Specs to operations: the order of a setup is decided here and nowhere else.

mod mounts;
mod process;

pub(in crate::engine) use mounts::for_id_map;

use caplab_init::wire::{Case, Container, DeviceNode, Instruction, Op};
use oci_spec::runtime::{Linux, LinuxNamespaceType, Process, Spec};

use super::{devices, seccomp};
use crate::engine::{
    ContainerJob, EngineError, FIXTURE_ROOT, Job, StepJobKind,
    lab::request::{self, OUTPUT_LIMIT, id_map},
};

/// The devices that a runtime gives every container, runtime-spec config-linux.md "Default Devices".
const DEVICES: [(&str, u32, u32); 6] = [
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

/// The whole case as the launcher takes it.
///
/// # Errors
/// Where a Spec asks for something that this engine does not do.
pub(super) fn case(job: &Job) -> Result<Case, EngineError> {
    let filters = job.containers.iter().map(filter).collect::<Result<Vec<_>, _>>()?;
    let containers = job.containers.iter().zip(&filters).map(|(job, filter)| container(job, filter.as_deref()));
    let exec = |container: usize, process: &Process, program| {
        Ok(process::plan(process, filters.get(container).and_then(Option::as_deref), program))
    };
    Ok(Case {
        fixture: if sees_fixture(job) { job.fixture.clone() } else { Vec::new() },
        containers: containers.collect::<Result<_, _>>()?,
        steps: job.steps.iter().map(|step| request::step(step, exec)).collect::<Result<_, _>>()?,
        runtime: None,
        output_limit: OUTPUT_LIMIT,
    })
}

/// Whether anything of a case could see the fixture host; where not, it need not be made.
fn sees_fixture(job: &Job) -> bool {
    let mounts = job.containers.iter().flat_map(|container| container.spec.mounts().iter().flatten());
    mounts.filter_map(|mount| mount.source().as_ref()).any(|source| source.starts_with(FIXTURE_ROOT))
        || job.steps.iter().any(|step| matches!(step.kind, StepJobKind::HostFile { .. }))
}

/// A container's seccomp filter; `exec` puts every process under it too.
fn filter(job: &ContainerJob) -> Result<Option<Vec<Instruction>>, EngineError> {
    let seccomp = job.spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    seccomp.map(seccomp::compile).transpose()
}

fn container(job: &ContainerJob, filter: Option<&[Instruction]>) -> Result<Container, EngineError> {
    let spec = &job.spec;
    let linux = spec.linux().clone().unwrap_or_default();
    let (process, program) = request::init(job)?;
    Ok(Container {
        name: job.name.clone(),
        namespaces: namespaces(&linux),
        uid_map: id_map(linux.uid_mappings().as_deref()),
        gid_map: id_map(linux.gid_mappings().as_deref()),
        devices: devices(&linux)?,
        setup: setup(job, spec, &linux)?,
        bundle: None,
        init: process::plan(process, filter, program),
    })
}

/// The operations of a setup, in runc's order (rootfs_linux.go prepareRootfs, then standard_init_linux.go).
fn setup(job: &ContainerJob, spec: &Spec, linux: &Linux) -> Result<Vec<Op>, EngineError> {
    let maps = id_map(linux.gid_mappings().as_deref());
    let mut ops = vec![Op::PrivateMounts, Op::Root];
    ops.extend(request::root(&job.root));
    for mount in spec.mounts().iter().flatten() {
        ops.push(mounts::plan(mount, &maps)?);
    }
    if mounts::own_dev(spec) {
        let bind = linux.uid_mappings().as_ref().is_some_and(|maps| !maps.is_empty());
        ops.extend(DEVICES.map(|(path, major, minor)| Op::Device {
            node: DeviceNode { path: path.to_owned(), mode: 0o666, major, minor },
            bind,
        }));
        ops.extend(LINKS.map(|(path, target)| Op::Symlink { path: path.to_owned(), target: target.to_owned() }));
    }
    ops.push(Op::Pivot);
    ops.extend(spec.hostname().clone().map(Op::Hostname));
    if namespaces(linux) & LinuxNamespaceType::Network as u64 != 0 {
        ops.push(Op::LoopbackUp);
    }
    let mut sysctls: Vec<_> = linux.sysctl().iter().flatten().collect();
    sysctls.sort();
    ops.extend(sysctls.into_iter().map(|(name, value)| Op::Sysctl { name: name.clone(), value: value.clone() }));
    // The paths before the root: over a path a mount is put, and the root's own flag does not reach it.
    ops.extend(linux.readonly_paths().iter().flatten().cloned().map(Op::ReadonlyPath));
    ops.extend(linux.masked_paths().iter().flatten().cloned().map(Op::MaskPath));
    if spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false) {
        ops.push(Op::ReadonlyRoot);
    }
    Ok(ops)
}

fn devices(linux: &Linux) -> Result<Option<Vec<u64>>, EngineError> {
    let list = linux.resources().as_ref().and_then(|resources| resources.devices().as_ref());
    Ok(list.map(|list| devices::compile(list)).transpose()?.flatten())
}

fn namespaces(linux: &Linux) -> u64 {
    linux.namespaces().iter().flatten().fold(0, |flags, namespace| flags | namespace.typ() as u64)
}
