//! The `cargo test` of container isolation.
//!
//! A crate that has scenarios of its own runs them with [`Suite`]. The modules are the rooms of this package, open for its own
//! binary, tests and benchmarks; they may change with any version.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod build;
#[doc(hidden)]
pub mod capability;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod convert;
#[doc(hidden)]
pub mod counterfactual;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod errno;
#[doc(hidden)]
pub mod explain;
#[doc(hidden)]
pub mod host;
#[doc(hidden)]
pub mod image;
#[doc(hidden)]
pub mod observe;
mod pass;
#[doc(hidden)]
pub mod profile;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod result;
#[doc(hidden)]
pub mod runner;
#[doc(hidden)]
pub mod scenario;
#[doc(hidden)]
pub mod session;
#[doc(hidden)]
pub mod snapshot;
#[doc(hidden)]
pub mod spec;
#[doc(hidden)]
pub mod suite;
mod terminal;
mod text;
#[doc(hidden)]
pub mod verdict;
#[doc(hidden)]
pub mod watch;

pub use suite::Suite;
