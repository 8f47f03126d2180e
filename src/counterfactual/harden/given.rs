//! A case of which nobody said what to expect: what it does now.

use crate::{
    counterfactual::Trials,
    observe::Outcome,
    scenario::model::{Action, Case, Expect, OutcomeExpect},
    verdict,
};

/// The case whose commands must do what they do in it as it is: end with the same status, or by the same signal.
///
/// # Errors
/// Where that says nothing: a command that is not found, that takes too long, a container that does not start.
pub fn expecting_what_it_does(case: &Case, trials: &Trials<'_>) -> Result<Case, String> {
    let (_, seen) = trials.one(case)?;
    let mut case = case.clone();
    for (step, seen) in case.steps.iter_mut().zip(&seen.steps) {
        let Action::Run { expect, .. } = &mut step.action else { continue };
        let plain = Expect { outcome: None, exit: None, stdout: None, stderr: None };
        *expect = match &seen.outcome {
            Outcome::Allowed => Expect { outcome: Some(OutcomeExpect::Allowed), ..plain },
            Outcome::Failed(status) => Expect { exit: Some(*status), ..plain },
            Outcome::Killed(signal) => Expect { outcome: Some(OutcomeExpect::Killed(Some(*signal))), ..plain },
            other => {
                return Err(format!("what it does as it is cannot be expected of it: {}", verdict::words(other)));
            }
        };
    }
    Ok(case)
}
