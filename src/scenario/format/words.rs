//! Words out of few, and what each stands for.

use caplab_init::wire::{Device, Firewall, Namespace, OpenMode, Protocol, Start};

use crate::{
    engine::Kind,
    observe::{Peers, Seccomp, Stream},
    scenario::model::{CgroupNamespace, OutcomeExpect, Preset, Propagation, RefusedAt, Rootfs},
};

/// Words and what they stand for.
pub(in crate::scenario) type Words<T, const N: usize> = [(&'static str, T); N];

pub(in crate::scenario) const PRESETS: Words<Preset, 5> = [
    ("docker", Preset::Docker),
    ("docker-20.10.13", Preset::Docker20_10_13),
    ("podman", Preset::Podman),
    ("kubernetes", Preset::Kubernetes),
    ("bare", Preset::Bare),
];
pub(in crate::scenario) const ROOTFS: Words<Rootfs, 2> = [("toolbox", Rootfs::Toolbox), ("host", Rootfs::Host)];
pub(in crate::scenario) const USERNS_MODES: Words<(), 1> = [("host", ())];
pub(in crate::scenario) const HOST_USERNS: Words<(), 1> = [("own", ())];
pub(in crate::scenario) const STARTS: Words<Start, 3> =
    [("file", Start::File), ("memfd", Start::Memfd), ("read-only", Start::ReadOnly)];
pub(in crate::scenario) const CGROUPS: Words<CgroupNamespace, 2> =
    [("private", CgroupNamespace::Private), ("host", CgroupNamespace::Host)];
pub(in crate::scenario) const REFUSED: Words<RefusedAt, 2> =
    [("create", RefusedAt::Create), ("start", RefusedAt::Start)];
pub(in crate::scenario) const OUTCOMES: Words<OutcomeExpect, 3> = [
    ("allowed", OutcomeExpect::Allowed),
    ("denied", OutcomeExpect::Denied(None)),
    ("killed", OutcomeExpect::Killed(None)),
];
pub(in crate::scenario) const STREAMS: Words<Stream, 2> = [("stdout", Stream::Stdout), ("stderr", Stream::Stderr)];
pub(in crate::scenario) const SECCOMP: Words<Seccomp, 3> =
    [("disabled", Seccomp::Disabled), ("strict", Seccomp::Strict), ("filter", Seccomp::Filter)];
pub(in crate::scenario) const OPEN_MODES: Words<OpenMode, 4> =
    [("read", OpenMode::Read), ("write", OpenMode::Write), ("append", OpenMode::Append), ("create", OpenMode::Create)];
pub(in crate::scenario) const FIREWALLS: Words<Firewall, 2> =
    [("nf_tables", Firewall::NfTables), ("legacy", Firewall::Legacy)];
pub(in crate::scenario) const PROTOCOLS: Words<Protocol, 2> = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
/// The runtime-spec's words; the short ones of unshare(1) come last.
pub(in crate::scenario) const NAMESPACES: Words<Namespace, 10> = [
    ("cgroup", Namespace::Cgroup),
    ("ipc", Namespace::Ipc),
    ("mount", Namespace::Mount),
    ("network", Namespace::Network),
    ("pid", Namespace::Pid),
    ("time", Namespace::Time),
    ("user", Namespace::User),
    ("uts", Namespace::Uts),
    ("mnt", Namespace::Mount),
    ("net", Namespace::Network),
];
/// docker's names (moby, go-units ulimit.go).
pub(in crate::scenario) const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];
/// Options of mountinfo(5) that a mount can have or lack.
pub(in crate::scenario) const MOUNT_OPTIONS: [&str; 8] =
    ["ro", "rw", "nosuid", "nodev", "noexec", "noatime", "relatime", "nosymfollow"];

/// The words of a table.
pub(in crate::scenario) fn names<T, const N: usize>(table: &Words<T, N>) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// Devices that a probe opens.
pub(in crate::scenario) fn devices() -> Vec<&'static str> {
    Device::ALL.map(Device::name).to_vec()
}

/// Engines.
pub(in crate::scenario) fn engines() -> Vec<&'static str> {
    Kind::ALL.map(Kind::name).to_vec()
}

/// Who sees what is mounted below a volume.
pub(in crate::scenario) fn propagations() -> Vec<&'static str> {
    Propagation::ALL.map(Propagation::name).to_vec()
}

/// How mountinfo(5) says the same of a mount that is there.
pub(in crate::scenario) fn peers() -> Vec<&'static str> {
    Peers::ALL.map(Peers::name).to_vec()
}

/// Limits that a because can lift.
pub(in crate::scenario) fn limits() -> Vec<&'static str> {
    ["pids", "memory"].into_iter().chain(ULIMITS).collect()
}
