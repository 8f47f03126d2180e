//! Kubernetes Pods, and what holds a Pod's template.

mod read;
mod reference;
mod write;

pub use read::read;
pub use write::write;
