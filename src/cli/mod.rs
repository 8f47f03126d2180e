//! The command line: one file a verb.

mod check;
mod compare;
mod doctor;
mod list;
mod run;
mod select;

use std::{ffi::OsString, io::Write};

use clap::{Parser, Subcommand, ValueEnum};

/// Exit status of a wrong command line or an invalid scenario.
const USAGE: u8 = 2;

/// The cargo test of container isolation: YAML scenarios run in real Linux namespaces.
#[derive(Debug, Parser)]
#[command(version, about, after_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const AFTER: &str =
    "Scenarios are those of ./scenarios, or those that came with the binary where there is no such folder.
Exit status: 0 all passed, 1 a scenario failed, 2 usage or an invalid scenario, 3 something could not be observed.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run scenarios
    Run(run::Run),
    /// What there is, and what would be skipped here and why
    List(list::List),
    /// Validate scenario files without running them
    Check(check::Check),
    /// The same scenarios on several engines, a column each
    Compare(compare::Compare),
    /// What this machine can do, what is lost without it, and the command that brings it
    Doctor(doctor::Doctor),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Pretty,
    /// For programs: one document.
    Json,
}

/// Takes the arguments of a process, the program's name first, and gives its exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody reads where that fails.
            let _ = error.print();
            return error.exit_code().try_into().unwrap_or(USAGE);
        }
    };
    match arguments.verb {
        Verb::Run(verb) => verb.main(),
        Verb::List(verb) => verb.main(),
        Verb::Check(verb) => verb.main(),
        Verb::Compare(verb) => verb.main(),
        Verb::Doctor(verb) => verb.main(),
    }
}

/// Says what is wrong with how caplab was called.
fn complain(message: &str) -> u8 {
    say_error(format_args!("caplab: {message}"));
    USAGE
}

/// A line on standard output. Who closed it (`| head`) reads no further; the exit status still says how it went.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A line on standard error.
fn say_error(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a JSON document; nobody reads where that fails.
fn print_json(value: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    let _ = serde_json::to_writer_pretty(&mut out, value).map(|()| writeln!(out));
}
