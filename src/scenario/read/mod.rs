//! Readers of the parts of a scenario: each takes a node and gives a valid value or says what is wrong with it.

mod because;
mod capabilities;
pub(super) mod container;
mod device;
mod expect;
mod facts;
mod fields;
pub(super) mod host;
mod idmap;
mod image;
mod probe;
mod resources;
mod scalar;
mod security;
pub(super) mod sharing;
mod size;
pub(super) mod step;
mod sysctl;
mod volume;

pub(super) use capabilities::unknown as no_capability;
pub(super) use fields::Fields;
pub(super) use scalar::{list, list_of_text, text};
