//! The suite: scenarios of a folder or those that came with the binary, and all of it as a test.

mod embedded;
mod libtest;
mod source;

pub use libtest::Suite;
pub use source::{Loaded, Source};
