//! The command line: one file a verb.

mod check;
mod compare;
mod completions;
mod doctor;
mod engine;
mod explain;
mod format;
mod from;
mod harden;
mod list;
mod man;
mod merge;
mod mutate;
mod new;
mod pace;
mod run;
mod schema;
mod select;
mod shard;
mod shell;
mod suggest;
mod to;
mod watch;
mod why;

use std::{ffi::OsString, io::Write};

use clap::{
    Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue},
};

use crate::{report::pretty, terminal, text::nearest};

/// Exit status of a wrong command line or an invalid scenario.
const USAGE: u8 = 2;

/// The cargo test of container isolation: YAML scenarios run in real Linux namespaces.
#[derive(Debug, Parser)]
#[command(version, about, after_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const AFTER: &str = "Begin with:
  caplab doctor                                 what this machine can do
  caplab run                                    the suite
  caplab new mine/clock                         a scenario of your own, three questions
  caplab from docker run --cap-drop ALL web     or from a command line that you have

And with what `caplab new` made:
  caplab run --update mine/clock                run it, and keep its picture
  caplab explain mine/clock                     how that container is made, and what protects what
  caplab shell --rootfs host mine/clock         a terminal in it, with this machine's programs

Scenarios are those of ./scenarios, or those that came with the binary where there is no such folder.
Exit status: 0 all passed, 1 a scenario failed, 2 usage or an invalid scenario, 3 something could not be observed.";

#[derive(Debug, Subcommand)]
// Each verb's arguments are made when it is called: those of all of them would take a quarter of a millisecond. What a doc comment of
// its struct said would then be its description, in place of the one below: these have none.
#[command(defer = true)]
enum Verb {
    /// Begin a scenario, which runs
    New(new::New),
    /// Run scenarios
    Run(run::Run),
    /// Run scenarios whenever they are saved
    Watch(watch::Watch),
    /// What there is, and what would be skipped here and why
    List(list::List),
    /// Validate scenario files without running them
    Check(check::Check),
    /// The JSON Schema of scenario files, for editors
    Schema(schema::Schema),
    /// The way of a container, system call by system call, and what each protects
    Explain(explain::Explain),
    /// The same scenarios on several engines, a column each
    Compare(compare::Compare),
    /// Why a step came out so: the smallest sets of protections that decide it
    Why(why::Why),
    /// The least privileged config under which every expectation still holds
    Harden(harden::Harden),
    /// A terminal in a scenario's container, or on its host
    Shell(shell::Shell),
    /// Whether scenarios notice: their configs flipped, the engine made wrong
    Mutate(mutate::Mutate),
    /// The engines of this machine, and what of caplab's they keep
    #[command(subcommand)]
    Engine(engine::Engine),
    /// A scenario from a docker or podman command line, a Compose file or a Kubernetes Pod
    From(from::From),
    /// A scenario's containers as a docker or podman command line, a Compose file, a Pod, an OCI document
    To(to::To),
    /// The shares of a run that several machines made, as one
    Merge(merge::Merge),
    /// What this machine can do, what is lost without it, and the command that brings it
    Doctor(doctor::Doctor),
    /// What a shell completes `caplab` with
    Completions(completions::Completions),
    /// Manual pages
    Man(man::Man),
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
        Err(mut error) => {
            meant(&mut error);
            let (printed, status) = (error.print(), error.exit_code().try_into().unwrap_or(USAGE));
            // Of one that is written to standard error nobody could be told there.
            if !error.use_stderr() {
                terminal::wrote(printed);
            }
            return whole(status);
        }
    };
    whole(called(arguments.verb))
}

/// Letters that changed places are clap's last guess, `podman` for `pdo`: its measure sees none in words this short.
fn meant(error: &mut clap::Error) {
    let (Some(ContextValue::String(value)), Some(ContextValue::Strings(valid))) =
        (error.get(ContextKind::InvalidValue), error.get(ContextKind::ValidValue))
    else {
        return;
    };
    if let Some(meant) = nearest(value, valid.iter().map(String::as_str)).map(str::to_owned) {
        error.insert(ContextKind::SuggestedValue, ContextValue::String(meant));
    }
}

fn called(verb: Verb) -> u8 {
    match verb {
        Verb::New(verb) => verb.main(),
        Verb::Run(verb) => verb.main(),
        Verb::Watch(verb) => verb.main(),
        Verb::List(verb) => verb.main(),
        Verb::Check(verb) => verb.main(),
        Verb::Schema(verb) => verb.main(),
        Verb::Explain(verb) => verb.main(),
        Verb::Compare(verb) => verb.main(),
        Verb::Why(verb) => verb.main(),
        Verb::Harden(verb) => verb.main(),
        Verb::Shell(verb) => verb.main(),
        Verb::Mutate(verb) => verb.main(),
        Verb::Engine(verb) => verb.main(),
        Verb::From(verb) => verb.main(),
        Verb::To(verb) => verb.main(),
        Verb::Merge(verb) => verb.main(),
        Verb::Doctor(verb) => verb.main(),
        Verb::Completions(verb) => verb.main(),
        Verb::Man(verb) => verb.main(),
    }
}

/// The exit status where standard output has all that was written to it: a report that is half there is none, whatever it would say.
fn whole(status: u8) -> u8 {
    terminal::wrote(std::io::stdout().flush());
    match terminal::unwritten() {
        Some(why) => complain(&format!("standard output: {why}; what was written there is not whole")),
        None => status,
    }
}

/// Says what is wrong with how caplab was called.
fn complain(message: &str) -> u8 {
    say_error(format_args!("caplab: {message}"));
    USAGE
}

/// A line on standard output. Who closed it (`| head`) reads no further; the exit status still says how it went.
fn say(text: std::fmt::Arguments<'_>) {
    terminal::wrote(writeln!(anstream::stdout(), "{text}"));
}

/// Lines for a reader: where a terminal is narrower they are broken between words. Not for what is to be copied.
fn tell(text: &str) {
    let columns = terminal::columns();
    text.split('\n').flat_map(|line| pretty::fitted(line, columns)).for_each(|line| say(format_args!("{line}")));
}

/// How many containers a verb made to find something out.
fn were_asked(runs: usize) -> String {
    if runs == 1 { "1 container was asked".to_owned() } else { format!("{runs} containers were asked") }
}

/// A text on standard output as it is: what others read has no colours to be taken out.
fn print(text: &str) {
    terminal::wrote(std::io::stdout().lock().write_all(text.as_bytes()));
}

/// A line on standard error.
fn say_error(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a JSON document.
fn print_json(value: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from);
    terminal::wrote(written.and_then(|()| writeln!(out)));
}
