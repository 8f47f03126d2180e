//! The probes: each asks the kernel for one permission, harmlessly.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::frame::Malformed;

/// One attempt. *Allowed* means that the permission check was passed, even where the call then fails on its
/// deliberately useless argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// open(2). Nothing is written.
    Open {
        /// Path.
        path: String,
        /// How.
        mode: OpenMode,
    },
    /// Asks for the firewall's rules as iptables(8) does first.
    ListFirewall {
        /// Which interface of the kernel.
        api: Firewall,
    },
    /// mount(2) with contradicting propagation flags, which the kernel refuses after the permission check.
    Mount,
    /// mknod(2) of a character device (1:3, what /dev/null is), removed at once.
    Mknod {
        /// Directory to make it in.
        dir: String,
    },
    /// mknod(2) of a device's node, open(2) of it O_RDONLY, and its removal. Only devices of which opening does nothing.
    OpenDevice {
        /// Which.
        device: Device,
    },
    /// chown(2); the owner is put back.
    Chown {
        /// Path.
        path: String,
        /// New owner.
        uid: u32,
        /// New group.
        gid: u32,
    },
    /// chmod(2); the mode is put back.
    Chmod {
        /// Path.
        path: String,
        /// Which mode is asked for.
        mode: ChmodTarget,
    },
    /// setresuid(2), all three.
    Setuid {
        /// The uid to become.
        uid: u32,
    },
    /// setgroups(2).
    Setgroups {
        /// The supplementary groups to have.
        groups: Vec<u32>,
    },
    /// chroot(2) into a directory.
    Chroot {
        /// The directory.
        path: String,
    },
    /// unshare(2).
    Unshare {
        /// Which namespace.
        namespace: Namespace,
    },
    /// setns(2) into a namespace of another process, by /proc/PID/ns.
    Setns {
        /// Process id in the container.
        pid: u32,
        /// Which of its namespaces.
        namespace: Namespace,
    },
    /// ptrace(2) PTRACE_SEIZE, which does not stop the other, and letting go.
    Ptrace {
        /// Process id in the container.
        pid: u32,
    },
    /// kill(2) with signal 0.
    Kill {
        /// Process id in the container.
        pid: u32,
    },
    /// bind(2) of a socket to a port of the loopback address.
    BindPort {
        /// Port.
        port: u16,
        /// TCP or UDP.
        protocol: Protocol,
    },
    /// connect(2) to a socket with a path.
    Connect {
        /// Path.
        path: String,
    },
    /// socket(2) AF_INET, SOCK_RAW.
    RawSocket,
    /// socket(2) AF_INET, SOCK_DGRAM, IPPROTO_ICMP, and connect(2) of it to 127.0.0.1, which sends nothing.
    Ping,
    /// sethostname(2) with the name it has.
    Sethostname,
    /// settimeofday(2) with a time zone that the kernel refuses after the permission check.
    SetTime,
    /// syslog(2) SYSLOG_ACTION_SIZE_UNREAD.
    ReadKernelLog,
    /// init_module(2) with an empty image.
    LoadModule,
    /// open(2) of a file under /proc/sys for writing. Nothing is written.
    WriteSysctl {
        /// `kernel.hostname`.
        name: String,
    },
    /// bpf(2) BPF_PROG_GET_NEXT_ID: asks for the id of the first loaded program.
    Bpf,
    /// perf_event_open(2) of a counter of this process that counts nothing, in kernel and user space.
    PerfEventOpen,
    /// keyctl(2) KEYCTL_GET_KEYRING_ID of the process keyring, which is not made where there is none.
    Keyctl,
    /// fork(2) until this many children are alive at once, each waiting; all are ended and reaped.
    Fork {
        /// How many, beside the probe itself.
        count: u32,
    },
    /// dup(2) until this many descriptors are open at once, the standard streams among them.
    OpenFiles {
        /// How many.
        count: u32,
    },
    /// mmap(2) of this much memory, and a write to each page of it.
    Allocate {
        /// Bytes.
        bytes: u64,
    },
    /// inotify_init1(2) until this many instances are open at once.
    Inotify {
        /// How many.
        count: u32,
    },
    /// userfaultfd(2) UFFD_USER_MODE_ONLY, which the kernel itself refuses to nobody.
    Userfaultfd,
}

impl Probe {
    /// As one argument of a program.
    ///
    /// # Errors
    /// Where it cannot be encoded.
    pub fn to_hex(&self) -> Result<String, Malformed> {
        let bytes = postcard::to_allocvec(self).map_err(|_| Malformed("a probe without a form"))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// It counts what its process and the container have already, so that it must be made by a process that did nothing else.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self, Self::Fork { .. } | Self::OpenFiles { .. } | Self::Allocate { .. } | Self::Inotify { .. })
    }

    /// Of such an argument; `None` where it is none of this version.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
            return None;
        }
        let bytes: Option<Vec<u8>> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect();
        postcard::from_bytes(&bytes?).ok()
    }
}

/// How [`Probe::Open`] opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenMode {
    /// O_RDONLY.
    Read,
    /// O_WRONLY.
    Write,
    /// O_WRONLY|O_APPEND, what a shell's `>>` asks for.
    Append,
    /// O_WRONLY|O_CREAT|O_EXCL; what was made is removed.
    Create,
}

/// A device that may be opened without anything happening. Not so with every one: opening a watchdog starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// c 1:3, /dev/null.
    Null,
    /// c 1:11, /dev/kmsg: the kernel's log.
    Kmsg,
    /// c 10:229, /dev/fuse.
    Fuse,
    /// c 10:237, /dev/loop-control.
    LoopControl,
    /// b 7:0, /dev/loop0: a disk that belongs to nobody yet.
    Loop0,
    /// The disk of the fixture host, by its numbers.
    Disk {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// What stands for the numbers of the fixture host's disk until the kernel has given them: no loop device has so high a one.
pub const DISK_NUMBERS: (u32, u32) = (7, 0xF_0000);

impl Device {
    /// Whether it is a block device, its major and its minor number. Linux, Documentation/admin-guide/devices.txt.
    #[must_use]
    pub fn numbers(self) -> (bool, u32, u32) {
        match self {
            Self::Null => (false, 1, 3),
            Self::Kmsg => (false, 1, 11),
            Self::Fuse => (false, 10, 229),
            Self::LoopControl => (false, 10, 237),
            Self::Loop0 => (true, 7, 0),
            Self::Disk { major, minor } => (true, major, minor),
        }
    }

    /// Its name under /dev.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Kmsg => "kmsg",
            Self::Fuse => "fuse",
            Self::LoopControl => "loop-control",
            Self::Loop0 => "loop0",
            Self::Disk { .. } => "disk",
        }
    }

    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Null,
        Self::Kmsg,
        Self::Fuse,
        Self::LoopControl,
        Self::Loop0,
        Self::Disk { major: DISK_NUMBERS.0, minor: DISK_NUMBERS.1 },
    ];
}

/// The kernel's two firewall interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Firewall {
    /// nf_tables over netlink: NFT_MSG_GETGEN, the first thing that iptables-nft asks for.
    NfTables,
    /// ip_tables: getsockopt IPT_SO_GET_INFO, what iptables-legacy asks for.
    Legacy,
}

/// Which mode [`Probe::Chmod`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChmodTarget {
    /// The mode it has.
    Same,
    /// These permission bits; the former are put back.
    Bits(u32),
}

/// A namespace of namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Namespace {
    /// Control groups.
    Cgroup,
    /// System V IPC, POSIX message queues.
    Ipc,
    /// Mount points.
    Mount,
    /// Network devices, stacks, ports.
    Network,
    /// Process ids.
    Pid,
    /// Clocks.
    Time,
    /// User and group ids.
    User,
    /// Host name and NIS domain name.
    Uts,
}

/// Transport of [`Probe::BindPort`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What a probe answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The permission check was passed. The errno is that of the call after it, where it had one.
    Allowed {
        /// Zero where the call succeeded.
        errno: i32,
    },
    /// The kernel refused for want of permission.
    Denied {
        /// errno(3).
        errno: i32,
        /// The call that was refused, `socket(AF_INET, SOCK_RAW)`.
        call: String,
    },
    /// The kernel or the container has nothing to ask: the probe says nothing about permission.
    Unavailable {
        /// errno(3).
        errno: i32,
        /// The call.
        call: String,
    },
    /// An errno that this probe does not know to interpret. Never taken for a denial.
    Unclear {
        /// errno(3).
        errno: i32,
        /// The call.
        call: String,
    },
}
