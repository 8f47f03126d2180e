//! `caplab mutate`.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Format, complain, pace::Pace, print_json, say, select::select, tell, were_asked};
use crate::{
    counterfactual::mutate::{self, Fate, Mutant, mutate},
    host::Machine,
    report::json::host,
};

/// Mutants that are no other program: a name and the reason, reviewed.
const EQUIVALENT: &str = include_str!("../counterfactual/mutate/equivalent.txt");

// Arguments of `caplab mutate`.
#[derive(Debug, Args)]
pub(super) struct Mutate {
    /// Files, folders, or parts of names; all where there is none
    #[arg(value_name = "PATH|FILTER")]
    what: Vec<String>,
    /// Which mutants are made [default: both]
    #[arg(long, value_enum)]
    kind: Vec<Kind>,
    /// Only so many of them, chosen by the seed
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// What a sample is chosen by [default: another one each time, and it is printed]
    #[arg(long, value_name = "SEED", requires = "sample")]
    seed: Option<u64>,
    /// How it is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    #[command(flatten)]
    pace: Pace,
}

/// Which mutants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Each control of each case flipped.
    Config,
    /// The native engine wrong in one operation.
    Engine,
}

impl Mutate {
    pub(super) fn main(self) -> u8 {
        let selection = match select(&self.what) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        if let Some(diagnostic) = selection.invalid().next() {
            return complain(&diagnostic.to_string());
        }
        // What a process inherits must not be by chance what it is to have: a umask(2) that is left out would then be missed by nobody.
        rustix::process::umask(rustix::fs::Mode::empty());
        let machine = Machine::probe(false);
        let kinds: Vec<mutate::Kind> = match self.kind.as_slice() {
            [] => vec![mutate::Kind::Config, mutate::Kind::Engine],
            some => some
                .iter()
                .map(|kind| match kind {
                    Kind::Config => mutate::Kind::Config,
                    Kind::Engine => mutate::Kind::Engine,
                })
                .collect(),
        };
        let seed = self.seed.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::from(since.subsec_nanos()) ^ since.as_secs())
        });
        let jobs = self.pace.jobs();
        let pick = |names: Vec<String>| match self.sample {
            Some(count) => sample(names, seed, count),
            None => names,
        };
        let found = mutate(&selection.cases(), &machine, &kinds, jobs, self.pace.timeout, pick);
        let survived = |mutant: &&Mutant| mutant.fate == Fate::Survived;
        let (equivalent, survivors): (Vec<&Mutant>, Vec<&Mutant>) =
            found.mutants.iter().filter(survived).partition(|mutant| reason(&mutant.name).is_some());
        let killed = found.mutants.len() - survivors.len() - equivalent.len();
        if self.format == Format::Json {
            let mutants = found.mutants.iter().map(|mutant| match &mutant.fate {
                Fate::Killed { by, how } => json!({"name": mutant.name, "fate": "killed", "by": by, "how": how}),
                Fate::Survived => match reason(&mutant.name) {
                    Some(reason) => json!({"name": mutant.name, "fate": "equivalent", "reason": reason}),
                    None => json!({"name": mutant.name, "fate": "survived"}),
                },
            });
            print_json(&json!({
                "caplab": env!("CARGO_PKG_VERSION"), "host": host(&machine),
                "seed": self.sample.map(|_| seed), "mutants": found.mutants.len(), "killed": killed,
                "equivalent": equivalent.len(), "runs": found.runs,
                "survivors": survivors.iter().map(|mutant| mutant.name.as_str()).collect::<Vec<_>>(),
                "results": mutants.collect::<Vec<_>>(),
                "untaken": found.untaken.iter().map(|(case, why)| json!({"case": case, "reason": why})).collect::<Vec<_>>(),
            }));
        } else {
            self.survivors(&survivors);
            if self.sample.is_some() {
                say(format_args!("seed {seed}"));
            }
            say(format_args!(
                "{} mutants: {killed} killed, {} survived, {} equivalent; {}, {} cases not taken",
                found.mutants.len(),
                survivors.len(),
                equivalent.len(),
                were_asked(found.runs),
                found.untaken.len(),
            ));
        }
        match (found.mutants.is_empty(), survivors.is_empty()) {
            (true, _) => complain("no mutants: no case among these holds and executes nothing but probes").max(3),
            (false, true) => 0,
            (false, false) => 1,
        }
    }

    /// What a scenario's author can mend comes first. A few scenarios need not notice all that an engine can do wrong: the suite does.
    fn survivors(&self, survivors: &[&Mutant]) {
        let (config, engine): (Vec<&Mutant>, Vec<&Mutant>) =
            survivors.iter().partition(|mutant| mutant.kind == mutate::Kind::Config);
        let survived = |what: &str| tell(&format!("\x1b[31;1msurvived\x1b[0m  {what}"));
        config.iter().for_each(|mutant| survived(&mutant.name));
        let operation =
            |mutant: &Mutant| mutant.name.rsplit_once(": ").map_or("", |(operation, _)| operation).to_owned();
        for ways in engine.chunk_by(|a, b| operation(a) == operation(b)) {
            let how: Vec<&str> = ways.iter().filter_map(|mutant| mutant.name.rsplit(": ").next()).collect();
            survived(&format!("{}: {}", operation(ways[0]), how.join("; ")));
        }
        if !engine.is_empty() && !self.what.is_empty() {
            let count = engine.len();
            tell(&format!(
                "\x1b[2m{count} of them are the engine's mistakes, which the suite as a whole notices: `caplab mutate`; only what these scenarios say: --kind config\x1b[0m"
            ));
        }
    }
}

/// Why a mutant is no other program, where somebody has found that.
fn reason(name: &str) -> Option<&'static str> {
    let lines = EQUIVALENT.lines().filter(|line| !line.starts_with('#'));
    let is = |known: &str| known == name || known.strip_suffix('*').is_some_and(|start| name.starts_with(start));
    lines.filter_map(|line| line.split_once(" = ")).find(|(known, _)| is(known)).map(|(_, reason)| reason)
}

/// So many of the names, the same ones for the same seed.
fn sample(names: Vec<String>, seed: u64, count: usize) -> Vec<String> {
    let key = |name: &String| Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize();
    let mut keyed: Vec<_> = names.into_iter().map(|name| (key(&name), name)).collect();
    keyed.sort();
    let mut chosen: Vec<String> = keyed.into_iter().take(count).map(|(_, name)| name).collect();
    chosen.sort();
    chosen
}
