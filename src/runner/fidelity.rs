//! What an engine is known to do otherwise, each a row of docs/fidelity.md under the same name. Nothing else may differ.

use crate::{
    engine::Kind,
    result::Skip,
    scenario::model::{Action, Case},
};

/// A difference that is known.
struct Difference {
    /// Its name in docs/fidelity.md.
    name: &'static str,
    /// Whose it is.
    engines: &'static [Kind],
    /// Why, in a line.
    reason: &'static str,
    /// Whether a case would see it.
    sees: fn(&Case) -> bool,
}

const KNOWN: [Difference; 1] = [Difference {
    name: "exec-nofile",
    engines: &[Kind::Runc],
    reason: "runc built with Go 1.19 may raise the soft limit of open files of what it executes to the hard one",
    sees: |case| {
        case.steps.iter().any(|step| match &step.action {
            Action::Inspect(facts) => {
                facts.limits.iter().any(|limit| limit.name == "nofile" && limit.soft != limit.hard)
            }
            _ => false,
        })
    },
}];

/// Why a case says nothing about this engine; `None` where it does.
pub(super) fn known(engine: Kind, case: &Case) -> Option<Skip> {
    let found = KNOWN.iter().find(|one| one.engines.contains(&engine) && (one.sees)(case))?;
    Some(Skip { reason: format!("{engine} differs here ({}): {}", found.name, found.reason), remedy: None })
}
