//! Would anybody notice? Mutants of a case: its config with one control flipped, and the native engine made wrong in one operation
//! of its setup. An expectation, the comparison with what was asked for, or the picture must notice.
//!
//! Only cases that execute nothing but probes are taken: those harm nothing whatever a wrong engine allows them.

mod config;
mod operation;
mod site;

pub use site::Site;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    build,
    engine::{
        EngineError, Job, Observation,
        native::{self, Native},
    },
    host::{Machine, requirement},
    result::{CaseResult, Verdict},
    scenario::model::{Action, Case, Scenario},
    snapshot::section,
    spec, verdict,
};

/// A mutant, and what became of it.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What it is: `exec: left out: capset(2)`, or `users/run-as-6667: user`.
    pub name: String,
    /// Which of the two kinds it is.
    pub kind: Kind,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// This case noticed, and how.
    Killed {
        /// Scenario and case.
        by: String,
        /// What it noticed, in a line.
        how: String,
    },
    /// No case noticed.
    Survived,
}

/// Something to be tried: one mutant, and the cases in which it can be seen.
struct Plan {
    name: String,
    tries: Vec<Try>,
}

impl Plan {
    fn kind(&self) -> Kind {
        match self.tries.first() {
            Some(Try::Engine { .. }) => Kind::Engine,
            Some(Try::Config { .. }) | None => Kind::Config,
        }
    }
}

/// A mutant in one case.
enum Try {
    /// The config changed.
    Config { baseline: usize, case: Box<Case> },
    /// The engine changed at this place.
    Engine { baseline: usize, site: Site },
}

/// A case as it is, and what is seen of it.
struct Baseline<'a> {
    scenario: &'a Scenario,
    case: &'a Case,
    job: Job,
    picture: String,
}

/// Which mutants are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Controls of each case flipped.
    Config,
    /// Operations of the native engine left out or weakened.
    Engine,
}

/// What was tried.
#[derive(Debug, Default)]
pub struct Mutation {
    /// Every mutant, by name.
    pub mutants: Vec<Mutant>,
    /// Cases that were not taken, and why.
    pub untaken: Vec<(String, String)>,
    /// Containers that were made.
    pub runs: usize,
}

/// Makes mutants of these cases and looks whether they notice. `pick` chooses among the names of all mutants.
pub fn mutate(
    cases: &[(&Scenario, &Case)],
    machine: &Machine,
    kinds: &[Kind],
    jobs: usize,
    timeout: Duration,
    pick: impl FnOnce(Vec<String>) -> Vec<String>,
) -> Mutation {
    let mut found = Mutation::default();
    let runs = AtomicUsize::new(0);
    let prepared: Vec<(&Scenario, Cow<'_, Case>)> = cases
        .iter()
        .filter_map(|(scenario, case)| {
            let ready = untakable(case, machine)
                .map_or_else(|| build::prepared(case, machine).map_err(|error| error.to_string()), Err);
            match ready {
                Ok(case) => Some((*scenario, case)),
                Err(reason) => {
                    found.untaken.push((named(scenario, case), reason));
                    None
                }
            }
        })
        .collect();
    let taken: Vec<(&Scenario, &Case)> = prepared.iter().map(|(scenario, case)| (*scenario, case.as_ref())).collect();
    let lab = Lab { machine, timeout, runs: &runs };
    let seen = side_by_side(&taken, jobs, |native, (scenario, case)| lab.baseline(native, scenario, case));
    let mut baselines = Vec::new();
    for ((scenario, case), seen) in taken.iter().zip(seen) {
        match seen {
            Ok(baseline) => baselines.push(baseline),
            Err(reason) => found.untaken.push((named(scenario, case), reason)),
        }
    }
    let mut plans: BTreeMap<String, Vec<Try>> = BTreeMap::new();
    for (index, baseline) in baselines.iter().enumerate() {
        if kinds.contains(&Kind::Config) {
            for (what, case) in config::all(baseline.case, machine) {
                let name = format!("{}: {what}", named(baseline.scenario, baseline.case));
                plans.entry(name).or_default().push(Try::Config { baseline: index, case: Box::new(case) });
            }
        }
        if kinds.contains(&Kind::Engine)
            && let Ok(plan) = native::plan(&baseline.job)
        {
            for (name, site) in site::all(&plan) {
                plans.entry(name).or_default().push(Try::Engine { baseline: index, site });
            }
        }
    }
    let chosen = pick(plans.keys().cloned().collect());
    let plans: Vec<Plan> =
        chosen.into_iter().filter_map(|name| plans.remove(&name).map(|tries| Plan { name, tries })).collect();
    let fates = side_by_side(&plans, jobs, |native, plan| {
        let noticed = plan.tries.iter().find_map(|one| lab.noticed(native, &baselines, one));
        noticed.map_or(Fate::Survived, |(by, how)| Fate::Killed { by, how })
    });
    let told = plans
        .iter()
        .zip(fates)
        .filter(|(plan, fate)| *fate != Fate::Survived || plan.tries.iter().any(|one| lab.differs(&baselines, one)));
    found.mutants = told.map(|(plan, fate)| Mutant { name: plan.name.clone(), kind: plan.kind(), fate }).collect();
    found.runs = runs.into_inner();
    found
}

/// Why no mutants are made of a case.
fn untakable(case: &Case, machine: &Machine) -> Option<String> {
    if let Some(skip) = requirement::unmet(case, machine) {
        return Some(skip.reason);
    }
    let runs = case.steps.iter().any(|step| matches!(step.action, Action::Run { .. }));
    let runs = runs || case.containers.iter().any(|container| container.command.is_some());
    runs.then(|| "it executes a command, which a wrong engine would let reach this machine".to_owned())
}

fn named(scenario: &Scenario, case: &Case) -> String {
    match &case.name {
        Some(name) => format!("{}[{name}]", scenario.name),
        None => scenario.name.clone(),
    }
}

/// What every run needs.
struct Lab<'a> {
    machine: &'a Machine,
    timeout: Duration,
    runs: &'a AtomicUsize,
}

impl Lab<'_> {
    fn baseline<'a>(
        &self,
        native: &mut Option<Native>,
        scenario: &'a Scenario,
        case: &'a Case,
    ) -> Result<Baseline<'a>, String> {
        let job = spec::job(case, self.machine, self.timeout).map_err(|error| error.to_string())?;
        let seen = self.observe(native, &job, |_| {}).map_err(|error| error.to_string())?;
        let picture =
            self.judge(scenario, case, &job, &seen).map_err(|how| format!("it does not hold as it is: {how}"))?;
        Ok(Baseline { scenario, case, job, picture })
    }

    fn observe(
        &self,
        native: &mut Option<Native>,
        job: &Job,
        change: impl FnOnce(&mut caplab_init::wire::Case),
    ) -> Result<Observation, EngineError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let started = match native {
            Some(started) => started,
            None => native.insert(Native::start()?),
        };
        started.observe_wrongly(job, change)
    }

    /// The picture of a case that is as expected.
    fn judge(&self, scenario: &Scenario, case: &Case, job: &Job, seen: &Observation) -> Result<String, String> {
        let steps = verdict::steps(case, self.machine, seen);
        let containers: Vec<_> =
            case.containers.iter().map(|one| one.name.clone()).zip(seen.containers.iter().cloned()).collect();
        let first = |findings: Vec<String>| findings.into_iter().next().unwrap_or_default();
        match verdict::conclude(case, &containers, &steps, &seen.deviations(job), &[]) {
            Verdict::Pass => {}
            Verdict::Fail(findings) | Verdict::Error(findings) => return Err(first(findings)),
            Verdict::Skip(skip) => return Err(skip.reason),
        }
        let result = CaseResult {
            scenario: scenario.name.clone(),
            case: case.name.clone(),
            engine: "native",
            verdict: Verdict::Pass,
            is_unreviewed: false,
            duration: Duration::ZERO,
            containers,
            steps,
        };
        Ok(section(case, job, &result, self.machine))
    }

    /// Whether the engine is asked for anything else. Keys of which one says what another one says already make no mutant:
    /// `privileged` where the preset holds nothing back.
    fn differs(&self, baselines: &[Baseline<'_>], one: &Try) -> bool {
        let Try::Config { baseline, case } = one else { return true };
        let job = spec::job(case, self.machine, self.timeout);
        job.map_or(true, |job| baselines.get(*baseline).is_none_or(|known| !known.job.asks_the_same(&job)))
    }

    /// Who notices a mutant in one case, and how; `None` where it is as it was.
    fn noticed(&self, native: &mut Option<Native>, baselines: &[Baseline<'_>], one: &Try) -> Option<(String, String)> {
        let (Try::Config { baseline, .. } | Try::Engine { baseline, .. }) = one;
        let baseline = baselines.get(*baseline)?;
        let judged = match one {
            Try::Config { case, .. } => match spec::job(case, self.machine, self.timeout) {
                Ok(job) => self.seen(baseline, case, &job, self.observe(native, &job, |_| {})),
                Err(error) => Err(error.to_string()),
            },
            Try::Engine { site, .. } => {
                let seen = self.observe(native, &baseline.job, |case| site.change(case));
                self.seen(baseline, baseline.case, &baseline.job, seen)
            }
        };
        let how = match judged {
            Err(how) => how,
            Ok(picture) if picture != baseline.picture => "the picture is another one".to_owned(),
            Ok(_) => return None,
        };
        Some((named(baseline.scenario, baseline.case), how.lines().next().unwrap_or_default().to_owned()))
    }

    fn seen(
        &self,
        baseline: &Baseline<'_>,
        case: &Case,
        job: &Job,
        seen: Result<Observation, EngineError>,
    ) -> Result<String, String> {
        let seen = seen.map_err(|error| error.to_string())?;
        self.judge(baseline.scenario, case, job, &seen)
    }
}

/// Something done with each, by workers that have an engine each; results in their order.
fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&mut Option<Native>, &T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                let mut native = None;
                while let Some((item, place)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).zip(done.get(index))
                } {
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(work(&mut native, item));
                }
            });
        }
    });
    done.into_iter().filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}
