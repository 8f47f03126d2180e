//! What the kernel gave, against what the spec asked for.

use oci_spec::runtime::Spec;

use super::ProcessFacts;

/// Every point in which the kernel gave something else than was asked for, each a sentence: "asked for
/// CAP_NET_ADMIN in the effective set, the kernel did not give it".
#[must_use]
pub fn deviations(_spec: &Spec, _effective: &ProcessFacts) -> Vec<String> {
    Vec::new()
}
