//! Probes.

use super::{ID, Key, MODE, Map, OWNER, PATH, SIZE, Takes, key, map, words};

/// A pid of the container; the most is the kernel's PID_MAX_LIMIT on 64 bits.
const PID: Takes = Takes::Number { least: 1, most: 1 << 22 };
const NAMESPACE: Takes = Takes::Words(|| words::names(&words::NAMESPACES));

/// What the probes of limits take at most: no machine that runs containers feels it.
pub(in crate::scenario) const MOST_FORKS: u64 = 1000;
pub(in crate::scenario) const MOST_FILES: u64 = 10_000;
/// What a user may have where nobody changed it (`inotify_user_setup`).
pub(in crate::scenario) const MOST_INSTANCES: u64 = 128;

/// Those that are planned and not built.
pub(in crate::scenario) const PLANNED: [&str; 2] = ["io_uring", "syscall"];

/// A probe: what stands behind its name, where something can.
pub(in crate::scenario) struct Form {
    /// Its name, what it takes, what it asks the kernel for.
    pub(in crate::scenario) key: Key,
    /// Whether the name alone is a probe.
    pub(in crate::scenario) alone: bool,
    /// Whether something can stand behind it.
    pub(in crate::scenario) takes: bool,
}

const fn alone(name: &'static str, about: &'static str) -> Form {
    Form { key: key(name, Takes::Text, about), alone: true, takes: false }
}

const fn with(name: &'static str, takes: Takes, about: &'static str, examples: &'static [&'static str]) -> Form {
    Form { key: key(name, takes, about).examples(examples), alone: false, takes: true }
}

const fn either(name: &'static str, takes: Takes, about: &'static str, examples: &'static [&'static str]) -> Form {
    Form { key: key(name, takes, about).examples(examples), alone: true, takes: true }
}

/// Every probe.
pub(in crate::scenario) static PROBES: [Form; 31] = [
    with(
        "open",
        Takes::Any(&[PATH, Takes::Map(&OPEN)]),
        "Opens a file and closes it; nothing is written.",
        &["/mnt/shadow", "{path: /mnt/shadow, mode: append}"],
    ),
    either(
        "list_firewall",
        Takes::Words(|| words::names(&words::FIREWALLS)),
        "Asks nf_tables for its generation, or ip_tables for its table.",
        &["legacy"],
    ),
    alone("mount", "Changes the propagation of a mount, with flags that contradict each other."),
    either("mknod", Takes::Map(&MKNOD), "Makes a device node, /dev/null's, and removes it.", &["{dir: /tmp}"]),
    with(
        "open_device",
        Takes::Words(words::devices),
        "Makes a device's node and opens it: what the device list is about.",
        &["loop0"],
    ),
    with("chown", Takes::Map(&CHOWN), "Gives a file to somebody, and back.", &["{path: /mnt/shadow, owner: \"0:0\"}"]),
    with(
        "chmod",
        Takes::Any(&[PATH, Takes::Map(&CHMOD)]),
        "Gives a file the mode that it has, or another and that back.",
        &["/mnt/shadow", "{path: /mnt/shadow, mode: \"0600\"}"],
    ),
    with("setuid", ID, "Becomes this user, in a process that ends.", &["1000"]),
    with("setgroups", Takes::List(&ID), "Takes these groups, in a process that ends.", &["[1000]"]),
    either("chroot", PATH, "Changes its root, in a process that ends.", &["/tmp"]),
    with("unshare", NAMESPACE, "Makes a namespace, in a process that ends.", &["user"]),
    with(
        "setns",
        Takes::Map(&SETNS),
        "Enters a namespace of another process, in a process that ends.",
        &["{pid: 1, namespace: uts}"],
    ),
    either("ptrace", PID, "Attaches to a process without stopping it.", &["1"]),
    either("kill", PID, "Sends signal 0, which is only the question.", &["1"]),
    with(
        "bind_port",
        Takes::Any(&[Takes::Number { least: 1, most: 65535 }, Takes::Map(&BIND_PORT)]),
        "Binds a port.",
        &["80", "{port: 80, protocol: udp}"],
    ),
    alone("raw_socket", "Makes a raw socket."),
    alone("ping", "Makes a socket for echo requests."),
    alone("sethostname", "Sets the host name to what it is."),
    alone("set_time", "Sets a time zone that does not exist."),
    alone("read_kernel_log", "Asks how much of the kernel's log is unread."),
    alone("load_module", "Loads a module of no bytes."),
    with(
        "write_sysctl",
        Takes::Like("^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)+$"),
        "Opens a file of /proc/sys to write; nothing is written.",
        &["kernel.hostname"],
    ),
    alone("bpf", "Asks for the first BPF program."),
    alone("perf_event_open", "Counts a dummy event of itself."),
    alone("keyctl", "Asks for a keyring that is not made."),
    alone("userfaultfd", "Makes a userfaultfd for user mode only."),
    with("fork", Takes::Number { least: 1, most: MOST_FORKS }, "Makes so many processes that wait at once.", &["100"]),
    with("open_files", Takes::Number { least: 4, most: MOST_FILES }, "Opens so many descriptors.", &["100"]),
    with("allocate", SIZE, "Takes so much memory and writes to each page, from `1m` to `256m`.", &["64m"]),
    with("inotify", Takes::Number { least: 1, most: MOST_INSTANCES }, "Makes so many inotify instances.", &["2"]),
    with("connect", PATH, "Connects to a unix socket and says nothing.", &["/run/engine.sock"]),
];

/// `open:`.
pub(in crate::scenario) static OPEN: Map = map(
    "probe_open",
    "open",
    "How a file is opened.",
    &[
        key("path", PATH, "Which.").examples(&["/mnt/shadow"]).required(),
        key("mode", Takes::Words(|| words::names(&words::OPEN_MODES)), "How; `create` makes one and removes it.")
            .default("\"read\"")
            .examples(&["append"]),
    ],
);

/// `mknod:`.
pub(in crate::scenario) static MKNOD: Map = map(
    "probe_mknod",
    "mknod",
    "Where the node is made.",
    &[key("dir", PATH, "A folder.").examples(&["/tmp"]).required()],
);

/// `chown:`.
pub(in crate::scenario) static CHOWN: Map = map(
    "probe_chown",
    "chown",
    "Whom a file is given to.",
    &[
        key("path", PATH, "Which file.").examples(&["/mnt/shadow"]).required(),
        key("owner", OWNER, "Owner and group.").examples(&["\"0:0\""]).required(),
    ],
);

/// `chmod:`.
pub(in crate::scenario) static CHMOD: Map = map(
    "probe_chmod",
    "chmod",
    "Which mode a file is given.",
    &[
        key("path", PATH, "Which file.").examples(&["/mnt/shadow"]).required(),
        key("mode", MODE, "Permission bits.").default("what it has").examples(&["\"0600\""]),
    ],
);

/// `setns:`.
pub(in crate::scenario) static SETNS: Map = map(
    "probe_setns",
    "setns",
    "Which namespace is entered.",
    &[
        key("pid", PID, "A pid of the container.").examples(&["1"]).required(),
        key("namespace", NAMESPACE, "Which of its.").examples(&["uts"]).required(),
    ],
);

/// `bind_port:`.
pub(in crate::scenario) static BIND_PORT: Map = map(
    "probe_bind_port",
    "bind_port",
    "Which port is bound.",
    &[
        key("port", Takes::Number { least: 1, most: 65535 }, "Its number.").examples(&["80"]).required(),
        key("protocol", Takes::Words(|| words::names(&words::PROTOCOLS)), "Of which protocol.")
            .default("\"tcp\"")
            .examples(&["udp"]),
    ],
);
