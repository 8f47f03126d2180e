//! The flags of `docker run` and `podman run`, as docker 20.10.24's and podman 4.3.1's `--help` list them, and what each is in
//! the words of the format. One table for both ways.

use super::Dialect;

/// What a flag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A truth value of this key.
    On(&'static str),
    /// The value of this key.
    Text(&'static str),
    /// One item of this key's list.
    Item(&'static str),
    /// `name=value`: one entry of this key's map.
    Pair(&'static str),
    /// `nofile=64:128`.
    Ulimit,
    /// `source:target[:options]`.
    Volume,
    /// `type=bind,source=…,target=…`.
    Mount,
    /// What stands before the command.
    Entrypoint,
    /// The container stays.
    Detach,
    /// A switch without meaning here, and why.
    Switch(&'static str),
    /// The same of one with a value.
    Value(&'static str),
}

impl Meaning {
    /// Whether a value follows.
    pub(super) fn takes_value(self) -> bool {
        !matches!(self, Self::On(_) | Self::Detach | Self::Switch(_))
    }
}

/// A flag: long name, short letter, who knows it, what it says.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    only: Option<Dialect>,
    pub(super) meaning: Meaning,
}

const WINDOWS: &str = "it is Windows'";
const LIFE: &str = "a scenario's containers live as long as its steps";
const TERMINAL: &str = "nobody types into a step, which has no terminal";
const NETWORK: &str = "a container of caplab has loopback and no other network";
const IMAGE: &str = "nothing is fetched from a registry";
const CLIENT: &str = "it is about the engine's own files and processes";
const LABEL: &str = "it names or describes, and changes nothing that a process may do";
const LOG: &str = "what a step writes is caplab's to keep";
const LIMIT: &str = "the format has no key for this limit";
const OUTSIDE: &str = "a scenario takes nothing from the machine it runs on";
const OTHER: &str = "the format has no key for it";

const fn both(long: &'static str, meaning: Meaning) -> Flag {
    Flag { long, short: None, only: None, meaning }
}

const fn short(short: char, long: &'static str, meaning: Meaning) -> Flag {
    Flag { long, short: Some(short), only: None, meaning }
}

const fn docker(long: &'static str, meaning: Meaning) -> Flag {
    Flag { long, short: None, only: Some(Dialect::Docker), meaning }
}

const fn podman(long: &'static str, meaning: Meaning) -> Flag {
    Flag { long, short: None, only: Some(Dialect::Podman), meaning }
}

use Meaning::{Detach, Entrypoint, Item, Mount, On, Pair, Switch, Text, Ulimit, Value, Volume};

/// All of them, those with a key first and in the order in which a command line is written.
pub(super) const FLAGS: &[Flag] = &[
    short('d', "detach", Detach),
    both("privileged", On("privileged")),
    both("cap-add", Item("cap_add")),
    both("cap-drop", Item("cap_drop")),
    short('u', "user", Text("user")),
    both("group-add", Item("group_add")),
    podman("uidmap", Item("uidmap")),
    podman("gidmap", Item("gidmap")),
    both("userns", Text("userns_mode")),
    both("read-only", On("read_only")),
    both("security-opt", Item("security_opt")),
    short('v', "volume", Volume),
    both("mount", Mount),
    both("tmpfs", Item("tmpfs")),
    both("device", Item("devices")),
    both("device-cgroup-rule", Item("device_cgroup_rules")),
    both("network", Text("network_mode")),
    both("net", Text("network_mode")),
    both("pid", Text("pid")),
    both("ipc", Text("ipc")),
    both("uts", Text("uts")),
    both("cgroupns", Text("cgroup")),
    both("cgroup-parent", Text("cgroup_parent")),
    short('m', "memory", Text("mem_limit")),
    both("memory-swap", Text("memswap_limit")),
    both("pids-limit", Text("pids_limit")),
    both("cpus", Text("cpus")),
    both("cpuset-cpus", Text("cpuset")),
    both("shm-size", Text("shm_size")),
    both("sysctl", Pair("sysctls")),
    both("ulimit", Ulimit),
    short('e', "env", Pair("environment")),
    short('h', "hostname", Text("hostname")),
    short('w', "workdir", Text("working_dir")),
    both("init", On("init")),
    both("entrypoint", Entrypoint),
    // Without meaning here.
    short('i', "interactive", Switch(TERMINAL)),
    short('t', "tty", Switch(TERMINAL)),
    short('a', "attach", Value(TERMINAL)),
    both("detach-keys", Value(TERMINAL)),
    both("sig-proxy", Switch(TERMINAL)),
    both("rm", Switch(LIFE)),
    both("restart", Value(LIFE)),
    both("stop-signal", Value(LIFE)),
    both("stop-timeout", Value(LIFE)),
    both("health-cmd", Value(LIFE)),
    both("health-interval", Value(LIFE)),
    both("health-retries", Value(LIFE)),
    both("health-start-period", Value(LIFE)),
    both("health-timeout", Value(LIFE)),
    both("no-healthcheck", Switch(LIFE)),
    both("name", Value(LABEL)),
    short('l', "label", Value(LABEL)),
    both("label-file", Value(LABEL)),
    short('p', "publish", Value(NETWORK)),
    short('P', "publish-all", Switch(NETWORK)),
    both("expose", Value(NETWORK)),
    both("add-host", Item("extra_hosts")),
    both("dns", Value(NETWORK)),
    both("dns-option", Value(NETWORK)),
    both("dns-search", Value(NETWORK)),
    both("ip", Value(NETWORK)),
    both("ip6", Value(NETWORK)),
    both("mac-address", Value(NETWORK)),
    both("network-alias", Value(NETWORK)),
    docker("domainname", Value(NETWORK)),
    docker("link", Value(NETWORK)),
    docker("link-local-ip", Value(NETWORK)),
    podman("http-proxy", Switch(NETWORK)),
    podman("no-hosts", Switch(NETWORK)),
    both("disable-content-trust", Switch(IMAGE)),
    both("platform", Value(IMAGE)),
    both("pull", Value(IMAGE)),
    podman("arch", Value(IMAGE)),
    podman("authfile", Value(IMAGE)),
    podman("os", Value(IMAGE)),
    podman("variant", Value(IMAGE)),
    podman("tls-verify", Switch(IMAGE)),
    podman("image-volume", Value(IMAGE)),
    podman("rmi", Switch(IMAGE)),
    both("cidfile", Value(CLIENT)),
    both("help", Switch(CLIENT)),
    short('q', "quiet", Switch(CLIENT)),
    docker("use-api-socket", Switch(CLIENT)),
    docker("isolation", Value(WINDOWS)),
    docker("cpu-count", Value(WINDOWS)),
    docker("cpu-percent", Value(WINDOWS)),
    docker("io-maxbandwidth", Value(WINDOWS)),
    docker("io-maxiops", Value(WINDOWS)),
    docker("runtime", Value("`--engine` says who makes the containers")),
    podman("conmon-pidfile", Value(CLIENT)),
    podman("pidfile", Value(CLIENT)),
    podman("pod", Value(CLIENT)),
    podman("pod-id-file", Value(CLIENT)),
    podman("replace", Switch(CLIENT)),
    podman("requires", Value(CLIENT)),
    podman("sdnotify", Value(CLIENT)),
    podman("preserve-fds", Value("a container of caplab has no descriptors but its three streams")),
    podman("timeout", Value(LIFE)),
    podman("health-on-failure", Value(LIFE)),
    both("annotation", Value(LABEL)),
    docker("health-start-interval", Value(LIFE)),
    both("log-driver", Value(LOG)),
    both("log-opt", Value(LOG)),
    both("blkio-weight", Value(LIMIT)),
    both("blkio-weight-device", Value(LIMIT)),
    both("cpu-period", Value(LIMIT)),
    both("cpu-quota", Value(LIMIT)),
    both("cpu-rt-period", Value(LIMIT)),
    both("cpu-rt-runtime", Value(LIMIT)),
    short('c', "cpu-shares", Value(LIMIT)),
    both("cpuset-mems", Value(LIMIT)),
    both("device-read-bps", Value(LIMIT)),
    both("device-read-iops", Value(LIMIT)),
    both("device-write-bps", Value(LIMIT)),
    both("device-write-iops", Value(LIMIT)),
    docker("kernel-memory", Value(LIMIT)),
    both("memory-reservation", Value(LIMIT)),
    both("memory-swappiness", Value(LIMIT)),
    both("oom-kill-disable", Switch(LIMIT)),
    both("oom-score-adj", Value(LIMIT)),
    docker("storage-opt", Value(LIMIT)),
    podman("cgroup-conf", Value(LIMIT)),
    podman("cgroups", Value(OTHER)),
    both("env-file", Value(OUTSIDE)),
    podman("env-host", Switch(OUTSIDE)),
    docker("gpus", Value(OUTSIDE)),
    podman("hostuser", Value(OUTSIDE)),
    podman("secret", Value(OUTSIDE)),
    podman("subuidname", Value(OUTSIDE)),
    podman("subgidname", Value(OUTSIDE)),
    both("volumes-from", Value(OTHER)),
    docker("volume-driver", Value(OTHER)),
    podman("chrootdirs", Value(OTHER)),
    podman("env-merge", Value(OTHER)),
    podman("init-path", Value(OTHER)),
    podman("passwd", Switch(OTHER)),
    podman("passwd-entry", Value(OTHER)),
    podman("personality", Value(OTHER)),
    podman("read-only-tmpfs", Switch(OTHER)),
    podman("rootfs", Switch(OTHER)),
    podman("seccomp-policy", Value(OTHER)),
    podman("systemd", Value(OTHER)),
    podman("tz", Value(OTHER)),
    podman("umask", Value(OTHER)),
    podman("unsetenv", Value(OTHER)),
    podman("unsetenv-all", Switch(OTHER)),
];

/// Those that an engine knows.
pub(super) fn of(dialect: Dialect) -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(move |flag| flag.only.is_none_or(|only| only == dialect))
}
