//! A container, in Compose's words.

use super::{FILLED, Map, PATH, SIZE, TIME, Takes, key, map, words};

const NAME_OR_ID: Takes = Takes::LikeOrNumber("^[^-: \\n/][^: \\n/]*$");
/// docker's `user[:group]`.
pub(in crate::scenario) const USER: Takes = Takes::LikeOrNumber("^[^-: \\n/][^: \\n/]*(:[^-: \\n/][^: \\n/]*)?$");
const CAPABILITIES: Takes = Takes::List(&Takes::Capability { all: true });
const ID_MAP: Takes = Takes::Filled(&Takes::Like("^[0-9]+:[0-9]+:0*[1-9][0-9]*$"));
const PAIRS: Takes = Takes::Any(&[Takes::Entries { like: "", takes: &Takes::Text }, Takes::Several(&Takes::Like("="))]);
const SYSCTLS: Takes = Takes::Any(&[
    Takes::Entries {
        like: "^(net\\.|fs\\.mqueue\\.|kernel\\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$)",
        takes: &FILLED,
    },
    Takes::Several(&Takes::Like("^(net\\.|fs\\.mqueue\\.|kernel\\.(msg|sem|shm)).*=.")),
]);
/// With an image an empty list is none.
const COMMAND: Takes = Takes::Any(&[Takes::LikeOrNumber("^[^'\"\\\\$|;&><`]*$"), Takes::List(&Takes::Text)]);
/// A limit of setrlimit(2), or none.
const LIMIT: Takes =
    Takes::Any(&[Takes::Number { least: 0, most: u64::MAX - 1 }, Takes::Words(|| vec!["unlimited"]), Takes::MinusOne]);
/// `{nofile: 1024}`.
pub(in crate::scenario) const ULIMITS: Takes = Takes::Map(&LIMITS);

/// Those of Kubernetes, and flags of docker and podman whose key is called otherwise.
const ELSEWHERE: &[(&str, &str)] = &[
    ("allowPrivilegeEscalation", "for `false` write `security_opt: [no-new-privileges]`"),
    ("args", "write `command: [sleep, infinity]`"),
    ("cap", "write `cap_add: [NET_ADMIN]` or `cap_drop: [ALL]`"),
    ("capabilities", "write `cap_add: [NET_ADMIN]` or `cap_drop: [ALL]`"),
    ("caps", "write `cap_add: [NET_ADMIN]` or `cap_drop: [ALL]`"),
    ("cgroupns", "write `cgroup: private`"),
    ("env", "write `environment: {MODE: test}`"),
    ("gid", "write the group in `user: \"6667:6667\"`"),
    ("groups", "write `group_add: [2000]`"),
    ("hostIPC", "for `true` write `ipc: host`"),
    ("hostNetwork", "for `true` write `network_mode: host`"),
    ("hostPID", "for `true` write `pid: host`"),
    ("hostUsers", "for `false` write `uidmap: [\"0:65536:65536\"]`"),
    ("memory", "write `mem_limit: 64m`"),
    ("mount", "write `volumes: [\"/etc:/mnt\"]`"),
    ("mounts", "write `volumes: [\"/etc:/mnt\"]`"),
    ("net", "write `network_mode: none`"),
    ("no_new_privileges", "write `security_opt: [no-new-privileges]`"),
    ("no_new_privs", "write `security_opt: [no-new-privileges]`"),
    ("procMount", "for `Unmasked` write `security_opt: [systempaths=unconfined]`"),
    ("readOnlyRootFilesystem", "write `read_only: true`"),
    ("resources", "write `mem_limit: 64m`, `cpus: 0.5`"),
    ("runAsGroup", "write the group in `user: \"6667:6667\"`"),
    ("runAsUser", "write `user: \"6667\"`"),
    ("seccomp", "write `security_opt: [\"seccomp=unconfined\"]`"),
    ("seccompProfile", "write `security_opt: [\"seccomp=unconfined\"]`, for RuntimeDefault `seccomp=runtime/default`"),
    ("securityContext", "write its fields as keys of the container: `user`, `cap_drop`, `read_only`, `security_opt`"),
    ("shm", "write `shm_size: 64m`"),
    ("supplementalGroups", "write `group_add: [2000]`"),
    ("uid", "write `user: \"6667\"`"),
    ("userns", "for one of its own write `uidmap: [\"0:100000:65536\"]`"),
    ("volumeMounts", "write `volumes: [\"/etc:/mnt\"]`"),
    ("workdir", "write `working_dir: /srv`"),
];

/// A container.
pub(in crate::scenario) static CONTAINER: Map = Map {
    planned: &[
        "blkio_config",
        "cgroup_parent",
        "cpuset",
        "dns",
        "extra_hosts",
        "networks",
        "ports",
    ],
    elsewhere: ELSEWHERE,
    ..map(
        "container",
        "a container",
        "A container. The keys are Compose's with docker's short syntaxes; podman's where only podman has one.",
        &[
            key("preset", Takes::Words(|| words::names(&words::PRESETS)), "Whose defaults it starts from.")
                .default("\"docker\"")
                .examples(&["podman"]),
            key(
                "rootfs",
                Takes::Words(|| words::names(&words::ROOTFS)),
                "`toolbox`: nothing but /etc/passwd, /etc/group and empty directories, enough for probes. `host`: that and the machine's own programs, read-only, which `run` needs.",
            )
            .default("\"toolbox\"")
            .examples(&["host"]),
            key(
                "image",
                FILLED,
                "A path beside the scenario: an OCI layout, an archive of `docker save`, or a folder that is a root file system. Its user, environment, working directory and command hold where nothing else is said.",
            )
            .examples(&["images/alpine.tar"]),
            key(
                "build",
                Takes::Any(&[FILLED, Takes::Map(&BUILD)]),
                "A folder beside the scenario with a Dockerfile, or Compose's long form.",
            )
            .examples(&["{dockerfile_inline: \"FROM host\\nRUN useradd -u 6667 nonroot\\nUSER nonroot\\n\"}"]),
            key("privileged", Takes::Truth, "All capabilities, every device, no seccomp, no masked or read-only path: `--privileged`").default("false"),
            key("cap_add", CAPABILITIES, "Capabilities beyond the preset's: `--cap-add`. Of a container whose user is not root docker adds them to the bounding set alone, podman to all five.").default("[]").examples(&["[NET_ADMIN]"]),
            key("cap_drop", CAPABILITIES, "Capabilities of the preset's that it has not: `--cap-drop`. Dropped first, so that ALL with one added is that one.")
                .default("[]")
                .examples(&["[ALL]"]),
            key("user", USER, "Whom its processes are, as the container numbers users: `name`, `uid`, `user:group` (`--user`)").default("root").examples(&["\"6667:6667\""]),
            key("group_add", Takes::List(&NAME_OR_ID), "Supplementary groups beside those that its user has: `--group-add`").default("[]").examples(&["[2000]"]),
            key("uidmap", ID_MAP, "A user namespace of its own, and which uid of the host each inside is: podman's `--uidmap`, `inside:host:amount`. Where one of the two maps is given the other is the same.")
                .default("no user namespace")
                .examples(&["[\"0:100000:65536\"]"]),
            key("gidmap", ID_MAP, "The same for groups: podman's `--gidmap`").default("the `uidmap`").examples(&["[\"0:100000:65536\"]"]),
            key(
                "volumes",
                Takes::List(&Takes::Any(&[Takes::Like("^/[^:]*:/[^:]*(:(ro|rw|r?private|r?slave|r?shared)(,(ro|rw|r?private|r?slave|r?shared))?)?$"), Takes::Map(&VOLUME)])),
                "`--volume`: `source:target[:ro,rslave]`. The source is a path of the fixture host. Of `private`, `slave` and `shared`, each with an `r` for recursive, one says who sees what is mounted below; `rprivate` is the default.",
            )
            .default("[]")
            .examples(&["[\"/etc:/mnt\", \"/srv:/srv:ro\"]"]),
            key("tmpfs", Takes::List(&Takes::Like("^/")), "Empty file systems in memory: `--tmpfs`, `target[:options]`")
                .default("[]")
                .examples(&["[\"/tmp:size=64m,mode=1777\"]"]),
            key("read_only", Takes::Truth, "Its root cannot be written, its volumes and tmpfs can: `--read-only`").default("false"),
            key(
                "security_opt",
                Takes::Several(&Takes::Like(
                    "^(no-new-privileges([:=](1|t|T|true|TRUE|True|0|f|F|false|FALSE|False))?|seccomp[:=].+|systempaths=unconfined|unmask=([Aa][Ll][Ll]|/.+)|mask=/.+)$",
                )),
                "What confines it beyond capabilities (`--security-opt`): `no-new-privileges`, `seccomp=unconfined`, `seccomp=FILE`, a pod's `seccomp=runtime/default`, `systempaths=unconfined`, podman's `mask=P:P`, `unmask=P:P`, `unmask=ALL`",
            )
            .default("[]")
            .examples(&["[no-new-privileges, \"seccomp=profile.json\"]"]),
            key("hostname", Takes::LikeOrNumber("^[A-Za-z0-9.-]{1,63}$"), "Its name in its own UTS namespace: `--hostname`").examples(&["web"]),
            key("environment", PAIRS, "Environment of its processes (`--env`): a map, or a list of `NAME=value`. Nothing is taken from the environment of whoever runs caplab.")
                .default("{}")
                .examples(&["{MODE: test}", "[\"MODE=test\"]"]),
            key("working_dir", PATH, "Directory in which its processes begin: `--workdir`").default("\"/\"").examples(&["/srv"]),
            key("command", COMMAND, "What pid 1 is: a list is the argv, a string is words; no shell reads it.")
                .default("pid 1 waits")
                .examples(&["[sleep, infinity]"]),
            key("network_mode", Takes::Like("^(none|host|container:.+)$"), "Whose network namespace it is in: `none` is one of its own with nothing in it (`--network`); `host` needs `--trust-host`")
                .default("one of its own")
                .examples(&["none", "\"container:a\""]),
            key("pid", Takes::Like("^(host|container:.+)$"), "Whose processes it sees: `container:NAME` (`--pid`); `host` needs `--trust-host`")
                .default("one of its own")
                .examples(&["\"container:a\""]),
            key(
                "ipc",
                Takes::Like("^(private|shareable|none|host|container:.+)$"),
                "Whose shared memory and message queues it has (`--ipc`); `host` needs `--trust-host`",
            )
            .default("docker's is private, podman's shareable")
            .examples(&["shareable", "\"container:a\""]),
            key("uts", Takes::Like("^(host|container:.+)$"), "Whose host name it has (`--uts`); `container:` only podman has")
                .default("one of its own")
                .examples(&["host"]),
            key("cgroup", Takes::Words(|| words::names(&words::CGROUPS)), "Whether it sees the host's tree of control groups or its own part: `--cgroupns`")
                .default("the preset's")
                .examples(&["private"]),
            key("ulimits", ULIMITS, "Limits of each process, setrlimit(2): `--ulimit`").default("{}").examples(&["{nofile: 1024}"]),
            key(
                "pids_limit",
                Takes::Any(&[Takes::Number { least: 1, most: 1 << 22 }, Takes::MinusOne]),
                "`--pids-limit`: processes and threads at once; `-1` is no limit",
            )
            .examples(&["64"]),
            key("mem_limit", SIZE, "Memory of all its processes together: `--memory`, at least `6m`").default("no limit").examples(&["64m"]),
            key(
                "memswap_limit",
                Takes::Any(&[SIZE, Takes::MinusOne]),
                "`--memory-swap`: memory and swap together; `-1` is no limit",
            )
            .default("twice `mem_limit`")
            .examples(&["128m"]),
            key("cpus", Takes::LikeOrNumber("^[0-9]+(\\.[0-9]{1,9})?$"), "Processors that it may use, as a quota: `--cpus`, at least 0.01")
                .default("no limit")
                .examples(&["0.5"]),
            key(
                "rootless",
                FILLED,
                "The user of the fixture host who runs the engine, as rootless podman does: root of the container is he.",
            )
            .default("the host's root")
            .examples(&["redhat"]),
            key("expect", Takes::Conditional(&Takes::Map(&EXPECT)), "That it must not come up.")
                .default("it starts")
                .examples(&["{refused: create}"]),
            key(
                "device_cgroup_rules",
                Takes::List(&Takes::Like("^[abc] ([0-9]+|\\*):([0-9]+|\\*) [rwm]{1,3}$")),
                "What its device list allows beyond the preset's, without a node: `--device-cgroup-rule`",
            )
            .default("[]")
            .examples(&["[\"c 10:229 rwm\"]"]),
            key(
                "devices",
                Takes::List(&Takes::Any(&[Takes::Like("^/"), Takes::Map(&DEVICE)])),
                "A node in its /dev and a line of its device list: `--device`, `source[:target][:rwm]`",
            )
            .default("[]")
            .examples(&["[/dev/fuse]"]),
            key("entrypoint", COMMAND, "`--entrypoint`; what is executed is this, and `command` behind it")
                .examples(&["[sh, -c]"]),
            key(
                "init",
                Takes::Truth,
                "Pid 1 is an init, which reaps and hands signals on, and the command is its child: `--init`",
            )
            .default("false"),
            key("shm_size", SIZE, "Size of its /dev/shm: `--shm-size`").default("64m").examples(&["1g"]),
            key("sysctls", SYSCTLS, "Settings of its own namespaces (`--sysctl`): net.\\*, fs.mqueue.\\*, and those of the IPC namespace")
                .default("{}")
                .examples(&["{net.ipv4.ip_forward: 1}"]),
            key("userns_mode", Takes::Words(|| words::names(&words::USERNS_MODES)), "`--userns`; it is that without a `uidmap`")
                .default("\"host\"")
                .examples(&["host"]),
        ],
    )
};

/// The long form of a build.
pub(in crate::scenario) static BUILD: Map = Map {
    planned: &[
        "additional_contexts",
        "cache_from",
        "cache_to",
        "entitlements",
        "extra_hosts",
        "isolation",
        "labels",
        "network",
        "no_cache",
        "platforms",
        "privileged",
        "provenance",
        "pull",
        "sbom",
        "secrets",
        "shm_size",
        "ssh",
        "tags",
        "target",
        "ulimits",
    ],
    ..map(
        "build",
        "a build",
        "A build in Compose's long form. `FROM` is `host`, `toolbox`, `scratch` or the path of an image beside the scenario.",
        &[
            key("context", FILLED, "A folder beside the scenario: what COPY takes its files from.").examples(&["."]),
            key("dockerfile", FILLED, "Its name in the context.")
                .default("\"Dockerfile\"")
                .examples(&["nonroot.Dockerfile"]),
            key("dockerfile_inline", FILLED, "The Dockerfile itself.")
                .examples(&["\"FROM host\\nRUN useradd -u 6667 nonroot\\nUSER nonroot\\n\""]),
            key("args", PAIRS, "`--build-arg`: values of its ARG").default("{}").examples(&["{UID: \"6667\"}"]),
            key("timeout", TIME, "How long each RUN may take: `30s`, `5m`, or seconds; at most an hour.")
                .default("2m")
                .examples(&["5m"]),
        ],
    )
};

/// The long form of a volume.
pub(in crate::scenario) static VOLUME: Map = Map {
    planned: &["volume", "tmpfs", "consistency"],
    ..map(
        "volume",
        "a volume",
        "A volume in Compose's long form.",
        &[
            key("type", Takes::Words(|| vec!["bind"]), "How it is mounted.").default("\"bind\"").examples(&["bind"]),
            key("source", PATH, "A path of the fixture host; with `real_host` one of the machine.")
                .examples(&["/etc"])
                .required(),
            key("target", PATH, "Where in the container.").examples(&["/mnt"]).required(),
            key("read_only", Takes::Truth, "Mounted read-only.").default("false; with `real_host` true"),
            key("bind", Takes::Map(&BIND), "How it propagates.").examples(&["{propagation: rshared}"]),
            key("real_host", Takes::Truth, "The source is the real machine's: needs `--trust-host`.").default("false"),
        ],
    )
};

/// What the long form of a volume has under `bind`.
pub(in crate::scenario) static BIND: Map = Map {
    planned: &["create_host_path", "recursive", "selinux"],
    ..map(
        "bind",
        "bind",
        "How a volume is bound, as Compose has it.",
        &[key("propagation", Takes::Words(words::propagations), "Who sees what is mounted below it: nobody else (`private`), the container what the host mounts (`slave`), each what the other does (`shared`); with an `r` below those under it too.")
            .default("rprivate")
            .examples(&["rslave"])
            .required()],
    )
};

/// The long form of a device.
pub(in crate::scenario) static DEVICE: Map = map(
    "device",
    "a device",
    "A device in Compose's long form.",
    &[
        key(
            "source",
            Takes::Like("^/"),
            "/dev/null, zero, full, random, urandom, tty, fuse, net/tun; any other needs `--trust-host`.",
        )
        .examples(&["/dev/fuse"])
        .required(),
        key("target", Takes::Like("^/"), "Its name in the container.").default("the source").examples(&["/dev/x"]),
        key("permissions", Takes::Like("^[rwm]{1,3}$"), "Letters of rwm: read, write, mknod.")
            .default("\"rwm\"; of the machine's own `r`")
            .examples(&["rw"]),
    ],
);

/// `expect:` of a container.
pub(in crate::scenario) static EXPECT: Map = map(
    "container_expect",
    "a container's expect",
    "That a container must not come up.",
    &[key(
        "refused",
        Takes::Words(|| words::names(&words::REFUSED)),
        "By whom: while it is made, or when its command is executed.",
    )
    .examples(&["create"])
    .required()],
);

/// A soft and a hard limit.
pub(in crate::scenario) static BOTH: Map = map(
    "soft_and_hard",
    "a limit",
    "A soft limit, which the process may raise to the hard one.",
    &[
        key("soft", LIMIT, "At most the hard one.").examples(&["64"]).required(),
        key("hard", LIMIT, "The most that a process without CAP_SYS_RESOURCE can have.").examples(&["128"]).required(),
    ],
);

const ULIMIT: Takes = Takes::Any(&[LIMIT, Takes::Map(&BOTH)]);

/// Limits of setrlimit(2) by docker's names.
pub(in crate::scenario) static LIMITS: Map = map(
    "ulimits",
    "ulimits",
    "Limits of setrlimit(2): a number, `unlimited`, or a soft and a hard one.",
    &[
        key(words::ULIMITS[0], ULIMIT, "Bytes of a core file.").examples(&["0"]),
        key(words::ULIMITS[1], ULIMIT, "Seconds of processor time."),
        key(words::ULIMITS[2], ULIMIT, "Bytes of the data segment."),
        key(words::ULIMITS[3], ULIMIT, "Bytes of a file that is written."),
        key(words::ULIMITS[4], ULIMIT, "Locks; Linux does not count them."),
        key(words::ULIMITS[5], ULIMIT, "Bytes of locked memory.").examples(&["65536"]),
        key(words::ULIMITS[6], ULIMIT, "Bytes in POSIX message queues."),
        key(words::ULIMITS[7], ULIMIT, "20 less the nice value that may be had."),
        key(words::ULIMITS[8], ULIMIT, "Open files.").examples(&["1024", "{soft: 64, hard: 128}"]),
        key(words::ULIMITS[9], ULIMIT, "Processes of the user.").examples(&["100"]),
        key(words::ULIMITS[10], ULIMIT, "Bytes of resident memory; Linux does not hold to it."),
        key(words::ULIMITS[11], ULIMIT, "Real-time priority."),
        key(words::ULIMITS[12], ULIMIT, "Microseconds of real-time processor without a pause."),
        key(words::ULIMITS[13], ULIMIT, "Signals that wait."),
        key(words::ULIMITS[14], ULIMIT, "Bytes of the stack."),
    ],
);
