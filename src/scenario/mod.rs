//! What an author writes: strict raw types, then validated ones. Nothing behind this stage re-checks input.

pub mod describe;
mod diagnostic;
pub mod discover;
mod load;
mod matrix;
pub mod model;
mod read;
mod tree;

pub use diagnostic::Diagnostic;
pub use load::{load, read};
