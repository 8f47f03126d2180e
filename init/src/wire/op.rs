//! A setup is data before it is action: the operations that make a container, each one step of one
//! interpreter, each a handful of system calls.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// What a bind mount's source or a look-up starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// The fixture host's root.
    Fixture,
    /// Where the lab host has what containers share as /dev/shm: a directory for each.
    SharedMemory,
    /// The real machine's root.
    Host,
    /// The container's root itself, as far as it has been made.
    Own,
    /// The fixture host's root, by a copy that [`Op::Peer`] took.
    Peer,
}

impl Base {
    /// Whether what is mounted below the source has the options of the bind. `rbind,ro` is read-only at its top alone, says mount(8), and
    /// so it is with runc and crun; of the real machine nothing is writable that was not asked for.
    #[must_use]
    pub fn is_deep(self) -> bool {
        self == Self::Host
    }
}

/// One operation. Paths are absolute and are resolved inside the container's root with
/// openat2(RESOLVE_IN_ROOT), except where said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// mount(2) MS_REC|MS_PRIVATE on `/`: nothing done here is seen outside.
    PrivateMounts,
    /// A copy of a path of the fixture host, taken while its mounts are the lab host's peers: what is mounted below the one appears below
    /// the other. It is kept for the [`Op::Bind`] that attaches it.
    Peer(String),
    /// A new tmpfs becomes the container's root; it is attached so that pivot_root(2) can use it.
    Root,
    /// The files of an image that the launcher was given ([`super::Request::Keep`]), into the new root.
    Image {
        /// Its name.
        id: String,
        /// Paths of it that are left out, because the engine makes them.
        without: Vec<String>,
    },
    /// A directory and its missing parents (which are root's, 0755).
    Dir {
        /// Path.
        path: String,
        /// Permission bits including the sticky bit.
        mode: u32,
    },
    /// A regular file, its parents made where missing.
    File {
        /// Path.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Content.
        content: Vec<u8>,
    },
    /// A symbolic link.
    Symlink {
        /// Path of the link.
        path: String,
        /// What it says.
        target: String,
    },
    /// A device: mknod(2), or in a user namespace, where mknod is never allowed, a bind of the host's node.
    Device {
        /// The node.
        node: DeviceNode,
        /// Bind the host's node of the same path in place of mknod.
        bind: bool,
    },
    /// A new file system: fsopen, fsconfig, fsmount, move_mount.
    Mount {
        /// File system type.
        fstype: String,
        /// What mountinfo(5) shows as the source.
        source: String,
        /// Where; made where missing.
        target: String,
        /// File system options: key, and value where it has one.
        options: Vec<(String, Option<String>)>,
        /// `MOUNT_ATTR_*` of mount_setattr(2).
        attrs: u64,
        /// The file system itself is read-only too, not only this mount of it.
        read_only: bool,
        /// What the root has at the target is copied into it before it is mounted there: `tmpcopyup` of runc and crun.
        copy_up: bool,
    },
    /// A bind mount: open_tree, mount_setattr, move_mount.
    Bind {
        /// What the source starts from.
        from: Base,
        /// Source, inside its base.
        source: String,
        /// Where; a directory or file is made where missing.
        target: String,
        /// With the mounts below the source.
        recursive: bool,
        /// `MOUNT_ATTR_*` set on the copy.
        attrs: u64,
        /// `MS_SHARED`, `MS_SLAVE` or `MS_PRIVATE` of mount(2) for the copy, with `MS_REC` for those below it too; 0 leaves it private.
        propagation: u64,
    },
    /// The process's working directory, made (root's, 0755) with its parents where it is missing.
    WorkingDir(String),
    /// pivot_root(2) into the root, the old root detached.
    Pivot,
    /// sethostname(2).
    Hostname(String),
    /// `ip link set lo up`.
    LoopbackUp,
    /// Writes a sysctl through the container's own /proc.
    Sysctl {
        /// `net.ipv4.ip_unprivileged_port_start`.
        name: String,
        /// What is written.
        value: String,
    },
    /// Binds a path over itself, read-only. A path that does not exist is passed over, as runc does.
    ReadonlyPath(String),
    /// Hides a path: a file under /dev/null, a directory under an empty read-only tmpfs. A path that does not
    /// exist is passed over, as runc does.
    MaskPath(String),
    /// Makes a mount read-only in which others were to be made before.
    ReadonlyMount(String),
    /// Makes the root mount read-only.
    ReadonlyRoot,
    /// setrlimit(2).
    Rlimit {
        /// `RLIMIT_*` number.
        resource: u32,
        /// Soft limit, `u64::MAX` for unlimited.
        soft: u64,
        /// Hard limit.
        hard: u64,
    },
    /// prctl(2) PR_CAPBSET_DROP of every capability that is not in this mask.
    Bounding(u64),
    /// prctl(2) PR_SET_KEEPCAPS: keep the permitted set across the setuid that follows.
    KeepCaps,
    /// setgroups(2).
    Groups(Vec<u32>),
    /// setresgid(2), all three.
    Gid(u32),
    /// setresuid(2), all three.
    Uid(u32),
    /// capset(2).
    Capset {
        /// Effective set.
        effective: u64,
        /// Permitted set.
        permitted: u64,
        /// Inheritable set.
        inheritable: u64,
    },
    /// prctl(2) PR_CAP_AMBIENT: clear, then raise these.
    Ambient(u64),
    /// prctl(2) PR_SET_NO_NEW_PRIVS.
    NoNewPrivs,
    /// seccomp(2) SECCOMP_SET_MODE_FILTER.
    Seccomp(Vec<Instruction>),
    /// umask(2).
    Umask(u32),
    /// chdir(2); the directory is not made.
    Chdir(String),
    /// The same once more by the user whom the process has become, where root was not let in (EACCES): a directory of a user whom
    /// root of a user namespace has no power over.
    ChdirAsUser(String),
}

/// One instruction of a classic BPF program: struct sock_filter, linux/filter.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// How many instructions are jumped over where a condition holds.
    pub jt: u8,
    /// And where it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// `/dev/null`.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// A block device; else a character device.
    pub block: bool,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}
