//! The file as a whole, the fixture host, the matrix, what it requires.

use super::{FILLED, ID, Key, MODE, Map, OWNER, PATH, SIZE, Takes, container, key, map, words};

/// The file.
pub(in crate::scenario) static SCENARIO: Map = Map {
    planned: &["lab", "schema", "tags"],
    ..map(
        "scenario",
        "a scenario",
        "How a container is configured, and what must be possible and impossible in it.",
        &[
            key("title", FILLED, "The claim, in one line.")
                .examples(&["Root in a default container cannot list firewall rules"])
                .required(),
            key("source", Takes::Text, "Where the claim comes from.").examples(&["capabilities(7)"]),
            key("about", Takes::Text, "Markdown for a reader: what is shown and what to take home."),
            key(
                "host",
                Takes::Map(&HOST),
                "The fixture host: decoys that stand for the host. By default it has /etc/passwd, /etc/group, /etc/shadow (0:0, mode 0000) and /etc/hostname.",
            )
            .examples(&["{users: {redhat: 1001}}"]),
            key("container", Takes::Map(&container::CONTAINER), "The only container. Its name is `box`. This or `containers` is required; `{}` is a default one.")
                .examples(&["{preset: docker}"]),
            key(
                "containers",
                Takes::Entries { like: "^[A-Za-z0-9_-]{1,63}$", takes: &Takes::Map(&container::CONTAINER) },
                "Several containers by name, in the place of `container`.",
            )
            .examples(&["{a: {preset: docker}, b: {pid: \"container:a\"}}"]),
            key("steps", Takes::Filled(&Takes::Step), "What is tried and looked at, in this order.")
                .examples(&["[{probe: mount, expect: {denied: EPERM}}]"])
                .required(),
            key(
                "matrix",
                Takes::Entries { like: "^[A-Za-z0-9_]+$", takes: &Takes::Several(&Takes::Text) },
                "A case of every combination of these variables' values; `${cap}` stands for a value in any text.",
            )
            .examples(&["{cap: [CHOWN, KILL], user: [root, \"6667\"]}"]),
            key(
                "requires",
                Takes::List(&Takes::Any(&[
                    Takes::Words(|| vec!["root", "userns", "nf_tables"]),
                    Takes::OneOf(&REQUIREMENTS),
                ])),
                "What the scenario needs beyond what is derived from it: where a machine lacks it the case is skipped, by name.",
            )
            .examples(&["[root, {command: iptables}]", "[{engine: [runc, crun]}]"]),
        ],
    )
};

/// Requirements that say of what.
pub(in crate::scenario) const REQUIREMENTS: [Key; 3] = [
    key("command", Takes::Text, "A program of the machine.").examples(&["iptables"]),
    key("capability", Takes::Capability { all: false }, "A capability that the machine's root has.")
        .examples(&["SYS_RESOURCE"]),
    key("engine", Takes::Several(&Takes::Words(words::engines)), "True of these engines only.")
        .examples(&["docker", "[runc, crun]"]),
];

/// The most that a sysctl of the host's user namespace may be. What is counted there is counted for who made it, too, so that a limit
/// above the machine's own would not be the one that holds.
pub(in crate::scenario) const MOST_COUNTED: u64 = 16;

/// `host:`.
pub(in crate::scenario) static HOST: Map = map(
        "host",
        "host",
        "Decoys that stand for the host. Nothing of the real machine is ever in them.",
        &[
            key(
                "users",
                Takes::Entries { like: "^[^:/ \\n]+$", takes: &ID },
                "Users of its /etc/passwd: name and uid. From uid 1000 on with 65,536 subordinate ids each.",
            )
            .examples(&["{redhat: 1001}"]),
            key("files", Takes::Entries { like: "^/", takes: &Takes::Map(&FILE) }, "Files by absolute path.")
                .examples(&["{/srv/report: {mode: \"0640\", owner: \"0:2000\", content: \"for the group\\n\"}}"]),
            key(
                "disks",
                Takes::Entries { like: "^[a-z0-9]{1,32}$", takes: &Takes::Map(&DISK) },
                "One disk, by the name of its node in /dev: an ext4 file system on a loop device of its own, with the host's files that are below `at` in it. Root's lab host only.",
            )
            .examples(&["{decoy: {at: /srv/data, size: 8m}}"]),
            key(
                "runtimes",
                Takes::Entries { like: "^/", takes: &Takes::Map(&RUNTIME) },
                "One decoy of a container runtime, by its path: `through` in a step has it enter the container.",
            )
            .examples(&["{/usr/sbin/runtime: {start: file}}"]),
            key(
                "sockets",
                Takes::Entries { like: "^/", takes: &Takes::Map(&SOCKET) },
                "One socket, by its path, at which a decoy of an engine's daemon answers.",
            )
            .examples(&["{/run/engine.sock: {mode: \"0660\", owner: \"0:998\"}}"]),
            key(
                "userns",
                Takes::Words(|| words::names(&words::HOST_USERNS)),
                "`own`: a user namespace of its own stands for the host, in which nobody else's processes and inotify instances are counted.",
            )
            .examples(&["own"]),
            key(
                "sysctls",
                Takes::Entries { like: "^user\\.max_inotify_instances$", takes: &Takes::Number { least: 1, most: MOST_COUNTED } },
                "Of that user namespace.",
            )
            .examples(&["{user.max_inotify_instances: 3}"]),
        ],
);

/// Its disk.
pub(in crate::scenario) static DISK: Map = map(
    "host_disk",
    "a disk",
    "A disk of the fixture host.",
    &[
        key("at", PATH, "The directory that it is mounted at.").examples(&["/srv/data"]).required(),
        key("size", SIZE, "From `1m` to `64m`.").default("\"8m\"").examples(&["8m"]),
    ],
);

/// Its runtime.
pub(in crate::scenario) static RUNTIME: Map = map(
    "host_runtime",
    "a runtime",
    "A decoy of a container runtime.",
    &[
        key(
            "start",
            Takes::Words(|| words::names(&words::STARTS)),
            "What of it is executed in a container: itself, a sealed copy, or itself on a read-only mount.",
        )
        .examples(&["memfd"])
        .required(),
        key("owner", OWNER, "Its owner and group by number.").default("\"0:0\"").examples(&["\"1001:1001\""]),
    ],
);

/// Its socket.
pub(in crate::scenario) static SOCKET: Map = map(
    "host_socket",
    "a socket",
    "A socket of the fixture host.",
    &[
        key("mode", MODE, "Permission bits, octal digits in quotes.").default("\"0660\"").examples(&["\"0660\""]),
        key("owner", OWNER, "Its owner and group by number.").default("\"0:0\"").examples(&["\"0:998\""]),
    ],
);

/// One of its files.
pub(in crate::scenario) static FILE: Map = map(
    "host_file",
    "a file of the host",
    "A file of the fixture host.",
    &[
        key("mode", MODE, "Permission bits, octal digits in quotes.").default("\"0644\"").examples(&["\"0600\""]),
        key("owner", OWNER, "Its owner and group by number.").default("\"0:0\"").examples(&["\"1000:1000\""]),
        key("content", Takes::Text, "What is in it.").default("\"\"").examples(&["\"secret\\n\""]),
    ],
);

const IF: Key = key(
    "if",
    Takes::Entries { like: "^[A-Za-z0-9_]+$", takes: &Takes::Several(&Takes::Text) },
    "Variables of the matrix, each with the values for which it holds.",
)
.examples(&["{cap: [CHOWN, FOWNER]}"])
.required();

/// What depends on the cell of a matrix.
pub(in crate::scenario) static CONDITION: Map = map(
    "condition",
    "a condition",
    "What depends on the cell of the matrix, never on what happens at run time.",
    &[
        IF,
        key("then", Takes::Expect, "What must be where it holds.").examples(&["allowed"]).required(),
        key("else", Takes::Expect, "What must be in the other cells.").examples(&["{denied: EPERM}"]).required(),
    ],
);

/// The same of a `because`.
pub(in crate::scenario) static CONDITION_OF_BECAUSE: Map = map(
    "condition_of_because",
    "a condition",
    "What decides depends on the cell of the matrix.",
    &[
        IF,
        key("then", Takes::Because, "What decides where it holds.").examples(&["uidmap"]).required(),
        key("else", Takes::Because, "What decides in the other cells; without it nothing is said of them.")
            .examples(&["[uidmap, {capability: MKNOD}]"]),
    ],
);
