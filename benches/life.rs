//! One container's life through the native engine, to be compared with the bare floor (init/benches/floor.rs), and
//! that of a case with one probe. Prints `life_us`, `probe_us` and `refusal_ms NAME`.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use caplab::{
    engine::{ContainerState, Engine, Job, native::Native},
    host::Machine,
    scenario, spec,
};

const LIVES: usize = 300;

const BARE: &str = "title: Bare\ncontainer: {preset: bare}\nsteps:\n  - probe: mount\n    expect: allowed\n";

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn lives(engine: &mut Native, job: &Job) -> Duration {
    let once = |engine: &mut Native| {
        let started = Instant::now();
        let seen = engine.observe(job).expect("observed");
        assert!(matches!(seen.containers[0], ContainerState::Running(_)));
        started.elapsed()
    };
    for _ in 0..20 {
        once(engine);
    }
    median((0..LIVES).map(|_| once(engine)).collect())
}

fn main() {
    let scenario = scenario::load("bare", Path::new("bare.yaml"), BARE).expect("valid");
    let machine = Machine::probe(false);
    let mut job = spec::job(&scenario.cases[0], &machine, Duration::from_secs(10)).expect("resolved");
    let mut engine = Native::start().expect("the engine starts");
    println!("probe_us {}", lives(&mut engine, &job).as_micros());
    job.steps.clear();
    println!("life_us {}", lives(&mut engine, &job).as_micros());

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
    }
    for (name, text) in [
        ("nested-100000", format!("title: {}", "[".repeat(100_000))),
        ("alias-bomb", bomb),
        ("over-1-MiB", format!("title: {}", "a".repeat(1 << 20))),
    ] {
        let started = Instant::now();
        scenario::load("bad", Path::new("bad.yaml"), &text).map(|_| ()).expect_err("refused");
        println!("refusal_ms {name} {:.2}", started.elapsed().as_secs_f64() * 1000.0);
    }
}
