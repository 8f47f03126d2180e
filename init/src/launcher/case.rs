//! A case from its fixture host to its removal.

use alloc::{borrow::ToOwned, boxed::Box, format, string::String, vec::Vec};
use core::time::Duration;

use caplab_init::wire::{
    Case, CaseReport, Container, ContainerReport, ExecReport, Exit, Hierarchy, Phase, Process, Program, Refusal, Step,
    StepKind, StepReport,
};

use super::{Lab, capture, container::Running, exec, fixture, join, look, runtime, shm};
use crate::{
    setup::refusal,
    sys::{
        Fail,
        clock::Instant,
        file,
        process::{self, Block},
    },
};

/// All streams of a case together keep at most this many bytes, so that its report stays a message.
const CASE_OUTPUT: usize = 64 << 20;

/// How long a pid 1 that is ending may take until it has ended.
const LAST_BREATH: Duration = Duration::from_millis(100);

/// Takes a case and hands its report on; then, whatever came of it, everything that was made is removed. The report goes
/// first so that the parent understands it while the kernel takes the namespaces apart.
pub(super) fn run<T>(lab: &Lab, case: &Case, report: impl FnOnce(Result<CaseReport, Refusal>) -> T) -> T {
    on_its_host(lab, case, |made, containers| {
        report(made.map(|()| {
            let mut report = make(lab, case, containers);
            take(lab, case, containers, &mut report);
            if let Some(first) = containers.first_mut().filter(|_| case.capture).and_then(Option::take) {
                report.captured = Some(capture::capture(lab, first));
            }
            report
        }))
    })
}

/// Makes a case's fixture host, has something done there, and removes everything.
pub(super) fn on_its_host<T>(
    lab: &Lab,
    case: &Case,
    work: impl FnOnce(Result<(), Refusal>, &mut Vec<Option<Running>>) -> T,
) -> T {
    let mut containers = Vec::new();
    // Where nobody could see it there is no fixture host.
    let has_fixture = !case.fixture.is_empty();
    let made = if has_fixture { fixture::make(lab, case) } else { Ok(()) };
    let (before, made) = match made.and_then(|()| set_sysctls(&case.sysctls)) {
        Ok(before) => (before, Ok(())),
        Err(refused) => (Vec::new(), Err(refused)),
    };
    let made = made.and_then(|()| shm::make(&case.shared_memory));
    let made = made.and_then(|()| case.runtime.as_ref().map_or(Ok(()), runtime::prepare));
    let done = work(made, &mut containers);
    // Who shares a pid namespace goes before its owner, whose end waits for it.
    let mut all: Vec<_> = containers.into_iter().zip(&case.containers).collect();
    while let Some((running, container)) = all.pop() {
        match (running, &case.runtime) {
            (running, Some(runtime)) => {
                runtime::delete(lab, runtime, &container.name);
                running.iter().for_each(Running::settle);
            }
            (Some(running), None) => running.end(lab),
            (None, None) => {}
        }
    }
    // A container in the lab host's own pid namespace has no pid 1 whose end is everybody's.
    process::kill_everybody();
    if case.runtime.is_some() {
        runtime::remove();
    }
    // What was orphaned to this pid 1.
    while process::reap_any(Block::No).is_ok() {}
    shm::remove(&case.shared_memory);
    // Nothing is left to ask it of: the next case has it as it was.
    set_sysctls(&before).ok();
    if has_fixture {
        fixture::remove();
    }
    done
}

/// Sets sysctls of the lab host's user namespace; gives those that there were.
fn set_sysctls(asked: &[(String, String)]) -> Result<Vec<(String, String)>, Refusal> {
    let set = |(name, value): &(String, String)| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let before = file::read_text(&path)?;
        file::write(&path, value.as_bytes())?;
        Ok((name.clone(), before.trim().to_owned()))
    };
    asked.iter().map(set).collect::<Result<_, Fail>>().map_err(|fail| refusal(Phase::Sysctl, fail))
}

/// Makes a case's containers.
pub(super) fn make(lab: &Lab, case: &Case, running: &mut Vec<Option<Running>>) -> CaseReport {
    let mut report = CaseReport::default();
    for container in &case.containers {
        let made = start(lab, case, container, running);
        report.containers.push(look_at(lab, container, made, running));
    }
    report
}

/// Looks at a container that was made and lets it run.
pub(super) fn look_at(
    lab: &Lab,
    container: &Container,
    made: Result<Running, Refusal>,
    running: &mut Vec<Option<Running>>,
) -> ContainerReport {
    match made {
        Ok(mut made) => {
            let mut seen = look::process(lab, made.pid);
            if !container.hierarchies.is_empty() {
                seen.resources = look::resources(&container.hierarchies, &look::cgroup(made.pid));
            }
            seen.sysctls = Some(look::sysctls(lab, &made, &seen.namespaces, &container.sysctls));
            // Where this fails it has been killed meanwhile, and the first step will say that it does not run.
            made.let_go().ok();
            running.push(Some(made));
            ContainerReport::Running(Box::new(seen))
        }
        Err(refused) => {
            running.push(None);
            ContainerReport::Refused(refused)
        }
    }
}

fn take(lab: &Lab, case: &Case, running: &[Option<Running>], report: &mut CaseReport) {
    let mut room = CASE_OUTPUT;
    for step in &case.steps {
        let limit = (case.output_limit as usize).min(room / 2);
        let taken = take_step(lab, case, running, step, limit);
        if let StepReport::Exec(ExecReport { stdout, stderr, .. }) = &taken {
            room -= stdout.len() + stderr.len();
        }
        report.steps.push(taken);
    }
}

fn start(lab: &Lab, case: &Case, container: &Container, running: &[Option<Running>]) -> Result<Running, Refusal> {
    let owners = join::owners(container, running)?;
    match (&case.runtime, &container.bundle) {
        (Some(runtime), Some(bundle)) => runtime::start(lab, runtime, container, bundle),
        _ => Running::start(lab, container, &owners),
    }
}

fn take_step(lab: &Lab, case: &Case, running: &[Option<Running>], step: &Step, limit: usize) -> StepReport {
    running.iter().flatten().for_each(Running::settle);
    // Where one has ended that was in another's pid namespace, that one may be ending: mostly it is why.
    let maybe_ending = running.iter().flatten().any(Running::is_settled);
    let find = |container: &u16| {
        let found = running.get(usize::from(*container)).and_then(Option::as_ref);
        found.filter(|one| if maybe_ending { !ends_soon(running, one) } else { one.alive() })
    };
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
                    Ok(report) if report.exit == Exit::Signal(libc::SIGKILL) && ends_soon(running, entered) => {
                        StepReport::NotRunning { container: *container }
                    }
                    Err(refused) if refused.phase == Phase::Enter && ends_soon(running, entered) => {
                        StepReport::NotRunning { container: *container }
                    }
                    Ok(report) => {
                        let hierarchies =
                            case.containers.get(usize::from(*container)).map(|made| &made.hierarchies[..]);
                        StepReport::Exec(describe(lab, process, report, hierarchies.unwrap_or_default(), entered.pid))
                    }
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

/// Whether a container has ended or does so in a moment.
pub(super) fn ends_soon(running: &[Option<Running>], entered: &Running) -> bool {
    let until = Instant::now() + LAST_BREATH;
    while !entered.ends_within(LAST_BREATH / 20) {
        running.iter().flatten().for_each(Running::settle);
        if Instant::now() >= until {
            return false;
        }
    }
    true
}

/// A process that describes itself cannot see which namespaces are the host's, nor the files of its control groups: the
/// launcher adds them. `pid` is the container's pid 1.
fn describe(lab: &Lab, process: &Process, mut report: ExecReport, hierarchies: &[Hierarchy], pid: i32) -> ExecReport {
    if !matches!((&process.program, report.exit), (Program::Inspect, Exit::Code(0))) {
        return report;
    }
    if let Ok(mut text) = postcard::from_bytes::<caplab_init::wire::ProcessText>(&report.stdout) {
        text.host_namespaces = lab.namespaces.clone();
        let cgroup = look::cgroup(pid);
        if !hierarchies.is_empty() && text.with_init(&look::status(pid), &cgroup) {
            text.resources = look::resources_inside(hierarchies, &text, &cgroup);
        }
        report.stdout = postcard::to_allocvec(&text).unwrap_or(report.stdout);
    }
    report
}
