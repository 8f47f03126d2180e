//! A container's mounts, in the order they are made.

use std::path::Path;

use oci_spec::runtime::Mount;

use super::{Unresolvable, preset::Facts, rootfs};
use crate::{
    engine::FIXTURE_ROOT,
    host::fixture,
    scenario::model::{Container, Host, Rootfs, VolumeSource},
};

/// Options that docker gives a `--tmpfs` beside the author's (moby, volume/mounts/linux_parser.go).
const TMPFS: [&str; 3] = ["noexec", "nosuid", "nodev"];

/// All of them.
pub(super) fn all(container: &Container, host: &Host, facts: &Facts) -> Result<Vec<Mount>, Unresolvable> {
    let mut mounts = match container.rootfs {
        Rootfs::Toolbox => Vec::new(),
        Rootfs::Host => rootfs::programs().into_iter().map(|path| bind(&path, &path, true)).collect(),
    };
    mounts.extend(facts.mounts.iter().map(|fact| {
        // A privileged container's /sys is writable (moby, daemon/oci_linux.go withMounts).
        let keep = |word: &&&str| !(container.privileged && fact.fstype == "sysfs" && **word == "ro");
        mount(fact.fstype, fact.source, fact.target, fact.options.iter().filter(keep).map(|word| (*word).to_owned()))
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
        asked.push(bind(&source, &volume.target, volume.read_only));
    }
    for tmpfs in &container.tmpfs {
        // docker's default is overridden by an option of the author's that says the opposite.
        let kept = TMPFS.iter().filter(|word| {
            let opposite = word.strip_prefix("no").unwrap_or(word);
            !tmpfs.options.iter().any(|own| own == opposite)
        });
        let options = kept.map(|word| (*word).to_owned()).chain(tmpfs.options.iter().cloned());
        asked.push(mount("tmpfs", "tmpfs", &tmpfs.target, options));
    }
    // A mount below another one comes after it, as docker sorts them.
    asked.sort_by_key(|mount| mount.destination().components().count());
    mounts.extend(asked);
    Ok(mounts)
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
