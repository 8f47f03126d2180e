//! runc and crun, driven as commands by the launcher: the same Spec, as a bundle.

use std::path::Path;

use caplab_init::wire::{
    Bundle, Case, Container, IdMap, Process as WireProcess, Program as WireProgram, Runtime,
    runtime::{self, CONTAINERS, FIXTURE, HELPER, HELPER_SOURCE, PLACE, SHARED_MEMORY, cgroups},
};
use oci_spec::runtime::{Mount, Process, Spec};

use super::{
    CONTAINER_ROOT, ContainerJob, ContainerState, Engine, EngineError, FIXTURE_ROOT, Facts, Job, OWN_ROOT, Observation,
    SHARED_MEMORY_ROOT,
    lab::{
        Lab, Maker,
        request::{self, OUTPUT_LIMIT, id_map},
    },
    native::for_id_map,
};
use crate::{host::controllers, observe::ProcessFacts};

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
        let options = [format!("--root={PLACE}/.state"), format!("--log={PLACE}/.log")];
        Ok(Self {
            name,
            runtime: Runtime {
                program: program.to_string_lossy().into_owned(),
                args: options.into(),
                hide_unified: name == "crun",
                gives_null_away: name == "crun",
            },
            lab: Lab::start(Maker::Runtime)?,
        })
    }
}

impl Engine for Oci {
    fn name(&self) -> &'static str {
        self.name
    }

    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError> {
        let runtime = &self.runtime;
        let mut seen = self.lab.observe(job, |guard, job| case(job, runtime, guard))?;
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
        disk: job.disk.as_ref().map(|(_, at)| at.clone()),
        sysctls: Vec::new(),
        shared_memory: job.shared_memory.clone(),
        containers: job.containers.iter().map(|one| container(job, one, guard)).collect::<Result<_, _>>()?,
        steps: job
            .steps
            .iter()
            .map(|step| request::step(step, |_, process, program| exec(process, program)))
            .collect::<Result<_, _>>()?,
        shared: job.shares_fixture(),
        runtime: Some(runtime.clone()),
        capture: false,
        output_limit: OUTPUT_LIMIT,
    })
}

fn container(whole: &Job, job: &ContainerJob, guard: u32) -> Result<Container, EngineError> {
    let mut spec = job.spec.clone();
    let (uid_map, gid_map) = maps(&spec);
    let (process, program) = request::init(job)?;
    spec.set_process(Some(with_args(process, &program)?));
    let mut mounts: Vec<Mount> =
        spec.mounts().iter().flatten().map(|mount| on_the_lab_host(mount, &job.name, &gid_map)).collect();
    let read_only = read_only_sources(&job.name, &mut mounts);
    mounts.push(bind_helper());
    spec.set_mounts(Some(mounts));
    let mut linux = spec.linux().clone().unwrap_or_default();
    linux.set_cgroups_path(Some(format!("{}/{}", cgroups(guard), job.name).into()));
    let joins = request::joins(whole, &linux)?;
    for namespace in linux.namespaces_mut().iter_mut().flatten() {
        let inside = namespace.path().as_ref().and_then(|path| path.strip_prefix(CONTAINER_ROOT).ok());
        if let Some(path) = inside.map(|inside| Path::new(CONTAINERS).join(inside)) {
            namespace.set_path(Some(path));
        }
    }
    spec.set_linux(Some(linux));
    let config = serde_json::to_vec(&spec).map_err(|error| EngineError(format!("config.json: {error}")))?;
    let first = |map: &[IdMap]| map.iter().find(|line| line.inside == 0).map_or(0, |line| line.outside);
    Ok(Container {
        name: job.name.clone(),
        namespaces: 0,
        engine: None,
        joins,
        devices: None,
        limits: Vec::new(),
        hierarchies: controllers().hierarchies(|_| true),
        sysctls: request::sysctls(&job.spec),
        setup: Vec::new(),
        init: WireProcess { ops: Vec::new(), program, env: Vec::new(), document: None },
        bundle: Some(Bundle {
            config,
            root: request::root(&job.root).collect(),
            owner: (first(&uid_map), first(&gid_map)),
            read_only,
        }),
        uid_map,
        gid_map,
    })
}

fn maps(spec: &Spec) -> (Vec<IdMap>, Vec<IdMap>) {
    let linux = spec.linux().clone().unwrap_or_default();
    (id_map(linux.uid_mappings().as_deref()), id_map(linux.gid_mappings().as_deref()))
}

/// The same mount as the lab host has its source.
fn on_the_lab_host(mount: &Mount, container: &str, gid_map: &[IdMap]) -> Mount {
    let mut mount = mount.clone();
    let source = mount.source().as_ref().map(|path| path.to_string_lossy().into_owned());
    let own = format!("{PLACE}/{container}/rootfs");
    for (root, place) in [(FIXTURE_ROOT, FIXTURE), (SHARED_MEMORY_ROOT, SHARED_MEMORY), (OWN_ROOT, &own)] {
        if let Some(inside) = source.as_deref().and_then(|source| source.strip_prefix(root)) {
            mount.set_source(Some(format!("{place}{inside}").into()));
        }
    }
    let kept = for_id_map(mount.options().as_deref().unwrap_or_default(), gid_map);
    mount.set_options(Some(kept));
    mount
}

/// What is bound read-only, which the launcher makes read-only before the runtime binds it.
fn read_only_sources(container: &str, mounts: &mut [Mount]) -> Vec<String> {
    let is_read_only = |mount: &&mut Mount| {
        let has = |word: &str| mount.options().iter().flatten().any(|option| option == word);
        has("ro") && (has("bind") || has("rbind"))
    };
    let mut sources = Vec::new();
    for mount in mounts.iter_mut().filter(is_read_only) {
        if let Some(source) = mount.source().clone() {
            mount.set_source(Some(runtime::read_only(container, sources.len()).into()));
            sources.push(source.to_string_lossy().into_owned());
        }
    }
    sources
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

/// The process as the runtime is to start it: the helper is a file of the container there.
fn with_args(process: &Process, program: &WireProgram) -> Result<Process, EngineError> {
    let args = program.args(HELPER).map_err(|malformed| EngineError(format!("the probe: {malformed}")))?;
    let mut own = process.clone();
    own.set_args(Some(args));
    Ok(own)
}

fn exec(process: &Process, program: WireProgram) -> Result<WireProcess, EngineError> {
    let document = serde_json::to_vec(&with_args(process, &program)?);
    let document = document.map_err(|error| EngineError(format!("process.json: {error}")))?;
    Ok(WireProcess { ops: Vec::new(), program, env: Vec::new(), document: Some(document) })
}
