//! From the launcher's report to an observation.

use std::{path::Path, time::Duration};

use caplab_init::wire::{
    Answer, Case, CaseReport, Container, ContainerReport, ExecReport, Exit, FileReport, FixtureKind, Op, Phase,
    ProcessText, Refusal, StepReport, runtime::NOT_EXECUTED,
};

use super::words;
use crate::{
    engine::{ContainerState, EngineError, Facts, Job, Observation, Program, StepJob, StepJobKind, StepObservation},
    errno::{Errno, Signal},
    observe::{Elder, FileFacts, Outcome, Output, ProcessFacts, RefusedPhase, parse_ancestor, parse_process},
    scenario::model,
};

/// Understands a report.
///
/// # Errors
/// Where /proc of this kernel was not understood: then nothing can be said about the container.
pub(in crate::engine) fn observation(job: &Job, case: &Case, report: CaseReport) -> Result<Observation, EngineError> {
    let named: Vec<Elder<'_>> = report
        .containers
        .iter()
        .zip(&case.containers)
        .map(|(report, container)| match report {
            ContainerReport::Running(text) => (container.name.as_str(), text.namespaces.as_slice()),
            ContainerReport::Refused(_) => (container.name.as_str(), &[][..]),
        })
        .collect();
    let containers = report
        .containers
        .iter()
        .zip(case.containers.iter().zip(&job.containers))
        .enumerate()
        .map(|(index, (report, (container, asked)))| match report {
            ContainerReport::Running(text) => {
                let facts = parse_process(text, &named[..index]).map_err(|what| {
                    EngineError(format!("container {}: the effective config cannot be read: {what}", container.name))
                })?;
                Ok(ContainerState::Running(Box::new(facts)))
            }
            ContainerReport::Refused(refusal) => {
                let message = words::container(case, container, refusal);
                if is_ours(&asked.asked, container, refusal) {
                    return Err(EngineError(format!("container {} could not be made: {message}", container.name)));
                }
                Ok(ContainerState::Refused(refused(refusal, message)))
            }
        })
        .collect::<Result<Vec<_>, EngineError>>()?;
    let captured = report.captured.map(|captured| captured.map_err(|refusal| words::captured(&refusal)));
    let steps = report.steps.into_iter().enumerate().zip(&job.steps);
    let steps = steps.map(|((index, report), step)| understand(job, case, index, step, report, &named)).collect();
    Ok(Observation { containers, steps, captured })
}

/// Whether what failed is the engine's own work, which no config of an author's asks for: a container that is expected to
/// be refused must not pass because of it.
fn is_ours(asked: &model::Container, container: &Container, refusal: &Refusal) -> bool {
    match refusal.phase {
        Phase::Clone
        | Phase::ControlGroup
        | Phase::Join
        | Phase::Plumbing
        | Phase::Enter
        | Phase::Sysctl
        | Phase::Disk
        | Phase::Fixture(_) => true,
        Phase::Setup(index) => match container.setup.get(index as usize) {
            // The kernel lacks the file system, or it is caplab that copies no more into a tmpfs.
            Some(Op::Mount { .. }) if refusal.errno == nix::libc::ENODEV => true,
            Some(Op::Mount { copy_up: true, .. }) if refusal.errno == nix::libc::EFBIG => true,
            Some(Op::Bind { .. } | Op::Mount { .. } | Op::Hostname(_) | Op::WorkingDir(_)) => false,
            // A preset has some of its own.
            Some(Op::Sysctl { name, .. }) => !asked.sysctls.iter().any(|(own, _)| own == name),
            Some(Op::Device { node, .. }) => !asked.devices.iter().any(|device| device.target == node.path),
            _ => true,
        },
        // Maps, credentials, limits, the working directory, the command: the author's.
        Phase::IdMap | Phase::Process(_) | Phase::Exec | Phase::Runtime => false,
    }
}

fn refused(refusal: &Refusal, message: String) -> Outcome {
    // A runtime looks for the program while it creates; what docker calls create is over by then. runc: `exec: "x": …`, crun:
    // "executable file `x` not found", "open executable: …". Its own execve runc tells as "process: exec /x: permission denied".
    // What could not be executed then is said after `start` was over.
    let sought = ["exec: ", "executable file", "open executable", "process: exec /"]
        .iter()
        .any(|words| refusal.detail.contains(words));
    let program = sought || refusal.detail.starts_with(NOT_EXECUTED);
    let phase = match refusal.phase {
        Phase::Exec => RefusedPhase::Start,
        Phase::Runtime if program => RefusedPhase::Start,
        _ => RefusedPhase::Create,
    };
    Outcome::Refused { phase, message }
}

fn plain(outcome: Outcome) -> StepObservation {
    StepObservation {
        outcome,
        exit: None,
        stdout: Output::default(),
        stderr: Output::default(),
        facts: None,
        duration: Duration::ZERO,
    }
}

fn understand(
    job: &Job,
    case: &Case,
    index: usize,
    step: &StepJob,
    report: StepReport,
    named: &[Elder<'_>],
) -> StepObservation {
    let elders = match &step.kind {
        StepJobKind::Exec { container, .. } | StepJobKind::HostProcess { container } => &named[..*container],
        StepJobKind::HostFile { .. } => &[],
    };
    match report {
        StepReport::Exec(report) => exec(step, report, elders),
        StepReport::Refused(refusal) => plain(match refusal.phase {
            Phase::Plumbing | Phase::Enter => Outcome::Unclear(words::step(case, index, &refusal)),
            _ => refused(&refusal, words::step(case, index, &refusal)),
        }),
        StepReport::NotRunning { container } => plain(Outcome::Unclear(format!(
            "container {} does not run: {}; a container without `command` waits",
            case.containers.get(usize::from(container)).map_or("?", |container| &container.name),
            words::ended(case, container)
        ))),
        StepReport::Process(texts) => match lineage(&texts, elders) {
            Ok(facts) => StepObservation { facts: Some(Facts::HostProcess(facts)), ..plain(Outcome::Observed) },
            Err(what) => plain(Outcome::Unclear(format!("the process cannot be read from outside: {what}"))),
        },
        StepReport::File(report) => {
            let path = match &step.kind {
                StepJobKind::HostFile { path } => path.as_str(),
                _ => "",
            };
            StepObservation { facts: Some(Facts::File(file(job, path, report))), ..plain(Outcome::Observed) }
        }
    }
}

fn exec(step: &StepJob, report: ExecReport, elders: &[Elder<'_>]) -> StepObservation {
    let program = match &step.kind {
        StepJobKind::Exec { program, .. } => program,
        _ => &Program::Args,
    };
    let mut facts = None;
    let outcome = match (program, report.exit) {
        (_, Exit::TimedOut) => Outcome::TimedOut,
        (_, Exit::Signal(signal)) => Outcome::Killed(Signal(signal)),
        (Program::Args | Program::Through(..), Exit::Code(0)) => Outcome::Allowed,
        (Program::Args | Program::Through(..), Exit::Code(code)) => Outcome::Failed(code),
        (Program::Probe(_), Exit::Code(0)) => match postcard::from_bytes::<Answer>(&report.stdout) {
            Ok(answer) => answered(answer),
            Err(_) => Outcome::Unclear("the probe's answer was not understood".to_owned()),
        },
        (Program::Inspect, Exit::Code(0)) => match inspected(&report.stdout, elders) {
            Ok(process) => {
                facts = Some(Facts::Process(Box::new(process)));
                Outcome::Observed
            }
            Err(what) => Outcome::Unclear(format!("the facts inside were not understood: {what}")),
        },
        (Program::Probe(_) | Program::Inspect, Exit::Code(code)) => Outcome::Unclear(format!(
            "the helper ended with status {code}: {}",
            String::from_utf8_lossy(&report.stderr).trim_end()
        )),
    };
    let is_command = matches!(program, Program::Args | Program::Through(..));
    let output = |bytes: Vec<u8>, cut| Output { text: String::from_utf8_lossy(&bytes).into_owned(), cut };
    StepObservation {
        outcome,
        exit: match report.exit {
            Exit::Code(code) if is_command => Some(code),
            _ => None,
        },
        // A probe's streams are the helper's own words to caplab, not the container's.
        stdout: if is_command { output(report.stdout, report.stdout_cut) } else { Output::default() },
        stderr: if is_command { output(report.stderr, report.stderr_cut) } else { Output::default() },
        facts,
        duration: Duration::from_nanos(report.nanos),
    }
}

/// A process and its ancestors.
fn lineage(texts: &[ProcessText], elders: &[Elder<'_>]) -> Result<Vec<ProcessFacts>, String> {
    let (own, ancestors) = texts.split_first().ok_or("there is none")?;
    let own = parse_process(own, elders)?;
    Ok([own].into_iter().chain(ancestors.iter().map(parse_ancestor)).collect())
}

fn inspected(bytes: &[u8], elders: &[Elder<'_>]) -> Result<ProcessFacts, String> {
    let text: ProcessText = postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
    parse_process(&text, elders)
}

fn answered(answer: Answer) -> Outcome {
    match answer {
        Answer::Allowed { .. } => Outcome::Allowed,
        Answer::Denied { errno, call } => Outcome::Denied { errno: Errno(errno), call },
        Answer::Unavailable { errno, call } => {
            Outcome::Unavailable(format!("{call}: {} ({})", Errno(errno), Errno(errno).description()))
        }
        Answer::Unclear { errno, call } => Outcome::Unclear(format!(
            "{call} said {} ({}), which says nothing about permission",
            Errno(errno),
            Errno(errno).description()
        )),
    }
}

/// `S_IFREG`, `S_IFDIR` and `S_IFSOCK`, inode(7).
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SOCKET: u32 = 0o140_000;

/// What the fixture host had in a directory, sorted.
fn names_in(job: &Job, directory: &str) -> Vec<String> {
    let directory = Path::new(directory);
    let entries = job.fixture.iter().map(|entry| Path::new(&entry.path));
    let inside = entries.filter(|path| path.parent() == Some(directory)).filter_map(Path::file_name);
    let mut names: Vec<String> = inside.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

fn file(job: &Job, path: &str, report: FileReport) -> FileFacts {
    let before = job.fixture.iter().find(|entry| entry.path == path);
    let changed = match before.map(|entry| &entry.kind) {
        Some(FixtureKind::File(content)) => report.kind != REGULAR || *content != report.content,
        // What is mounted there covers what is in it.
        Some(FixtureKind::Dir) => report.kind != DIRECTORY || (!report.mounted && names_in(job, path) != report.names),
        Some(FixtureKind::Socket) => report.kind != SOCKET,
        None => report.exists,
    };
    FileFacts {
        exists: report.exists,
        mounted: report.mounted,
        mode: report.mode,
        uid: report.uid,
        gid: report.gid,
        content: String::from_utf8_lossy(&report.content).into_owned(),
        changed,
    }
}
