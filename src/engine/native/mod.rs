//! The built-in engine: the parent's half of it.
