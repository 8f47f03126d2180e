//! What an author writes: strict raw types, then validated ones.

pub mod model;
