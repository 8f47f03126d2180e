//! Probes.

use caplab_init::wire::{ChmodTarget, Device, Firewall, Namespace, OpenMode, Probe, Protocol};

use super::{
    Fields, list,
    scalar::{id, mode, number, owner, path},
    text,
};
use crate::{
    scenario::{
        diagnostic::Fault,
        tree::{Node, Value},
    },
    text::nearest,
};

const NAMES: [&str; 24] = [
    "open",
    "list_firewall",
    "mount",
    "mknod",
    "open_device",
    "chown",
    "chmod",
    "setuid",
    "setgroups",
    "chroot",
    "unshare",
    "ptrace",
    "kill",
    "bind_port",
    "raw_socket",
    "sethostname",
    "set_time",
    "read_kernel_log",
    "load_module",
    "write_sysctl",
    "bpf",
    "perf_event_open",
    "keyctl",
    "userfaultfd",
];

const PLANNED: [&str; 5] = ["setns", "io_uring", "fork", "inotify", "syscall"];

/// A word, or a map of one key.
pub(super) fn probe(node: &Node) -> Result<Probe, Fault> {
    let (at, name, argument) = match &node.value {
        Value::Scalar { .. } => (node.at, text(node)?, None),
        Value::Map(entries) => match entries.as_slice() {
            [(key, value)] => (key.at, key.text.as_str(), Some(value)),
            [] => return Err(Fault::new(node.at, "a probe without a name").help("`probe: mount`")),
            [_, (second, _), ..] => {
                return Err(Fault::new(second.at, format!("a second probe `{}` in one step", second.text))
                    .help("one step is one attempt: make it a step of its own"));
            }
        },
        Value::List(_) => return Err(Fault::new(node.at, "a probe is a word or a map of one key, this is a list")),
    };
    let missing = |form: &str| Fault::new(at, format!("`{name}` needs to know what")).help(form.to_owned());
    let alone = |probe: Probe| match argument {
        None => Ok(probe),
        Some(node) => Err(Fault::new(node.at, format!("`{name}` takes nothing")).help(format!("`probe: {name}`"))),
    };
    Ok(match name {
        "open" => open(argument.ok_or_else(|| missing("`{open: {path: /mnt/shadow, mode: append}}`"))?)?,
        "list_firewall" => Probe::ListFirewall { api: argument.map_or(Ok(Firewall::NfTables), firewall)? },
        "mount" => alone(Probe::Mount)?,
        "mknod" => Probe::Mknod {
            dir: match argument {
                None => "/tmp".to_owned(),
                Some(node) => path(Fields::of(node, "mknod", &["dir"])?.required("dir")?)?,
            },
        },
        "open_device" => {
            Probe::OpenDevice { device: device(argument.ok_or_else(|| missing("`{open_device: fuse}`"))?)? }
        }
        "chown" => {
            let node = argument.ok_or_else(|| missing("`{chown: {path: /mnt/shadow, owner: \"0:0\"}}`"))?;
            let fields = Fields::of(node, "chown", &["path", "owner"])?;
            let (uid, gid) = owner(fields.required("owner")?)?;
            Probe::Chown { path: path(fields.required("path")?)?, uid, gid }
        }
        "chmod" => chmod(argument.ok_or_else(|| missing("`{chmod: {path: /mnt/shadow, mode: \"0600\"}}`"))?)?,
        "setuid" => Probe::Setuid { uid: id(argument.ok_or_else(|| missing("`{setuid: 1000}`"))?)? },
        "setgroups" => {
            let node = argument.ok_or_else(|| missing("`{setgroups: [1000]}`"))?;
            Probe::Setgroups { groups: list(node)?.iter().map(id).collect::<Result<_, _>>()? }
        }
        "chroot" => Probe::Chroot { path: argument.map_or_else(|| Ok("/".to_owned()), path)? },
        "unshare" => Probe::Unshare { namespace: namespace(argument.ok_or_else(|| missing("`{unshare: user}`"))?)? },
        "ptrace" => Probe::Ptrace { pid: argument.map_or(Ok(1), pid)? },
        "kill" => Probe::Kill { pid: argument.map_or(Ok(1), pid)? },
        "bind_port" => bind_port(argument.ok_or_else(|| missing("`{bind_port: 80}`"))?)?,
        "raw_socket" => alone(Probe::RawSocket)?,
        "sethostname" => alone(Probe::Sethostname)?,
        "set_time" => alone(Probe::SetTime)?,
        "read_kernel_log" => alone(Probe::ReadKernelLog)?,
        "load_module" => alone(Probe::LoadModule)?,
        "write_sysctl" => {
            let node = argument.ok_or_else(|| missing("`{write_sysctl: kernel.hostname}`"))?;
            Probe::WriteSysctl { name: sysctl(node)? }
        }
        "bpf" => alone(Probe::Bpf)?,
        "perf_event_open" => alone(Probe::PerfEventOpen)?,
        "keyctl" => alone(Probe::Keyctl)?,
        "userfaultfd" => alone(Probe::Userfaultfd)?,
        planned if PLANNED.contains(&planned) => {
            return Err(Fault::new(at, format!("probe `{planned}` is not supported yet")));
        }
        other => {
            let fault = Fault::new(at, format!("no probe `{other}`"));
            return Err(match nearest(other, NAMES) {
                Some(meant) => fault.help(format!("did you mean `{meant}`?")),
                None => fault.help(format!("there is {}", NAMES.join(", "))),
            });
        }
    })
}

fn open(node: &Node) -> Result<Probe, Fault> {
    if let Value::Scalar { .. } = node.value {
        return Ok(Probe::Open { path: path(node)?, mode: OpenMode::Read });
    }
    let fields = Fields::of(node, "open", &["path", "mode"])?;
    let mode = match fields.get("mode") {
        None => OpenMode::Read,
        Some(node) => match text(node)? {
            "read" => OpenMode::Read,
            "write" => OpenMode::Write,
            "append" => OpenMode::Append,
            "create" => OpenMode::Create,
            other => {
                return Err(
                    Fault::new(node.at, format!("no way to open `{other}`")).help("read, write, append, create")
                );
            }
        },
    };
    Ok(Probe::Open { path: path(fields.required("path")?)?, mode })
}

fn firewall(node: &Node) -> Result<Firewall, Fault> {
    match text(node)? {
        "nf_tables" => Ok(Firewall::NfTables),
        "legacy" => Ok(Firewall::Legacy),
        other => Err(Fault::new(node.at, format!("no firewall `{other}`")).help("nf_tables, legacy")),
    }
}

fn chmod(node: &Node) -> Result<Probe, Fault> {
    if let Value::Scalar { .. } = node.value {
        return Ok(Probe::Chmod { path: path(node)?, mode: ChmodTarget::Same });
    }
    let fields = Fields::of(node, "chmod", &["path", "mode"])?;
    let bits = fields.get("mode").map(mode).transpose()?;
    Ok(Probe::Chmod { path: path(fields.required("path")?)?, mode: bits.map_or(ChmodTarget::Same, ChmodTarget::Bits) })
}

fn bind_port(node: &Node) -> Result<Probe, Fault> {
    let port = |node: &Node| number(node, "port", 1, 65535).map(|port| port as u16);
    if let Value::Scalar { .. } = node.value {
        return Ok(Probe::BindPort { port: port(node)?, protocol: Protocol::Tcp });
    }
    let fields = Fields::of(node, "bind_port", &["port", "protocol"])?;
    let protocol = match fields.get("protocol") {
        None => Protocol::Tcp,
        Some(node) => match text(node)? {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => return Err(Fault::new(node.at, format!("no protocol `{other}`")).help("tcp, udp")),
        },
    };
    Ok(Probe::BindPort { port: port(fields.required("port")?)?, protocol })
}

fn pid(node: &Node) -> Result<u32, Fault> {
    // The kernel's PID_MAX_LIMIT on 64 bits.
    number(node, "process id", 1, 1 << 22).map(|pid| pid as u32)
}

/// A namespace by the runtime-spec's word; the short ones of unshare(1) are known too.
pub(super) fn namespace(node: &Node) -> Result<Namespace, Fault> {
    let word = text(node)?;
    namespace_named(word).ok_or_else(|| {
        Fault::new(node.at, format!("no namespace `{word}`")).help("cgroup, ipc, mount, network, pid, time, user, uts")
    })
}

/// The same of a word.
pub(super) fn namespace_named(word: &str) -> Option<Namespace> {
    Some(match word {
        "cgroup" => Namespace::Cgroup,
        "ipc" => Namespace::Ipc,
        "mount" | "mnt" => Namespace::Mount,
        "network" | "net" => Namespace::Network,
        "pid" => Namespace::Pid,
        "time" => Namespace::Time,
        "user" => Namespace::User,
        "uts" => Namespace::Uts,
        _ => return None,
    })
}

fn sysctl(node: &Node) -> Result<String, Fault> {
    let name = text(node)?;
    let valid = name.contains('.')
        && name.split('.').all(|part| !part.is_empty())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !valid {
        return Err(
            Fault::new(node.at, format!("`{name}` is no sysctl")).help("`kernel.hostname`, as sysctl(8) writes it")
        );
    }
    Ok(name.to_owned())
}

fn device(node: &Node) -> Result<Device, Fault> {
    let asked = text(node)?;
    let name = asked.strip_prefix("/dev/").unwrap_or(asked);
    Device::ALL.into_iter().find(|device| device.name() == name).ok_or_else(|| {
        Fault::new(node.at, format!("no device `{asked}` that may be opened"))
            .help(format!("those of which opening does nothing: {}", Device::ALL.map(Device::name).join(", ")))
    })
}
