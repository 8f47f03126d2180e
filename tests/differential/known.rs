//! What this test sees and no scenario does, and is known to differ. Each is a row of docs/fidelity.md under the same name. What
//! a scenario would see is a rule of src/runner/fidelity.rs, and holds here too.

use std::path::Path;

use super::config::{BESIDE_NAME, NAME};
use caplab::{
    engine::Kind,
    scenario::model::{Case, Container},
};

/// A difference that is known.
struct Difference {
    /// Its name in docs/fidelity.md.
    name: &'static str,
    /// Whose it is.
    engines: &'static [Kind],
    /// Whether it is this one: the container that it is about, what differs, natively, on the other engine.
    is: fn(&Container, &str, &str, &str) -> bool,
}

const ALL: &[Kind] = &[Kind::Runc, Kind::Crun, Kind::Podman, Kind::Docker];

const KNOWN: [Difference; 9] = [
    Difference {
        name: "unasked-limits",
        engines: ALL,
        is: |container, what, _, _| {
            let limit = what.rsplit_once(": limit ").map(|(_, limit)| limit);
            limit.is_some_and(|limit| {
                !limit.starts_with("of ") && container.ulimits.iter().all(|asked| asked.name != limit)
            })
        },
    },
    Difference {
        name: "file-system-below",
        engines: ALL,
        is: |container, what, native, other| {
            let target = what.rsplit_once(": mount ").map(|(_, target)| target);
            let below = target.is_some_and(|target| {
                // podman's own, beside the container's root on the disk of the machine.
                let accounts = container.read_only && ["/etc/passwd", "/etc/group"].contains(&target);
                target == "/" || accounts || container.volumes.iter().any(|volume| volume.target == target)
            });
            let options = |text: &str| text.split(' ').nth(1).map(str::to_owned);
            below && options(native) == options(other)
        },
    },
    Difference {
        name: "covers",
        engines: ALL,
        is: |_, what, native, other| {
            let below = what.contains(": mount /proc/") || what.contains(": mount /sys/");
            let parts = |text: &str| {
                let mut parts = text.split(' ').map(str::to_owned);
                let (kind, options) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                (kind, options.split(',').any(|word| word == "ro"))
            };
            let empty = |kind: &str| ["tmpfs", "devtmpfs"].contains(&kind);
            let ((native, native_ro), (other, other_ro)) = (parts(native), parts(other));
            below && (empty(&native) && empty(&other) || native == other && native_ro && other_ro)
        },
    },
    Difference {
        name: "privileged-devices",
        engines: &[Kind::Podman, Kind::Docker],
        is: |container, what, native, _| {
            let place = [": stdout: ", ": mount "].into_iter().find_map(|sign| Some(what.split_once(sign)?.1));
            let of_the_machine = place.is_some_and(|path| path.starts_with("/dev/") && Path::new(path).exists());
            container.privileged && native == "–" && of_the_machine
        },
    },
    Difference {
        name: "dev-core",
        engines: &[Kind::Crun],
        is: |_, what, native, _| what.ends_with(": /dev/core") && native == "–",
    },
    Difference {
        name: "device-binds",
        engines: &[Kind::Crun],
        is: |container, what, native, other| {
            let node = |text: &str| {
                let mut words = text.split(' ');
                let is_file_system = words.next().is_some_and(|kind| ["devtmpfs", "tmpfs"].contains(&kind));
                is_file_system && words.next().is_some_and(|options| !options.split(',').any(|word| word == "nodev"))
            };
            let at = |place: &str| what.ends_with(&format!(": mount {place}"));
            let standard = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
            let asked = |is: &dyn Fn(&str) -> bool| container.devices.iter().any(|one| is(&one.target));
            let mount = (standard.into_iter().any(at) || asked(&at)) && node(native) && node(other);
            let own = asked(&|one| what.ends_with(&format!(": stdout: {one}")))
                && as_a_new_node(native).is_some_and(|own| own == other);
            container.has_user_namespace() && (mount || own)
        },
    },
    Difference {
        name: "shm-ids",
        engines: &[Kind::Podman],
        is: |container, what, native, other| {
            let without = |text: &str| {
                let words =
                    text.split([' ', ',']).filter(|word| !word.starts_with("uid=") && !word.starts_with("gid="));
                words.collect::<Vec<_>>().join(" ")
            };
            container.has_user_namespace() && what == "box: mount /dev/shm" && without(native) == without(other)
        },
    },
    Difference {
        name: "mqueue-group",
        engines: &[Kind::Runc, Kind::Podman],
        is: |container, what, native, other| {
            let ids = |text: &str, ids: &str| text.split(' ').any(|word| word == ids);
            what.ends_with(": stdout: /dev/mqueue")
                && container.has_user_namespace()
                && ids(native, "0:0")
                && ids(other, "0:65534")
        },
    },
    Difference {
        name: "null-owner",
        engines: &[Kind::Crun],
        is: |container, what, native, other| {
            // The mode and the numbers of the device are the same.
            let rest = |text: &str| text.split(' ').filter(|word| !is_owner(word)).collect::<Vec<_>>().join(" ");
            let is_null = what.ends_with(": stdout: /dev/null") && rest(native) == rest(other);
            container.user.is_some() && is_null
        },
    },
];

/// What a line of the machine's own node, nobody's in a user namespace, says of one that is made anew: it is root's, and the umask was taken
/// off whatever mode the machine's has.
fn as_a_new_node(line: &str) -> Option<String> {
    let (kind, rest) = line.split_once(" special file ")?;
    let (mode, rest) = rest.split_once(' ')?;
    let mode = u32::from_str_radix(mode, 8).ok()? & !0o022;
    let numbers = rest.strip_prefix("65534:65534 ")?;
    Some(format!("{kind} special file {mode:o} 0:0 {numbers}"))
}

#[test]
fn a_new_node_has_the_mode_of_the_machines_without_the_umask() {
    let line = |mode: &str, owner: &str| format!("character special file {mode} {owner} a:e5");
    assert_eq!(as_a_new_node(&line("666", "65534:65534")), Some(line("644", "0:0")));
    assert_eq!(as_a_new_node(&line("600", "65534:65534")), Some(line("600", "0:0")));
    assert_eq!(as_a_new_node(&line("666", "0:0")), None);
}

/// Whether a word of a line is `uid:gid`.
fn is_owner(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    word.split_once(':').is_some_and(|(uid, gid)| is_number(uid) && is_number(gid))
}

/// The name of the difference that this is; `None` where nobody knows it.
pub(super) fn named(engine: Kind, case: &Case, what: &str, native: &str, other: &str) -> Option<&'static str> {
    let is_beside = what.starts_with(&format!("{BESIDE_NAME}: ")) || what.contains(&format!(" in {BESIDE_NAME}"));
    let name = if is_beside { BESIDE_NAME } else { NAME };
    let container = case.containers.iter().find(|one| one.name == name)?;
    let found = KNOWN.iter().find(|one| one.engines.contains(&engine) && (one.is)(container, what, native, other));
    found.map(|one| one.name)
}

#[test]
fn each_is_a_row_of_the_documentation() {
    let page = include_str!("../../docs/fidelity.md");
    for one in &KNOWN {
        assert!(page.contains(&format!("| {} |", one.name)), "{} is no row of docs/fidelity.md", one.name);
    }
}
