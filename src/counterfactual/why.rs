//! Why a step came out as it did: the smallest sets of controls whose change turns it into the opposite.

use std::collections::BTreeSet;

use super::{
    Change, Direction, Listed, Scene, Trial, Trials, Words, all, apply,
    because::{evidence, is_gone},
    change_of,
    list::towards,
    search, words,
};
use crate::{
    build,
    engine::{ContainerState, StepObservation},
    observe::Sense,
    scenario::model::{Case, Control, Expect},
    verdict,
};

/// Controls that decide together are looked for up to so many.
const MOST: usize = 3;

/// What was found out about a step.
#[derive(Debug, Clone)]
pub struct Why {
    /// What came of it.
    pub seen: StepObservation,
    /// What that says about permission; `None` where it says nothing, and nothing more was asked.
    pub sense: Option<Sense>,
    /// The smallest sets that turn it, smaller ones first.
    pub causes: Vec<Cause>,
    /// All that was tried, each control alone first, in the order of the list.
    pub rows: Vec<Row>,
    /// Every set was looked for; not where there were too many.
    pub complete: bool,
    /// What was not tried, because the step or one before it executes a program, which could then reach the real machine.
    pub withheld: Vec<Control>,
}

impl Why {
    /// A change after which nothing can be said any more, and what then came of the step.
    #[must_use]
    pub fn gone(&self) -> Option<(&Row, &StepObservation)> {
        self.rows.iter().filter(|row| row.gone).find_map(|row| Some((row, row.seen.as_ref().ok()?)))
    }
}

/// Controls that decide together, none of them needless.
#[derive(Debug, Clone)]
pub struct Cause {
    /// What was changed.
    pub changes: Vec<Change>,
    /// Each in words, in the same order.
    pub words: Vec<Words>,
    /// What then came of the step.
    pub seen: StepObservation,
    /// What carries the turned outcome and was there before: a capability that counts for nothing in a user namespace. Empty where
    /// nothing does.
    pub carried: Vec<Control>,
    /// For each of the controls what came of the step where only the others were changed: the layer that still says no. Empty
    /// for one control alone.
    pub without: Vec<StepObservation>,
}

impl Cause {
    /// `denied because the bounding set lacks CAP_NET_ADMIN: with CAP_NET_ADMIN given it is allowed`.
    #[must_use]
    pub fn sentence(&self, sense: Sense) -> String {
        let states: Vec<&str> = self.words.iter().map(|words| words.state.as_str()).collect();
        let changes: Vec<&str> = self.words.iter().map(|words| words.change.as_str()).collect();
        let only = if changes.len() == 1 { "" } else { "only " };
        format!(
            "{} because {}: {only}with {} it is {}",
            sense.name(),
            states.join(", and "),
            changes.join(" and "),
            verdict::words(&self.seen.outcome)
        )
    }
}

/// One thing that was tried.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was changed.
    pub changes: Vec<Change>,
    /// In words, `CAP_NET_ADMIN given`.
    pub change: String,
    /// What came of the step, or why it cannot be said.
    pub seen: Result<StepObservation, String>,
    /// It is the opposite.
    pub turned: bool,
    /// It is neither the same nor the opposite: something changed, and what would have come of it cannot be seen.
    pub gone: bool,
    /// The change could have made it the opposite: it goes that way.
    pub towards: bool,
}

/// Looks for what decides the step of this number.
///
/// # Errors
/// Where the case itself cannot be run, and where nothing was found while some of what could have been could not be asked.
pub fn why(case: &Case, step: usize, trials: &Trials<'_>) -> Result<Why, String> {
    let why = decides(case, step, trials)?;
    // Nothing decides among what could be asked, and what could not be asked is left: that is no answer.
    let unasked = why.rows.iter().filter(|row| row.towards).find_map(|row| row.seen.as_ref().err());
    match unasked.filter(|_| why.causes.is_empty() && !trials.machine().lab.initial) {
        Some(reason) => Err(reason.clone()),
        None => Ok(why),
    }
}

/// The same, content with what can be asked on this machine.
///
/// # Errors
/// Where the case itself cannot be run.
pub fn decides(case: &Case, step: usize, trials: &Trials<'_>) -> Result<Why, String> {
    let prepared = build::prepared(case, trials.machine()).map_err(|error| error.to_string())?;
    let case = prepared.as_ref();
    let seen = last(trials.one(&truncated(case, step)))?;
    let Some(sense) = seen.outcome.sense_or_kill() else {
        let (causes, rows, withheld) = Default::default();
        return Ok(Why { seen, sense: None, causes, rows, complete: true, withheld });
    };
    let scene = Scene::new(case, step, sense, trials.machine()).map_err(|error| error.to_string())?;
    let evidence = evidence(&case.steps[step].action, &seen);
    let mut inquiry = Inquiry { scene: &scene, evidence, trials, rows: Vec::new() };
    let Listed { changes, withheld } = all(&scene, trials.machine());
    let singles: Vec<Vec<Change>> = changes.iter().map(|change| vec![change.clone()]).collect();
    let turned = inquiry.try_all(&singles);
    let mut sets: Vec<Vec<Change>> =
        singles.into_iter().zip(&turned).filter(|(_, turned)| **turned).map(|(one, _)| one).collect();

    // Among those that do nothing alone. A capability that only a user namespace has to give cannot stand beside one that takes the
    // namespace away.
    let together = |change: &Change| match change.control {
        Control::Capability(one) => trials.machine().bounding.contains(one),
        _ => true,
    };
    let rest: Vec<&Change> = changes
        .iter()
        .zip(&turned)
        .filter(|(change, turned)| !**turned && towards(change, sense) && together(change))
        .map(|(change, _)| change)
        .collect();
    let pick = |set: &BTreeSet<usize>| set.iter().map(|index| rest[*index].clone()).collect::<Vec<_>>();
    let found = search::smallest(rest.len(), MOST, &mut |set| inquiry.try_one(&pick(set)));
    sets.extend(found.sets.iter().map(pick));
    let causes: Vec<Cause> = sets.iter().filter_map(|set| inquiry.cause(set)).collect();
    Ok(Why { seen, sense: Some(sense), causes, rows: inquiry.rows, complete: found.complete, withheld })
}

struct Inquiry<'a> {
    scene: &'a Scene,
    evidence: Option<&'a Expect>,
    trials: &'a Trials<'a>,
    rows: Vec<Row>,
}

impl Inquiry<'_> {
    fn try_one(&mut self, changes: &[Change]) -> bool {
        if let Some(row) = self.rows.iter().find(|row| row.changes == changes) {
            return row.turned;
        }
        self.try_all(&[changes.to_vec()]).first().is_some_and(|turned| *turned)
    }

    /// Whether each turns the outcome.
    fn try_all(&mut self, sets: &[Vec<Change>]) -> Vec<bool> {
        let cases: Vec<Case> = sets.iter().map(|set| apply(set, self.scene)).collect();
        let tried = self.trials.all(&cases);
        let rows = sets.iter().zip(tried).map(|(changes, trial)| {
            let seen = last(trial);
            let turned = seen.as_ref().is_ok_and(|seen| turned(self.scene.sense, changes, seen));
            let gone = !turned && seen.as_ref().is_ok_and(|seen| is_gone(self.scene.sense, self.evidence, seen));
            let change = changes.iter().map(|one| words(one, self.scene).change).collect::<Vec<_>>().join(" and ");
            let towards = changes.iter().all(|one| towards(one, self.scene.sense));
            Row { changes: changes.clone(), change, seen, turned, gone, towards }
        });
        let rows: Vec<Row> = rows.collect();
        let turned = rows.iter().map(|row| row.turned).collect();
        self.rows.extend(rows);
        turned
    }

    fn cause(&self, set: &[Change]) -> Option<Cause> {
        let tried = |changes: &[Change]| {
            let row = self.rows.iter().find(|row| row.changes == changes)?;
            row.seen.as_ref().ok().cloned()
        };
        let without = match set {
            [_] => Vec::new(),
            _ => (0..set.len())
                .filter_map(|left_out| {
                    let others: Vec<Change> = set
                        .iter()
                        .enumerate()
                        .filter(|(index, _)| *index != left_out)
                        .map(|(_, one)| one.clone())
                        .collect();
                    tried(&others)
                })
                .collect(),
        };
        Some(Cause {
            changes: set.to_vec(),
            words: set.iter().map(|change| words(change, self.scene)).collect(),
            seen: tried(set)?,
            carried: self.carried(set),
            without,
        })
    }

    /// What root has in a user namespace counts only for ids that it maps, and for what the namespace owns. Without the namespace
    /// the same capability decides, and a reader who sees it in the list wonders why it did not.
    fn carried(&self, set: &[Change]) -> Vec<Control> {
        let lifts_namespace =
            set.iter().any(|change| change.control == Control::Uidmap && change.direction == Direction::Lift);
        if !lifts_namespace || self.scene.sense == Sense::Allowed {
            return Vec::new();
        }
        let lifted = apply(set, self.scene);
        let step = lifted.steps.len() - 1;
        let Ok(scene) = Scene::new(&lifted, step, Sense::Allowed, self.trials.machine()) else { return Vec::new() };
        let taken: Vec<Change> = crate::capability::Capability::all()
            .filter(|one| self.scene.capabilities().effective.contains(*one))
            .filter_map(|one| change_of(&Control::Capability(one), &scene).ok())
            .filter(|change| change.direction == Direction::Impose)
            .collect();
        let cases: Vec<Case> = taken.iter().map(|change| apply(std::slice::from_ref(change), &scene)).collect();
        let tried = self.trials.all(&cases);
        let back = taken.into_iter().zip(tried).filter(|(_, trial)| {
            let seen = trial.as_ref().ok().and_then(|(_, seen)| seen.steps.last());
            seen.is_some_and(|seen| seen.outcome.sense() == Some(Sense::Denied))
        });
        back.map(|(change, _)| change.control).collect()
    }
}

/// Whether an outcome is the opposite. Without a volume what it held is not there, nor what others mount below one that is private, and that
/// is what the change is about.
fn turned(sense: Sense, changes: &[Change], seen: &StepObservation) -> bool {
    let volumes = changes.iter().all(|one| matches!(one.control, Control::Volume(_) | Control::Propagation(_)));
    let gone = sense == Sense::Allowed && volumes && matches!(seen.outcome, crate::observe::Outcome::Unavailable(_));
    gone || seen.outcome.sense() == Some(sense.opposite())
}

fn truncated(case: &Case, step: usize) -> Case {
    let mut case = case.clone();
    case.steps.truncate(step + 1);
    case
}

/// What came of the last step.
fn last(trial: Trial) -> Result<StepObservation, String> {
    let (job, seen) = trial?;
    for (container, state) in job.containers.iter().zip(&seen.containers) {
        if let ContainerState::Refused(outcome) = state {
            return Err(format!("container {} does not start: {}", container.name, verdict::words(outcome)));
        }
    }
    seen.steps.last().cloned().ok_or_else(|| "the engine took fewer steps than it was asked to".to_owned())
}
