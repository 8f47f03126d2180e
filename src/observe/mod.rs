//! What was seen: outcomes of steps, facts of processes and files. Nothing here knows what was expected.

mod effective;
mod facts;
mod outcome;
mod parse;
mod resources;
mod sense;

pub use effective::{after_execve, deviations, other_umask, outside, umask};
pub use facts::{
    CapSets, FileFacts, Limit, Mount, Namespace, NamespaceState, Peers, Process, ProcessFacts, Seccomp, map_lines,
    map_words,
};
pub use outcome::{Outcome, Output, RefusedPhase, Stream};
pub use parse::{Elder, parse_ancestor, parse_process};
pub use resources::{Cpu, Resources};
pub use sense::Sense;
