//! `caplab doctor`.

use clap::Args;
use serde_json::json;

use super::{Format, print_json, say};
use crate::{
    engine::native::Native,
    host::{
        Machine,
        doctor::{State, examine},
    },
    report::json::host,
};

// Arguments of `caplab doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// How it is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

impl Doctor {
    pub(super) fn main(self) -> u8 {
        let machine = Machine::probe(false);
        let findings = examine(&machine);
        let engine = Native::start().map(|_| ());
        if self.format == Format::Json {
            let rows: Vec<_> = findings
                .iter()
                .map(|row| {
                    let state = match row.state {
                        State::Good => "good",
                        State::Less => "less",
                        State::Bad => "bad",
                    };
                    json!({"what": row.what, "state": state, "seen": row.seen, "lost": row.lost, "remedy": row.remedy})
                })
                .collect();
            print_json(&json!({"caplab": env!("CARGO_PKG_VERSION"), "host": host(&machine), "findings": rows}));
        } else {
            for row in &findings {
                let mark = match row.state {
                    State::Good => "\x1b[32mok   \x1b[0m",
                    State::Less => "\x1b[33mlacks\x1b[0m",
                    State::Bad => "\x1b[31;1mno   \x1b[0m",
                };
                say(format_args!("{mark} {:<22} {}", row.what, row.seen));
                if row.state != State::Good && !row.lost.is_empty() {
                    say(format_args!("{:28} lost: {}", "", row.lost));
                }
                if !row.remedy.is_empty() {
                    say(format_args!("{:28} \x1b[2mbrought by:\x1b[0m {}", "", row.remedy));
                }
            }
            match &engine {
                Ok(()) => say(format_args!("\x1b[32mok   \x1b[0m {:<22} starts", "native engine")),
                Err(error) => say(format_args!("\x1b[31;1mno   \x1b[0m {:<22} {error}", "native engine")),
            }
        }
        let bad = engine.is_err() || findings.iter().any(|row| row.state == State::Bad);
        if bad { 3 } else { 0 }
    }
}
