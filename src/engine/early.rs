//! An engine that a thread of its own starts, while scenarios are still read.

use std::{thread, thread::JoinHandle};

use super::{Engine, EngineError, Job, Kind, Observation};

type Started = Result<Box<dyn Engine>, EngineError>;

/// An engine before and after its start.
pub struct Early {
    kind: Kind,
    starting: Option<JoinHandle<Started>>,
    there: Option<Box<dyn Engine>>,
}

impl Early {
    /// Begins.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        // Where there can be no thread, the first case starts the engine.
        let starting = thread::Builder::new().name("engine".to_owned()).spawn(move || kind.start());
        Self { kind, starting: starting.ok(), there: None }
    }

    fn engine(&mut self) -> Result<&mut dyn Engine, EngineError> {
        if let Some(thread) = self.starting.take() {
            let started = thread.join().unwrap_or_else(|_| Err(EngineError("its thread ended".to_owned())));
            // What cannot be started is tried once more by the next case, as it is without a thread.
            self.there = Some(started?);
        }
        let there = match &mut self.there {
            Some(there) => there,
            none => none.insert(self.kind.start()?),
        };
        Ok(there.as_mut())
    }
}

impl Engine for Early {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn observe(&mut self, job: &Job) -> Result<Observation, EngineError> {
        self.engine()?.observe(job)
    }
}

impl Drop for Early {
    /// One that nobody used is waited for too: where the process has ended nothing of it is there.
    fn drop(&mut self) {
        if let Some(thread) = self.starting.take() {
            drop(thread.join());
        }
    }
}
