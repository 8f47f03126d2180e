//! Steps, probes and controls in a line, for a reader.

use caplab_init::wire::{ChmodTarget, Firewall, Namespace, OpenMode, Probe, Protocol};

use super::model::{Action, Container, Control};

/// What a step does.
#[must_use]
pub fn action(action: &Action, containers: &[Container]) -> String {
    match action {
        Action::Run { argv, .. } => match argv.as_slice() {
            [shell, flag, text] if shell == "sh" && flag == "-c" => text.trim_end().replace('\n', "; "),
            argv => argv.join(" "),
        },
        Action::Probe { probe: what, .. } => probe(what),
        Action::Inspect(_) => "inspect".to_owned(),
        Action::HostProcess { container, .. } => {
            format!("host: process of {}", containers.get(*container).map_or("?", |one| one.name.as_str()))
        }
        Action::HostFile { path, .. } => format!("host: file {path}"),
    }
}

/// A probe.
#[must_use]
pub fn probe(probe: &Probe) -> String {
    match probe {
        Probe::Open { path, mode } => match mode {
            OpenMode::Read => format!("open {path} to read"),
            OpenMode::Write => format!("open {path} to write"),
            OpenMode::Append => format!("open {path} to append"),
            OpenMode::Create => format!("create {path}"),
        },
        Probe::ListFirewall { api: Firewall::NfTables } => "list_firewall".to_owned(),
        Probe::ListFirewall { api: Firewall::Legacy } => "list_firewall legacy".to_owned(),
        Probe::Mount => "mount".to_owned(),
        Probe::Mknod { dir } => format!("mknod in {dir}"),
        Probe::Chown { path, uid, gid } => format!("chown {path} to {uid}:{gid}"),
        Probe::Chmod { path, mode: ChmodTarget::Same } => format!("chmod {path}"),
        Probe::Chmod { path, mode: ChmodTarget::Bits(bits) } => format!("chmod {path} to {bits:04o}"),
        Probe::Setuid { uid } => format!("setuid {uid}"),
        Probe::Setgroups { groups } => {
            format!("setgroups {}", groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))
        }
        Probe::Chroot { path } => format!("chroot {path}"),
        Probe::Unshare { namespace: which } => format!("unshare {}", namespace(*which)),
        Probe::Setns { pid, namespace: which } => format!("setns to the {} namespace of {pid}", namespace(*which)),
        Probe::Ptrace { pid } => format!("ptrace {pid}"),
        Probe::Kill { pid } => format!("kill {pid}"),
        Probe::BindPort { port, protocol } => {
            format!("bind_port {port}{}", if *protocol == Protocol::Udp { " udp" } else { "" })
        }
        Probe::Connect { path } => format!("connect {path}"),
        Probe::RawSocket => "raw_socket".to_owned(),
        Probe::Ping => "ping".to_owned(),
        Probe::OpenDevice { device } => format!("open_device {}", device.name()),
        Probe::Bpf => "bpf".to_owned(),
        Probe::PerfEventOpen => "perf_event_open".to_owned(),
        Probe::Keyctl => "keyctl".to_owned(),
        Probe::Fork { count } => format!("fork {count}"),
        Probe::OpenFiles { count } => format!("open_files {count}"),
        Probe::Allocate { bytes } => format!("allocate {bytes}"),
        Probe::Inotify { count } => format!("inotify {count}"),
        Probe::Userfaultfd => "userfaultfd".to_owned(),
        Probe::Sethostname => "sethostname".to_owned(),
        Probe::SetTime => "set_time".to_owned(),
        Probe::ReadKernelLog => "read_kernel_log".to_owned(),
        Probe::LoadModule => "load_module".to_owned(),
        Probe::WriteSysctl { name } => format!("write_sysctl {name}"),
    }
}

/// A control, as reports name it: `capability:CAP_NET_ADMIN`.
#[must_use]
pub fn control(control: &Control) -> String {
    match control {
        Control::Capability(capability) => format!("capability:{capability}"),
        Control::User => "user".to_owned(),
        Control::Uidmap => "uidmap".to_owned(),
        Control::Rootless => "rootless".to_owned(),
        Control::Runtime => "runtime".to_owned(),
        Control::Privileged => "privileged".to_owned(),
        Control::ReadOnlyMount(target) => format!("read_only:{target}"),
        Control::Volume(target) => format!("volume:{target}"),
        Control::Propagation(target) => format!("propagation:{target}"),
        Control::Sysctl(name) => format!("sysctl:{name}"),
        Control::ReadOnlyRoot => "read_only".to_owned(),
        Control::NoNewPrivs => "no_new_privs".to_owned(),
        Control::Seccomp => "seccomp".to_owned(),
        Control::Devices => "devices".to_owned(),
        Control::SystemPaths => "system_paths".to_owned(),
        Control::Limit(limit) => format!("limit:{}", limit.name()),
        Control::MaskedPath(path) => format!("masked_path:{path}"),
        Control::ReadonlyPath(path) => format!("readonly_path:{path}"),
        Control::Group(gid) => format!("group:{gid}"),
        Control::File(path) => format!("file:{path}"),
        Control::Namespace(which) => format!("namespace:{}", namespace(*which)),
    }
}

/// What a `because` says decides, one line.
#[must_use]
pub fn decided(controls: &[Control]) -> String {
    if controls.is_empty() { "none".to_owned() } else { self::controls(controls) }
}

/// Controls as a scenario spells them: `{capability: NET_ADMIN}`, `[seccomp, user]`.
#[must_use]
pub fn because(controls: &[Control]) -> String {
    let spelled: Vec<String> = controls.iter().map(spelled).collect();
    match spelled.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn spelled(control: &Control) -> String {
    let quoted = |path: &str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "/_-.".contains(letter);
        if path.chars().all(plain) { path.to_owned() } else { format!("{path:?}") }
    };
    match control {
        Control::Capability(capability) => format!("{{capability: {}}}", capability.short_name()),
        Control::ReadOnlyMount(target) => format!("{{read_only: {}}}", quoted(target)),
        Control::Volume(target) => format!("{{volume: {}}}", quoted(target)),
        Control::Sysctl(name) => format!("{{sysctl: {name}}}"),
        Control::Propagation(target) => format!("{{propagation: {}}}", quoted(target)),
        Control::MaskedPath(path) => format!("{{masked_path: {}}}", quoted(path)),
        Control::ReadonlyPath(path) => format!("{{readonly_path: {}}}", quoted(path)),
        Control::Limit(limit) => format!("{{limit: {}}}", limit.name()),
        Control::Group(gid) => format!("{{group: {gid}}}"),
        Control::File(path) => format!("{{file: {}}}", quoted(path)),
        // The others are a word, which is also their name.
        word => self::control(word),
    }
}

/// Controls that decide together: `seccomp and capability:CAP_BPF`.
#[must_use]
pub fn controls(controls: &[Control]) -> String {
    controls.iter().map(control).collect::<Vec<_>>().join(" and ")
}

/// The name of a namespace, the runtime-spec's word.
#[must_use]
pub fn namespace(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Cgroup => "cgroup",
        Namespace::Ipc => "ipc",
        Namespace::Mount => "mount",
        Namespace::Network => "network",
        Namespace::Pid => "pid",
        Namespace::Time => "time",
        Namespace::User => "user",
        Namespace::Uts => "uts",
    }
}
