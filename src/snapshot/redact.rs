//! What a snapshot leaves out so that it is the same on every machine. The list is append-only and ordered: the first
//! rule that knows a mount decides. A security fact is never left out: what is asked for and not shown here is compared
//! by `observe::deviations`, and a difference there is an error before there is any picture.

use std::path::Path;

use crate::{
    observe::{Mount, Namespace, Peers},
    scenario::model::{Container, Preset, Rootfs, VolumeSource},
};

/// What a rule makes of a mount.
pub(super) enum Shown {
    /// This line.
    Line(String),
    /// Nothing.
    Hidden,
}

/// A rule: its name, and what it does where it knows the mount, which is the last at its place or is not.
type Rule = (&'static str, fn(&Container, &Mount, bool) -> Option<Shown>);

/// The rules.
const RULES: [Rule; 8] = [
    ("the root's file system is the engine's choice", |_, mount, _| {
        (mount.target == "/").then(|| Shown::Line(format!("/ {}", options(mount))))
    }),
    // Which of them a kernel has differs; the Spec's lists stand in the picture instead.
    ("covers of /proc and /sys are shown as asked for", |_, mount, _| {
        let below = mount.target.starts_with("/proc/") || mount.target.starts_with("/sys/");
        below.then_some(Shown::Hidden)
    }),
    ("the machine's programs are read-only binds of whatever it has", |container, mount, last| {
        let programs = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
        let known = programs.contains(&mount.target.as_str()) || mount.target.starts_with("/etc/");
        // What the author mounts over them, or beside them, comes after them and is shown.
        let asked = last && is_asked_for(container, &mount.target);
        (container.rootfs == Rootfs::Host && known && !asked).then_some(Shown::Hidden)
    }),
    ("in a user namespace device nodes are binds of the machine's", |container, mount, _| {
        let nodes = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
        (container.has_user_namespace() && nodes.contains(&mount.target.as_str())).then_some(Shown::Hidden)
    }),
    // How large the machine's /dev is, and whether programs may lie there, is the machine's; what is opened there is not looked at for that.
    (
        "a device that is asked for in a user namespace is the machine's, whatever file system it lies on",
        |container, mount, _| {
            let device = container.devices.iter().find(|device| device.target == mount.target)?;
            let tells = |word: &&String| ["ro", "rw", "nodev"].contains(&word.as_str());
            let options = mount.options.iter().filter(tells).cloned().collect::<Vec<_>>().join(",");
            container
                .has_user_namespace()
                .then(|| Shown::Line(format!("{} device:{} {options}", mount.target, device.source)))
        },
    ),
    ("a volume is named by its source, not by the file system that lies under it", |container, mount, _| {
        let volume = container.volumes.iter().find(|volume| volume.target == mount.target)?;
        let source = match &volume.source {
            VolumeSource::Fixture(path) => format!("fixture:{path}"),
            VolumeSource::RealHost(path) => path.clone(),
        };
        let peers = if mount.peers == Peers::Private { String::new() } else { format!(", {}", mount.peers.name()) };
        Some(Shown::Line(format!("{} {source} {}{peers}", mount.target, options(mount))))
    }),
    // It lies where podman keeps what it runs.
    (
        "podman's own /etc/passwd and /etc/group over a read-only root are files, whatever file system they are of",
        |container, mount, _| {
            let own = ["/etc/passwd", "/etc/group"].contains(&mount.target.as_str());
            let binds = container.preset == Preset::Podman && container.read_only;
            (own && binds).then(|| Shown::Line(format!("{} podman's {}", mount.target, options(mount))))
        },
    ),
    ("options of a file system: those that an engine asks for", |_, mount, _| {
        let keep = ["size=", "mode=", "ptmxmode=", "nr_inodes=", "hidepid="];
        let own: Vec<_> =
            mount.super_options.iter().filter(|word| keep.iter().any(|key| word.starts_with(key))).cloned().collect();
        let own = if own.is_empty() { String::new() } else { format!(" {}", own.join(",")) };
        Some(Shown::Line(format!("{} {} {}{own}", mount.target, mount.fstype, options(mount))))
    }),
];

/// What the picture says of a mount, which is the last one at its place or is not.
pub(super) fn mount(container: &Container, mount: &Mount, last: bool) -> Shown {
    RULES.iter().find_map(|(_, rule)| rule(container, mount, last)).unwrap_or(Shown::Hidden)
}

/// By the author: a volume or a tmpfs, or what came with one below /etc, where it is nobody else's.
fn is_asked_for(container: &Container, target: &str) -> bool {
    let mut asked = container.targets();
    asked.any(|asked| asked == target || (asked.starts_with("/etc/") && Path::new(target).starts_with(asked)))
}

/// Options of a mount, less the access time's: those are the machine's taste.
fn options(mount: &Mount) -> String {
    let times = ["relatime", "noatime", "nodiratime", "strictatime", "lazytime"];
    mount.options.iter().filter(|word| !times.contains(&word.as_str())).cloned().collect::<Vec<_>>().join(",")
}

/// Whether a picture shows a namespace: time is never made, and whether there is one for cgroups that nothing is said of depends on the
/// machine's hierarchy (docker and podman share it on v1).
pub(super) fn shows(container: &Container, namespace: Namespace) -> bool {
    match namespace {
        Namespace::Time => false,
        Namespace::Cgroup => container.sharing.cgroup.is_some(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::model::Volume;

    #[test]
    fn a_volume_over_or_beside_the_machines_programs_is_shown() {
        let volume = |target: &str| Volume {
            source: VolumeSource::RealHost("/srv".to_owned()),
            target: target.to_owned(),
            read_only: false,
            propagation: None,
        };
        let mut container = Container::of_docker("box");
        container.rootfs = Rootfs::Host;
        container.volumes = vec![volume("/usr"), volume("/etc/all")];
        let said = |target: &str, last| {
            let mounted = Mount { target: target.to_owned(), options: vec!["rw".to_owned()], ..Mount::default() };
            match mount(&container, &mounted, last) {
                Shown::Line(line) => Some(line),
                Shown::Hidden => None,
            }
        };
        assert_eq!(said("/usr", true).as_deref(), Some("/usr /srv rw"));
        assert_eq!(said("/etc/all", true).as_deref(), Some("/etc/all /srv rw"));
        // What the source has mounted on it.
        assert_eq!(said("/etc/all/data", true).as_deref(), Some("/etc/all/data  rw"));
        // The machine's own, which lies below it, and what nobody asked for.
        assert_eq!(said("/usr", false), None);
        assert_eq!(said("/bin", true), None);
        assert_eq!(said("/etc/alternatives", true), None);
    }

    #[test]
    fn a_cgroup_namespace_is_shown_where_it_was_asked_for() {
        let mut container = Container::of_docker("box");
        assert!(shows(&container, Namespace::Pid));
        assert!(!shows(&container, Namespace::Cgroup));
        container.sharing.cgroup = Some(crate::scenario::model::CgroupNamespace::Host);
        assert!(shows(&container, Namespace::Cgroup));
        assert!(!shows(&container, Namespace::Time));
    }
}
