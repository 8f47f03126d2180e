//! Runs cases: what is lacking, the case, its counterfactuals, its snapshot, the verdict.

mod because;
mod case;
mod compare;
mod fidelity;
mod pool;
mod rootless;

pub use case::{Context, Explanations, run, unfit};
pub use compare::{Absent, Compared, Row, compare};
pub use pool::{Outcome, run_all};
pub use rootless::beyond;
