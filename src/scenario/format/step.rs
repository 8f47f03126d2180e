//! Steps and what they expect.

use super::{FILLED, ID, Key, MODE, Map, OWNER, PATH, SIZE, TIME, Takes, container, filled, key, map, words};

/// A kind of step: what its `expect` is, and the keys that mean nothing in it, each with the reason.
pub(in crate::scenario) struct Kind {
    pub(in crate::scenario) name: &'static str,
    pub(in crate::scenario) expects: Option<&'static Takes>,
    pub(in crate::scenario) without: &'static [(&'static str, &'static str)],
}

/// Every kind: a step is exactly one of them.
pub(in crate::scenario) const KINDS: [Kind; 4] = [
    Kind { name: "run", expects: Some(&Takes::Conditional(&OF_RUN)), without: &[] },
    Kind {
        name: "probe",
        expects: Some(&Takes::Conditional(&OF_PROBE)),
        without: &[("capture", "a probe writes nothing"), ("through", "a runtime executes a command")],
    },
    Kind {
        name: "inspect",
        expects: None,
        without: &[
            ("expect", "inspect states the facts it expects itself"),
            ("because", "only what was allowed or denied has a because"),
            ("capture", "inspect writes nothing"),
            ("through", "a runtime executes a command"),
        ],
    },
    Kind {
        name: "host",
        expects: Some(&Takes::Conditional(&OF_HOST)),
        without: &[
            ("as", "the host is looked at from outside"),
            ("in", "`host:` names what it looks at itself"),
            ("because", "only what was allowed or denied has a because"),
            ("capture", "a look writes nothing"),
            ("through", "a runtime executes a command"),
            ("timeout", "a look takes no time"),
        ],
    },
];

const OUTCOME: Takes = Takes::Words(|| words::names(&words::OUTCOMES));
const OF_RUN: Takes = Takes::Any(&[OUTCOME, Takes::Map(&EXPECT_OF_RUN)]);
const OF_PROBE: Takes = Takes::Any(&[OUTCOME, Takes::Map(&EXPECT_OF_PROBE)]);
const OF_HOST: Takes = Takes::Any(&[Takes::Map(&EXPECT_OF_PROCESS), Takes::Map(&EXPECT_OF_FILE)]);
/// Text that must be contained, or a map of one rule.
const MATCHER: Takes = Takes::Any(&[Takes::Several(&FILLED_TEXT), Takes::OneOf(&MATCHERS)]);
const FILLED_TEXT: Takes = Takes::LikeOrNumber(".");
const KERNEL_MAP: Takes = Takes::Filled(&Takes::Like("^ *[0-9]+ +[0-9]+ +[0-9]+ *$"));

/// A step.
pub(in crate::scenario) static STEP: Map = Map {
    planned: &["requires", "skip", "lab"],
    ..map(
        "step",
        "a step",
        "One thing tried or looked at: exactly one of `run`, `probe`, `inspect`, `host`.",
        &[
            key(
                "run",
                Takes::Any(&[FILLED, Takes::Filled(&Takes::Text)]),
                "A real command: a text is given to `sh -c`, a list is the argv. Programs need `rootfs: host`, or an image that has them.",
            )
            .examples(&["iptables -L", "[cat, /mnt/shadow]"]),
            key(
                "probe",
                Takes::Probe,
                "One attempt, made by the helper, that asks the kernel for one permission, harmlessly.",
            )
            .examples(&["mount", "{open: {path: /mnt/shadow, mode: append}}"]),
            key(
                "inspect",
                Takes::Conditional(&Takes::Map(&INSPECT)),
                "Facts inside the container that must be so; what is not named is not asked.",
            )
            .examples(&["{capabilities: {effective: [CAP_CHOWN]}}"]),
            key("host", Takes::OneOf(&LOOKS), "A look from outside.").examples(&["{process: box}"]),
            key("in", FILLED, "The container, where there are several.").examples(&["a"]),
            key("through", PATH, "The fixture host's runtime that executes a `run`.").examples(&["/usr/sbin/runtime"]),
            key("as", container::USER, "Another user, as `docker exec --user`.").examples(&["\"6667:6667\""]),
            key("id", FILLED, "A name for reports.").default("its number").examples(&["shadow"]),
            key("timeout", TIME, "How long it may take: `2s`, `500ms`, `1m`, or seconds; at most an hour.")
                .default("`--timeout`, 10 s")
                .examples(&["2s"]),
            key(
                "capture",
                Takes::Several(&Takes::Words(|| words::names(&words::STREAMS))),
                "Puts the text of a `run` into the snapshot.",
            )
            .default("[]")
            .examples(&["[stdout]"]),
            key("expect", Takes::Expect, "What must come of it. Mandatory but for `inspect`.")
                .examples(&["allowed", "{denied: EPERM}"]),
            key(
                "because",
                Takes::Conditional(&Takes::Because),
                "The control that decides, or up to three that do together: the case is run once more with it changed, and the outcome must flip. `none` where nothing that can be named decides, which is tried too.",
            )
            .examples(&["{capability: NET_ADMIN}", "[seccomp, {capability: BPF}]"]),
        ],
    )
};

/// What is looked at from outside.
pub(in crate::scenario) static LOOK: Map =
    Map { planned: &["runtime", "disk"], ..map("look", "host", "A look from outside: one of its keys.", &LOOKS) };

const LOOKS: [Key; 2] = [
    key("process", FILLED, "Pid 1 of a container, by the container's name.").examples(&["box"]),
    key("file", PATH, "A file of the fixture host.").examples(&["/etc/shadow"]),
];

const OUTCOME_KEY: Key = key("outcome", OUTCOME, "As the word alone.").examples(&["denied"]);
const DENIED: Key = key("denied", Takes::Errno, "The kernel refused, with this errno.").examples(&["EPERM"]);
const KILLED: Key = key("killed", Takes::Signal, "A signal ended it.").examples(&["SIGSYS"]);

/// `expect:` of a run.
pub(in crate::scenario) static EXPECT_OF_RUN: Map = filled(
    "expect_of_run",
    "expect",
    "What must come of a command. `denied` needs evidence: a `because` that names something, or `exit` with a matcher.",
    &[
        OUTCOME_KEY,
        DENIED,
        KILLED,
        key("exit", Takes::Number { least: 0, most: 255 }, "The exit status.").examples(&["4"]),
        key("stdout", MATCHER, "What it wrote.").examples(&["uid=0", "{matches: \"^uid=0\"}"]),
        key("stderr", MATCHER, "What it wrote as an error.").examples(&["Permission denied"]),
    ],
);

/// `expect:` of a probe.
pub(in crate::scenario) static EXPECT_OF_PROBE: Map =
    filled("expect_of_probe", "expect", "What must come of a probe.", &[OUTCOME_KEY, DENIED, KILLED]);

/// What a text must be.
pub(in crate::scenario) static MATCHER_MAP: Map = map("matcher", "a matcher", "One rule for a text.", &MATCHERS);

const MATCHERS: [Key; 3] = [
    key("contains", Takes::Several(&FILLED_TEXT), "Has all of these.").examples(&["[uid=0, gid=0]"]),
    key("matches", Takes::Text, "This regular expression (docs.rs/regex) matches somewhere.")
        .examples(&["\"^uid=\\\\d+\""]),
    key("equals", Takes::Text, "Is this, newlines at the end apart.").examples(&["root"]),
];

/// `inspect:`.
pub(in crate::scenario) static INSPECT: Map = filled(
    "inspect",
    "inspect",
    "Facts of a process in the container, as the kernel says them.",
    &[
        key("uid", ID, "Effective uid.").examples(&["0"]),
        key("gid", ID, "Effective gid.").examples(&["0"]),
        key("groups", Takes::List(&ID), "Supplementary groups.").examples(&["[0, 2000]"]),
        key("capabilities", Takes::Map(&SETS), "The five sets.").examples(&["{effective: none}"]),
        key("uid_map", KERNEL_MAP, "Lines of /proc/PID/uid_map.").examples(&["[\"0 100000 65536\"]"]),
        key("gid_map", KERNEL_MAP, "Lines of /proc/PID/gid_map.").examples(&["[\"0 100000 65536\"]"]),
        key("no_new_privs", Takes::Truth, "Whether execve(2) can give no privilege.").examples(&["true"]),
        key("seccomp", Takes::Words(|| words::names(&words::SECCOMP)), "The seccomp mode.").examples(&["filter"]),
        key(
            "namespaces",
            Takes::Entries {
                like: "^(cgroup|ipc|mount|mnt|network|net|pid|time|user|uts)$",
                takes: &Takes::Like("^(new|host|container:.+)$"),
            },
            "Whose each namespace is.",
        )
        .examples(&["{pid: new, user: host, ipc: \"container:a\"}"]),
        key(
            "mounts",
            Takes::Entries {
                like: "^/",
                takes: &Takes::Any(&[Takes::Words(|| vec!["absent"]), OPTIONS, Takes::Map(&MOUNT)]),
            },
            "What is mounted where: options, `absent`, or more.",
        )
        .examples(&["{/mnt: ro, /secret: absent}"]),
        key("limits", container::ULIMITS, "Limits of setrlimit(2).").examples(&["{nofile: 1024}"]),
        key("resources", Takes::Map(&RESOURCES), "Limits of its control groups.").examples(&["{pids: 32}"]),
        key("processes", MATCHER, "Command lines of the processes that it sees.").examples(&["{contains: sleep}"]),
        key("hostname", FILLED, "Its host name.").examples(&["web"]),
    ],
);

const OPTIONS: Takes = Takes::Several(&Takes::Words(|| words::MOUNT_OPTIONS.to_vec()));
const SET: Takes = Takes::Any(&[
    Takes::List(&Takes::Capability { all: true }),
    Takes::Words(|| vec!["none", "ALL", "all"]),
    Takes::LikeOrNumber("^[0-9A-Fa-f]{16}$"),
]);

/// The five capability sets.
pub(in crate::scenario) static SETS: Map = filled(
    "capability_sets",
    "capabilities",
    "Capability sets: a list of names, `none`, `ALL` (every one that the host has), or the kernel's sixteen hexadecimal digits.",
    &[
        key("inheritable", SET, "What execve(2) of a file with inheritable capabilities keeps.").examples(&["none"]),
        key("permitted", SET, "What it may make effective.").examples(&["[CAP_CHOWN]"]),
        key("effective", SET, "What the kernel checks.").examples(&["[CAP_CHOWN, CAP_KILL]"]),
        key("bounding", SET, "What it can ever gain.").examples(&["ALL"]),
        key("ambient", SET, "What execve(2) keeps for who is not root.").examples(&["none"]),
    ],
);

/// A mount.
pub(in crate::scenario) static MOUNT: Map = map(
    "mount",
    "a mount",
    "What is mounted at a path.",
    &[
        key("type", FILLED, "The file system.").examples(&["tmpfs"]),
        key("options", OPTIONS, "Options that it has.").default("[]").examples(&["[ro, nosuid]"]),
        key("propagation", Takes::Words(words::peers), "Whose mounts below it are seen where.").examples(&["shared"]),
        key("absent", Takes::Truth, "Nothing is mounted there.").default("false"),
    ],
);

const UNLIMITED: Takes = Takes::Any(&[Takes::Words(|| vec!["unlimited"]), Takes::MinusOne]);
const PIDS: Takes = Takes::Any(&[Takes::Number { least: 1, most: 1 << 22 }, UNLIMITED]);
const MEMORY: Takes = Takes::Any(&[SIZE, UNLIMITED]);

/// Limits of control groups.
pub(in crate::scenario) static RESOURCES: Map = filled(
    "resources",
    "resources",
    "Limits of its control groups, in the runtime-spec's words, or `unlimited`.",
    &[
        key("pids", Takes::Any(&[PIDS, Takes::Map(&PIDS_LIMIT)]), "Processes and threads.").examples(&["32"]),
        key("memory", Takes::Any(&[MEMORY, Takes::Map(&MEMORY_LIMIT)]), "Memory.").examples(&["64m"]),
        key("cpu", Takes::Map(&CPU), "Processor time.").examples(&["{quota: 50000, period: 100000}"]),
    ],
);

/// The long form of `pids`.
pub(in crate::scenario) static PIDS_LIMIT: Map =
    map("pids", "pids", "In the runtime-spec's form.", &[key("limit", PIDS, "How many.").examples(&["32"]).required()]);

/// The long form of `memory`.
pub(in crate::scenario) static MEMORY_LIMIT: Map = map(
    "memory",
    "memory",
    "In the runtime-spec's form.",
    &[key("limit", MEMORY, "How much.").examples(&["64m"]).required()],
);

/// Processor time.
pub(in crate::scenario) static CPU: Map = map(
    "cpu",
    "cpu",
    "Microseconds of each period.",
    &[
        key("quota", Takes::Any(&[Takes::Number { least: 1, most: u64::MAX - 1 }, UNLIMITED]), "That it may have.")
            .examples(&["50000"])
            .required(),
        key("period", Takes::Number { least: 1, most: u64::MAX - 1 }, "The period.").examples(&["100000"]).required(),
    ],
);

/// `expect:` of `host: {process: …}`.
pub(in crate::scenario) static EXPECT_OF_PROCESS: Map = filled(
    "expect_of_process",
    "expect of a process",
    "Pid 1 of a container, seen from the host.",
    &[
        key("uid", ID, "Its uid on the host.").examples(&["100000"]),
        key("gid", ID, "Its gid on the host.").examples(&["100000"]),
        key("user", FILLED, "The name that the host's ps would show.").examples(&["root"]),
        key("command", MATCHER, "Its command line.").examples(&["{contains: sleep}"]),
        key("uid_map", KERNEL_MAP, "Its uid_map.").examples(&["[\"0 100000 65536\"]"]),
        key("parents", MATCHER, "The command lines of those above it.").examples(&["{contains: caplab}"]),
    ],
);

/// `expect:` of `host: {file: …}`.
pub(in crate::scenario) static EXPECT_OF_FILE: Map = filled(
    "expect_of_file",
    "expect of a file",
    "A file of the fixture host after the steps before.",
    &[
        key("changed", Takes::Truth, "Its content is not what it began with, or it is not there any more; of a path where nothing was, something is. Mode and owner are no part of it: they have keys of their own.").examples(&["false"]),
        key("mode", MODE, "Permission bits.").examples(&["\"0000\""]),
        key("owner", OWNER, "Owner and group.").examples(&["\"0:0\""]),
        key("content", MATCHER, "What is in it.").examples(&["{contains: root}"]),
        key("exists", Takes::Truth, "Whether it is there.").examples(&["true"]),
        key("mounted", Takes::Truth, "Something is mounted there.").examples(&["false"]),
    ],
);
