//! Steps that do not say why.

use caplab_init::wire::Probe;

use super::Read;
use crate::{
    engine::Kind,
    scenario::{
        diagnostic::Fault,
        model::{Action, Because, ContainerExpect, OutcomeExpect},
    },
};

/// A step without a `because`, though what it tries is decided by a control that can be named. Silent about
///
/// - what is allowed to everybody who can open the file at all, and what a command did: its exit status is its author's matter;
/// - a step that is allowed in one case of the matrix and denied in another: the other case is what a `because` would run;
/// - a step in a container that must not start, and what a filter kills for;
/// - a case that is not for the native engine, by which a because is asked.
pub(super) fn missing(read: &Read<'_>, found: &mut Vec<Fault>) {
    if !read.case.is_for(Kind::Native) {
        return;
    }
    if read.case.containers.iter().any(|one| one.expect != ContainerExpect::Started) {
        return;
    }
    for (step, node) in read.steps() {
        let Some(comes) = decided(&step.action).filter(|_| *step.action.because() == Because::Unsaid) else { continue };
        found.push(Fault::new(node.at, format!("{comes}, and nothing says because of what")).help(
            "`caplab why SCENARIO` finds what decides, `--suggest` writes it; `because: none` where nothing that can be named does",
        ));
    }
}

/// What must come of it, where a control decides that.
fn decided(action: &Action) -> Option<&'static str> {
    let (Action::Run { expect, .. } | Action::Probe { expect, .. }) = action else { return None };
    match (action, expect.outcome?) {
        (_, OutcomeExpect::Denied(_)) => Some("denied"),
        // What the kernel asks a capability for.
        (Action::Probe { probe, .. }, OutcomeExpect::Allowed) => matches!(
            probe,
            Probe::Mknod { .. }
                | Probe::OpenDevice { .. }
                | Probe::Mount
                | Probe::RawSocket
                | Probe::ListFirewall { .. }
                | Probe::Chroot { .. }
                | Probe::SetTime
                | Probe::ReadKernelLog
                | Probe::LoadModule
                | Probe::Sethostname
                | Probe::Setgroups { .. }
                | Probe::Ping
        )
        .then_some("allowed"),
        _ => None,
    }
}
