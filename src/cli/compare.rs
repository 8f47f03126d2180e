//! `caplab compare`.

use std::time::Duration;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};

use super::{Format, complain, pace::seconds, print_json, run::engine, say, select::select};
use crate::{
    engine::Kind,
    host::Machine,
    report::{json::host, pretty},
    runner::{Absent, Compared, Context, Explanations, compare},
    terminal,
};

/// Columns of a table where the terminal's width is not known.
const WIDTH: u16 = 120;

// Arguments of `caplab compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Files, folders, or parts of names
    #[arg(value_name = "SCENARIO", required = true)]
    what: Vec<String>,
    /// An engine to compare, the first of them with the others [default: native and all that are installed]
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    engine: Vec<Kind>,
    /// How results are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// Only rows in which engines differ
    #[arg(long)]
    differences: bool,
    /// Seconds that a step may take where its author said nothing
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Let scenarios look at the real machine's paths, where they ask for that
    #[arg(long)]
    trust_host: bool,
}

impl Compare {
    pub(super) fn main(self) -> u8 {
        let selection = match select(&self.what) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        if let Some(diagnostic) = selection.invalid().next() {
            return complain(&diagnostic.to_string());
        }
        let machine = Machine::probe(self.trust_host);
        let mut kinds = self.engine.clone();
        if kinds.is_empty() {
            kinds.extend(Kind::ALL.into_iter().filter(|kind| kind.lacking(&machine).is_none()));
        }
        kinds.dedup();
        let context = Context {
            machine,
            engine: Kind::Native,
            with_differences: false,
            timeout: self.timeout,
            store: selection.store.clone(),
            update: true,
            propose: false,
            explanations: Explanations::default(),
        };
        let mut engines: Vec<_> = kinds.iter().map(|_| None).collect();
        let (mut differences, mut failed, mut alone) = (0, false, 0);
        let mut documents = Vec::new();
        for (scenario, case) in selection.cases() {
            let compared = compare(&context, &kinds, &mut engines, scenario, case);
            differences += compared.rows.iter().filter(|row| !row.same).count();
            alone += usize::from(compared.absent.iter().filter(|absent| absent.is_none()).count() < 2);
            failed |= compared.absent.iter().any(|absent| matches!(absent, Some(Absent::Failed(_))));
            if self.format == Format::Json {
                documents.push(document(&scenario.name, case.name.as_deref(), &kinds, &compared));
            } else {
                say(format_args!("{}  {}", pretty::name(&scenario.name, case.name.as_deref()), scenario.title));
                self.table(&kinds, &compared);
            }
        }
        if self.format == Format::Json {
            let names = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
            print_json(&json!({
                "caplab": env!("CARGO_PKG_VERSION"), "engines": names, "host": host(&context.machine),
                "differences": differences, "results": documents,
            }));
        } else {
            let rows = if differences == 1 { "row differs" } else { "rows differ" };
            let among = if failed { ", of those engines that could be observed" } else { "" };
            say(format_args!("{differences} {rows}{among}"));
            if alone > 0 {
                let cases = if alone == 1 { "case was" } else { "cases were" };
                say(format_args!("{alone} {cases} not compared: fewer than two engines ran it"));
            }
        }
        match (failed, differences) {
            (true, _) => 3,
            (false, 0) => 0,
            (false, _) => 1,
        }
    }

    fn table(&self, kinds: &[Kind], compared: &Compared) {
        for (kind, absent) in kinds.iter().zip(&compared.absent) {
            match absent {
                Some(Absent::Skipped(reason)) => say(format_args!("  {kind} was not run: {reason}")),
                Some(Absent::Failed(reason)) => say(format_args!("  {kind} could not be observed: {reason}")),
                None => {}
            }
        }
        let ran = |index: &usize| compared.absent[*index].is_none();
        let columns: Vec<usize> = (0..kinds.len()).filter(ran).collect();
        if columns.is_empty() {
            return say(format_args!(""));
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
        table.set_header(["", ""].into_iter().chain(columns.iter().map(|index| kinds[*index].name())));
        for row in compared.rows.iter().filter(|row| !(self.differences && row.same)) {
            let mut cells = vec![if row.same { " " } else { "≠" }, &row.what];
            cells.extend(columns.iter().enumerate().map(|(place, index)| match &row.values[*index] {
                // The same once more tells a reader nothing, and a list of capabilities takes much room.
                Some(_) if row.same && place > 0 => "=",
                Some(value) if value.is_empty() => "yes",
                Some(value) => value,
                None => "–",
            }));
            table.add_row(cells);
        }
        say(format_args!("{table}\n"));
    }
}

/// Of the terminal, where there is one.
fn width() -> u16 {
    terminal::columns().and_then(|columns| u16::try_from(columns).ok()).filter(|width| *width >= 40).unwrap_or(WIDTH)
}

fn document(scenario: &str, case: Option<&str>, kinds: &[Kind], compared: &Compared) -> Value {
    let rows = compared.rows.iter().map(|row| {
        let values: Map<String, Value> =
            kinds.iter().zip(&row.values).map(|(kind, value)| (kind.name().to_owned(), json!(value))).collect();
        json!({"what": row.what, "values": values, "same": row.same})
    });
    let absent: Map<String, Value> = kinds
        .iter()
        .zip(&compared.absent)
        .filter_map(|(kind, absent)| match absent {
            Some(Absent::Skipped(reason)) => Some((kind.name().to_owned(), json!({"skip": reason}))),
            Some(Absent::Failed(reason)) => Some((kind.name().to_owned(), json!({"error": reason}))),
            None => None,
        })
        .collect();
    json!({"scenario": scenario, "case": case, "rows": rows.collect::<Vec<_>>(), "absent": absent})
}
