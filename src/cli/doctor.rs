//! `caplab doctor`.

use clap::Args;
use serde_json::json;

use super::{Format, print_json, say};
use crate::{
    engine::native::Native,
    host::{
        Machine,
        doctor::{Finding, State, examine},
    },
    report::json::host,
    terminal,
    text::wrap,
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
            let engine = engine.as_ref().map(|_| ()).map_err(ToString::to_string);
            lines(&findings, engine, terminal::columns()).iter().for_each(|line| say(format_args!("{line}")));
        }
        let bad = engine.is_err() || findings.iter().any(|row| row.state == State::Bad);
        if bad { 3 } else { 0 }
    }
}

/// Below so many columns nothing is set under what stands beside the names.
const NARROW: usize = 64;

/// A line for each point and what is to be said of it, as a terminal of so many columns has it.
fn lines(findings: &[Finding], engine: Result<(), String>, columns: Option<usize>) -> Vec<String> {
    let is_narrow = columns.is_some_and(|columns| columns < NARROW);
    let (name, below) = if is_narrow { (0, 6) } else { (22, 29) };
    let named = |what: &str| format!("{what}{}", if is_narrow { ":" } else { "" });
    let mut lines = Vec::new();
    let mut tell = |text: String, hanging| match columns {
        Some(columns) => lines.extend(wrap(&text, columns, hanging)),
        None => lines.push(text),
    };
    for row in findings {
        let mark = match row.state {
            State::Good => "\x1b[32mok   \x1b[0m",
            State::Less => "\x1b[33mlacks\x1b[0m",
            State::Bad => "\x1b[31;1mno   \x1b[0m",
        };
        tell(format!("{mark} {:<name$} {}", named(row.what), row.seen), below);
        if row.state != State::Good && !row.lost.is_empty() {
            tell(format!("{:below$}lost: {}", "", row.lost), below + 2);
        }
        if !row.remedy.is_empty() {
            tell(format!("{:below$}\x1b[2mbrought by:\x1b[0m {}", "", row.remedy), below + 2);
        }
    }
    let (mark, how) = match engine {
        Ok(()) => ("\x1b[32mok   \x1b[0m", "starts".to_owned()),
        Err(error) => ("\x1b[31;1mno   \x1b[0m", error),
    };
    tell(format!("{mark} {:<name$} {how}", named("native engine")), below);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let finding = |state| Finding {
            what: "capabilities of root",
            state,
            seen: "all but CAP_SYS_RESOURCE and a few others".to_owned(),
            lost: "scenarios that give what root does not have",
            remedy: "a machine whose root lacks none of them".to_owned(),
        };
        let findings = [State::Good, State::Less, State::Bad].map(finding);
        for columns in [40, 60, 80, 120] {
            let lines = lines(&findings, Err("the launcher did not start: out of memory".to_owned()), Some(columns));
            assert!(lines.iter().all(|line| width(line) <= columns), "{columns}: {lines:#?}");
            assert!(lines.iter().any(|line| line.contains("lost: scenarios")), "{columns}: {lines:#?}");
        }
        let whole = lines(&findings, Ok(()), None);
        assert_eq!(whole.len(), 3 + 2 + 3 + 1, "{whole:#?}");
        assert!(whole[3].starts_with(&format!("{:29}lost: ", "")), "{whole:#?}");
    }
}
