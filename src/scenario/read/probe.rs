//! Probes.

use caplab_init::wire::{ChmodTarget, Device, Firewall, Namespace, OpenMode, Probe, Protocol};

use super::{
    Fields, list,
    resources::size,
    scalar::{choice, id, mode, number, owner, path},
    text,
};
use crate::{
    scenario::{
        diagnostic::{Fault, Place},
        format::{
            probe::{self as forms, MOST_FILES, MOST_FORKS, MOST_INSTANCES},
            words,
        },
        problems::Problems,
        tree::{Node, Value},
    },
    text::nearest,
};

/// The names of all probes.
fn names() -> Vec<&'static str> {
    forms::PROBES.iter().map(|form| form.key.name).collect()
}

/// A word, or a map of one key.
pub(super) fn probe(node: &Node, problems: &Problems) -> Result<Probe, Fault> {
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
        Value::List(_) => {
            return Err(Fault::new(node.at, "a probe is a word or a map of one key, this is a list")
                .help("`probe: mount`, `probe: {open: /etc/shadow}`"));
        }
        Value::Broken => return Err(Fault::told()),
    };
    let missing = |form: &str| Fault::new(at, format!("`{name}` needs to know what")).help(form.to_owned());
    let alone = |probe: Probe| match argument {
        None => Ok(probe),
        Some(node) => Err(Fault::new(node.at, format!("`{name}` takes nothing")).help(format!("`probe: {name}`"))),
    };
    Ok(match name {
        "open" => open(argument.ok_or_else(|| missing("`{open: {path: /mnt/shadow, mode: append}}`"))?, problems)?,
        "list_firewall" => Probe::ListFirewall { api: argument.map_or(Ok(Firewall::NfTables), firewall)? },
        "mount" => alone(Probe::Mount)?,
        "mknod" => Probe::Mknod {
            dir: match argument {
                None => "/tmp".to_owned(),
                Some(node) => path(Fields::of(node, &forms::MKNOD, problems)?.required("dir")?)?,
            },
        },
        "open_device" => {
            Probe::OpenDevice { device: device(argument.ok_or_else(|| missing("`{open_device: fuse}`"))?)? }
        }
        "chown" => {
            let node = argument.ok_or_else(|| missing("`{chown: {path: /mnt/shadow, owner: \"0:0\"}}`"))?;
            let fields = Fields::of(node, &forms::CHOWN, problems)?;
            let (path, owner) = (fields.need("path", path), fields.need("owner", owner));
            let (path, (uid, gid)) = (path?, owner?);
            Probe::Chown { path, uid, gid }
        }
        "chmod" => chmod(argument.ok_or_else(|| missing("`{chmod: {path: /mnt/shadow, mode: \"0600\"}}`"))?, problems)?,
        "setuid" => Probe::Setuid { uid: id(argument.ok_or_else(|| missing("`{setuid: 1000}`"))?)? },
        "setgroups" => {
            let node = argument.ok_or_else(|| missing("`{setgroups: [1000]}`"))?;
            Probe::Setgroups { groups: problems.each(list(node)?, id) }
        }
        "chroot" => Probe::Chroot { path: argument.map_or_else(|| Ok("/".to_owned()), path)? },
        "unshare" => Probe::Unshare { namespace: namespace(argument.ok_or_else(|| missing("`{unshare: user}`"))?)? },
        "setns" => {
            let node = argument.ok_or_else(|| missing("`{setns: {pid: 1, namespace: uts}}`"))?;
            let fields = Fields::of(node, &forms::SETNS, problems)?;
            let (pid, namespace) = (fields.need("pid", pid), fields.need("namespace", namespace));
            Probe::Setns { pid: pid?, namespace: namespace? }
        }
        "ptrace" => Probe::Ptrace { pid: argument.map_or(Ok(1), pid)? },
        "kill" => Probe::Kill { pid: argument.map_or(Ok(1), pid)? },
        "bind_port" => bind_port(argument.ok_or_else(|| missing("`{bind_port: 80}`"))?, problems)?,
        "connect" => {
            Probe::Connect { path: socket(argument.ok_or_else(|| missing("`{connect: /run/engine.sock}`"))?)? }
        }
        "raw_socket" => alone(Probe::RawSocket)?,
        "ping" => alone(Probe::Ping)?,
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
        "fork" => Probe::Fork {
            count: count(argument.ok_or_else(|| missing("`{fork: 100}`"))?, "number of processes", 1, MOST_FORKS)?,
        },
        "open_files" => Probe::OpenFiles {
            // The standard streams are open already.
            count: count(argument.ok_or_else(|| missing("`{open_files: 100}`"))?, "number of files", 4, MOST_FILES)?,
        },
        "allocate" => Probe::Allocate { bytes: bytes(argument.ok_or_else(|| missing("`{allocate: 64m}`"))?)? },
        "inotify" => Probe::Inotify {
            count: count(
                argument.ok_or_else(|| missing("`{inotify: 100}`"))?,
                "number of instances",
                1,
                MOST_INSTANCES,
            )?,
        },
        planned if forms::PLANNED.contains(&planned) => {
            return Err(Fault::new(at, format!("probe `{planned}` is not supported yet"))
                .help(format!("there is {}", names().join(", "))));
        }
        other => {
            let fault = Fault::new(at, format!("no probe `{other}`"));
            return Err(match nearest(other, names()) {
                Some(meant) => fault.help(format!("did you mean `{meant}`?")),
                None => fault.help(format!("there is {}", names().join(", "))),
            });
        }
    })
}

fn open(node: &Node, problems: &Problems) -> Result<Probe, Fault> {
    if let Value::Scalar { .. } = node.value {
        return Ok(Probe::Open { path: path(node)?, mode: OpenMode::Read });
    }
    let fields = Fields::of(node, &forms::OPEN, problems)?;
    let mode = fields.read("mode", |node| choice(node, "way to open", &words::OPEN_MODES, &[]));
    Ok(Probe::Open { path: fields.need("path", path)?, mode: mode.unwrap_or(OpenMode::Read) })
}

/// unix(7): sun_path, and the NUL behind it.
pub(super) const LONGEST_SOCKET: usize = 107;

fn socket(node: &Node) -> Result<String, Fault> {
    let path = path(node)?;
    if path.len() > LONGEST_SOCKET {
        return Err(Fault::new(node.at, "a path that no socket has").help(format!("at most {LONGEST_SOCKET} bytes")));
    }
    Ok(path)
}

fn firewall(node: &Node) -> Result<Firewall, Fault> {
    choice(node, "firewall", &words::FIREWALLS, &[])
}

fn chmod(node: &Node, problems: &Problems) -> Result<Probe, Fault> {
    if let Value::Scalar { .. } = node.value {
        return Ok(Probe::Chmod { path: path(node)?, mode: ChmodTarget::Same });
    }
    let fields = Fields::of(node, &forms::CHMOD, problems)?;
    let mode = fields.read("mode", mode).map_or(ChmodTarget::Same, ChmodTarget::Bits);
    Ok(Probe::Chmod { path: fields.need("path", path)?, mode })
}

fn bind_port(node: &Node, problems: &Problems) -> Result<Probe, Fault> {
    let port = |node: &Node| number(node, "port", 1, 65535).map(|port| port as u16);
    if let Value::Scalar { .. } = node.value {
        return Ok(Probe::BindPort { port: port(node)?, protocol: Protocol::Tcp });
    }
    let fields = Fields::of(node, &forms::BIND_PORT, problems)?;
    let protocol = fields.read("protocol", |node| choice(node, "protocol", &words::PROTOCOLS, &[]));
    Ok(Probe::BindPort { port: fields.need("port", port)?, protocol: protocol.unwrap_or(Protocol::Tcp) })
}

/// What the probe of memory takes at most: no machine that runs containers feels it.
const MOST_BYTES: u64 = 256 << 20;

fn count(node: &Node, what: &str, least: u64, most: u64) -> Result<u32, Fault> {
    number(node, what, least, most).map(|count| count as u32)
}

fn bytes(node: &Node) -> Result<u64, Fault> {
    let bytes = size(node)?;
    if !(1 << 20..=MOST_BYTES).contains(&bytes) {
        return Err(Fault::new(node.at, "an amount of memory that a probe does not take").help("from `1m` to `256m`"));
    }
    Ok(bytes)
}

fn pid(node: &Node) -> Result<u32, Fault> {
    // The kernel's PID_MAX_LIMIT on 64 bits.
    number(node, "process id", 1, 1 << 22).map(|pid| pid as u32)
}

/// A namespace by the runtime-spec's word; the short ones of unshare(1) are known too.
pub(super) fn namespace(node: &Node) -> Result<Namespace, Fault> {
    namespace_word(node.at, text(node)?)
}

/// The same of a word.
pub(super) fn namespace_word(at: Place, word: &str) -> Result<Namespace, Fault> {
    words::NAMESPACES.iter().find(|(name, _)| *name == word).map(|(_, namespace)| *namespace).ok_or_else(|| {
        // Those of the runtime-spec, which come first.
        let known = &words::names(&words::NAMESPACES)[..8];
        let fault = Fault::new(at, format!("no namespace `{word}`"));
        match nearest(word, known.iter().copied()) {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => fault.help(known.join(", ")),
        }
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
