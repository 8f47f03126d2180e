//! `caplab schema`.

use std::path::Path;

use clap::Args;

use super::print_json;
use crate::scenario;

// Arguments of `caplab schema`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Schema {}

const EXAMPLES: &str = "Examples:
  caplab schema > schemas/scenario.schema.json

In a scenario, for an editor with a YAML language server:
  # yaml-language-server: $schema=../../schemas/scenario.schema.json";

impl Schema {
    pub(super) fn main(self) -> u8 {
        print_json(&scenario::schema());
        0
    }
}

/// What brings the schema that a scenario's first line names; `None` where it is there.
pub(super) fn missing() -> Option<&'static str> {
    let is_there = Path::new("schemas/scenario.schema.json").exists();
    (!is_there).then_some(
        "for an editor that completes and checks it: mkdir -p schemas && caplab schema > schemas/scenario.schema.json",
    )
}
