//! What a snapshot leaves out so that it is the same on every machine. The list is append-only and ordered: the first
//! rule that knows a mount decides. A security fact is never left out: what is asked for and not shown here is compared
//! by `observe::deviations`, and a difference there is an error before there is any picture.

use crate::{
    observe::{Mount, Namespace, Peers},
    scenario::model::{Container, Rootfs, VolumeSource},
};

/// What a rule makes of a mount.
pub(super) enum Shown {
    /// This line.
    Line(String),
    /// Nothing.
    Hidden,
}

/// A rule: its name, and what it does where it knows the mount.
type Rule = (&'static str, fn(&Container, &Mount) -> Option<Shown>);

/// The rules.
const RULES: [Rule; 6] = [
    ("the root's file system is the engine's choice", |_, mount| {
        (mount.target == "/").then(|| Shown::Line(format!("/ {}", options(mount))))
    }),
    // Which of them a kernel has differs; the Spec's lists stand in the picture instead.
    ("covers of /proc and /sys are shown as asked for", |_, mount| {
        let below = mount.target.starts_with("/proc/") || mount.target.starts_with("/sys/");
        below.then_some(Shown::Hidden)
    }),
    ("the machine's programs are read-only binds of whatever it has", |container, mount| {
        let programs = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
        let known = programs.contains(&mount.target.as_str()) || mount.target.starts_with("/etc/");
        (container.rootfs == Rootfs::Host && known).then_some(Shown::Hidden)
    }),
    ("in a user namespace device nodes are binds of the machine's", |container, mount| {
        let nodes = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
        (container.has_user_namespace() && nodes.contains(&mount.target.as_str())).then_some(Shown::Hidden)
    }),
    ("a volume is named by its source, not by the file system that lies under it", |container, mount| {
        let volume = container.volumes.iter().find(|volume| volume.target == mount.target)?;
        let source = match &volume.source {
            VolumeSource::Fixture(path) => format!("fixture:{path}"),
            VolumeSource::RealHost(path) => path.clone(),
        };
        let peers = if mount.peers == Peers::Private { String::new() } else { format!(", {}", mount.peers.name()) };
        Some(Shown::Line(format!("{} {source} {}{peers}", mount.target, options(mount))))
    }),
    ("options of a file system: those that an engine asks for", |_, mount| {
        let keep = ["size=", "mode=", "ptmxmode=", "nr_inodes=", "hidepid="];
        let own: Vec<_> =
            mount.super_options.iter().filter(|word| keep.iter().any(|key| word.starts_with(key))).cloned().collect();
        let own = if own.is_empty() { String::new() } else { format!(" {}", own.join(",")) };
        Some(Shown::Line(format!("{} {} {}{own}", mount.target, mount.fstype, options(mount))))
    }),
];

/// What the picture says of a mount.
pub(super) fn mount(container: &Container, mount: &Mount) -> Shown {
    RULES.iter().find_map(|(_, rule)| rule(container, mount)).unwrap_or(Shown::Hidden)
}

/// Options of a mount, less the access time's: those are the machine's taste.
fn options(mount: &Mount) -> String {
    let times = ["relatime", "noatime", "nodiratime", "strictatime", "lazytime"];
    mount.options.iter().filter(|word| !times.contains(&word.as_str())).cloned().collect::<Vec<_>>().join(",")
}

/// Namespaces that a picture does not show: time is never made, and whether there is one for cgroups depends on the
/// machine's hierarchy (docker and podman share it on v1).
pub(super) const NAMESPACES: [Namespace; 2] = [Namespace::Time, Namespace::Cgroup];
