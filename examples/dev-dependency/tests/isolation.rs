//! Each case of scenarios/ is a test: `cargo test --test isolation`, with libtest's arguments and nextest's contract.

use std::process::ExitCode;

fn main() -> ExitCode {
    caplab::Suite::new("scenarios").run()
}
