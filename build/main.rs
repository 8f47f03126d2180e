//! Builds what the binary carries: the static helper and the suite.

mod helper;
mod link;
mod suite;

use std::{env, path::PathBuf};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    helper::build(&root, &out);
    suite::write(&root, &out);
    link::tell(&out);
}
