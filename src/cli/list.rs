//! `caplab list`.

use clap::Args;
use serde_json::json;

use super::{Format, USAGE, complain, print_json, say, say_error, select::select, tell};
use crate::{
    engine::Kind,
    host::{Machine, requirement},
    report::pretty,
    runner,
};

// Arguments of `caplab list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Files, folders, or parts of names; all where there is none
    #[arg(value_name = "PATH|FILTER")]
    what: Vec<String>,
    /// How the list is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// As with `run --trust-host`
    #[arg(long)]
    trust_host: bool,
}

impl List {
    pub(super) fn main(self) -> u8 {
        let selection = match select(&self.what) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        let machine = Machine::probe(self.trust_host);
        let mut rows = Vec::new();
        let mut last = None;
        for (scenario, case) in selection.cases() {
            let skip = runner::unfit(Kind::Native, &machine, case);
            if self.format == Format::Json {
                rows.push(json!({
                    "scenario": scenario.name,
                    "case": case.name,
                    "title": scenario.title,
                    "source": scenario.source,
                    "requires": requirement::all(case).iter().map(requirement::name).collect::<Vec<_>>(),
                    "skip": skip.map(|skip| skip.reason),
                }));
                continue;
            }
            if last != Some(&scenario.name) {
                tell(&format!("{}  \x1b[2m{}\x1b[0m", scenario.name, scenario.title));
                last = Some(&scenario.name);
            }
            match (&case.name, skip) {
                (_, Some(skip)) => {
                    let name = pretty::name("", case.name.as_deref());
                    let remedy = skip.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
                    tell(&format!("  {name} \x1b[33mwould be skipped\x1b[0m: {}{remedy}", skip.reason));
                }
                (Some(_), None) => say(format_args!("  {}", pretty::name("", case.name.as_deref()))),
                (None, None) => {}
            }
        }
        let mut status = 0;
        for diagnostic in selection.invalid() {
            say_error(format_args!("{diagnostic}\n"));
            status = USAGE;
        }
        if self.format == Format::Json {
            print_json(&json!(rows));
        }
        status
    }
}
