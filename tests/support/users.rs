//! For tests that make containers with several users: with one id there are none but root, nor groups, which docker's preset has.

use caplab::host::lab::LabRoot;

#[path = "lab.rs"]
mod lab;

/// Whether they can be made here; as [`lab::runs_unless`].
pub(crate) fn runs() -> bool {
    lab::runs_unless(|machine| matches!(machine.lab.root, LabRoot::Single(_)).then(|| "one id alone".to_owned()))
}
