//! What if just this one protection were different? A control, how it is changed in a case, and what a case that is so changed
//! shows. `because` of a step, and the verbs why, harden and mutate, are asked of it.

mod because;
mod control;
pub mod harden;
mod list;
pub mod mutate;
mod scene;
mod search;
mod trial;
mod why;
mod words;

pub use because::{Because, Counterfactual, because, cases, evidence, is_gone, wanted};
pub use control::{Change, Direction, apply, change_of};
pub use list::{Listed, all};
pub use scene::Scene;
pub use trial::{Trial, Trials};
pub use why::{Cause, Row, Why, decides, why};
pub use words::{Words, words};
