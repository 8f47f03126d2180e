//! One control changed: the same case, and what must be different in it when that control decides.

use crate::{
    capability::CapSet,
    scenario::model::{Action, Case, Control, Expect, IdOrName, OutcomeExpect, User},
};

/// The user that root becomes where being root is taken away: the course note's ordinary user.
const ORDINARY: u32 = 6667;

/// A case with exactly one control changed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The case; its last step is the one in question.
    pub case: Case,
    /// What was changed, for a reader: `CAP_NET_ADMIN given`.
    pub change: String,
}

/// The case up to a step, with the control changed that the step's `because` names: what must be otherwise in it is
/// given where the outcome was denied, taken away where it was allowed.
#[must_use]
pub fn change(case: &Case, step: usize, control: &Control, expect: &Expect) -> Changed {
    let mut case = case.clone();
    case.steps.truncate(step + 1);
    let denied = matches!(expect.outcome, Some(OutcomeExpect::Denied(_)));
    let within = case.steps[step].within;
    let as_user = &mut case.steps[step].as_user;
    let container = &mut case.containers[within];
    let change = match control {
        Control::Capability(capability) if denied => {
            container.lifted = container.lifted.union(CapSet::EMPTY.with(*capability));
            format!("{capability} given")
        }
        Control::Capability(capability) => {
            container.withheld = container.withheld.union(CapSet::EMPTY.with(*capability));
            format!("{capability} taken away")
        }
        Control::User => {
            let uid = if denied { 0 } else { ORDINARY };
            let other = Some(User { user: IdOrName::Id(uid), group: Some(IdOrName::Id(uid)) });
            // The user that counts is the step's own, where it has one.
            if as_user.is_some() {
                *as_user = other;
            } else {
                container.user = other;
            }
            format!("uid {uid}")
        }
        Control::Uidmap => {
            container.uidmap.clear();
            container.gidmap.clear();
            "no user namespace".to_owned()
        }
        Control::Privileged => {
            container.privileged = false;
            "privileged taken away".to_owned()
        }
        Control::ReadOnlyVolume(target) => {
            for volume in container.volumes.iter_mut().filter(|volume| volume.target == *target) {
                volume.read_only = false;
            }
            format!("{target} writable")
        }
        Control::ReadOnlyRoot => {
            container.read_only = false;
            "a writable root".to_owned()
        }
        Control::NoNewPrivs => {
            container.no_new_privs = false;
            "no_new_privs not set".to_owned()
        }
        Control::Seccomp => {
            container.seccomp_unconfined = true;
            "seccomp unconfined".to_owned()
        }
        Control::Devices => {
            container.all_devices = true;
            "every device allowed".to_owned()
        }
    };
    Changed { case, change }
}

/// The control and the expectation of a step that has a `because`.
#[must_use]
pub fn because(action: &Action) -> Option<(&Control, &Expect)> {
    match action {
        Action::Run { because: Some(control), expect, .. } | Action::Probe { because: Some(control), expect, .. } => {
            Some((control, expect))
        }
        _ => None,
    }
}
