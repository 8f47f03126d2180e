//! A container's mounts, in the order they are made.

use std::path::Path;

use oci_spec::runtime::Mount;

use super::{Unresolvable, accounts::Accounts, preset::Facts, rootfs};
use crate::{
    engine::{FIXTURE_ROOT, OWN_ROOT},
    host::fixture,
    scenario::model::{Container, Host, Propagation, Rootfs, VolumeSource},
};

/// All of them.
pub(super) fn all(container: &Container, host: &Host, facts: &Facts) -> Result<Vec<Mount>, Unresolvable> {
    // What lies below a volume of the author's or a tmpfs it covers, as it does of an image; docker and podman would sort it over them.
    let is_seen = |path: &String| !container.targets().any(|target| Path::new(path).starts_with(target));
    let mut mounts = match container.rootfs {
        Rootfs::Toolbox => Vec::new(),
        Rootfs::Host => rootfs::programs().into_iter().filter(is_seen).map(|path| bind(&path, &path, true)).collect(),
    };
    mounts.extend(facts.mounts.iter().map(|fact| {
        // A privileged container's /sys is writable (moby, daemon/oci_linux.go withMounts).
        let writable = (container.privileged && fact.fstype == "sysfs")
            || container.altered.writable.iter().any(|target| target == fact.target);
        let keep = |word: &&&str| !(writable && **word == "ro");
        let options = fact.options.iter().filter(keep).map(|word| match container.shm_size {
            Some(bytes) if fact.target == "/dev/shm" && word.starts_with("size=") => format!("size={bytes}"),
            _ => (*word).to_owned(),
        });
        mount(fact.fstype, fact.source, fact.target, options)
    }));
    let mut asked = Vec::new();
    for volume in &container.volumes {
        let source = match &volume.source {
            VolumeSource::Fixture(path) => {
                if !fixture::has(host, path) {
                    return Err(Unresolvable(format!(
                        "the volume's source {path} is not there on the fixture host; add a file of it under `host: files:`"
                    )));
                }
                format!("{FIXTURE_ROOT}{}", if path == "/" { "" } else { path })
            }
            VolumeSource::RealHost(path) => path.clone(),
        };
        let mut bound = bind(&source, &volume.target, volume.read_only);
        let propagation = volume.propagation.unwrap_or(Propagation::Rprivate);
        bound.options_mut().get_or_insert_default().push(propagation.name().to_owned());
        asked.push(bound);
    }
    for tmpfs in &container.tmpfs {
        // An engine's default gives way to an option of the author's that says the opposite, or the same: podman takes no word twice.
        let kept = facts.tmpfs.iter().filter(|word| {
            let opposite = word.strip_prefix("no").unwrap_or(word);
            !tmpfs.options.iter().any(|own| own == opposite || own == **word)
        });
        let writable = container.altered.writable.contains(&tmpfs.target);
        let own = tmpfs.options.iter().filter(|word| !(writable && *word == "ro"));
        let options = kept.map(|word| (*word).to_owned()).chain(own.cloned());
        asked.push(mount("tmpfs", "tmpfs", &tmpfs.target, options));
    }
    let asked_at = |target: &str| asked.iter().any(|mount: &Mount| mount.destination() == Path::new(target));
    let extra: Vec<_> = if container.read_only { facts.read_only_tmpfs } else { &[] }
        .iter()
        .filter(|target| !asked_at(target))
        .map(|target| mount("tmpfs", "tmpfs", target, facts.tmpfs.iter().map(|word| (*word).to_owned())))
        .collect();
    asked.extend(extra);
    // A mount below another one comes after it, as docker sorts them.
    asked.sort_by_key(|mount| mount.destination().components().count());
    mounts.extend(asked);
    Ok(mounts)
}

/// How far the mounts of the whole root must be open for its volumes, as docker has it (moby, daemon/oci_linux.go withMounts): a mount below
/// what is private sees nothing of the host's.
pub(super) fn of_the_root(container: &Container) -> Option<&'static str> {
    let asks = |wanted: [Propagation; 2]| {
        container.volumes.iter().any(|volume| volume.propagation.is_some_and(|one| wanted.contains(&one)))
    };
    if asks([Propagation::Shared, Propagation::Rshared]) {
        Some("shared")
    } else {
        asks([Propagation::Slave, Propagation::Rslave]).then_some("rslave")
    }
}

/// What podman binds where it cannot write the user whom it names into a read-only root: those of its files that say more than the
/// image's (libpod, container_internal_common.go generatePasswdAndGroup, and the options of generateSpec).
pub(super) fn accounts(container: &Container, accounts: &Accounts) -> Vec<Mount> {
    let image = match container.image.as_ref().and_then(|image| image.made.as_ref()) {
        Some(image) => Accounts::of_image(image),
        None => Accounts::new(),
    };
    let files = [
        ("/etc/passwd", accounts.passwd() != image.passwd()),
        ("/etc/group", accounts.group_file() != image.group_file()),
    ];
    let asked = |path: &str| container.volumes.iter().any(|volume| volume.target == path);
    let options = ["bind", "ro", "nosuid", "noexec", "nodev"];
    let own = files.into_iter().filter(|(path, says_more)| *says_more && !asked(path));
    own.map(|(path, _)| mount("bind", &format!("{OWN_ROOT}{path}"), path, options.map(str::to_owned))).collect()
}

fn bind(source: &str, target: &str, read_only: bool) -> Mount {
    mount("bind", source, target, ["rbind", if read_only { "ro" } else { "rw" }].map(str::to_owned))
}

fn mount(fstype: &str, source: &str, target: &str, options: impl IntoIterator<Item = String>) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(Path::new(target).to_owned())
        .set_typ(Some(fstype.to_owned()))
        .set_source(Some(source.into()))
        .set_options(Some(options.into_iter().collect()));
    mount
}
