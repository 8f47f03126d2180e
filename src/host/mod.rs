//! What this machine can do, what a case needs of it, and the fixture host that stands for it.

pub mod doctor;
pub mod fixture;
pub mod machine;
pub mod requirement;
mod shell;

pub use machine::{CgroupVersion, Machine};
