//! A case from its fixture host to its removal.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use caplab_init::wire::{
    Case, CaseReport, Container, ContainerReport, ExecReport, Exit, Phase, Process, Program, Refusal, Step, StepKind,
    StepReport,
};

use super::{Lab, container::Running, exec, fixture, look, runtime};
use crate::{
    setup::refusal,
    sys::process::{self, Block},
};

/// All streams of a case together keep at most this many bytes, so that its report stays a message.
const CASE_OUTPUT: usize = 64 << 20;

/// How long a pid 1 that is ending may take until it has ended.
const LAST_BREATH: Duration = Duration::from_millis(100);

/// Takes a case and hands its report on; then, whatever came of it, everything that was made is removed. The report goes
/// first so that the parent understands it while the kernel takes the namespaces apart.
pub(super) fn run<T>(lab: &Lab, case: &Case, report: impl FnOnce(Result<CaseReport, Refusal>) -> T) -> T {
    let mut containers = Vec::new();
    // Where nobody could see it there is no fixture host.
    let has_fixture = !case.fixture.is_empty();
    let made = if has_fixture { fixture::make(&case.fixture) } else { Ok(()) };
    let made = made.and_then(|()| case.runtime.as_ref().map_or(Ok(()), runtime::prepare));
    let reported = report(made.map(|()| take(lab, case, &mut containers)));
    for (running, container) in containers.into_iter().zip(&case.containers) {
        match (running, &case.runtime) {
            (_, Some(runtime)) => runtime::delete(lab, runtime, &container.name),
            (Some(running), None) => running.end(),
            (None, None) => {}
        }
    }
    if case.runtime.is_some() {
        runtime::remove();
    }
    // What was orphaned to this pid 1.
    while process::reap_any(Block::No).is_ok() {}
    if has_fixture {
        fixture::remove();
    }
    reported
}

fn take(lab: &Lab, case: &Case, running: &mut Vec<Option<Running>>) -> CaseReport {
    let mut report = CaseReport::default();
    for container in &case.containers {
        match start(lab, case, container) {
            Ok(mut made) => {
                report.containers.push(ContainerReport::Running(Box::new(look::process(lab, made.pid))));
                // Where this fails it has been killed meanwhile, and the first step will say that it does not run.
                made.let_go().ok();
                running.push(Some(made));
            }
            Err(refused) => {
                report.containers.push(ContainerReport::Refused(refused));
                running.push(None);
            }
        }
    }
    let mut room = CASE_OUTPUT;
    for step in &case.steps {
        let limit = (case.output_limit as usize).min(room / 2);
        let taken = take_step(lab, case, running, step, limit);
        if let StepReport::Exec(ExecReport { stdout, stderr, .. }) = &taken {
            room -= stdout.len() + stderr.len();
        }
        report.steps.push(taken);
    }
    report
}

fn start(lab: &Lab, case: &Case, container: &Container) -> Result<Running, Refusal> {
    match (&case.runtime, &container.bundle) {
        (Some(runtime), Some(bundle)) => runtime::start(lab, runtime, container, bundle),
        _ => Running::start(lab, container),
    }
}

fn take_step(lab: &Lab, case: &Case, running: &[Option<Running>], step: &Step, limit: usize) -> StepReport {
    let find =
        |container: &u16| running.get(usize::from(*container)).and_then(Option::as_ref).filter(|one| one.alive());
    match &step.kind {
        StepKind::Exec { container, process } => match find(container) {
            None => StepReport::NotRunning { container: *container },
            Some(entered) => {
                let timeout = Duration::from_millis(step.timeout_ms.into());
                let done = match (&case.runtime, case.containers.get(usize::from(*container))) {
                    (Some(runtime), Some(made)) => runtime::exec(lab, runtime, made, process, timeout, limit),
                    _ => exec::run(lab, entered, process, timeout, limit),
                };
                match done {
                    // With pid 1 the kernel kills everybody in its pid namespace: that is the container's end, not
                    // something that the step did or that was done to it.
                    Ok(report) if report.exit == Exit::Signal(libc::SIGKILL) && entered.ends_within(LAST_BREATH) => {
                        StepReport::NotRunning { container: *container }
                    }
                    Err(refused) if refused.phase == Phase::Enter && entered.ends_within(LAST_BREATH) => {
                        StepReport::NotRunning { container: *container }
                    }
                    Ok(report) => StepReport::Exec(describe(lab, process, report)),
                    Err(refused) => StepReport::Refused(refused),
                }
            }
        },
        StepKind::HostProcess { container } => match find(container) {
            None => StepReport::NotRunning { container: *container },
            Some(seen) => StepReport::Process(look::lineage(lab, seen.pid)),
        },
        StepKind::HostFile { path } => match fixture::look(path, limit) {
            Ok(file) => StepReport::File(file),
            Err(fail) => StepReport::Refused(refusal(Phase::Plumbing, fail)),
        },
    }
}

/// A process that describes itself cannot see which namespaces are the host's: the launcher adds them.
fn describe(lab: &Lab, process: &Process, mut report: ExecReport) -> ExecReport {
    if !matches!((&process.program, report.exit), (Program::Inspect, Exit::Code(0))) {
        return report;
    }
    if let Ok(mut text) = postcard::from_bytes::<caplab_init::wire::ProcessText>(&report.stdout) {
        text.host_namespaces = lab.namespaces.clone();
        report.stdout = postcard::to_allocvec(&text).unwrap_or(report.stdout);
    }
    report
}
