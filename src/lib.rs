//! The `cargo test` of container isolation.
#![forbid(unsafe_code)]

pub mod capability;
pub mod cli;
pub mod counterfactual;
pub mod engine;
pub mod errno;
pub mod host;
pub mod observe;
pub mod report;
pub mod result;
pub mod runner;
pub mod scenario;
pub mod snapshot;
pub mod spec;
pub mod suite;
mod text;
pub mod verdict;

pub use suite::Suite;
