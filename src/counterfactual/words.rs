//! What a reader is told of a control: why it decides, what was changed, how docker and podman spell the change, where to read on.

use caplab_init::wire::Start;

use super::{
    Change, Direction, Scene,
    control::{ORDINARY, REMAP},
};
use crate::{
    observe::{Namespace, map_words},
    scenario::{
        describe,
        model::{Control, Limit, Owner, Propagation, VolumeSource},
        sysctl,
    },
};

/// The words of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What is so in the case, a clause: `the bounding set lacks CAP_NET_ADMIN`.
    pub state: String,
    /// What was changed: `CAP_NET_ADMIN given`.
    pub change: String,
    /// The change on docker's command line; `None` where docker has no words for it.
    pub docker: Option<String>,
    /// The change on podman's.
    pub podman: Option<String>,
    /// The page to read, `capabilities(7)`.
    pub man: &'static str,
}

/// The words of a change in a case.
#[must_use]
pub fn words(change: &Change, scene: &Scene) -> Words {
    let lift = change.direction == Direction::Lift;
    let uid = scene.process().user().uid();
    let both = |text: &str| (Some(text.to_owned()), Some(text.to_owned()));
    let (state, change, (docker, podman), man) = match &change.control {
        Control::Capability(capability) => {
            let name = capability.short_name();
            let sets = scene.capabilities();
            let state = match (lift, sets.bounding.contains(*capability)) {
                (true, false) => format!("the bounding set lacks {capability}"),
                (true, true) => format!("uid {uid} has {capability} in its bounding set only"),
                (false, _) if sets.effective.contains(*capability) => format!("the process has {capability}"),
                (false, _) => format!("the bounding set has {capability}"),
            };
            let flag = format!("--cap-{} {name}", if lift { "add" } else { "drop" });
            let spelled = match (lift, uid, scene.container().privileged) {
                (false, _, true) => (None, None),
                // docker's reaches root alone, podman's the user whom the container was made for.
                (true, 1.., _) => (None, scene.step().as_user.is_none().then_some(flag)),
                _ => both(&flag),
            };
            let change = format!("{capability} {}", if lift { "given" } else { "taken away" });
            (state, change, spelled, "capabilities(7)")
        }
        Control::User => {
            let other = if lift { 0 } else { ORDINARY };
            let state = if lift { format!("it is uid {uid}") } else { "it is root".to_owned() };
            (state, format!("uid {other}"), both(&format!("--user {other}:{other}")), "credentials(7)")
        }
        Control::Uidmap if lift => {
            let container = scene.container();
            let map = if container.uidmap.is_empty() { &container.gidmap } else { &container.uidmap };
            let state = format!("its user namespace maps ids as {}", map_words(map));
            let spelled = (Some("--userns host".to_owned()), Some("no --uidmap".to_owned()));
            (state, "no user namespace".to_owned(), spelled, "user_namespaces(7)")
        }
        Control::Uidmap => {
            let map = format!("{}:{}:{}", REMAP.inside, REMAP.outside, REMAP.count);
            let spelled = (Some("dockerd --userns-remap".to_owned()), Some(format!("--uidmap {map}")));
            (
                "it has no user namespace of its own".to_owned(),
                format!("a user namespace {map}"),
                spelled,
                "user_namespaces(7)",
            )
        }
        Control::Privileged if lift => {
            ("it is not privileged".to_owned(), "privileged".to_owned(), both("--privileged"), "podman-run(1)")
        }
        Control::Privileged => (
            "it is privileged".to_owned(),
            "privileged taken away".to_owned(),
            both("no --privileged"),
            "podman-run(1)",
        ),
        Control::ReadOnlyMount(target) => {
            let (is, becomes) = if lift { ("read-only", "writable") } else { ("writable", "read-only") };
            let spelled = bound(scene, target, if lift { "rw" } else { "ro" });
            let spelled = (spelled.clone(), spelled);
            (format!("{target} is mounted {is}"), format!("{target} {becomes}"), spelled, "mount(8)")
        }
        Control::Sysctl(name) => {
            let linux = scene.linux();
            let now = linux.sysctl().as_ref().and_then(|set| set.get(name)).map(|value| sysctl::words(value));
            let man = sysctl::man(name);
            match sysctl::switch(name) {
                Some(switch) => {
                    let now = now.unwrap_or_else(|| format!("the kernel's own {}", switch.closed));
                    let becomes = if lift { switch.open } else { switch.closed };
                    let flag = format!("{name}={becomes}");
                    let flag =
                        if flag.contains(' ') { format!("--sysctl '{flag}'") } else { format!("--sysctl {flag}") };
                    (format!("{name} is {now}"), format!("{name}={becomes}"), both(&flag), man)
                }
                None => (
                    format!("{name} is {}", now.unwrap_or_default()),
                    format!("{name} not set"),
                    both(&format!("no --sysctl {name}")),
                    man,
                ),
            }
        }
        Control::Propagation(target) => {
            let volume = scene.container().volumes.iter().find(|volume| volume.target == *target);
            let now = volume.and_then(|volume| volume.propagation).unwrap_or(Propagation::Rprivate);
            let whose = match now {
                Propagation::Private | Propagation::Rprivate => "seen by nobody else",
                Propagation::Slave | Propagation::Rslave => "the host's too, if the host mounts it",
                Propagation::Shared | Propagation::Rshared => "the host's too",
            };
            let becomes = if lift { Propagation::Rshared } else { Propagation::Rprivate }.name();
            let spelled = bound(scene, target, becomes);
            (
                format!("what is mounted below {target} is {whose} ({})", now.name()),
                format!("{target} {becomes}"),
                (spelled.clone(), spelled),
                "mount_namespaces(7)",
            )
        }
        Control::Volume(target) => (
            format!("there is a volume at {target}"),
            format!("no volume at {target}"),
            both(&format!("no -v …:{target}")),
            "mount_namespaces(7)",
        ),
        Control::ReadOnlyRoot if lift => {
            ("the root is read-only".to_owned(), "a writable root".to_owned(), both("no --read-only"), "mount(8)")
        }
        Control::ReadOnlyRoot => {
            ("the root is writable".to_owned(), "a read-only root".to_owned(), both("--read-only"), "mount(8)")
        }
        Control::NoNewPrivs if lift => (
            "no_new_privs is set".to_owned(),
            "no_new_privs not set".to_owned(),
            both("no --security-opt no-new-privileges"),
            "prctl(2)",
        ),
        Control::NoNewPrivs => (
            "no_new_privs is not set".to_owned(),
            "no_new_privs set".to_owned(),
            both("--security-opt no-new-privileges"),
            "prctl(2)",
        ),
        Control::Seccomp if lift => (
            "the seccomp profile refuses the call".to_owned(),
            "seccomp unconfined".to_owned(),
            both("--security-opt seccomp=unconfined"),
            "seccomp(2)",
        ),
        Control::Seccomp => (
            "seccomp is unconfined".to_owned(),
            "the preset's seccomp profile".to_owned(),
            both("no --security-opt seccomp=unconfined"),
            "seccomp(2)",
        ),
        Control::Devices if !lift => (
            "the container is given a device".to_owned(),
            "no device added to the list".to_owned(),
            both("no --device and no --device-cgroup-rule"),
            "cgroups(7)",
        ),
        Control::Devices => (
            "the device is not in the container's device list".to_owned(),
            "every device allowed".to_owned(),
            both("--device-cgroup-rule 'a *:* rwm'"),
            "cgroups(7)",
        ),
        Control::MaskedPath(path) => cover(path, "masked", lift),
        Control::ReadonlyPath(path) => cover(path, "read-only", lift),
        Control::Limit(limit) => {
            let name = limit.name();
            let (flag, man) = match limit {
                Limit::Pids => ("--pids-limit -1".to_owned(), "cgroups(7)"),
                Limit::Memory => ("no --memory".to_owned(), "cgroups(7)"),
                Limit::Ulimit(name) => (format!("no --ulimit {name}"), "getrlimit(2)"),
            };
            (format!("the limit {name} is set"), format!("no limit {name}"), both(&flag), man)
        }
        Control::SystemPaths => (
            "paths of the kernel are masked or read-only".to_owned(),
            "no path masked or read-only".to_owned(),
            (Some("--security-opt systempaths=unconfined".to_owned()), Some("--security-opt unmask=ALL".to_owned())),
            "proc(5)",
        ),
        Control::Runtime => {
            let how = |start| match start {
                Start::File => "its own file",
                Start::Memfd => "a sealed copy of itself",
                Start::ReadOnly => "its own file on a read-only mount",
            };
            let now = scene.case.host.runtime.as_ref().map_or(Start::File, |runtime| runtime.start);
            (
                format!("the runtime executes {} in the container", how(now)),
                format!("the runtime executing {}", how(if lift { Start::File } else { Start::Memfd })),
                (None, None),
                "memfd_create(2)",
            )
        }
        Control::Rootless => (
            "an ordinary user runs the engine".to_owned(),
            "the engine run by the host's root".to_owned(),
            (None, None),
            "user_namespaces(7)",
        ),
        Control::Namespace(which) => {
            let name = describe::namespace(*which);
            let whose = match scene.container().sharing.owner(*which) {
                Owner::Container(owner) => format!("container {owner}'s"),
                _ => "the host's".to_owned(),
            };
            let flag = match which {
                Namespace::Network => "--network none".to_owned(),
                Namespace::Cgroup => "--cgroupns private".to_owned(),
                _ => format!("no --{name}"),
            };
            (
                format!("its {name} namespace is {whose}"),
                format!("a {name} namespace of its own"),
                both(&flag),
                "namespaces(7)",
            )
        }
        Control::Group(gid) if lift => (
            format!("it is not in the group {gid}"),
            format!("group {gid} given"),
            both(&format!("--group-add {gid}")),
            "credentials(7)",
        ),
        Control::Group(gid) => (
            format!("it is in the group {gid}"),
            format!("group {gid} taken away"),
            both(&format!("no --group-add {gid}")),
            "credentials(7)",
        ),
        Control::File(path) => {
            let (mode, uid, gid) = scene.file(path).unwrap_or_default();
            let becomes = if lift {
                "of mode 0777 and owned by the process's own user"
            } else {
                "of mode 0000 and owned by root"
            };
            (
                format!("the host's {path} has mode {mode:04o} and belongs to {uid}:{gid}"),
                format!("{path} {becomes}"),
                (None, None),
                "path_resolution(7)",
            )
        }
    };
    Words { state, change, docker, podman, man }
}

/// `-v` of the volume at a target with this option.
fn bound(scene: &Scene, target: &str, option: &str) -> Option<String> {
    let volume = scene.container().volumes.iter().find(|volume| volume.target == *target)?;
    let (VolumeSource::Fixture(source) | VolumeSource::RealHost(source)) = &volume.source;
    Some(format!("-v {source}:{target}:{option}"))
}

fn cover(path: &str, what: &str, lift: bool) -> (String, String, (Option<String>, Option<String>), &'static str) {
    let (is, becomes) = if lift { ("", "not ") } else { ("not ", "") };
    let spelled = match (lift, what) {
        (true, _) => {
            (Some("--security-opt systempaths=unconfined".to_owned()), Some(format!("--security-opt unmask={path}")))
        }
        (false, "masked") => (None, Some(format!("--security-opt mask={path}"))),
        (false, _) => (None, None),
    };
    (format!("{path} is {is}{what}"), format!("{path} {becomes}{what}"), spelled, "proc(5)")
}
