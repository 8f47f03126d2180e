//! What was seen: outcomes of steps, facts of processes and files. Nothing here knows what was expected.

mod effective;
mod facts;
mod outcome;

pub use effective::deviations;
pub use facts::{
    CapSets, FileFacts, Limit, Mount, Namespace, NamespaceState, Process, ProcessFacts, Seccomp, parse_process,
};
pub use outcome::{Outcome, Output, RefusedPhase, Stream};
