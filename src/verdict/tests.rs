//! What counts as denied, and what never does.

use std::{path::Path, time::Duration};

use super::*;
use crate::{
    engine::StepObservation,
    errno::{Errno, Signal},
    observe::Output,
    scenario::{
        self,
        model::{Action, Expect},
    },
};

fn seen(outcome: Outcome, exit: Option<i32>, stderr: &str) -> StepObservation {
    StepObservation {
        outcome,
        exit,
        stdout: Output::default(),
        stderr: Output { text: stderr.to_owned(), cut: false },
        facts: None,
        duration: Duration::ZERO,
    }
}

/// The expectation of a step as its author writes it.
fn expect(step: &str) -> Expect {
    let text = format!("title: A claim\ncontainer: {{}}\nsteps:\n  - {step}\n");
    let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
    match &scenario.cases[0].steps[0].action {
        Action::Run { expect, .. } | Action::Probe { expect, .. } => expect.clone(),
        other => panic!("{other:?}"),
    }
}

fn probe(expected: &str) -> Expect {
    expect(&format!("{{probe: mount, expect: {expected}}}"))
}

fn run(expected: &str) -> Expect {
    expect(&format!("{{run: iptables -L, expect: {expected}, because: {{capability: NET_ADMIN}}}}"))
}

const EPERM: Errno = Errno(1);
const EACCES: Errno = Errno(13);

fn denied(errno: Errno) -> Outcome {
    Outcome::Denied { errno, call: "mount()".to_owned() }
}

/// Everything that says nothing about permission.
fn nothing() -> Vec<Outcome> {
    vec![
        Outcome::Unclear("an errno".to_owned()),
        Outcome::Unavailable("no such file".to_owned()),
        Outcome::TimedOut,
        Outcome::Refused { phase: RefusedPhase::Start, message: String::new() },
        Outcome::Observed,
    ]
}

#[test]
fn a_probe_is_denied_by_the_errno_that_was_named() {
    assert!(outcome::findings(&probe("{denied: EPERM}"), &seen(denied(EPERM), None, "")).is_empty());
    assert!(outcome::findings(&probe("denied"), &seen(denied(EACCES), None, "")).is_empty());
    assert_eq!(outcome::findings(&probe("{denied: EPERM}"), &seen(denied(EACCES), None, "")).len(), 1);
    assert_eq!(outcome::findings(&probe("denied"), &seen(Outcome::Allowed, None, "")).len(), 1);
    assert_eq!(outcome::findings(&probe("denied"), &seen(Outcome::Killed(Signal(31)), None, "")).len(), 1);
}

#[test]
fn what_says_nothing_is_neither_allowed_nor_denied() {
    for outcome in nothing() {
        for expected in ["allowed", "denied", "{denied: EPERM}"] {
            let found = outcome::findings(&probe(expected), &seen(outcome.clone(), None, ""));
            assert!(found.len() == 1 && found[0].error, "{expected} of {outcome:?}");
        }
    }
}

#[test]
fn a_command_that_could_not_be_executed_was_not_denied() {
    for code in [126, 127] {
        let found = outcome::findings(&run("denied"), &seen(Outcome::Failed(code), Some(code), "not found"));
        assert_eq!(found.len(), 1, "exit {code}");
    }
    assert!(outcome::findings(&run("denied"), &seen(Outcome::Failed(4), Some(4), "")).is_empty());
    assert_eq!(outcome::findings(&run("denied"), &seen(Outcome::Killed(Signal(11)), None, "")).len(), 1);
}

#[test]
fn all_that_is_expected_of_a_command_must_be() {
    let expect = run("{outcome: denied, exit: 4, stderr: you must be root}");
    assert!(outcome::findings(&expect, &seen(Outcome::Failed(4), Some(4), "… you must be root")).is_empty());
    assert_eq!(outcome::findings(&expect, &seen(Outcome::Failed(1), Some(1), "… you must be root")).len(), 1);
    assert_eq!(outcome::findings(&expect, &seen(Outcome::Failed(4), Some(4), "segfault")).len(), 1);
}

#[test]
fn a_deviation_leaves_nothing_to_be_said() {
    let text = "title: A claim\ncontainer: {}\nsteps:\n  - probe: mount\n    expect: {denied: EPERM}\n";
    let scenario = scenario::load("test", Path::new("test.yaml"), text).expect("valid");
    let deviations = ["asked for CAP_NET_ADMIN".to_owned()];
    let verdict = conclude(&scenario.cases[0], &[], &[], &deviations, &["a snapshot that differs".to_owned()]);
    assert_eq!(verdict, Verdict::Error(deviations.to_vec()));
}
