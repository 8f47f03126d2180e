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
        Probe::Ptrace { pid } => format!("ptrace {pid}"),
        Probe::Kill { pid } => format!("kill {pid}"),
        Probe::BindPort { port, protocol } => {
            format!("bind_port {port}{}", if *protocol == Protocol::Udp { " udp" } else { "" })
        }
        Probe::RawSocket => "raw_socket".to_owned(),
        Probe::OpenDevice { device } => format!("open_device {}", device.name()),
        Probe::Bpf => "bpf".to_owned(),
        Probe::PerfEventOpen => "perf_event_open".to_owned(),
        Probe::Keyctl => "keyctl".to_owned(),
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
        Control::Privileged => "privileged".to_owned(),
        Control::ReadOnlyVolume(target) => format!("read_only:{target}"),
        Control::ReadOnlyRoot => "read_only".to_owned(),
        Control::NoNewPrivs => "no_new_privs".to_owned(),
        Control::Seccomp => "seccomp".to_owned(),
        Control::Devices => "devices".to_owned(),
    }
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
