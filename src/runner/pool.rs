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
    engine::{Early, Engine},
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

/// Runs cases with this many workers; the first of them takes the engine that was started early. `done` gets each result in the order of
/// `cases`, as soon as all before it are there. Results are handed on and not kept, so that memory does not grow with the
/// suite.
pub fn run_all<'a>(
    context: &Context,
    cases: &[(&'a Scenario, &'a Case)],
    jobs: usize,
    early: Early,
    mut done: impl FnMut(Outcome<'a>),
) {
    let mut engine: Option<Box<dyn Engine>> = Some(Box::new(early));
    if jobs.min(cases.len()) < 2 {
        for &(scenario, case) in cases {
            let (result, picture) = run(context, &mut engine, scenario, case);
            done(Outcome { scenario, case, result, picture });
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::sync_channel(jobs * 4);
    thread::scope(|scope| {
        for _ in 0..jobs.min(cases.len()) {
            let (next, sender) = (&next, send.clone());
            let mut engine = engine.take();
            scope.spawn(move || {
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
