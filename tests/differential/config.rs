//! Containers that nobody thought of, as the scenario that an author would have written.

use caplab::engine::Kind;
use proptest::{option, prelude::*, sample};

/// Keys of a container, each with its value as YAML.
type Keys = Vec<(&'static str, String)>;

/// A container, and one that shares namespaces with it.
#[derive(Debug, Clone)]
pub(super) struct Config {
    /// Of the fixture host.
    host: Keys,
    keys: Keys,
    beside: Option<Keys>,
    /// Who takes the steps that are another user's.
    other_user: &'static str,
}

/// The whole catalogue of docs/probes.md.
const PROBES: [&str; 57] = [
    "{open: {path: /etc/passwd, mode: append}}",
    "{open: {path: /etc/created, mode: create}}",
    "{open: {path: /tmp/created, mode: create}}",
    "{open: {path: /dev/shm/created, mode: create}}",
    "{open: {path: /dev/created, mode: create}}",
    "{open: {path: /run/created, mode: create}}",
    "{open: {path: /mnt/shadow, mode: read}}",
    "{open: {path: /mnt/shadow, mode: append}}",
    "{open: {path: /mnt/srv/report, mode: write}}",
    "{open: {path: /opt/own, mode: read}}",
    "{open: {path: /opt/own, mode: append}}",
    "{open: {path: /srv/app/data, mode: read}}",
    "{open: {path: /srv/app/created, mode: create}}",
    "{connect: /mnt/srv/engine.sock}",
    "{open: {path: /proc/kcore, mode: read}}",
    "{open: {path: /proc/sysrq-trigger, mode: write}}",
    "{open: {path: /proc/keys, mode: read}}",
    "{open: {path: /dev/null, mode: write}}",
    "{open_device: \"null\"}",
    "{open_device: kmsg}",
    "{open_device: fuse}",
    "{open_device: loop-control}",
    "{open_device: loop0}",
    "mknod",
    "{chown: {path: /etc/passwd, owner: \"1000:1000\"}}",
    "{chmod: {path: /etc/passwd, mode: \"0600\"}}",
    "chroot",
    "{write_sysctl: kernel.hostname}",
    "{write_sysctl: net.ipv4.ip_forward}",
    "{write_sysctl: kernel.msgmax}",
    "{setuid: 1234}",
    "{setgroups: [1234]}",
    "{unshare: user}",
    "{unshare: mount}",
    "{unshare: pid}",
    "{setns: {pid: 1, namespace: uts}}",
    "{setns: {pid: 1, namespace: mount}}",
    "ptrace",
    "kill",
    "list_firewall",
    "{list_firewall: legacy}",
    "raw_socket",
    "{bind_port: 80}",
    "mount",
    "sethostname",
    "set_time",
    "read_kernel_log",
    "bpf",
    "perf_event_open",
    "keyctl",
    "userfaultfd",
    "load_module",
    "{fork: 40}",
    "{open_files: 300}",
    "{allocate: 8m}",
    "{inotify: 20}",
    "ping",
];

/// What is asked beside where the host has a disk.
const OF_DISK: [&str; 3] = [
    "{open_device: disk}",
    "{open: {path: /dev/decoy, mode: write}}",
    "{open: {path: /mnt/srv/data/accounts, mode: read}}",
];

/// What of it is asked as another user: a question for each way in which that one is another.
const AS_ANOTHER: [&str; 10] = [
    "{open: {path: /mnt/shadow, mode: read}}",
    "{open: {path: /tmp/created, mode: create}}",
    "{connect: /mnt/srv/engine.sock}",
    "{setuid: 0}",
    "kill",
    "ptrace",
    "{bind_port: 80}",
    "{unshare: user}",
    "{fork: 40}",
    "ping",
];

/// What is asked in a container that shares namespaces: what its sharing opens.
const BESIDE: [&str; 9] = [
    "{open: {path: /dev/shm/created, mode: append}}",
    "{open: {path: /dev/shm/beside, mode: create}}",
    "{open: {path: /proc/1/root/etc/passwd, mode: read}}",
    "{write_sysctl: kernel.msgmax}",
    "{setns: {pid: 1, namespace: uts}}",
    "kill",
    "ptrace",
    "list_firewall",
    "{bind_port: 80}",
];

/// What no fact has: shown by programs, where there are any. In one step, for each takes an `exec` of its own.
const SHOWN: &str = "env | sort; umask; pwd; id; \
    stat -c '%n %F %a %u:%g %t:%T' /dev /dev/* /dev/shm /tmp /run /scratch /var/tmp 2>/dev/null; \
    find /opt /srv -printf '%p %y %m %U:%G %l\\n' 2>/dev/null; find /opt /srv -type f -exec cksum {} + 2>/dev/null; \
    cd /proc/sys; grep -H . net/ipv4/ping_group_range net/ipv4/ip_unprivileged_port_start kernel/msgmax fs/mqueue/msg_max";

/// Of a cgroup namespace of its own: that every group of the process is its root. In the host's each engine has a place of its own.
const ROOTED: &str = "; grep -v ':/$' /proc/self/cgroup || echo rooted";

/// What the container is called.
pub(super) const NAME: &str = "box";
/// What the one is called that shares its namespaces.
pub(super) const BESIDE_NAME: &str = "beside";

impl Config {
    fn has_programs(&self) -> bool {
        self.keys.iter().any(|(key, value)| *key == "rootfs" && value == "host" || value.contains("FROM host"))
    }

    fn has_disk(&self) -> bool {
        self.host.iter().any(|(key, _)| *key == "disks")
    }

    /// The host and the containers alone.
    pub(super) fn container(&self) -> String {
        let host: String = self.host.iter().map(|(key, value)| format!("  {key}: {value}\n")).collect();
        let one = |name: &str, keys: &Keys| {
            let keys = keys.iter().map(|(key, value)| format!("    {key}: {value}\n"));
            format!("  {name}:\n{}", keys.collect::<String>())
        };
        let beside = self.beside.as_ref().map(|keys| one(BESIDE_NAME, keys)).unwrap_or_default();
        format!("{host}containers:\n  # steps as {}\n{}{beside}", self.other_user, one(NAME, &self.keys))
    }

    /// The whole file.
    pub(super) fn scenario(&self) -> String {
        let mut text = format!(
            "title: It is the same on every engine\nhost:\n  files:\n    /srv/report: {{mode: \"0640\", owner: \"0:2000\", \
             content: \"for the group\\n\"}}\n    /srv/data/accounts: \
             {{mode: \"0604\", content: \"root\\n\"}}\n{}steps:\n",
            self.container()
        );
        let mut step = |what: &str, name: &str, who: Option<&str>, rest: &str| {
            let who = who.map(|who| format!("    as: \"{who}\"\n")).unwrap_or_default();
            text.push_str(&format!("  - {what}\n    in: {name}\n{who}{rest}"));
        };
        let (facts, expect) = ("inspect: {uid: 0}", "    expect: allowed\n");
        let another = Some(self.other_user);
        step(facts, NAME, None, "");
        // Which loop device a disk is the kernel says, each time anew.
        let probes = PROBES.into_iter().filter(|probe| !(self.has_disk() && probe.contains("loop0")));
        for probe in probes.chain(OF_DISK.into_iter().filter(|_| self.has_disk())) {
            step(&format!("probe: {probe}"), NAME, None, expect);
        }
        for who in [None, another].into_iter().filter(|_| self.has_programs()) {
            let own = self.keys.iter().any(|(key, value)| (*key, value.as_str()) == ("cgroup", "private"));
            let shown = format!("run: [sh, -c, \"{SHOWN}{}\"]", if own { ROOTED } else { "" });
            step(&shown, NAME, who, "    capture: [stdout]\n    expect: allowed\n");
        }
        step(facts, NAME, another, "");
        for probe in AS_ANOTHER.into_iter().chain(OF_DISK.into_iter().filter(|_| self.has_disk())) {
            step(&format!("probe: {probe}"), NAME, another, expect);
        }
        if self.beside.is_some() {
            step(facts, BESIDE_NAME, None, "");
            for probe in BESIDE {
                step(&format!("probe: {probe}"), BESIDE_NAME, None, expect);
            }
        }
        text
    }
}

/// One of these words.
fn one(words: &'static [&'static str]) -> BoxedStrategy<String> {
    sample::select(words).prop_map(str::to_owned).boxed()
}

/// Some of these, as a list.
fn some(words: &'static [&'static str], most: usize) -> BoxedStrategy<String> {
    sample::subsequence(words, 1..=most).prop_map(|chosen| format!("[{}]", chosen.join(", "))).boxed()
}

fn presets(engine: Kind) -> &'static [&'static str] {
    match engine {
        Kind::Docker => &["docker"],
        Kind::Podman => &["docker", "podman"],
        // A runtime has no defaults of its own.
        Kind::Native | Kind::Runc | Kind::Crun => &["docker", "podman", "kubernetes", "docker-20.10.13", "bare"],
    }
}

const CAPABILITIES: [&str; 16] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SYS_ADMIN",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYSLOG",
    "SYS_TIME",
];

/// Capabilities that are added and others that are dropped.
fn capabilities() -> impl Strategy<Value = (Option<String>, Option<String>)> {
    let each = sample::subsequence(&CAPABILITIES[..], 0..4);
    (each.clone(), each, prop::bool::weighted(0.05), prop::bool::weighted(0.2)).prop_map(
        |(added, dropped, every, all)| {
            let dropped: Vec<_> = dropped.into_iter().filter(|one| !added.contains(one)).collect();
            let list = |names: Vec<&str>| (!names.is_empty()).then(|| format!("[{}]", names.join(", ")));
            let of = |whole: bool, names| if whole { Some("[ALL]".to_owned()) } else { list(names) };
            (of(every, added), of(all, dropped))
        },
    )
}

/// A key that is there once in `of` times.
fn key(
    name: &'static str,
    probability: f64,
    value: BoxedStrategy<String>,
) -> BoxedStrategy<Option<(&'static str, String)>> {
    option::weighted(probability, value).prop_map(move |value| value.map(|value| (name, value))).boxed()
}

/// Options of `security_opt`: at most one of seccomp, profiles of docker's format among them (scenarios/seccomp).
fn security() -> BoxedStrategy<String> {
    let known = ["unconfined", "no-keys.json", "by-capability.json", "no-user-namespace.json"];
    let without = super::beside::WITHOUT.map(super::beside::without);
    let profiles: Vec<String> = known.map(str::to_owned).into_iter().chain(without).collect();
    let others = [
        "no-new-privileges",
        "systempaths=unconfined",
        "\"mask=/proc/version:/proc/uptime\"",
        "\"unmask=/proc/kcore:/proc/keys\"",
    ];
    let parts = (option::of(sample::select(profiles)), sample::subsequence(others.to_vec(), 0..=3));
    parts
        .prop_map(|(profile, others)| {
            let profile = profile.map(|profile| format!("seccomp={profile}"));
            let all = profile.into_iter().chain(others.into_iter().map(str::to_owned));
            format!("[{}]", all.collect::<Vec<_>>().join(", "))
        })
        .boxed()
}

/// A container that shares some of the first one's namespaces.
fn beside(engine: Kind) -> impl Strategy<Value = Keys> {
    // docker shares no UTS namespace.
    let shared: &[&'static str] = match engine {
        Kind::Docker => &["pid", "ipc", "network_mode"],
        _ => &["pid", "ipc", "network_mode", "uts"],
    };
    let user = option::weighted(0.3, sample::select(&["1000", "nobody"][..]));
    let sysctl = option::weighted(0.3, Just("{net.ipv4.ip_unprivileged_port_start: \"100\"}"));
    (sample::subsequence(shared.to_vec(), 1..=shared.len()), user, sysctl).prop_map(|(shared, user, sysctl)| {
        let sysctl = sysctl.filter(|_| shared.contains(&"network_mode"));
        let shared = shared.into_iter().map(|key| (key, format!("container:{NAME}")));
        let shared = shared.chain(user.map(|user| ("user", user.to_owned())));
        shared.chain(sysctl.map(|sysctl| ("sysctls", sysctl.to_owned()))).collect()
    })
}

/// What the fixture host has beside its files, and how a container is given its disk.
fn host(engine: Kind) -> BoxedStrategy<(Keys, Option<(&'static str, String)>)> {
    // docker and podman run outside of a lab host, with which a disk and a daemon end.
    if matches!(engine, Kind::Docker | Kind::Podman) {
        return Just((Keys::new(), None)).boxed();
    }
    let disk = key("disks", 0.2, one(&["{decoy: {at: /srv/data, size: 1m}}"]));
    let given = key("devices", 0.5, one(&["[/dev/decoy]", "[/dev/fuse, \"/dev/decoy:/dev/decoy:r\"]"]));
    let sockets = [
        "{/srv/engine.sock: {mode: \"0660\", owner: \"0:2000\"}}",
        "{/srv/engine.sock: {mode: \"0606\", owner: \"1000:1000\"}}",
    ];
    let socket = key("sockets", 0.2, sample::select(sockets.to_vec()).prop_map(str::to_owned).boxed());
    (disk, given, socket)
        .prop_map(|(disk, given, socket)| {
            let given = given.filter(|_| disk.is_some());
            (disk.into_iter().chain(socket).collect(), given)
        })
        .boxed()
}

/// Images, whose words are the container's where it has none of its own (beside.rs).
const IMAGES: [(&str, &str); 6] = [
    ("image", "tree"),
    (
        "build",
        "{dockerfile_inline: \"FROM toolbox\\nENV LANG=image PATH=/opt:/bin\\nWORKDIR /srv/app\\nUSER 1000:2000\\n\"}",
    ),
    ("build", "{context: ., dockerfile_inline: \"FROM tree\\nCOPY --chown=1000:2000 own /opt/own\\nUSER app\\n\"}"),
    ("build", "{dockerfile_inline: \"FROM toolbox\\nENV PATH=/opt/bin:$PATH\\nUSER 1000\\nWORKDIR /srv/app\\n\"}"),
    (
        "build",
        "{dockerfile_inline: \"FROM host\\nRUN mkdir -p /srv/app && chmod 711 / /srv && chmod 2775 /srv/app\\nUSER nobody\\n\"}",
    ),
    (
        "build",
        "{dockerfile_inline: \"FROM host\\nRUN useradd -u 6667 six && mkdir /srv/six && cp /bin/id /srv/six/id && chown -R six /srv/six && chmod 4755 /srv/six/id && ln -s id /srv/six/who\\nUSER six\\n\"}",
    ),
];

pub(super) fn config(engine: Kind) -> impl Strategy<Value = Config> {
    let keys = vec![
        key("rootfs", 0.6, one(&["host"])),
        key("privileged", 0.06, one(&["true"])),
        key("user", 0.4, one(&["1000", "\"6667:6668\"", "\"0:1000\"", "root", "nobody", "\"65534\""])),
        key("group_add", 0.2, one(&["[\"2000\"]", "[\"4\", \"2000\"]", "[\"0\"]"])),
        key(
            "uidmap",
            0.2,
            one(&[
                "[\"0:100000:65536\"]",
                "[\"0:2000:70000\"]",
                "[\"0:0:65536\"]",
                "[\"0:100000:1\", \"1:100001:65535\"]",
                "[\"0:100000:1\", \"1:200000:65536\"]",
            ]),
        ),
        key("gidmap", 0.05, one(&["[\"0:3000:65536\"]"])),
        key(
            "volumes",
            0.4,
            some(
                &[
                    "\"/etc/shadow:/mnt/shadow\"",
                    "\"/srv:/mnt/srv:ro\"",
                    "\"/etc:/mnt/etc:private\"",
                    "\"/srv:/opt/new\"",
                ],
                3,
            ),
        ),
        key(
            "tmpfs",
            0.3,
            some(
                &[
                    "/scratch",
                    "\"/tmp:size=1m\"",
                    "\"/made:mode=0700\"",
                    "\"/run:ro\"",
                    "\"/var/tmp:exec,uid=1000,suid\"",
                    "\"/opt:ro\"",
                    "/srv",
                ],
                3,
            ),
        ),
        key("read_only", 0.2, one(&["true"])),
        key("security_opt", 0.4, security()),
        key("hostname", 0.2, one(&["web", "a.example"])),
        key("environment", 0.2, one(&["{LANG: C, EMPTY: \"\"}", "{HOME: /srv}", "{PATH: /usr/bin:/bin}"])),
        key("working_dir", 0.2, one(&["/tmp", "/made/for/it", "/etc"])),
        key(
            "ulimits",
            0.25,
            one(&[
                "{nofile: 256}",
                "{core: 0}",
                "{memlock: 65536, stack: 8388608}",
                "{nproc: 4000}",
                "{fsize: 1048576}",
                "{fsize: 100}",
            ]),
        ),
        key("pids_limit", 0.2, one(&["32", "200", "-1"])),
        key("mem_limit", 0.15, one(&["64m", "128m"])),
        key("cpus", 0.15, one(&["0.5", "1.5", "512"])),
        key("shm_size", 0.15, one(&["1m", "128m"])),
        key(
            "sysctls",
            0.2,
            one(&[
                "{net.ipv4.ip_unprivileged_port_start: \"0\"}",
                "{net.ipv4.ping_group_range: \"0 1000\"}",
                "{kernel.msgmax: \"4096\"}",
                "{fs.mqueue.msg_max: \"20\"}",
            ]),
        ),
        key("devices", 0.2, some(&["/dev/fuse", "\"/dev/null:/dev/nothing:r\"", "/dev/net/tun"], 2)),
        key("device_cgroup_rules", 0.15, some(&["\"c 10:229 rwm\"", "\"b 7:0 m\"", "\"c 10:200 r\""], 2)),
        key("cgroup", 0.2, one(&["private", "host"])),
        key("ipc", 0.2, one(&["private", "shareable", "none"])),
        key("network_mode", 0.1, one(&["none"])),
        key("init", 0.2, one(&["true"])),
    ];
    let preset = sample::select(presets(engine));
    let other_user = sample::select(&["6667", "1000:2000", "0"][..]);
    let image = option::weighted(0.2, sample::select(&IMAGES[..]));
    let parts = (preset, host(engine), image, capabilities(), keys, other_user, option::weighted(0.15, beside(engine)));
    parts.prop_map(|(preset, (host, given), image, (added, dropped), keys, other_user, beside)| {
        let mut all = vec![("preset", preset.to_owned())];
        all.extend(image.map(|(key, value)| (key, value.to_owned())));
        all.extend(added.map(|list| ("cap_add", list)));
        all.extend(dropped.map(|list| ("cap_drop", list)));
        all.extend(keys.into_iter().flatten());
        all.retain(|(key, _)| !(image.is_some() && *key == "rootfs" || given.is_some() && *key == "devices"));
        all.extend(given);
        // What a scenario's reader refuses: the one says that the other means nothing.
        let has = |key: &str, value: &str| all.iter().any(|(known, what)| *known == key && what == value);
        let (privileged, bare) = (has("privileged", "true"), has("preset", "bare"));
        let has_pod = has("preset", "kubernetes");
        let mapped = all.iter().any(|(key, _)| ["uidmap", "gidmap"].contains(key));
        all.retain(|(key, _)| !(privileged && ["cap_drop", "devices", "device_cgroup_rules"].contains(key)));
        all.retain(|(key, value)| !(privileged && *key == "security_opt" && value.contains(".json")));
        all.retain(|(key, _)| !(bare && *key == "shm_size"));
        all.retain(|(key, _)| !(has_pod && *key == "init"));
        let renamed = |value: &str| value.contains("nothing") || value.contains("decoy");
        all.retain(|(key, value)| !(mapped && *key == "devices" && renamed(value)));
        let beside = beside.map(|keys| {
            if keys.iter().any(|(key, _)| *key == "ipc") {
                all.retain(|(key, _)| *key != "ipc");
                all.push(("ipc", "shareable".to_owned()));
            }
            [("preset", preset.to_owned())].into_iter().chain(keys).collect()
        });
        Config { host, keys: all, beside, other_user }
    })
}
