//! The differential test: containers that nobody thought of, on the native engine and on another one, side by side. What
//! differs and is not known by name fails, shrunk to the smallest container that differs. docs/fidelity.md.
//!
//! `CAPLAB_DIFFERENTIAL=200` is how many containers each engine is given, `CAPLAB_SEED=N` repeats a run.

mod beside;
mod config;
mod known;
mod seen;

use std::{env, time::Duration};

use caplab::{
    build,
    engine::{Engine, Kind},
    host::Machine,
    result::{CaseResult, Verdict},
    runner::{self, Context, Explanations},
    scenario::{self, model::Case},
    snapshot::{self, Store},
};
use config::Config;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config as Settings, RngAlgorithm, TestRng, TestRunner},
};
use tempfile::TempDir;

/// Containers for each engine where nobody says how many: enough to see that the test itself works.
const FEW: usize = 3;

/// Most runs that a difference is shrunk in.
const SHRINKING: usize = 20;

/// Containers after which a long run says how far it is.
const PROGRESS: usize = 25;

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// The seed of a plain `cargo test`.
const PLAIN: u64 = 2;

/// What CAPLAB_SEED says. Who asks for a number of containers gets others each time; a plain `cargo test` is the same each time.
fn seed() -> u64 {
    let plain = env::var_os("CAPLAB_DIFFERENTIAL").is_none().then_some(PLAIN);
    number("CAPLAB_SEED").or(plain).unwrap_or_else(|| {
        let now = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        // Short enough to be copied from a log.
        now.as_nanos() as u64 % 1_000_000_000
    })
}

/// Both engines, started once.
struct Both {
    context: Context,
    other: Kind,
    native: Option<Box<dyn Engine>>,
    driven: Option<Box<dyn Engine>>,
    /// Where the scenarios lie.
    folder: TempDir,
}

/// What came of a container.
enum Came {
    /// It says nothing about this engine, and why.
    Nothing(String),
    /// Facts in which the two differ: what it is, natively, on the other engine. None is what should be.
    Compared(Vec<(String, String, String)>),
}

impl Both {
    fn compare(&mut self, config: &Config) -> Came {
        let text = config.scenario();
        let scenario = scenario::load("differential", &self.folder.path().join("differential.yaml"), &text)
            .unwrap_or_else(|refusal| panic!("config.rs makes what is no scenario: {refusal}\n{}", config.container()));
        let case = &scenario.cases[0];
        let known = runner::unfit(self.other, &self.context.machine, case);
        if let Some(skip) = known.or_else(|| runner::unfit(Kind::Native, &self.context.machine, case)) {
            return Came::Nothing(skip.reason);
        }
        let run = |kind, engine: &mut _| {
            let context = Context { engine: kind, ..self.context.clone() };
            runner::run(&context, engine, &scenario, case)
        };
        let (driven, its_picture) = run(self.other, &mut self.driven);
        if let (Verdict::Skip(skip), true) = (&driven.verdict, driven.containers.is_empty()) {
            return Came::Nothing(skip.reason.clone());
        }
        let (native, picture) = run(Kind::Native, &mut self.native);
        // What is known to differ may be about what an image says.
        let prepared = build::prepared(case, &self.context.machine).expect("an image");
        let mut found = self.differences(&prepared, &native, &driven);
        if found.is_empty() {
            found.extend(pictures(&picture.unwrap_or_default(), &its_picture.unwrap_or_default()));
        }
        Came::Compared(found)
    }

    fn differences(&self, case: &Case, native: &CaseResult, driven: &CaseResult) -> Vec<(String, String, String)> {
        let (native, driven) = (seen::rows(case, native), seen::rows(case, driven));
        // Where one of them could not be asked the rest follows from that.
        let error = |rows: &seen::Rows| rows.get("error").cloned().unwrap_or_default();
        if error(&native) != error(&driven) {
            return vec![("error".to_owned(), error(&native), error(&driven))];
        }
        // Of a container that one of them refuses it has nothing more to say.
        let refusals = |rows: &seen::Rows| -> Vec<(String, String)> {
            let found = rows.iter().filter(|(what, _)| what.ends_with(": refused") || *what == "not made");
            found.map(|(what, says)| (what.clone(), says.clone())).collect()
        };
        if refusals(&native) != refusals(&driven) {
            let words = |rows: &seen::Rows| format!("{:?}", refusals(rows));
            return vec![("refused".to_owned(), words(&native), words(&driven))];
        }
        let mut names: Vec<&String> = native.keys().collect();
        names.extend(driven.keys().filter(|name| !native.contains_key(*name)));
        let said = |rows: &seen::Rows, name: &str| rows.get(name).cloned().unwrap_or_else(|| "–".to_owned());
        let rows = names.into_iter().map(|name| (name.clone(), said(&native, name), said(&driven, name)));
        rows.filter(|(name, native, driven)| {
            native != driven && known::named(self.other, case, name, native, driven).is_none()
        })
        .collect()
    }
}

/// Rows in which what a snapshot keeps differs: nothing of that may, whatever else is known to. What programs print has been compared.
fn pictures(native: &str, driven: &str) -> Vec<(String, String, String)> {
    let (native, driven) = (snapshot::rows(native), snapshot::rows(driven));
    let says = |rows: &[(String, String)], row: &(String, String)| {
        let same = rows.iter().find(|(what, _)| *what == row.0);
        same.map_or_else(|| "–".to_owned(), |(_, says)| says.clone())
    };
    let all = native.iter().chain(driven.iter().filter(|row| says(&native, row) == "–"));
    let all = all.filter(|(what, _)| !what.contains(": stdout") && !what.contains(": stderr"));
    let rows = all.map(|row| (format!("picture: {}", row.0), says(&native, row), says(&driven, row)));
    rows.filter(|(_, native, driven)| native != driven).collect()
}

/// Whether an engine is there; where not, the test says so and is over. Must it run, it fails.
fn there(kind: Kind, machine: &Machine) -> bool {
    let lacking = kind.lacking(machine);
    let is_root = nix::unistd::geteuid().is_root();
    // An ordinary user's engines are not driven, whatever is installed.
    let may_lack = !is_root || env::var_os("CAPLAB_MUST_RUN").is_none();
    // A user's podman is another one, of which few of these containers can be asked (`rootless`).
    if kind == Kind::Podman && !is_root {
        println!("not run: needs root");
        return false;
    }
    if let Some(skip) = &lacking {
        assert!(may_lack, "needs {kind}: {}", skip.reason);
        println!("not run: {}", skip.reason);
    }
    lacking.is_none()
}

fn differential(other: Kind) {
    let machine = Machine::probe(false);
    if !there(other, &machine) {
        return;
    }
    let (count, seed) = (number("CAPLAB_DIFFERENTIAL").unwrap_or(FEW), seed());
    println!("{other}: {count} containers, CAPLAB_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = TestRunner::new_with_rng(Settings::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let mut both = Both {
        context: Context {
            machine,
            engine: Kind::Native,
            with_differences: false,
            timeout: Duration::from_secs(20),
            store: Store::Embedded(|_| None),
            update: true,
            propose: false,
            explanations: Explanations::default(),
        },
        other,
        native: None,
        driven: None,
        folder: beside::folder(),
    };
    let strategy = config::config(other);
    let (mut compared, mut nothing, mut differ) = (0, Vec::new(), Vec::new());
    while compared < count {
        let mut tree = strategy.new_tree(&mut random).expect("a container");
        match both.compare(&tree.current()) {
            Came::Nothing(reason) => nothing.push(reason),
            Came::Compared(rows) => {
                compared += 1;
                if !rows.is_empty() {
                    differ.push(shrink(&mut both, &mut tree, rows));
                    println!("{other}, container {compared}: {}", differ.last().expect("one"));
                }
                if compared % PROGRESS == 0 {
                    println!("{other}: {compared} of {count}, {} differ", differ.len());
                }
            }
        }
        assert!(nothing.len() <= 10 * (count + 10), "hardly any container can be put to {other}: {nothing:#?}");
    }
    println!(
        "{other}: {compared} containers compared, {} differ; {} more say nothing of it",
        differ.len(),
        nothing.len()
    );
    assert!(
        differ.is_empty(),
        "{} of {compared} containers differ on {other}, each the smallest that does; again with \
         CAPLAB_SEED={seed} CAPLAB_DIFFERENTIAL={count}\n\n{}",
        differ.len(),
        differ.join("\n")
    );
}

/// The smallest container that still differs in one of the same facts, as a text.
fn shrink(both: &mut Both, tree: &mut impl ValueTree<Value = Config>, rows: Vec<(String, String, String)>) -> String {
    let (mut smallest, mut differing) = (tree.current(), rows);
    let mut goes_on = tree.simplify();
    for _ in 0..SHRINKING {
        if !goes_on {
            break;
        }
        let smaller = tree.current();
        let found = match both.compare(&smaller) {
            Came::Compared(found) => found,
            Came::Nothing(_) => Vec::new(),
        };
        // Another difference is another container's matter.
        if found.iter().any(|(name, ..)| differing.iter().any(|(known, ..)| known == name)) {
            (smallest, differing) = (smaller, found);
            goes_on = tree.simplify();
        } else {
            goes_on = tree.complicate();
        }
    }
    let rows = differing.iter().map(|(what, native, other)| {
        format!("  {what}\n    native: {}\n    {}: {}\n", native.escape_debug(), both.other, other.escape_debug())
    });
    format!("{}differs in\n{}", smallest.container(), rows.collect::<String>())
}

#[test]
fn crun_is_native() {
    differential(Kind::Crun);
}

#[test]
fn docker_is_native() {
    differential(Kind::Docker);
}

#[test]
fn podman_is_native() {
    differential(Kind::Podman);
}

#[test]
fn runc_is_native() {
    differential(Kind::Runc);
}
