//! Kubernetes Pods, and what holds a Pod's template.

use crate::scenario::model::Propagation;

mod read;
mod reference;
mod write;

pub use read::read;
pub use write::write;

/// `mountPropagation` of a volume (Kubernetes 1.31, core/v1, MountPropagationMode) and what a kubelet asks of the runtime.
const PROPAGATIONS: [(&str, Propagation); 3] = [
    ("None", Propagation::Rprivate),
    ("HostToContainer", Propagation::Rslave),
    ("Bidirectional", Propagation::Rshared),
];
