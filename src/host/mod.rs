//! What this machine can do, what a case needs of it, and the fixture host that stands for it.

mod cgroup;
pub(crate) mod device;
pub mod doctor;
pub mod fixture;
pub mod lab;
pub mod machine;
pub mod requirement;
pub(crate) mod shell;
pub mod subids;

pub use cgroup::{CgroupVersion, Cgroups, Controller, Controllers, Version as HierarchyVersion, controllers};
pub use lab::LabHost;
pub use machine::Machine;
