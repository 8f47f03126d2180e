//! What execve(2) makes of the capability sets: capabilities(7), "Transformation of capabilities during execve()".

use crate::{
    capability::{CapSet, Capability},
    engine::ContainerJob,
    observe::{CapSets, after_execve},
};

/// The sets before and after, and why.
#[derive(Debug, Clone)]
pub struct Transformation {
    /// As capset(2), PR_CAPBSET_DROP and PR_CAP_AMBIENT left them.
    pub before: CapSets,
    /// As the kernel makes them for a file without capabilities of its own.
    pub after: CapSets,
    /// Every capability that is in some set, in the kernel's order.
    pub bits: Vec<Bit>,
    /// The rule for all the others.
    pub others: &'static str,
}

/// One capability.
#[derive(Debug, Clone, Copy)]
pub struct Bit {
    /// Which.
    pub capability: Capability,
    /// The rule that made it what it is afterwards.
    pub rule: &'static str,
}

const ROOT: &str = "uid 0: P'(permitted) = P(inheritable) | P(bounding), and E' = P'";
const INHERITED: &str = "uid 0: it is in P(inheritable), and P'(permitted) = P(inheritable) | P(bounding)";
const AMBIENT: &str = "ambient: P'(permitted) = P'(ambient), and E' = P'(ambient)";
const BOUNDS: &str = "no root, no file capability, not ambient: P' = 0; P(bounding) only says what a file could give";
const INHERITABLE: &str = "P'(inheritable) = P(inheritable), which counts for files with inheritable capabilities only";

/// Of a container's own process.
pub(super) fn transformation(job: &ContainerJob) -> Transformation {
    let Some(process) = job.spec.process() else {
        let none = CapSets::default();
        return Transformation { before: none, after: none, bits: Vec::new(), others: BOUNDS };
    };
    let sets = process.capabilities().clone().unwrap_or_default();
    let set = |names: &Option<oci_spec::runtime::Capabilities>| names.iter().flatten().collect::<CapSet>();
    let before = CapSets {
        inheritable: set(sets.inheritable()),
        permitted: set(sets.permitted()),
        effective: set(sets.effective()),
        bounding: set(sets.bounding()),
        ambient: set(sets.ambient()),
    };
    let after = after_execve(process);
    let root = process.user().uid() == 0;
    let rule = |one: Capability| match root {
        true if before.bounding.contains(one) => ROOT,
        true => INHERITED,
        false if before.ambient.contains(one) => AMBIENT,
        false if before.bounding.contains(one) => BOUNDS,
        false => INHERITABLE,
    };
    let any = before.named().into_iter().chain(after.named()).fold(CapSet::EMPTY, |all, (_, set)| all.union(set));
    Transformation {
        before,
        after,
        bits: Capability::all()
            .filter(|one| any.contains(*one))
            .map(|capability| Bit { capability, rule: rule(capability) })
            .collect(),
        others: "in no set: what is not in P(bounding) no root and no file gains at execve(2)",
    }
}
