//! The reviewed picture of every case: what the kernel gave each container, and what came of each step.

mod former;
mod moved;
mod redact;
mod rows;
mod section;
mod store;
mod weaker;

pub use rows::rows;
pub use section::section;
pub use store::{Comparison, Section, SnapshotError, Store};
