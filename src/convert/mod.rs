//! The same container in other words: a docker or podman command line, a Compose file, a Kubernetes Pod, an OCI document, and a
//! scenario. What one of them cannot say is never left out in silence: it is a note.
//!
//! Between the dialects stand [`Draft`]s, containers in the keys of the scenario format, which are Compose's. What of them this
//! version of the format takes is asked of its own reader, so that a key is carried over from the day on which it can be read.

mod command;
mod compose;
mod draft;
mod flag;
mod oci;
mod pod;
mod preset;
mod profile;
mod scenario;
mod settled;
mod volume;
mod yaml;

pub use command::{Dialect, flags as from_flags, line as from_line, read as from_command, write as to_command};
pub use compose::{read as from_compose, write as to_compose};
pub use draft::{Draft, Keys, Part};
pub use oci::write as to_oci;
pub use pod::{read as from_pod, write as to_pod};
pub use scenario::{read as from_scenario, write as to_scenario};

/// Why something cannot be said in other words at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unconvertible(pub String);

/// A name that nobody knows, and the one that was meant.
fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Unconvertible {
    let bare = name.trim_start_matches('-');
    let help = match crate::text::nearest(bare, known) {
        Some(meant) => format!("did you mean `{}{meant}`?", &name[..name.len() - bare.len()]),
        None => "is it spelt as its own documentation has it?".to_owned(),
    };
    Unconvertible(format!("no {what} `{name}`; {help}"))
}
