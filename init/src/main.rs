//! caplab's static helper. It never exists in a container's file system: it is executed from a sealed memfd.
//!
//! `launcher` makes containers and runs steps in them, `pause` is a container's pid 1, or `reap` before its command; `probe` and `inspect` are
//! what a step executes. This is the only crate with unsafe code, and it lives in `sys` and in `runtime`, which stands
//! where other programs have a C library.

#![no_std]
#![no_main]

extern crate alloc;

mod launcher;
mod pause;
mod probe;
mod reap;
mod runtime;
mod setup;
mod sys;

use alloc::{string::String, vec::Vec};

use caplab_init::wire::Probe;

use sys::{fd, process::complain};

/// The exit status of a helper that could not do what it was started for.
const FAILED: i32 = 125;

/// The program; its result is the exit status.
fn main(args: &[String], env: &[String]) -> i32 {
    let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match args[..] {
        ["launcher"] => launcher::main(),
        ["launcher", "runtime"] => launcher::of_runtime(),
        ["launcher", "user"] => launcher::user::main(),
        ["launcher", "apart"] => launcher::user::main_apart(),
        // As an interpreter it is given the script too.
        ["pause", ..] => pause::main(),
        ["reap", ref command @ ..] => reap::main(command, env),
        ["init", ref words @ ..] => launcher::through::main(words),
        ["probe", hex] => match Probe::from_hex(hex) {
            Some(what) => answer(&probe::run(&what)),
            None => failed("probe: not a probe of this version"),
        },
        ["probes", ref probes @ ..] => match probe::batch::take(probes) {
            Ok(reports) => answer(&reports),
            Err(fail) => failed(&alloc::format!("probes: {}: errno {}", fail.call, fail.errno)),
        },
        ["inspect"] => answer(&probe::inspect::read()),
        _ => failed("caplab-init is started by caplab; there is nothing to use by hand"),
    }
}

/// Writes a postcard document to standard output, where the launcher reads it.
fn answer<T: serde::Serialize>(value: &T) -> i32 {
    let Ok(bytes) = postcard::to_allocvec(value) else { return failed("the answer has no form") };
    match fd::write_all(fd::OUTPUT, &bytes) {
        Ok(()) => 0,
        Err(fail) => failed(&alloc::format!("writing the answer: errno {}", fail.errno)),
    }
}

fn failed(message: &str) -> i32 {
    complain(message);
    FAILED
}
