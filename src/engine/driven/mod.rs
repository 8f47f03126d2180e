//! docker and podman, driven by their own command lines. They run on the real machine, not in the lab host: their containers, a
//! folder with the fixture host and the images of roots are there for the time of a run, labelled as caplab's.

mod build;
mod client;
mod command_line;
mod driver;
mod expressible;
mod hung;
mod image;
mod init;
mod place;
mod process;
pub(super) mod rootless;
mod stock;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use caplab_init::wire::{
    Case as WireCase, CaseReport, Container as WireContainer, ContainerReport, ExecReport, Exit, Phase, Probe,
    Process as WireProcess, ProcessText, Program as WireProgram, Refusal, StepReport,
    runtime::{HELPER, KILLED, NOT_EXECUTED},
};

use oci_spec::runtime::Spec;

pub(super) use self::driver::{DOCKER, PODMAN};
use self::{
    client::{Client, PATIENCE, last_line},
    command_line::{Dialect, Files},
    place::Place,
    process::Init,
};
use super::{
    ContainerJob, Engine, EngineError, Job, OF_A_PROFILE, Observation, Program, StepJob, StepJobKind,
    lab::{
        answer,
        request::{self, OUTPUT_LIMIT},
    },
};
use crate::{
    image::Config,
    scenario::{
        image::Origin,
        model::{Preset, User},
    },
};

/// All streams of a case together keep at most this many bytes.
const CASE_OUTPUT: usize = 64 << 20;
/// What an engine says where it is the config that cannot be had: the runtime refused it, or podman did before it asked.
const REFUSALS: [&str; 9] = [
    "OCI runtime",
    "runc create failed",
    "crun: ",
    "container uses ID mappings",
    // What was made of it died before it could be started, of its own seccomp profile for one: docker's words, and podman's.
    "cannot start a stopped process",
    "runc start ",
    "crun start ",
    // A working directory that is a file: docker's words, and podman's.
    "Cannot mkdir: ",
    "but is not a directory",
];
/// How long a pid 1 that is ending may take until it has ended.
const LAST_BREATH: Duration = Duration::from_millis(300);

/// docker or podman on this machine.
#[derive(Debug)]
pub(super) struct Driven {
    dialect: Dialect,
    client: Client,
    place: Place,
    /// What this one has built: its images last as long as it.
    built: HashMap<Arc<Origin>, String>,
}

/// A container that runs.
struct Running {
    name: String,
    init: Init,
    /// Where its own config has a mount or a cover, in the place of an engine's own too.
    asked: HashSet<PathBuf>,
}

impl Engine for Driven {
    fn name(&self) -> &'static str {
        self.client.name
    }

    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError> {
        if self.client.hung.get() {
            self.client.must_be_there()?;
        }
        let taken = self.take(job);
        let is_made = |state: &ContainerReport| matches!(state, ContainerReport::Running(_));
        self.remove(job, taken.as_ref().is_ok_and(|report| report.containers.iter().all(is_made)));
        answer::observation(job, &wire(job), taken?)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if self.place.dirty || self.built.is_empty() {
            return;
        }
        let images = self.built.values().map(String::as_str);
        let call: Vec<&str> = ["rmi", "--force"].into_iter().chain(images).collect();
        // The guard tries again.
        self.place.dirty = self.client.must(&call).is_err();
    }
}

impl Driven {
    fn take(&mut self, job: &Job) -> Result<CaseReport, EngineError> {
        if job.sees_fixture() {
            self.place.make_fixture(&job.fixture)?;
        }
        let mut report = CaseReport::default();
        let mut running = Vec::new();
        for container in &job.containers {
            match self.run(container)? {
                Ok(made) => {
                    let names = request::sysctls(&container.spec);
                    let text = process::read_init(made.init.pid, &names);
                    report.containers.push(ContainerReport::Running(Box::new(without_own(text, &made.asked))));
                    running.push(Some(made));
                }
                Err(refused) => {
                    report.containers.push(ContainerReport::Refused(refused));
                    running.push(None);
                }
            }
        }
        let mut room = CASE_OUTPUT;
        while let Some(step) = job.steps.get(report.steps.len()) {
            let together = self.probes(&job.steps[report.steps.len()..], &running)?;
            if !together.is_empty() {
                report.steps.extend(together.into_iter().map(StepReport::Exec));
                continue;
            }
            let limit = (OUTPUT_LIMIT as usize).min(room / 2);
            let taken = self.step(step, &running, limit)?;
            if let StepReport::Exec(ExecReport { stdout, stderr, .. }) = &taken {
                room -= stdout.len() + stderr.len();
            }
            report.steps.push(taken);
        }
        Ok(report)
    }

    /// Removes what a case made, whatever came of it.
    fn remove(&mut self, job: &Job, all_made: bool) {
        if self.client.hung.get() {
            // The guard tries, and the next run.
            self.place.dirty = true;
            return;
        }
        let remove = |names: &[String]| {
            let flags = ["rm", "--force", "--volumes"].iter().chain(self.dialect.hurry());
            let arguments: Vec<String> = flags.map(|flag| (*flag).to_owned()).chain(names.iter().cloned()).collect();
            self.client.call(&arguments, &[], PATIENCE, 4096).is_ok_and(|report| report.exit == Exit::Code(0))
        };
        let names: Vec<String> = job.containers.iter().map(|container| self.place.name(&container.name)).collect();
        // Where one of the names is nobody's podman 4.3 removes none, and says that all went well.
        let at_once = if all_made { names.len() } else { 1 };
        let failed = names.chunks(at_once).filter(|names| !remove(names)).count();
        // A container that was never made is not there to be removed: what counts is that none is left.
        if failed > 0 {
            let label = format!("label={}", self.place.label());
            let left = self.client.must(&["ps", "--all", "--quiet", "--filter", &label]);
            // The guard tries again.
            self.place.dirty |= !left.is_ok_and(|names| names.is_empty());
        }
        self.place.remove_fixture();
    }

    /// Makes a container. The outer error is the engine's, the inner one what was asked for could not be.
    fn run(&mut self, job: &ContainerJob) -> Result<Result<Running, Refusal>, EngineError> {
        let (image, said) = self.image(job)?;
        let name = self.place.name(&job.name);
        let mut arguments = vec!["run".to_owned(), "--detach".to_owned(), format!("--name={name}")];
        arguments.extend([format!("--label={}", self.place.label()), "--pull=never".to_owned()]);
        let foreign = self.dialect == Dialect::Podman && job.asked.preset == Preset::Docker;
        let own_profile = (foreign || job.asked.seccomp_profile.is_some()) && !job.asked.privileged;
        let seccomp = match job.seccomp_profile.as_ref().filter(|_| own_profile) {
            Some(text) => Some(self.write("seccomp.json", text)?),
            None => None,
        };
        let mut environment = Vec::new();
        if foreign && let Some(text) = command_line::containers_conf(&job.spec, &added(job)) {
            environment.push(("CONTAINERS_CONF", self.write("containers.conf", &text)?.display().to_string()));
        }
        let (fixture, helper) = (self.place.fixture(), self.place.dir().join("helper"));
        let named = |container: &str| self.place.name(container);
        let init = job.init.then(|| init::find(self.dialect, &self.client)).flatten();
        let files = Files { fixture: &fixture, helper: &helper, seccomp: seccomp.as_deref(), init, name: &named };
        arguments.extend(command_line::create(self.dialect, job, &files, &said));
        let program = match request::init(job)?.1 {
            // That is the engine's own.
            WireProgram::Init(command) if command.is_empty() => WireProgram::Pause,
            WireProgram::Init(command) => WireProgram::Command(command),
            program => program,
        };
        let (entrypoint, words) = command_line::executed(args(&program)?, &said);
        arguments.extend(entrypoint);
        arguments.push(image);
        arguments.extend(words);
        let mut hung = None;
        let report = self.client.call_or(&arguments, &environment, PATIENCE, 64 << 10, || {
            hung = self.end_hung(job);
            hung.is_some()
        })?;
        if let Some(error) = hung {
            return Err(error);
        }
        if report.exit != Exit::Code(0) {
            let detail = last_line(&report.stderr);
            // Anything else is the engine's own trouble: no container is refused by a full disk.
            if !REFUSALS.iter().any(|words| detail.contains(words)) {
                return Err(self.client.failed(&arguments, &report));
            }
            return Ok(Err(self.refusal("run", detail)));
        }
        let pid = self.client.must(&["inspect", "--format", "{{.State.Pid}}", &name])?;
        let pid = pid.parse().map_err(|_| EngineError(format!("{} inspect: no pid but {pid:?}", self.client.name)))?;
        match Init::find(pid) {
            Ok(init) => Ok(Ok(Running { name, init, asked: asked(&job.spec) })),
            Err(error) => match self.never_ran(&name)? {
                Some(detail) => Ok(Err(self.refusal("run", detail))),
                None => {
                    Err(EngineError(format!("container {} had ended before it could be looked at: {error}", job.name)))
                }
            },
        }
    }

    /// Ends a runtime that hangs while it makes a container: what is said of it. `None` where the engine itself does.
    fn end_hung(&self, job: &ContainerJob) -> Option<EngineError> {
        let own = self.place.folder();
        let (mut runtime, engine) = (None, self.client.name);
        for hung in hung::creating(|folder| folder == own) {
            runtime = Some(hung.program.clone());
            hung.end();
        }
        let remedy = match job.asked.seccomp_profile {
            Some(_) => format!("; {}", OF_A_PROFILE),
            None => String::new(),
        };
        runtime.map(|runtime| {
            EngineError(format!(
                "{engine} run: {runtime} create did not end within {} s, so that caplab has ended it: it is the runtime \
                 that hangs in container {}, not {engine}{remedy}",
                PATIENCE.as_secs(),
                job.name
            ))
        })
    }

    /// Why a container has ended that was never its program: what its runtime wrote where that would have, or a kill by its profile.
    fn never_ran(&self, name: &str) -> Result<Option<String>, EngineError> {
        let logs = self.client.call(&["logs".to_owned(), name.to_owned()], &[], PATIENCE, 64 << 10)?;
        let said = [&logs.stderr, &logs.stdout].map(|stream| last_line(stream));
        if let Some(line) = said.into_iter().find(|line| line.starts_with(NOT_EXECUTED)) {
            return Ok(Some(line));
        }
        // 128 and SIGSYS, as a shell says it.
        let status = self.client.must(&["inspect", "--format", "{{.State.ExitCode}}", name])?;
        Ok((status == "159").then(|| KILLED.to_owned()))
    }

    /// What a container is made of, and what that says of itself: what the engine has built of a Dockerfile, else an import of files.
    fn image(&mut self, job: &ContainerJob) -> Result<(String, Config), EngineError> {
        let built = job.asked.image.as_ref().and_then(|from| Some((from, from.build()?, from.made.as_ref()?)));
        let Some((from, build, made)) = built else {
            let root = init::visible(self.dialect, job);
            let name = image::ensure(&self.client, root.as_ref().unwrap_or(&job.root), self.place.dir())?;
            return Ok((name, Config::default()));
        };
        let name = match self.built.get(&from.origin) {
            Some(name) => name.clone(),
            None => {
                let name = build::build(&self.client, self.dialect, &self.place, build, self.built.len())?;
                self.built.insert(Arc::clone(&from.origin), name.clone());
                name
            }
        };
        Ok((name, made.config.clone()))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, EngineError> {
        let path = self.place.dir().join(name);
        fs::write(&path, text).map_err(|error| EngineError(format!("{}: {error}", path.display())))?;
        Ok(path)
    }

    fn refusal(&self, verb: &str, detail: String) -> Refusal {
        Refusal { phase: Phase::Runtime, call: format!("{} {verb}", self.client.name), errno: 0, detail }
    }

    fn step(&self, step: &StepJob, running: &[Option<Running>], limit: usize) -> Result<StepReport, EngineError> {
        let find =
            |container: usize| running.get(container).and_then(Option::as_ref).filter(|made| made.init.is_alive());
        let not_running = |container: usize| StepReport::NotRunning { container: container as u16 };
        Ok(match &step.kind {
            StepJobKind::Exec { container, process, as_user, program } => {
                let Some(made) = find(*container) else {
                    return Ok(not_running(*container));
                };
                let mut arguments = command_line::exec(as_user.as_ref());
                arguments.push(made.name.clone());
                arguments.extend(args(&match program {
                    // One through a runtime of the fixture host is another engine's (`Kind::inexpressible`).
                    Program::Args | Program::Through(..) => {
                        WireProgram::Command(process.args().clone().unwrap_or_default())
                    }
                    Program::Probe(probe) => WireProgram::Probe(probe.clone()),
                    Program::Inspect => WireProgram::Inspect,
                })?);
                let report = self.client.call(&arguments, &[], step.timeout, limit)?;
                if report.exit == Exit::TimedOut {
                    self.client.must_be_there()?;
                }
                match self.complaint(&report) {
                    _ if made.init.ends_within(if report.exit == Exit::Code(0) {
                        Duration::ZERO
                    } else {
                        LAST_BREATH
                    }) && matches!(report.exit, Exit::Code(125..=137 | 255)) =>
                    {
                        not_running(*container)
                    }
                    Some(detail) => StepReport::Refused(self.refusal("exec", detail)),
                    None => StepReport::Exec(describe(program, report, made)),
                }
            }
            StepJobKind::HostProcess { container } => match find(*container) {
                Some(made) => {
                    let lineage = process::lineage(made.init.pid).into_iter();
                    StepReport::Process(lineage.map(|text| without_own(text, &made.asked)).collect())
                }
                None => not_running(*container),
            },
            StepJobKind::HostFile { path } => match self.place.look(path, limit) {
                Ok(file) => StepReport::File(file),
                Err(error) => StepReport::Refused(Refusal {
                    phase: Phase::Plumbing,
                    call: "openat2".to_owned(),
                    errno: error.raw_os_error(),
                    detail: path.clone(),
                }),
            },
        })
    }

    /// The probes that the next steps are, where they are of one user in one container: an `exec` takes longer than all of them.
    /// Empty where there is no more than one, or where it did not go well: then each is taken alone, and says itself what is wrong.
    fn probes(&self, steps: &[StepJob], running: &[Option<Running>]) -> Result<Vec<ExecReport>, EngineError> {
        let batch: Vec<_> = steps.iter().map_while(|step| Some((step, probe(step)?))).collect();
        let Some((_, (container, as_user, _))) = batch.first().copied() else { return Ok(Vec::new()) };
        let batch: Vec<_> =
            batch.iter().take_while(|(_, (within, user, _))| (*within, *user) == (container, as_user)).collect();
        let made = running.get(container).and_then(Option::as_ref).filter(|made| made.init.is_alive());
        let (Some(made), 2..) = (made, batch.len()) else { return Ok(Vec::new()) };
        let mut arguments = command_line::exec(as_user);
        arguments.extend([made.name.clone(), HELPER.to_owned(), "probes".to_owned()]);
        for (_, (.., probe)) in &batch {
            arguments.push(probe.to_hex().map_err(|malformed| EngineError(format!("the probe: {malformed}")))?);
        }
        let timeout = batch.iter().map(|(step, _)| step.timeout).max().unwrap_or(PATIENCE);
        let report = self.client.call(&arguments, &[], timeout, OUTPUT_LIMIT as usize)?;
        let reports = match report.exit {
            Exit::Code(0) => postcard::from_bytes::<Vec<ExecReport>>(&report.stdout).unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(if reports.len() == batch.len() { reports } else { Vec::new() })
    }

    /// What the engine itself says in the place of a process that it could not execute.
    fn complaint(&self, report: &ExecReport) -> Option<String> {
        if !matches!(report.exit, Exit::Code(125..=127 | 255)) {
            return None;
        }
        let begins: &[&str] = match self.dialect {
            Dialect::Docker => &["OCI runtime exec failed", "Error response from daemon", "Error: "],
            Dialect::Podman => &["Error: "],
        };
        let said = [&report.stderr, &report.stdout].map(|stream| last_line(stream));
        said.into_iter().find(|line| begins.iter().any(|words| line.starts_with(words)))
    }
}

/// The container, the user and the probe of a step that is one, and may be taken with others.
fn probe(step: &StepJob) -> Option<(usize, Option<&User>, &Probe)> {
    match &step.kind {
        StepJobKind::Exec { container, as_user, program: Program::Probe(probe), .. } if !probe.counts() => {
            Some((*container, as_user.as_ref(), probe))
        }
        _ => None,
    }
}

/// What its author added to a container's capabilities.
fn added(job: &ContainerJob) -> Vec<String> {
    job.asked.cap_add.named.names()
}

fn args(program: &WireProgram) -> Result<Vec<String>, EngineError> {
    program.args(HELPER).map_err(|malformed| EngineError(format!("the probe: {malformed}")))
}

/// A signal is handed on as a shell does, 128 and its number; and what describes itself does not know which namespaces are the
/// host's.
fn describe(program: &Program, mut report: ExecReport, made: &Running) -> ExecReport {
    let init = made.init.pid;
    report.exit = match report.exit {
        Exit::Code(code @ 129..=192) => Exit::Signal(code - 128),
        other => other,
    };
    if matches!((program, report.exit), (Program::Inspect, Exit::Code(0)))
        && let Ok(mut text) = postcard::from_bytes::<ProcessText>(&report.stdout)
    {
        text.host_namespaces = process::host_namespaces();
        let of_init = |file: &str| fs::read_to_string(format!("/proc/{init}/{file}")).unwrap_or_default();
        if text.with_init(&of_init("status"), &of_init("cgroup")) {
            text.resources = process::resources_inside(&text, init);
        }
        report.stdout = postcard::to_allocvec(&without_own(text, &made.asked)).unwrap_or(report.stdout);
    }
    report
}

/// Where a config has something of its own.
fn asked(spec: &Spec) -> HashSet<PathBuf> {
    let mounts = spec.mounts().iter().flatten().map(|mount| mount.destination().clone());
    let linux = spec.linux().clone().unwrap_or_default();
    let covers = linux.masked_paths().iter().chain(linux.readonly_paths()).flatten().map(PathBuf::from);
    mounts.chain(covers).collect()
}

/// Mounts that are the engine's own and no config's: the helper, the init, and the files and control groups that both put into every
/// container. Where the config asks for something there it is the last, which lies over the engine's.
fn without_own(mut text: ProcessText, asked: &HashSet<PathBuf>) -> ProcessText {
    let own = [
        HELPER,
        init::OF_DOCKER,
        init::OF_PODMAN,
        "/etc/resolv.conf",
        "/etc/hostname",
        "/etc/hosts",
        "/run/.containerenv",
    ];
    let target = |line: &str| line.split(' ').nth(4).unwrap_or_default().to_owned();
    let is_own =
        |target: &str| own.contains(&target) || target == "/sys/fs/cgroup" || target.starts_with("/sys/fs/cgroup/");
    let targets: Vec<String> = text.mountinfo.lines().map(target).collect();
    let is_kept = |(at, _): &(usize, &str)| {
        let target = &targets[*at];
        !is_own(target) || asked.contains(Path::new(target)) && !targets[at + 1..].contains(target)
    };
    let kept: Vec<&str> = text.mountinfo.lines().enumerate().filter(is_kept).map(|(_, line)| line).collect();
    text.mountinfo = kept.join("\n");
    text
}

/// The case in the words of whoever understands reports: of the containers no more than their names.
fn wire(job: &Job) -> WireCase {
    let containers = job.containers.iter().map(|container| WireContainer {
        name: container.name.clone(),
        namespaces: 0,
        joins: Vec::new(),
        uid_map: Vec::new(),
        gid_map: Vec::new(),
        engine: None,
        devices: None,
        limits: Vec::new(),
        hierarchies: Vec::new(),
        sysctls: Vec::new(),
        setup: Vec::new(),
        bundle: None,
        init: WireProcess { ops: Vec::new(), program: WireProgram::Pause, env: Vec::new(), document: None },
    });
    WireCase { containers: containers.collect(), ..WireCase::default() }
}
