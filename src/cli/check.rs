//! `caplab check`.

use std::time::Duration;

use clap::Args;

use super::{USAGE, complain, say, say_error, select::select};
use crate::{host::Machine, spec};

/// Arguments of `caplab check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files, folders, or parts of names
    #[arg(value_name = "PATH", required = true)]
    what: Vec<String>,
}

impl Check {
    pub(super) fn main(self) -> u8 {
        let selection = match select(&self.what) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        let machine = Machine::probe(false);
        let (mut wrong, mut cases) = (0, 0);
        for loaded in &selection.scenarios {
            match loaded {
                Ok(scenario) => {
                    cases += scenario.cases.len();
                    // What only resolving shows: a user or a volume's source that is not there.
                    let resolved = scenario.cases.iter().map(|case| spec::job(case, &machine, Duration::from_secs(1)));
                    if let Some(error) = resolved.filter_map(Result::err).next() {
                        wrong += 1;
                        say_error(format_args!("{}: {error}\n", scenario.path.display()));
                    }
                }
                Err(diagnostic) => {
                    wrong += 1;
                    say_error(format_args!("{diagnostic}\n"));
                }
            }
        }
        let count = selection.scenarios.len();
        if wrong > 0 {
            say_error(format_args!(
                "{wrong} of {count} {} wrong",
                if count == 1 { "scenario is" } else { "scenarios are" }
            ));
            return USAGE;
        }
        say(format_args!("{count} {}, {cases} {}: valid", plural(count, "scenario"), plural(cases, "case")));
        0
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
