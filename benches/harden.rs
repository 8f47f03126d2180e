//! `harden` over all controls of a one-step scenario, beside one life of the same container: it takes its runs and no more. Prints
//! `harden_runs`, `harden_us`, `case_us`.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use caplab::{
    counterfactual::{Trials, harden::harden},
    host::Machine,
    scenario,
};

const TEXT: &str = "title: The firewall\ncontainer: {preset: docker, privileged: true}\nsteps:\n  - probe: list_firewall\n    expect: allowed\n";
const ROUNDS: usize = 15;

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn main() {
    let scenario = scenario::load("firewall", Path::new("firewall.yaml"), TEXT).expect("valid");
    let machine = Machine::probe(false);
    let trials = Trials::new(&machine, Duration::from_secs(10), 1, caplab::runner::beyond);
    let case = &scenario.cases[0];
    trials.one(case).expect("it runs");
    let once = || {
        let started = Instant::now();
        trials.one(case).expect("it runs");
        started.elapsed()
    };
    println!("case_us {}", median((0..ROUNDS).map(|_| once()).collect()).as_micros());
    let before = trials.runs();
    harden(case, &trials).expect("hardened");
    println!("harden_runs {}", trials.runs() - before);
    let whole = || {
        let started = Instant::now();
        harden(case, &trials).expect("hardened");
        started.elapsed()
    };
    println!("harden_us {}", median((0..ROUNDS).map(|_| whole()).collect()).as_micros());
}
