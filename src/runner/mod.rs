//! Runs cases: what is lacking, the case, its counterfactuals, its snapshot, the verdict.

mod case;
mod compare;
mod fidelity;
mod pool;

pub use case::{Context, run};
pub use compare::{Absent, Compared, Row, compare};
pub use pool::{Outcome, Warm, run_all};
