//! What an author writes: strict raw types, then validated ones. Nothing behind this stage re-checks input.

mod beside;
pub mod describe;
mod diagnostic;
pub mod discover;
pub mod dockerfile;
pub mod edit;
pub mod expect;
pub mod fixture;
mod format;
pub mod image;
mod layout;
mod load;
mod matrix;
pub mod model;
pub mod plain;
mod problems;
mod read;
pub mod resources;
pub mod sharing;
pub mod step;
pub mod sysctl;
pub(crate) mod there;
mod tree;
pub mod volume;
mod warn;

pub use beside::Beside;
pub use diagnostic::{Diagnostic, Invalid, Level};
pub use format::{modeline, reference, schema};
pub use load::{load, load_with, read};
