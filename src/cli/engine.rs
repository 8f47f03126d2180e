//! `caplab engine list` and `caplab engine prune`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Format, print_json, say, say_error};
use crate::{
    engine::{Kind, Stock},
    host::Machine,
};

// Arguments of `caplab engine`.
#[derive(Debug, Subcommand)]
pub(super) enum Engine {
    /// Each engine, whether it is there, its version, and what of caplab's is in its store
    List {
        /// How it is printed
        #[arg(long, value_enum, default_value = "pretty")]
        format: Format,
    },
    /// Remove what caplab keeps in the stores of docker and podman: the images of roots, and what a run that was killed
    /// has left. What a run uses that still goes on stays
    Prune,
}

impl Engine {
    pub(super) fn main(self) -> u8 {
        match self {
            Self::List { format } => list(format),
            Self::Prune => prune(),
        }
    }
}

fn list(format: Format) -> u8 {
    let machine = Machine::probe(false);
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let lacking = kind.lacking(&machine);
        let stock = if lacking.is_none() { kind.stock() } else { Ok(Stock::default()) };
        if format == Format::Json {
            let reason = lacking.as_ref().map(|skip| &skip.reason);
            let remedy = lacking.as_ref().and_then(|skip| skip.remedy.as_ref());
            let version = if lacking.is_none() { kind.version() } else { None };
            let mut row = json!({"engine": kind.name(), "version": version, "lacking": reason, "remedy": remedy});
            match stock {
                Ok(Stock { containers, in_use, images }) => {
                    row["containers"] = json!(containers);
                    row["in_use"] = json!(in_use);
                    row["images"] = json!(images);
                }
                Err(error) => row["error"] = json!(error.to_string()),
            }
            rows.push(row);
            continue;
        }
        if let Some(skip) = lacking {
            say(format_args!("\x1b[33mno\x1b[0m  {kind:<8} {}", skip.reason));
            if let Some(remedy) = skip.remedy {
                say(format_args!("{:12} \x1b[2mbrought by:\x1b[0m {remedy}", ""));
            }
            continue;
        }
        let version = kind.version().unwrap_or_else(|| "built in".to_owned());
        let keeps = match stock {
            Ok(stock) => keeps(&stock),
            Err(error) => format!("; {error}"),
        };
        say(format_args!("\x1b[32mok\x1b[0m  {kind:<8} {version}{keeps}"));
    }
    if format == Format::Json {
        print_json(&json!({"caplab": env!("CARGO_PKG_VERSION"), "engines": Value::Array(rows)}));
    }
    0
}

/// What an engine keeps, in words.
fn keeps(stock: &Stock) -> String {
    let Stock { containers, in_use, images } = stock;
    match (containers, images.len()) {
        (0, 0) => String::new(),
        (0, images) => format!("; keeps {}", plural(images, "image")),
        (containers, images) => {
            format!("; keeps {}, {} ({in_use} in use)", plural(images, "image"), plural(*containers, "container"))
        }
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn prune() -> u8 {
    let machine = Machine::probe(false);
    let mut failed = false;
    for kind in [Kind::Podman, Kind::Docker] {
        if let Some(skip) = kind.lacking(&machine) {
            say(format_args!("{kind}: {}", skip.reason));
            continue;
        }
        match kind.prune() {
            Ok(removed) => say(format_args!(
                "{kind}: removed {}, {}",
                plural(removed.images, "image"),
                plural(removed.containers, "container")
            )),
            Err(error) => {
                failed = true;
                say_error(format_args!("caplab: {error}"));
            }
        }
    }
    if failed { 3 } else { 0 }
}
