//! A mount of the runtime-spec as an operation.

use caplab_init::wire::{Base, IdMap, Op};
use nix::libc::{MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE};
use oci_spec::runtime::{Mount, Spec};

use crate::engine::{EngineError, FIXTURE_ROOT, OWN_ROOT, SHARED_MEMORY_ROOT};

/// `MOUNT_ATTR_RDONLY`.
const RDONLY: u64 = 0x1;

/// `MOUNT_ATTR_*` of mount_setattr(2) by the option words of mount(8).
const ATTRIBUTES: [(&str, u64); 8] = [
    ("ro", RDONLY),
    ("nosuid", 0x2),
    ("nodev", 0x4),
    ("noexec", 0x8),
    ("noatime", 0x10),
    ("strictatime", 0x20),
    ("nodiratime", 0x80),
    ("nosymfollow", 0x0020_0000),
];

/// What is asked of the runtime and not of the kernel: runc's and crun's word for a tmpfs that has in it what it covers.
const COPY_UP: &str = "tmpcopyup";

/// Words that ask for what a new mount is anyway.
const NO_OPS: [&str; 9] = ["rw", "suid", "dev", "exec", "async", "relatime", "defaults", "bind", "rbind"];

/// `MS_*` of mount(2) by the words of the runtime-spec.
const PROPAGATIONS: [(&str, u64); 6] = [
    ("private", MS_PRIVATE),
    ("rprivate", MS_PRIVATE | MS_REC),
    ("slave", MS_SLAVE),
    ("rslave", MS_SLAVE | MS_REC),
    ("shared", MS_SHARED),
    ("rshared", MS_SHARED | MS_REC),
];

/// The one operation that makes this mount.
///
/// # Errors
/// Where an option is one that this engine does not do.
pub(super) fn plan(mount: &Mount, gid_map: &[IdMap]) -> Result<Op, EngineError> {
    let target = mount.destination().to_string_lossy().into_owned();
    let source = mount.source().as_ref().map(|path| path.to_string_lossy().into_owned());
    let words: Vec<&str> = mount.options().iter().flatten().map(String::as_str).collect();
    let fstype = mount.typ().clone().unwrap_or_else(|| "bind".to_owned());
    let attrs = words.iter().filter_map(|word| attribute(word)).fold(0, |all, one| all | one);
    let propagation = words.iter().find_map(|word| propagation(word));
    let known = |word: &str| attribute(word).is_some() || self::propagation(word).is_some() || NO_OPS.contains(&word);
    let rest: Vec<&str> = words.iter().copied().filter(|word| !known(word)).collect();
    if fstype == "bind" || words.contains(&"bind") || words.contains(&"rbind") {
        if let Some(unknown) = rest.first() {
            return Err(EngineError(format!("mount {target}: a bind mount has no option `{unknown}`")));
        }
        let source = source.ok_or_else(|| EngineError(format!("mount {target}: a bind mount needs a source")))?;
        let inside = |root| source.strip_prefix(root).map(|path| if path.is_empty() { "/" } else { path }.to_owned());
        let bases = [(FIXTURE_ROOT, Base::Fixture), (SHARED_MEMORY_ROOT, Base::SharedMemory), (OWN_ROOT, Base::Own)];
        let found = bases.into_iter().find_map(|(root, base)| Some((base, inside(root)?)));
        let (from, source) = found.unwrap_or((Base::Host, source));
        let recursive = words.contains(&"rbind");
        return match (from, propagation.unwrap_or(0)) {
            // A copy of what is private is private.
            (from, flags) if flags & !MS_REC == MS_PRIVATE || flags == 0 => {
                Ok(Op::Bind { from, source, target, recursive, attrs, propagation: 0 })
            }
            (Base::Fixture, propagation) => {
                Ok(Op::Bind { from: Base::Peer, source, target, recursive, attrs, propagation })
            }
            _ => Err(EngineError(format!("mount {target}: only a volume of the fixture host propagates"))),
        };
    }
    let copy_up = rest.contains(&COPY_UP);
    if copy_up && fstype != "tmpfs" {
        return Err(EngineError(format!("mount {target}: `{COPY_UP}` is an option of a tmpfs, this is {fstype}")));
    }
    let options = rest
        .into_iter()
        .filter(|word| *word != COPY_UP && has_group(word, gid_map))
        .map(|word| match word.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (word.to_owned(), None),
        })
        .collect();
    // A tmpfs is so at last.
    let late = late(mount).is_some();
    let read_only = words.contains(&"ro") && !late;
    let attrs = if late { attrs & !RDONLY } else { attrs };
    let source = source.unwrap_or_else(|| fstype.clone());
    Ok(Op::Mount { source, fstype, target, options, attrs, read_only, copy_up })
}

/// What is done to a mount once all others are made, and the working directory: a tmpfs that is to be read-only is then, as runc and crun do
/// it (rootfs_linux.go finalizeRootfs, linux.c finalize_mounts).
pub(super) fn late(mount: &Mount) -> Option<Op> {
    let is_tmpfs = mount.typ().as_deref() == Some("tmpfs");
    let is_late = is_tmpfs && mount.options().iter().flatten().any(|word| word == "ro");
    is_late.then(|| Op::ReadonlyMount(mount.destination().to_string_lossy().into_owned()))
}

/// The options that a mount can have where these groups are mapped.
pub(in crate::engine) fn for_id_map(options: &[String], gid_map: &[IdMap]) -> Vec<String> {
    options.iter().filter(|word| has_group(word, gid_map)).cloned().collect()
}

/// Whether the group that an option names is there: devpts refuses `gid=5` (tty) in a user namespace that has no 5,
/// and the engines then leave it out (moby and podman both do so for small maps).
fn has_group(word: &str, gid_map: &[IdMap]) -> bool {
    let Some(gid) = word.strip_prefix("gid=").and_then(|gid| gid.parse::<u32>().ok()) else { return true };
    gid_map.is_empty()
        || gid_map.iter().any(|line| (line.inside..line.inside.saturating_add(line.count)).contains(&gid))
}

fn propagation(word: &str) -> Option<u64> {
    PROPAGATIONS.iter().find(|(name, _)| *name == word).map(|(_, flags)| *flags)
}

fn attribute(word: &str) -> Option<u64> {
    ATTRIBUTES.iter().find(|(name, _)| *name == word).map(|(_, attribute)| *attribute)
}

/// Whether the container has a /dev of its own to fill.
pub(super) fn own_dev(spec: &Spec) -> bool {
    spec.mounts().iter().flatten().any(|mount| {
        mount.destination().as_os_str() == "/dev" && mount.typ().as_deref().is_some_and(|fstype| fstype == "tmpfs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(fstype: &str, words: &[&str]) -> Mount {
        let mut mount = Mount::default();
        mount
            .set_destination("/srv".into())
            .set_typ(Some(fstype.to_owned()))
            .set_source(Some(fstype.into()))
            .set_options(Some(words.iter().map(|word| (*word).to_owned()).collect()));
        mount
    }

    fn planned(fstype: &str, words: &[&str]) -> Result<Op, EngineError> {
        plan(&mount(fstype, words), &[])
    }

    /// What is made in it, another mount's place or the working directory, is made before.
    #[test]
    fn a_tmpfs_is_read_only_at_last_and_sysfs_at_once() {
        let attributes = |fstype| match planned(fstype, &["nosuid", "ro"]).expect("planned") {
            Op::Mount { attrs, read_only, .. } => (attrs, read_only),
            other => panic!("{other:?}"),
        };
        assert_eq!(attributes("tmpfs"), (0x2, false));
        assert_eq!(attributes("sysfs"), (0x3, true));
        assert_eq!(late(&mount("tmpfs", &["nosuid", "ro"])), Some(Op::ReadonlyMount("/srv".to_owned())));
        assert_eq!(late(&mount("tmpfs", &["nosuid"])), None);
        assert_eq!(late(&mount("sysfs", &["ro"])), None);
    }

    /// The kernel knows no such option: it is the runtime's.
    #[test]
    fn what_a_tmpfs_covers_is_copied_where_that_is_asked_for() {
        let copies = |words: &[&str]| match planned("tmpfs", words).expect("planned") {
            Op::Mount { options, copy_up, .. } => (options, copy_up),
            other => panic!("{other:?}"),
        };
        let size = vec![("size".to_owned(), Some("1m".to_owned()))];
        assert_eq!(copies(&["nosuid", "tmpcopyup", "size=1m"]), (size.clone(), true));
        assert_eq!(copies(&["nosuid", "size=1m"]), (size, false));
        let refused = planned("mqueue", &["tmpcopyup"]).expect_err("refused").to_string();
        assert!(refused.contains("`tmpcopyup` is an option of a tmpfs"), "{refused}");
    }
}
