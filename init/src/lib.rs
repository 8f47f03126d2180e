//! What caplab and its static helper say to each other.
//!
//! The helper (`src/main.rs`, the only crate with unsafe code) is started once per worker as a *launcher*.
//! The parent sends it one [`wire::Request`] per case and gets one [`wire::Response`] back, each a postcard
//! document behind a length ([`wire::frame`]). Everything that is decided is decided by the parent: the
//! helper is handed an ordered list of operations and walks it.

#![no_std]

extern crate alloc;

pub mod wire;
