//! What was seen: outcomes of steps, facts of processes and files. Nothing here knows what was expected.

mod effective;
mod facts;
mod outcome;
mod parse;

pub use effective::deviations;
pub use facts::{
    CapSets, FileFacts, Limit, Mount, Namespace, NamespaceState, Process, ProcessFacts, Seccomp, map_lines, map_words,
};
pub use outcome::{Outcome, Output, RefusedPhase, Stream};
pub use parse::parse_process;
