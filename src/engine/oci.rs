//! runc and crun, driven as commands by the launcher: the same Spec, as a bundle.

use caplab_init::wire::{
    Bundle, Case, Container, Op, Process as WireProcess, Program as WireProgram, Runtime, Step, StepKind,
    runtime::{FIXTURE, HELPER, HELPER_SOURCE, PLACE, cgroups},
};
use oci_spec::runtime::{Mount, Process, Spec};

use super::{
    ContainerJob, ContainerState, Engine, EngineError, FIXTURE_ROOT, Facts, Job, Observation, Program, StepJob,
    StepJobKind, lab::Lab, native::for_id_map,
};
use crate::observe::ProcessFacts;

/// A runtime that is installed.
#[derive(Debug)]
pub struct Oci {
    name: &'static str,
    runtime: Runtime,
    lab: Lab,
}

impl Oci {
    /// Starts a lab host for `runc` or `crun`, which is the program at this path.
    ///
    /// # Errors
    /// Where the helper cannot be started.
    pub fn start(name: &'static str, program: &std::path::Path) -> Result<Self, EngineError> {
        let options = [format!("--root={PLACE}/state"), format!("--log={PLACE}/log")];
        Ok(Self {
            name,
            runtime: Runtime {
                program: program.to_string_lossy().into_owned(),
                args: options.into(),
                hide_unified: name == "crun",
            },
            lab: Lab::start()?,
        })
    }
}

impl Engine for Oci {
    fn name(&self) -> &'static str {
        self.name
    }

    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError> {
        let runtime = &self.runtime;
        let mut seen = self.lab.observe(job, |guard| case(job, runtime, guard))?;
        for state in &mut seen.containers {
            if let ContainerState::Running(facts) = state {
                without_helper(facts);
            }
        }
        for step in &mut seen.steps {
            match &mut step.facts {
                Some(Facts::Process(facts)) => without_helper(facts),
                Some(Facts::HostProcess(all)) => all.iter_mut().for_each(without_helper),
                _ => {}
            }
        }
        Ok(seen)
    }
}

/// The helper's mount is the engine's, not the container's.
fn without_helper(facts: &mut ProcessFacts) {
    facts.mounts.retain(|mount| mount.target != HELPER);
}

fn case(job: &Job, runtime: &Runtime, guard: u32) -> Result<Case, EngineError> {
    Ok(Case {
        fixture: job.fixture.clone(),
        containers: job.containers.iter().map(|one| container(one, guard)).collect::<Result<_, _>>()?,
        steps: job.steps.iter().map(step).collect::<Result<_, _>>()?,
        runtime: Some(runtime.clone()),
        output_limit: super::OUTPUT_LIMIT,
    })
}

fn container(job: &ContainerJob, guard: u32) -> Result<Container, EngineError> {
    let mut spec = job.spec.clone();
    let (uid_map, gid_map) = maps(&spec);
    let process = spec.process().clone().unwrap_or_default();
    let args = if job.pause { helper(&["pause"]) } else { process.args().clone().unwrap_or_default() };
    let mut own = process.clone();
    own.set_args(Some(args.clone()));
    spec.set_process(Some(own));
    let mut mounts: Vec<Mount> = spec.mounts().iter().flatten().map(|mount| on_the_lab_host(mount, &gid_map)).collect();
    mounts.push(bind_helper());
    spec.set_mounts(Some(mounts));
    let mut linux = spec.linux().clone().unwrap_or_default();
    linux.set_cgroups_path(Some(format!("{}/{}", cgroups(guard), job.name).into()));
    spec.set_linux(Some(linux));
    let config = serde_json::to_vec(&spec).map_err(|error| EngineError(format!("config.json: {error}")))?;
    let first =
        |map: &[caplab_init::wire::IdMap]| map.iter().find(|line| line.inside == 0).map_or(0, |line| line.outside);
    Ok(Container {
        name: job.name.clone(),
        namespaces: 0,
        devices: None,
        setup: Vec::new(),
        init: WireProcess {
            ops: Vec::new(),
            program: if job.pause { WireProgram::Pause } else { WireProgram::Command(args) },
            env: Vec::new(),
            document: None,
        },
        bundle: Some(Bundle { config, root: tree(job), owner: (first(&uid_map), first(&gid_map)) }),
        uid_map,
        gid_map,
    })
}

fn maps(spec: &Spec) -> (Vec<caplab_init::wire::IdMap>, Vec<caplab_init::wire::IdMap>) {
    let linux = spec.linux().clone().unwrap_or_default();
    (super::native::id_map(linux.uid_mappings().as_deref()), super::native::id_map(linux.gid_mappings().as_deref()))
}

fn tree(job: &ContainerJob) -> Vec<Op> {
    let dirs = job.root.dirs.iter().map(|(path, mode)| Op::Dir { path: path.clone(), mode: *mode });
    let files = job.root.files.iter().map(|(path, mode, content)| Op::File {
        path: path.clone(),
        mode: *mode,
        content: content.clone(),
    });
    let links =
        job.root.symlinks.iter().map(|(path, target)| Op::Symlink { path: path.clone(), target: target.clone() });
    dirs.chain(files).chain(links).collect()
}

/// The same mount as the lab host has its source.
fn on_the_lab_host(mount: &Mount, gid_map: &[caplab_init::wire::IdMap]) -> Mount {
    let mut mount = mount.clone();
    let source = mount.source().as_ref().map(|path| path.to_string_lossy().into_owned());
    if let Some(inside) = source.as_deref().and_then(|source| source.strip_prefix(FIXTURE_ROOT)) {
        mount.set_source(Some(format!("{FIXTURE}{inside}").into()));
    }
    let kept = for_id_map(mount.options().as_deref().unwrap_or_default(), gid_map);
    mount.set_options(Some(kept));
    mount
}

fn bind_helper() -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(HELPER.into())
        .set_typ(Some("bind".to_owned()))
        .set_source(Some(HELPER_SOURCE.into()))
        .set_options(Some(["bind", "ro"].map(str::to_owned).into()));
    mount
}

fn helper(args: &[&str]) -> Vec<String> {
    [HELPER].iter().chain(args).map(|text| (*text).to_owned()).collect()
}

fn step(step: &StepJob) -> Result<Step, EngineError> {
    let kind = match &step.kind {
        StepJobKind::Exec { container, process, program } => {
            StepKind::Exec { container: super::index(*container)?, process: exec(process, program)? }
        }
        StepJobKind::HostProcess { container } => StepKind::HostProcess { container: super::index(*container)? },
        StepJobKind::HostFile { path } => StepKind::HostFile { path: path.clone() },
    };
    Ok(Step { timeout_ms: u32::try_from(step.timeout.as_millis()).unwrap_or(u32::MAX), kind })
}

fn exec(process: &Process, program: &Program) -> Result<WireProcess, EngineError> {
    let (args, program) = match program {
        Program::Args => {
            let args = process.args().clone().unwrap_or_default();
            (args.clone(), WireProgram::Command(args))
        }
        Program::Probe(probe) => {
            let bytes = postcard::to_allocvec(probe).map_err(|error| EngineError(format!("the probe: {error}")))?;
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            (helper(&["probe", &hex]), WireProgram::Probe(probe.clone()))
        }
        Program::Inspect => (helper(&["inspect"]), WireProgram::Inspect),
    };
    let mut own = process.clone();
    own.set_args(Some(args));
    let document = serde_json::to_vec(&own).map_err(|error| EngineError(format!("process.json: {error}")))?;
    Ok(WireProcess { ops: Vec::new(), program, env: Vec::new(), document: Some(document) })
}
