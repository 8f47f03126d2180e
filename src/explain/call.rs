//! Operations as the system calls that they are. init/src/setup/ makes them; tests/explain.rs holds one against the other with
//! strace(1).
//!
//! Left out is what every path costs, its look-up with openat2(2), and the closing of descriptors.

use std::{fmt, path::Path};

use caplab_init::wire::{Base, Container, IdMap, LimitGroup, Op, Program};
use nix::libc;

use super::tree::{Made, Tree, above};
use crate::{
    capability::{CapSet, Capability},
    engine::limit_name,
    scenario::describe,
};

/// A system call: its name and its arguments, in C's and strace's words. A descriptor is written as what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `mount_setattr`.
    pub name: &'static str,
    /// Each argument.
    pub arguments: Vec<String>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.arguments.join(", "))
    }
}

fn call<const N: usize>(name: &'static str, arguments: [&str; N]) -> Call {
    Call { name, arguments: arguments.map(str::to_owned).into() }
}

fn text(text: &str) -> String {
    format!("{text:?}")
}

/// The calls of an operation; none where this machine's kernel does not have what it is about. `born_with` is the bounding set
/// that the process has from its fork.
pub(super) fn of(op: &Op, tree: &mut Tree<'_>, born_with: CapSet) -> Vec<Call> {
    match op {
        Op::PrivateMounts => vec![call("mount", ["\"none\"", "\"/\"", "\"\"", "MS_REC|MS_PRIVATE", "\"\""])],
        Op::Root => {
            let options = [("mode".to_owned(), Some("0755".to_owned())), ("size".to_owned(), Some("512m".to_owned()))];
            let mut calls = new("tmpfs", "rootfs", &options, false, 0);
            calls.push(attach("the new root"));
            calls
        }
        Op::Image { .. } => vec![
            call("mkdirat", ["root", "each directory of the image", "0700"]),
            call("openat2", ["root", "each file", "O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW", "0600"]),
            call("fchownat", ["root", "each of them", "its owner", "its group", "AT_SYMLINK_NOFOLLOW"]),
            call("fchmodat", ["root", "each of them", "its mode"]),
        ],
        Op::Dir { path, mode } => {
            let mut calls = directories(tree.missing(above(path)));
            let there = tree.has(path);
            tree.make(path, Made::Directory(*mode));
            calls.push(call("mkdirat", ["root", &text(path), &format!("0{mode:o}")]));
            if there || mode & !0o1777 != 0 {
                calls.push(mode_of(path, *mode));
            }
            calls
        }
        Op::File { path, mode, content } => {
            let mut calls = directories(tree.missing(above(path)));
            tree.make(path, Made::File(*mode, content.len()));
            calls.push(call("openat2", ["root", &text(path), "O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW", "0600"]));
            calls.extend(written(content.len()));
            calls.push(mode_of(path, *mode));
            calls
        }
        Op::Symlink { path, target } => {
            let mut calls = directories(tree.missing(above(path)));
            tree.make(path, Made::Link(target.clone()));
            calls.push(call("symlinkat", [&text(target), "root", &text(path)]));
            calls
        }
        Op::Device { node, bind: true } => bind(tree, (Base::Host, &node.path), &node.path, false, (0, 0)),
        Op::Device { node, bind: false } => {
            let mut calls = directories(tree.missing(above(&node.path)));
            tree.make(&node.path, Made::Unknown);
            let mode = format!("{}|0{:o}", if node.block { "S_IFBLK" } else { "S_IFCHR" }, node.mode);
            let device = format!("makedev(0x{:x}, 0x{:x})", node.major, node.minor);
            calls.push(call("mknodat", ["root", &text(&node.path), &mode, &device]));
            calls.push(owner_of("root", &node.path, &node.uid.to_string(), &node.gid.to_string()));
            calls.push(mode_of(&node.path, node.mode));
            calls
        }
        Op::Mount { fstype, source, target, options, attrs, read_only, copy_up } => {
            // init/src/setup/mounts.rs mode_to_keep: a tmpfs is as open as the directory that it covers.
            let keeps_mode = fstype == "tmpfs" && tree.has(target) && !options.iter().any(|(name, _)| name == "mode");
            let mut calls = directories(tree.missing(target));
            calls.extend(new(fstype, source, options, *read_only, *attrs));
            if *copy_up {
                calls.extend(copied(tree, target));
            }
            if keeps_mode {
                calls.push(call("fchmodat", ["mount", "\".\"", &format!("the mode of {target}")]));
            }
            calls.push(attach(target));
            // Of what is copied there is as much as before.
            if !copy_up {
                tree.mount(target, fstype != "tmpfs");
            }
            calls
        }
        Op::Peer(source) => vec![clone_tree(&format!("fixture host{source}"), true)],
        Op::Bind { from, source, target, recursive, attrs, propagation } => {
            bind(tree, (*from, source), target, *recursive, (*attrs, *propagation))
        }
        Op::WorkingDir(path) => directories(tree.missing(path)),
        Op::Pivot => vec![
            call("fchdir", ["root"]),
            call("pivot_root", ["\".\"", "\".\""]),
            call("umount2", ["\".\"", "MNT_DETACH"]),
            call("chdir", ["\"/\""]),
        ],
        Op::Hostname(name) => vec![call("sethostname", [&text(name), &name.len().to_string()])],
        Op::LoopbackUp => vec![
            call("socket", ["AF_INET", "SOCK_DGRAM|SOCK_CLOEXEC", "IPPROTO_IP"]),
            call("ioctl", ["socket", "SIOCSIFFLAGS", "{ifr_name=\"lo\", ifr_flags=IFF_UP|IFF_RUNNING}"]),
        ],
        Op::Sysctl { name, value } => vec![
            call("openat2", ["root", &text(&format!("/proc/sys/{}", name.replace('.', "/"))), "O_WRONLY"]),
            call("write", ["file", &text(value)]),
        ],
        Op::ReadonlyPath(path) if !exists(path) => Vec::new(),
        Op::ReadonlyPath(path) => {
            vec![clone_tree(path, true), attributes(1, true), attach(path)]
        }
        Op::MaskPath(path) if !exists(path) => Vec::new(),
        Op::MaskPath(path) => {
            let mut calls = if Path::new(path).is_dir() {
                new("tmpfs", "tmpfs", &[], true, 1)
            } else {
                vec![clone_tree("/dev/null", false)]
            };
            calls.push(attach(path));
            calls
        }
        Op::ReadonlyMount(_) | Op::ReadonlyRoot => vec![attributes(1, false)],
        Op::Rlimit { resource, soft, hard } => {
            let limit = format!("{{rlim_cur={}, rlim_max={}}}", amount(*soft), amount(*hard));
            vec![call("prlimit64", ["0", limit_name(*resource), &limit, "NULL"])]
        }
        Op::Bounding(keep) => {
            let dropped = born_with.difference(CapSet(*keep)).names();
            dropped.iter().map(|name| call("prctl", ["PR_CAPBSET_DROP", name])).collect()
        }
        Op::KeepCaps => vec![call("prctl", ["PR_SET_KEEPCAPS", "1"])],
        Op::Groups(groups) => {
            let list = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            vec![call("setgroups", [&groups.len().to_string(), &format!("[{list}]")])]
        }
        Op::Gid(gid) => vec![three("setresgid", *gid)],
        Op::Uid(uid) => vec![three("setresuid", *uid)],
        Op::Capset { effective, permitted, inheritable } => {
            let sets =
                format!("{{effective={effective:016x}, permitted={permitted:016x}, inheritable={inheritable:016x}}}");
            vec![call("capset", ["{version=_LINUX_CAPABILITY_VERSION_3, pid=0}", &sets])]
        }
        Op::Ambient(set) => {
            let raised = Capability::all().filter(|one| CapSet(*set).contains(*one));
            [call("prctl", ["PR_CAP_AMBIENT", "PR_CAP_AMBIENT_CLEAR_ALL", "0", "0", "0"])]
                .into_iter()
                .chain(
                    raised.map(|one| {
                        call("prctl", ["PR_CAP_AMBIENT", "PR_CAP_AMBIENT_RAISE", &one.to_string(), "0", "0"])
                    }),
                )
                .collect()
        }
        Op::NoNewPrivs => vec![call("prctl", ["PR_SET_NO_NEW_PRIVS", "1", "0", "0", "0"])],
        Op::Seccomp(program) => {
            vec![call("seccomp", ["SECCOMP_SET_MODE_FILTER", "0", &format!("{{len={}}}", program.len())])]
        }
        Op::Umask(mask) => vec![umask(*mask)],
        // Where root was let in, and on this side of the run nobody knows otherwise, there is nothing left to do.
        Op::ChdirAsUser(_) => Vec::new(),
        Op::Chdir(path) => vec![call("chdir", [&text(path)])],
    }
}

/// The call that a container is born by.
pub(super) fn clone(container: &Container) -> Call {
    let mut flags: Vec<&str> = flag_names(container.namespaces & !container.unshared());
    flags.extend(container.devices.is_some().then_some("CLONE_INTO_CGROUP"));
    flags.push("CLONE_PIDFD");
    call("clone3", [&format!("{{flags={}, exit_signal=SIGCHLD}}", flags.join("|"))])
}

fn flag_names(flags: u64) -> Vec<&'static str> {
    NAMESPACES.iter().filter(|(flag, ..)| flags & flag != 0).map(|(_, name, _)| *name).collect()
}

/// `CLONE_NEW*`, their names, and which namespace each is.
pub(super) const NAMESPACES: [(u64, &str, caplab_init::wire::Namespace); 8] = {
    use caplab_init::wire::Namespace;
    [
        (0x0002_0000, "CLONE_NEWNS", Namespace::Mount),
        (0x0200_0000, "CLONE_NEWCGROUP", Namespace::Cgroup),
        (0x0400_0000, "CLONE_NEWUTS", Namespace::Uts),
        (0x0800_0000, "CLONE_NEWIPC", Namespace::Ipc),
        (0x1000_0000, "CLONE_NEWUSER", Namespace::User),
        (0x2000_0000, "CLONE_NEWPID", Namespace::Pid),
        (0x4000_0000, "CLONE_NEWNET", Namespace::Network),
        (0x0000_0080, "CLONE_NEWTIME", Namespace::Time),
    ]
};

/// Names of namespaces in a sentence.
pub(super) fn namespaces(flags: u64) -> Vec<&'static str> {
    NAMESPACES.iter().filter(|(flag, ..)| flags & flag != 0).map(|(.., one)| describe::namespace(*one)).collect()
}

/// The list of devices, made once for all containers that have the same.
pub(super) fn devices() -> Vec<Call> {
    vec![
        call("bpf", ["BPF_PROG_LOAD", "{prog_type=BPF_PROG_TYPE_CGROUP_DEVICE}"]),
        call("bpf", ["BPF_PROG_ATTACH", "{attach_type=BPF_CGROUP_DEVICE}"]),
    ]
}

/// The control groups that a container has for its limits.
pub(super) fn limits(groups: &[LimitGroup]) -> Vec<Call> {
    let one = |group: &LimitGroup| {
        let mount = group.hierarchy.clone().unwrap_or_else(|| "cgroup2".to_owned());
        let made = call("mkdirat", [&mount, "group", "0755"]);
        let settings =
            group.settings.iter().map(|(file, value)| call("write", [file, &text(value)])).collect::<Vec<_>>();
        [made].into_iter().chain(settings)
    };
    groups.iter().flat_map(one).collect()
}

/// Into the groups of version 1, which a process cannot be born into.
pub(super) fn join(groups: &[LimitGroup]) -> Vec<Call> {
    groups.iter().filter(|group| group.hierarchy.is_some()).map(|_| call("write", ["tasks", &text("0")])).collect()
}

/// The id maps, groups first.
pub(super) fn maps(container: &Container) -> Vec<Call> {
    let write = |name: &str, map: &[IdMap]| {
        let lines: String =
            map.iter().map(|line| format!("{} {} {}\n", line.inside, line.outside, line.count)).collect();
        call("write", [&format!("/proc/PID/{name}"), &text(&lines)])
    };
    vec![write("gid_map", &container.gid_map), write("uid_map", &container.uid_map)]
}

pub(super) fn become_root() -> Vec<Call> {
    vec![call("setgroups", ["0", "[]"]), three("setresgid", 0), three("setresuid", 0)]
}

/// The namespaces that are made only then.
pub(super) fn unshare(flags: u64) -> Call {
    call("unshare", [&flag_names(flags).join("|")])
}

pub(super) fn umask(mask: u32) -> Call {
    call("umask", [&format!("0{mask:02o}")])
}

pub(super) fn trace_me() -> Call {
    call("ptrace", ["PTRACE_TRACEME"])
}

/// An init's of its command: the child's two calls behind the fork.
pub(super) fn begin(command: &[String]) -> Vec<Call> {
    let pause = || call("execve", ["\"/proc/self/exe\"", "[\"caplab-init\", \"pause\"]", "environment"]);
    let execute = if command.is_empty() { pause() } else { execute(&Program::Command(command.to_vec())) };
    vec![call("clone", ["SIGCHLD"]), call("setpgid", ["0", "0"]), execute]
}

pub(super) fn execute(program: &Program) -> Call {
    match program {
        Program::Command(words) => {
            let list = words.iter().map(|word| text(word)).collect::<Vec<_>>().join(", ");
            let first = words.first().map_or("", String::as_str);
            call("execve", [&text(first), &format!("[{list}]"), "environment"])
        }
        _ => {
            let args = program.args("caplab-init").unwrap_or_default();
            let list = args.iter().map(|word| text(word)).collect::<Vec<_>>().join(", ");
            call("execveat", ["helper", "\"\"", &format!("[{list}]"), "environment", "AT_EMPTY_PATH"])
        }
    }
}

fn three(name: &'static str, id: u32) -> Call {
    let id = id.to_string();
    call(name, [&id, &id, &id])
}

fn directories(missing: Vec<String>) -> Vec<Call> {
    missing.iter().map(|path| call("mkdirat", ["root", &text(path), "0755"])).collect()
}

fn mode_of(path: &str, mode: u32) -> Call {
    call("fchmodat", ["root", &text(path), &format!("0{mode:o}")])
}

fn owner_of(whose: &str, path: &str, uid: &str, gid: &str) -> Call {
    call("fchownat", [whose, &text(path), uid, gid, "AT_SYMLINK_NOFOLLOW"])
}

fn written(bytes: usize) -> Option<Call> {
    (bytes > 0).then(|| call("write", ["file", &format!("{bytes} bytes")]))
}

/// What a tmpfs covers, into it (init/src/setup/copy.rs).
fn copied(tree: &Tree<'_>, target: &str) -> Vec<Call> {
    let flags = "O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW";
    let Some(below) = tree.below(target) else {
        return vec![
            call("mkdirat", ["mount", &format!("each directory below {target}"), "0700"]),
            call("openat2", ["mount", "each file", flags, "0600"]),
            call("symlinkat", ["what each link says", "mount", "each link"]),
            call("fchownat", ["mount", "each of them", "its owner", "its group", "AT_SYMLINK_NOFOLLOW"]),
            call("fchmodat", ["mount", "each of them", "its mode"]),
        ];
    };
    let one = |(path, what): (&str, &Made)| {
        let (mut calls, mode) = match what {
            Made::Directory(mode) => (vec![call("mkdirat", ["mount", &text(path), "0700"])], Some(mode)),
            Made::File(mode, bytes) => {
                let mut calls = vec![call("openat2", ["mount", &text(path), flags, "0600"])];
                calls.extend(written(*bytes));
                (calls, Some(mode))
            }
            Made::Link(says) => (vec![call("symlinkat", [&text(says), "mount", &text(path)])], None),
            Made::Unknown => (Vec::new(), None),
        };
        // Nothing but an image has anything that is not root's.
        calls.push(owner_of("mount", path, "0", "0"));
        calls.extend(mode.map(|mode| call("fchmodat", ["mount", &text(path), &format!("0{mode:o}")])));
        calls
    };
    below.into_iter().flat_map(one).collect()
}

/// A new file system that is nowhere yet.
fn new(fstype: &str, source: &str, options: &[(String, Option<String>)], read_only: bool, attrs: u64) -> Vec<Call> {
    let mut calls = vec![
        call("fsopen", [&text(fstype), "FSOPEN_CLOEXEC"]),
        call("fsconfig", ["context", "FSCONFIG_SET_STRING", "\"source\"", &text(source), "0"]),
    ];
    if read_only {
        calls.push(call("fsconfig", ["context", "FSCONFIG_SET_FLAG", "\"ro\"", "NULL", "0"]));
    }
    for (key, value) in options {
        calls.push(match value {
            Some(value) => call("fsconfig", ["context", "FSCONFIG_SET_STRING", &text(key), &text(value), "0"]),
            None => call("fsconfig", ["context", "FSCONFIG_SET_FLAG", &text(key), "NULL", "0"]),
        });
    }
    calls.push(call("fsconfig", ["context", "FSCONFIG_CMD_CREATE", "NULL", "NULL", "0"]));
    calls.push(call("fsmount", ["context", "FSMOUNT_CLOEXEC", &attribute_names(attrs)]));
    calls
}

fn attach(target: &str) -> Call {
    let flags = "MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH";
    call("move_mount", ["mount", "\"\"", &format!("<{target}>"), "\"\"", flags])
}

fn clone_tree(path: &str, recursive: bool) -> Call {
    let flags = if recursive { "|AT_RECURSIVE" } else { "" };
    call(
        "open_tree",
        [&format!("<{path}>"), "\"\"", &format!("OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH{flags}")],
    )
}

fn attributes(attrs: u64, recursive: bool) -> Call {
    set_attributes(&format!("{{attr_set={}}}", attribute_names(attrs)), recursive)
}

fn set_attributes(attributes: &str, recursive: bool) -> Call {
    let flags = if recursive { "AT_EMPTY_PATH|AT_RECURSIVE" } else { "AT_EMPTY_PATH" };
    call("mount_setattr", ["mount", "\"\"", flags, attributes])
}

fn bind(
    tree: &mut Tree<'_>,
    (from, source): (Base, &str),
    target: &str,
    recursive: bool,
    (attrs, propagation): (u64, u64),
) -> Vec<Call> {
    let shown = match from {
        Base::Fixture | Base::Peer => format!("fixture host{source}"),
        Base::SharedMemory => format!("shared memory{source}"),
        Base::Host => source.to_owned(),
        Base::Own => format!("root{source}"),
    };
    // A peer's copy was made before.
    let mut calls = if from == Base::Peer { Vec::new() } else { vec![clone_tree(&shown, recursive)] };
    if propagation != 0 {
        let names = [(libc::MS_PRIVATE, "MS_PRIVATE"), (libc::MS_SLAVE, "MS_SLAVE"), (libc::MS_SHARED, "MS_SHARED")];
        let name = names.iter().find(|(flag, _)| propagation & flag != 0).map_or("0", |(_, name)| name);
        let recursive = propagation & libc::MS_REC != 0;
        calls.push(set_attributes(&format!("{{propagation={name}}}"), recursive));
    }
    if attrs != 0 {
        calls.push(attributes(attrs, recursive && from.is_deep()));
    }
    if tree.is_directory(from, source) {
        calls.extend(directories(tree.missing(target)));
        tree.mount(target, true);
    } else if !tree.has(target) {
        calls.extend(directories(tree.missing(above(target))));
        tree.make(target, Made::Unknown);
        calls.push(call("openat2", ["root", &text(target), "O_WRONLY|O_CREAT|O_EXCL", "0644"]));
    }
    calls.push(attach(target));
    calls
}

/// `MOUNT_ATTR_*` of mount_setattr(2).
fn attribute_names(attrs: u64) -> String {
    const NAMES: [(u64, &str); 8] = [
        (0x1, "RDONLY"),
        (0x2, "NOSUID"),
        (0x4, "NODEV"),
        (0x8, "NOEXEC"),
        (0x10, "NOATIME"),
        (0x20, "STRICTATIME"),
        (0x80, "NODIRATIME"),
        (0x0020_0000, "NOSYMFOLLOW"),
    ];
    let names = NAMES.iter().filter(|(bit, _)| attrs & bit != 0).map(|(_, name)| format!("MOUNT_ATTR_{name}"));
    let names = names.collect::<Vec<_>>().join("|");
    if names.is_empty() { "0".to_owned() } else { names }
}

/// /proc and /sys of a container are views of this machine's kernel: what they have here they have there.
fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

fn amount(limit: u64) -> String {
    if limit == u64::MAX { "RLIM64_INFINITY".to_owned() } else { limit.to_string() }
}
