//! The fixture host.

use caplab_init::wire::Namespace;

use super::{Read, entries, get};
use crate::scenario::{
    diagnostic::Fault,
    model::{Action, Case, Owner, VolumeSource},
};

/// What the fixture host's users are read from, whoever mounts it.
const ACCOUNTS: [&str; 4] = ["/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"];

/// A file of the fixture host that nobody reads.
pub(super) fn unread(read: &Read<'_>, found: &mut Vec<Fault>) {
    let Some(files) = get(read.document, "host").and_then(|host| get(host, "files")) else { return };
    for (key, _) in entries(files) {
        let looked_at = read
            .case
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::HostFile { path, .. } if *path == key.text));
        if !(looked_at || ACCOUNTS.contains(&key.text.as_str()) || is_reached(read.case, &key.text)) {
            found.push(
                Fault::new(key.at, format!("nobody reads {}", key.text))
                    .help("no volume has it and no `host: {file: …}` looks at it: mount it, or leave it away"),
            );
        }
    }
}

/// Whether a container could come to a path of the fixture host: by a volume, through /proc of a process that is there, or on the disk
/// that it lies on.
pub(super) fn is_reached(case: &Case, path: &str) -> bool {
    let is_below = |above: &str| {
        let above = above.trim_end_matches('/');
        path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if case.host.disk.as_ref().is_some_and(|disk| is_below(&disk.at)) {
        return true;
    }
    case.containers.iter().any(|container| {
        let by_volume = container.volumes.iter().any(|volume| match &volume.source {
            VolumeSource::Fixture(source) => is_below(source),
            VolumeSource::RealHost(_) => false,
        });
        by_volume || *container.sharing.owner(Namespace::Pid) == Owner::Host
    })
}
