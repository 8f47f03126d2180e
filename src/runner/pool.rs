//! Cases side by side: workers, each with an engine of its own; results in the order of the suite.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::case::{Context, run};
use crate::{
    engine::native::Native,
    result::CaseResult,
    scenario::model::{Case, Scenario},
};

/// What came of one case.
pub struct Outcome<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The case.
    pub case: &'a Case,
    /// Its result.
    pub result: CaseResult,
    /// Its picture.
    pub picture: Option<String>,
}

/// An engine that is being started while scenarios are still read. Each start takes as long as reading a few dozen of
/// them, and has nothing to wait for.
#[derive(Debug)]
pub struct Warm(thread::JoinHandle<Option<Native>>);

impl Warm {
    /// Begins.
    #[must_use]
    pub fn up() -> Self {
        // Where it cannot be started the first case will say why.
        Self(thread::spawn(|| Native::start().ok()))
    }

    fn engine(self) -> Option<Native> {
        self.0.join().ok().flatten()
    }
}

/// Runs cases with this many workers; the first of them takes the warm engine. `done` gets each result in the order of `cases`, as soon as all before it are
/// there. Results are handed on and not kept, so that memory does not grow with the suite.
pub fn run_all<'a>(
    context: &Context,
    cases: &[(&'a Scenario, &'a Case)],
    jobs: usize,
    warm: Warm,
    mut done: impl FnMut(Outcome<'a>),
) {
    let next = AtomicUsize::new(0);
    let mut warm = Some(warm);
    let (send, receive) = mpsc::sync_channel(jobs.max(1) * 4);
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, cases.len().max(1)) {
            let (next, sender) = (&next, send.clone());
            let warm = warm.take();
            scope.spawn(move || {
                let mut engine = warm.and_then(Warm::engine);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((scenario, case)) = cases.get(index) else { break };
                    let (result, picture) = run(context, &mut engine, scenario, case);
                    if sender.send((index, result, picture)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        while due < cases.len() {
            let Ok((index, result, picture)) = receive.recv() else { break };
            waiting.insert(index, (result, picture));
            while let Some((result, picture)) = waiting.remove(&due) {
                let (scenario, case) = cases[due];
                done(Outcome { scenario, case, result, picture });
                due += 1;
            }
        }
    });
}
