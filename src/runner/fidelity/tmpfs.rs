//! How open a tmpfs is, which runtimes do not agree on, and who sees it.

use std::path::Path;

use caplab_init::wire::Probe;

use crate::{
    image,
    scenario::model::{Action, Container, Preset, Step, User},
};

/// The umask that runc is started with, here and by podman.
const UMASK: u32 = 0o022;

/// Where podman lays a tmpfs into a read-only root.
fn kept_writable(container: &Container) -> &'static [&'static str] {
    match (container.preset, container.read_only) {
        (Preset::Podman, true) => &["/run", "/tmp", "/var/tmp"],
        _ => &[],
    }
}

/// The places at which a container has a tmpfs with what it covers in it: podman's.
fn copying(container: &Container) -> impl Iterator<Item = &str> {
    let asked = container.tmpfs.iter().map(|one| one.target.as_str()).filter(|_| container.preset == Preset::Podman);
    asked.chain(kept_writable(container).iter().copied())
}

/// Directories that are copied there and whose mode mkdir(2) does not give: of caplab's own roots everybody's, of an image, once it has been
/// made, those that it has.
pub(super) fn copied_open(container: &Container) -> Vec<String> {
    let is_open = |body: &image::Body| body.kind == image::Kind::Dir && body.mode & (UMASK | 0o6000) != 0;
    let found: Vec<String> = match &container.image {
        None => ["/tmp", "/var/tmp"].map(str::to_owned).into(),
        Some(image) => {
            let all = image.made.iter().flat_map(|image| image.tree.iter());
            all.filter(|(_, body)| is_open(body)).map(|(path, _)| format!("/{path}")).collect()
        }
    };
    let is_copied = |path: &String| copying(container).any(|place| path != place && Path::new(path).starts_with(place));
    found.into_iter().filter(is_copied).collect()
}

/// The places at which a container has a tmpfs whose mode nobody says, and covers a directory that may not be everybody's: of caplab's own
/// roots /tmp and /var/tmp are.
pub(super) fn opened(container: &Container) -> Vec<&str> {
    let asked = container.tmpfs.iter().filter(|one| !one.options.iter().any(|word| word.starts_with("mode=")));
    let all = asked.map(|one| one.target.as_str()).chain(kept_writable(container).iter().copied());
    all.filter(|place| container.image.is_some() || !["/tmp", "/var/tmp"].contains(place)).collect()
}

/// Whether a step would see how open a place is: a command that looks at its mode, or what another user than root, whose it is, makes
/// there.
pub(super) fn sees_mode(step: &Step, container: &Container, place: &str) -> bool {
    let root = User::is_root(step.as_user.as_ref().or(container.user.as_ref()));
    // Who it is an image may say.
    let root = root && (container.image.is_none() || step.as_user.is_some() || container.user.is_some());
    match &step.action {
        Action::Run { argv, .. } => {
            let looks = ["stat ", "ls -"];
            let makes = ["> ", ">/", "touch ", "mkdir ", "cp ", "mv ", "ln ", "tee "];
            let has = |word: &str, of: &[&str]| of.iter().any(|one| word.contains(one));
            argv.iter().any(|word| word.contains(place) && (has(word, &looks) || !root && has(word, &makes)))
        }
        Action::Probe { probe: Probe::Open { path, .. }, .. } => !root && Path::new(path).starts_with(place),
        _ => false,
    }
}
