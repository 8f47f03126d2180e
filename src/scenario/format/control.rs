//! Controls: what a step can say decides.

use super::{ID, Key, PATH, Takes, key, words};

/// Controls of one `because` at most: each proper subset is run too.
pub(in crate::scenario) const MOST: usize = 3;

/// The `because` of what no control decides, and what is asked then.
pub(in crate::scenario) const NONE: (&str, &str) = (
    "none",
    "nothing that can be named decides: each control is changed, alone and up to three together, and none of it flips the outcome",
);

/// Controls that are a word, and what is changed.
pub(in crate::scenario) const WORDS: [(&str, &str); 10] = [
    ("user", "a user becomes root, root becomes 6667"),
    ("uidmap", "no user namespace; where there is none, one that maps 0 to 100000"),
    ("rootless", "the engine is run by the host's root"),
    ("runtime", "the fixture host's runtime starts from its own file; where it does, from a sealed copy"),
    ("privileged", "not; where it is not, it is"),
    ("read_only", "the root: writable, or read-only"),
    ("no_new_privs", "not set, or set"),
    ("seccomp", "no profile; where it is unconfined, the preset's"),
    ("devices", "no device list; where the outcome was allowed, no `devices` and `device_cgroup_rules`"),
    ("system_paths", "no path masked or read-only"),
];

/// Controls that say of what, and what is changed.
pub(in crate::scenario) const MAPS: [Key; 11] = [
    key(
        "capability",
        Takes::Capability { all: false },
        "given where the outcome was denied, taken away where it was allowed; where the process has it already it is taken away, whatever the outcome was",
    )
    .examples(&["NET_ADMIN"]),
    key("read_only", PATH, "the mount (a volume, a tmpfs, or the preset's /sys): writable, or read-only").examples(&["/mnt"]),
    key("volume", PATH, "the volume is not there").examples(&["/mnt"]),
    key(
        "propagation",
        PATH,
        "the volume is `rprivate`; where it is private, `rshared`. What was allowed may then not be there to be asked for: that counts",
    )
    .examples(&["/mnt"]),
    key(
        "sysctl",
        Takes::Like("^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)+$"),
        "net.ipv4.ip_unprivileged_port_start: 0 where the outcome was denied, the kernel's 1024 where it was allowed; net.ipv4.ping_group_range: every group, or the kernel's none; another that the container sets: not set",
    )
    .examples(&["net.ipv4.ip_unprivileged_port_start"]),
    key("masked_path", PATH, "this path of the preset's list is as the kernel has it; where it is not covered, it is")
        .examples(&["/proc/kcore"]),
    key("readonly_path", PATH, "this path of the preset's list is as the kernel has it; where it is not covered, it is")
        .examples(&["/proc/sys"]),
    key("limit", Takes::Words(words::limits), "this limit is not there. Of a limit of memory the outcome is `{killed: SIGKILL}`")
        .examples(&["pids"]),
    key("group", ID, "not in this supplementary group, or in it").examples(&["2000"]),
    key(
        "file",
        PATH,
        "what lies at this path of the fixture host: mode 0777 and the process's own where the outcome was denied, mode 0000 and root's where it was allowed",
    )
    .examples(&["/etc/shadow"]),
    key(
        "namespace",
        Takes::Words(|| vec!["pid", "ipc", "network", "uts", "cgroup", "net"]),
        "a namespace of its own in place of the one it shares. What was allowed may then not be there to be asked for: that counts",
    )
    .examples(&["pid"]),
];
