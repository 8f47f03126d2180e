//! The runs that a step's `because` asks for.

use super::{Change, Scene, apply, change_of, words};
use crate::{
    engine::StepObservation,
    host::Machine,
    observe::{Outcome, Sense},
    scenario::model::{Action, Case, Control, Expect, OutcomeExpect},
    verdict,
};

/// What a step says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Because<'a> {
    /// What decides; all of it together.
    pub controls: &'a [Control],
    /// What must come of the step.
    pub sense: Sense,
}

/// The `because` of a step; `None` where it names no control.
#[must_use]
pub fn because(action: &Action) -> Option<Because<'_>> {
    let controls = action.because().controls();
    let sense = wanted(action)?;
    (!controls.is_empty()).then_some(Because { controls, sense })
}

/// What must come of a step; `None` where nothing is said of permission.
#[must_use]
pub fn wanted(action: &Action) -> Option<Sense> {
    let (Action::Run { expect, .. } | Action::Probe { expect, .. }) = action else { return None };
    match expect.outcome? {
        OutcomeExpect::Allowed => Some(Sense::Allowed),
        // The kernel's way to refuse memory is to kill.
        OutcomeExpect::Denied(_) | OutcomeExpect::Killed(_) => Some(Sense::Denied),
    }
}

/// What a step's claim is known by, where it came out as its author says; else a changed run has nothing to be held against.
#[must_use]
pub fn evidence<'a>(action: &'a Action, seen: &StepObservation) -> Option<&'a Expect> {
    let (Action::Run { expect, .. } | Action::Probe { expect, .. }) = action else { return None };
    verdict::is_as_expected(expect, seen).then_some(expect)
}

/// Whether a change took a claim away without turning it: what was asked for is not there, or a command fails otherwise than its author says
/// that a refused one does. Something does decide then, and what would have come of it cannot be seen.
#[must_use]
pub fn is_gone(sense: Sense, evidence: Option<&Expect>, seen: &StepObservation) -> bool {
    match (sense, seen.outcome.sense_or_kill()) {
        (Sense::Denied, None) => true,
        (Sense::Denied, Some(Sense::Denied)) => {
            matches!(seen.outcome, Outcome::Failed(_))
                && evidence.is_some_and(|own| !verdict::is_as_expected(own, seen))
        }
        (Sense::Allowed, None) => matches!(seen.outcome, Outcome::Unavailable(_)),
        _ => false,
    }
}

/// One changed case, and whether the outcome must turn in it.
#[derive(Debug, Clone)]
pub struct Counterfactual {
    /// What was changed, for a reader: `CAP_NET_ADMIN given`.
    pub change: String,
    /// Which of the controls.
    pub controls: Vec<Control>,
    /// The case; its last step is the one in question.
    pub case: Case,
    /// All controls of the `because` were changed: the outcome must turn. With fewer of them it must not.
    pub whole: bool,
}

/// Every changed case that a case's steps ask for.
#[must_use]
pub fn cases(case: &Case, machine: &Machine) -> Vec<Case> {
    let changed = case.steps.iter().enumerate().filter_map(|(index, step)| {
        let because = because(&step.action)?;
        let scene = Scene::new(case, index, because.sense, machine).ok()?;
        because.counterfactuals(&scene).ok()
    });
    changed.flatten().map(|changed| changed.case).collect()
}

impl Because<'_> {
    /// Whether an outcome is the opposite. What was allowed may in a namespace of the container's own, or below a private mount, not be there
    /// to be asked for: they refuse nothing, they hide. That it is the namespace that does is certain, since nothing else was changed.
    #[must_use]
    pub fn is_turned_by(&self, outcome: &Outcome) -> bool {
        let hidden = matches!(self.controls, [Control::Namespace(_) | Control::Propagation(_)])
            && self.sense == Sense::Allowed
            && matches!(outcome, Outcome::Unavailable(_));
        hidden || outcome.sense() == Some(self.sense.opposite())
    }

    /// The changed cases: all controls together first, then every proper subset of them.
    ///
    /// # Errors
    /// Where a control is not there, for the author.
    pub fn counterfactuals(&self, scene: &Scene) -> Result<Vec<Counterfactual>, String> {
        let changes = self.controls.iter().map(|control| change_of(control, scene)).collect::<Result<Vec<_>, _>>()?;
        let all = (1_u32 << changes.len()) - 1;
        let made = (1..=all).rev().map(|subset| {
            let some: Vec<Change> = changes
                .iter()
                .enumerate()
                .filter(|(index, _)| subset & (1 << index) != 0)
                .map(|(_, one)| one.clone())
                .collect();
            Counterfactual {
                change: some.iter().map(|one| words(one, scene).change).collect::<Vec<_>>().join(" and "),
                case: apply(&some, scene),
                controls: some.into_iter().map(|one| one.control).collect(),
                whole: subset == all,
            }
        });
        Ok(made.collect())
    }
}
