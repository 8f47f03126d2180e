//! caplab's static helper. It never exists in a container's file system: it is executed from a sealed memfd.
//!
//! `launcher` makes containers and runs steps in them, `pause` is a container's pid 1, `probe` and `inspect` are
//! what a step executes. This is the only crate with unsafe code, and it lives in `sys` (and in the probes that
//! must make a raw call).

mod launcher;
mod pause;
mod probe;
mod setup;
mod sys;

use std::{io::Write, process::ExitCode};

use caplab_init::wire::Probe;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("launcher"), None) => launcher::main(),
        (Some("pause"), None) => pause::main(),
        (Some("probe"), Some(hex)) => match decode(&hex) {
            Some(what) => answer(&probe::run(&what)),
            None => complain("probe: not a probe of this version"),
        },
        (Some("inspect"), None) => answer(&probe::inspect::read()),
        _ => complain("caplab-init is started by caplab; there is nothing to use by hand"),
    }
}

/// Writes a postcard document to standard output, where the launcher reads it.
fn answer<T: serde::Serialize>(value: &T) -> ExitCode {
    let written =
        postcard::to_stdvec(value).map_err(std::io::Error::other).and_then(|bytes| std::io::stdout().write_all(&bytes));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("writing the answer: {error}")),
    }
}

fn decode(hex: &str) -> Option<Probe> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect();
    postcard::from_bytes(&bytes?).ok()
}

fn complain(message: &str) -> ExitCode {
    eprintln!("caplab-init: {message}");
    ExitCode::from(125)
}
