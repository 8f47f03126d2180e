//! Readers of the parts of a scenario: each takes a node and gives a valid value or says what is wrong with it.

mod capabilities;
pub(super) mod container;
mod expect;
mod facts;
mod fields;
pub(super) mod host;
mod idmap;
mod probe;
mod scalar;
pub(super) mod step;
mod volume;

pub(super) use fields::Fields;
pub(super) use scalar::{list, list_of_text, text};
