//! Changed cases, run side by side on native engines.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    engine::{Engine, Job, Kind, Observation},
    host::Machine,
    result::Skip,
    scenario::model::Case,
    spec,
};

/// A case that was run, or why nothing can be said of it.
pub type Trial = Result<(Job, Observation), String>;

/// Runs cases on the native engine, and counts them. Its engines are started when first needed and kept.
pub struct Trials<'a> {
    machine: &'a Machine,
    timeout: Duration,
    beyond: fn(&Case, &Machine) -> Option<Skip>,
    engines: Vec<Mutex<Option<Box<dyn Engine>>>>,
    runs: AtomicUsize,
}

impl<'a> Trials<'a> {
    /// With so many engines; `timeout` is a step's where its author gave none, `beyond` says why a case cannot be shown here: a
    /// change may ask for what the case itself did not.
    #[must_use]
    pub fn new(
        machine: &'a Machine,
        timeout: Duration,
        jobs: usize,
        beyond: fn(&Case, &Machine) -> Option<Skip>,
    ) -> Self {
        let engines = (0..jobs.max(1)).map(|_| Mutex::new(None)).collect();
        Self { machine, timeout, beyond, engines, runs: AtomicUsize::new(0) }
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &'a Machine {
        self.machine
    }

    /// How many cases were run.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// What came of each, in their order.
    #[must_use]
    pub fn all(&self, cases: &[Case]) -> Vec<Trial> {
        let next = AtomicUsize::new(0);
        let done: Vec<Mutex<Option<Trial>>> = cases.iter().map(|_| Mutex::new(None)).collect();
        let work = |engine: &Mutex<Option<Box<dyn Engine>>>| {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some((case, place)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                cases.get(index).zip(done.get(index))
            } {
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.run(&mut engine, case));
            }
        };
        match self.engines.get(..cases.len().min(self.engines.len())) {
            Some([first]) => work(first),
            Some(engines) => thread::scope(|scope| {
                for engine in engines {
                    scope.spawn(move || work(engine));
                }
            }),
            None => {}
        }
        let taken = done.into_iter().map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner));
        taken.map(|trial| trial.unwrap_or_else(|| Err("it was not run".to_owned()))).collect()
    }

    /// What came of one.
    ///
    /// # Errors
    /// Why nothing can be said of it.
    pub fn one(&self, case: &Case) -> Trial {
        let mut engine = self.engines[0].lock().unwrap_or_else(PoisonError::into_inner);
        self.run(&mut engine, case)
    }

    fn run(&self, engine: &mut Option<Box<dyn Engine>>, case: &Case) -> Trial {
        if let Some(skip) = (self.beyond)(case, self.machine) {
            return Err(skip.reason);
        }
        let job = spec::job(case, self.machine, self.timeout).map_err(|error| error.to_string())?;
        self.runs.fetch_add(1, Ordering::Relaxed);
        let started = match engine {
            Some(started) => started,
            None => engine.insert(Kind::Native.start().map_err(|error| error.to_string())?),
        };
        let seen = started.observe(&job).map_err(|error| error.to_string())?;
        match seen.deviations(&job).first() {
            Some(point) => Err(point.clone()),
            None => Ok((job, seen)),
        }
    }
}
