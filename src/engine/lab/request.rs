//! What every engine of the lab host asks for in the same words: steps, programs, the content of a root.

use caplab_init::wire::{IdMap, Join, Op, Process as WireProcess, Program as WireProgram, Step, StepKind};
use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespace, Process, Spec};

use crate::engine::{ContainerJob, EngineError, Job, Program, RootTree, StepJob, StepJobKind, namespace_owner};

/// Bytes kept of each stream of a step.
pub(in crate::engine) const OUTPUT_LIMIT: u32 = 1 << 20;

/// A step; `exec` makes the process of one that executes a program in the container of that index.
pub(in crate::engine) fn step(
    step: &StepJob,
    exec: impl FnOnce(usize, &Process, WireProgram) -> Result<WireProcess, EngineError>,
) -> Result<Step, EngineError> {
    let kind = match &step.kind {
        StepJobKind::Exec { container, process, program, .. } => {
            let program = match program {
                Program::Args => WireProgram::Command(process.args().clone().unwrap_or_default()),
                Program::Through(runtime, start) => WireProgram::Through {
                    runtime: runtime.clone(),
                    start: *start,
                    command: process.args().clone().unwrap_or_default(),
                },
                Program::Probe(probe) => WireProgram::Probe(probe.clone()),
                Program::Inspect => WireProgram::Inspect,
            };
            StepKind::Exec { container: index(*container)?, process: exec(*container, process, program)? }
        }
        StepJobKind::HostProcess { container } => StepKind::HostProcess { container: index(*container)? },
        StepJobKind::HostFile { path } => StepKind::HostFile { path: path.clone() },
    };
    Ok(Step { timeout_ms: u32::try_from(step.timeout.as_millis()).unwrap_or(u32::MAX), kind })
}

/// A container's number as the launcher takes it.
fn index(container: usize) -> Result<u16, EngineError> {
    u16::try_from(container).map_err(|_| EngineError("more containers than the engine can number".to_owned()))
}

/// A container's own process, and what it executes.
pub(in crate::engine) fn init(job: &ContainerJob) -> Result<(&Process, WireProgram), EngineError> {
    let process =
        job.spec.process().as_ref().ok_or_else(|| EngineError(format!("container {}: no process", job.name)))?;
    let command = || process.args().clone().unwrap_or_default();
    let program = match (job.init, job.pause) {
        (true, true) => WireProgram::Init(Vec::new()),
        (true, false) => WireProgram::Init(command()),
        (false, true) => WireProgram::Pause,
        (false, false) => WireProgram::Command(command()),
    };
    Ok((process, program))
}

/// The other containers whose namespaces one joins.
pub(in crate::engine) fn joins(job: &Job, linux: &Linux) -> Result<Vec<Join>, EngineError> {
    let listed = linux.namespaces().iter().flatten();
    let one = |namespace: &LinuxNamespace| {
        let path = namespace.path().as_ref()?;
        let owner = namespace_owner(path).and_then(|name| job.containers.iter().position(|one| one.name == name));
        let owner = owner.ok_or_else(|| {
            EngineError(format!("the {} namespace {}: it belongs to no container", namespace.typ(), path.display()))
        });
        Some(owner.and_then(index).map(|container| Join { container, namespaces: namespace.typ() as u64 }))
    };
    listed.filter_map(one).collect()
}

/// What a root holds, parents before children.
pub(in crate::engine) fn root(tree: &RootTree) -> impl Iterator<Item = Op> {
    let dirs = tree.dirs.iter().map(|(path, mode)| Op::Dir { path: path.clone(), mode: *mode });
    let replaced = |path: &str| tree.by_engine.iter().any(|(own, ..)| own == path);
    let files = tree.files.iter().filter(move |(path, ..)| !replaced(path)).chain(&tree.by_engine);
    let files =
        files.map(|(path, mode, content)| Op::File { path: path.clone(), mode: *mode, content: content.clone() });
    let links = tree.symlinks.iter().map(|(path, target)| Op::Symlink { path: path.clone(), target: target.clone() });
    let image = tree.image.as_ref().map(|image| Op::Image {
        id: image.id.clone(),
        without: tree.by_engine.iter().map(|(path, ..)| path.clone()).collect(),
    });
    image.into_iter().chain(dirs).chain(files).chain(links)
}

/// A map of ids.
pub(in crate::engine) fn id_map(lines: Option<&[LinuxIdMapping]>) -> Vec<IdMap> {
    lines
        .unwrap_or_default()
        .iter()
        .map(|line| IdMap { inside: line.container_id(), outside: line.host_id(), count: line.size() })
        .collect()
}

/// The names of a container's sysctls.
pub(in crate::engine) fn sysctls(spec: &Spec) -> Vec<String> {
    let set = spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref());
    let mut names: Vec<String> = set.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}
