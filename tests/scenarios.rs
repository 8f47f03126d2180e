//! The suite as tests.
fn main() {}
