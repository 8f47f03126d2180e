//! What an operation protects, in a sentence.

use caplab_init::wire::{Base, Op};
use nix::libc;

use super::call;
use crate::capability::CapSet;

/// Of the fork.
pub(super) fn namespaces(flags: u64) -> String {
    let names = call::namespaces(flags);
    let user = if names.contains(&"user") {
        "Its capabilities count in its own user namespace only."
    } else {
        "It has no user namespace of its own: its root is the host's root, held by what follows alone."
    };
    format!("A process that has {} to itself. {user}", and(&names))
}

/// Of an operation.
pub(super) fn of(op: &Op) -> String {
    match op {
        Op::PrivateMounts => "No mount that is made from here on is seen outside, and none made outside comes in.".to_owned(),
        Op::Root => "An empty file system becomes the container's root: what is not put into it is not there.".to_owned(),
        Op::Image { .. } => "The image's files, each with its owner, its mode and its capabilities: a copy, so that nothing of it is another container's.".to_owned(),
        Op::Dir { mode, .. } if mode & 0o1000 != 0 => "A directory that everybody writes; the sticky bit lets only an owner remove what is his.".to_owned(),
        Op::Dir { .. } => "A directory of the root; only root writes it.".to_owned(),
        Op::File { path, .. } if path == "/etc/passwd" || path == "/etc/group" => "Names for ids. The kernel knows numbers only: a name protects nothing.".to_owned(),
        Op::File { .. } => "A file that every container has.".to_owned(),
        Op::Symlink { .. } => "A link that programs expect; it is followed inside the root only.".to_owned(),
        Op::Device { bind: true, .. } => "mknod(2) is never allowed in a user namespace: the host's own node is bound in its place.".to_owned(),
        Op::Device { .. } => "A device that harms nobody. That it may be opened the device list says, not this node.".to_owned(),
        Op::Mount { copy_up: true, fstype, target, attrs, read_only, .. } => format!("{} What the root has at {target} is copied into it first: it hides nothing.", mount(fstype, target, *attrs, *read_only)),
        Op::Mount { fstype, target, attrs, read_only, .. } => mount(fstype, target, *attrs, *read_only),
        Op::Peer(source) => format!("A copy of the host's {source} before anything is private: what the host mounts below it is mounted below the copy too."),
        Op::Bind { from: Base::Peer, propagation, .. } if propagation & libc::MS_SHARED != 0 => "A volume that propagates: what the container mounts below it is mounted on the host too.".to_owned(),
        Op::Bind { from: Base::Peer, .. } => "A volume that is the host's slave: what the host mounts below it appears here, what the container mounts stays here.".to_owned(),
        Op::Bind { from: Base::Fixture, attrs, .. } if attrs & 1 != 0 => "A volume, read-only: no mode and no CAP_DAC_OVERRIDE lets anybody write through this mount. Who may mount could make it writable again.".to_owned(),
        Op::Bind { from: Base::Fixture, .. } => "A volume: the host's own files, with the host's owners and modes. Whoever is their owner by number inside is it outside.".to_owned(),
        Op::Bind { from: Base::SharedMemory, .. } => "The /dev/shm of the container whose ipc namespace this one joins: the namespace alone does not carry it.".to_owned(),
        Op::Bind { from: Base::Own, .. } => "podman cannot write the name of a user that it does not know into a read-only root, and binds a file of its own.".to_owned(),
        Op::Bind { from: Base::Host, attrs, .. } if attrs & 1 != 0 => "The machine's own programs, read-only.".to_owned(),
        Op::Bind { from: Base::Host, .. } => "The real machine's own files, writable: the file asked for that.".to_owned(),
        Op::WorkingDir(_) => "Where the command will begin: a mount has hidden what was there.".to_owned(),
        Op::Pivot => "The new root takes the old one's place and the old one is gone, with every path that could lead back to it. chroot(2) would leave it there.".to_owned(),
        Op::Hostname(_) => "The uts namespace's own name; the host keeps its.".to_owned(),
        Op::LoopbackUp => "A new network namespace has nothing but a loopback that is down: no interface of the host, no port of its, no firewall of its.".to_owned(),
        Op::Sysctl { name, .. } => match name.as_str() {
            "net.ipv4.ip_unprivileged_port_start" => "In this network namespace every port may be bound without CAP_NET_BIND_SERVICE; docker does so since 20.10.".to_owned(),
            "net.ipv4.ping_group_range" => "In this network namespace these groups may ping without CAP_NET_RAW.".to_owned(),
            _ => "Set in the container's own namespace; the host keeps its value.".to_owned(),
        },
        Op::ReadonlyPath(path) => format!("{path} is the kernel's and not the container's: a root without a user namespace would change the host's settings there."),
        Op::MaskPath(path) => format!("{path} tells of the host or reaches into it: it is hidden under {}.", if std::path::Path::new(path).is_dir() { "an empty directory" } else { "/dev/null" }),
        Op::ReadonlyMount(path) => format!("Nothing more is made at {path}, and from here on nobody changes what is there."),
        Op::ReadonlyRoot => "Nothing of the root can be changed or left behind.".to_owned(),
        Op::Rlimit { .. } => "A limit of this process and its children. Raising it again takes CAP_SYS_RESOURCE on the host.".to_owned(),
        Op::Bounding(keep) if *keep == 0 => "No capability can ever be gained again, not by a root and not by a file.".to_owned(),
        Op::Bounding(_) => "What is dropped here no root inside and no file with capabilities can ever bring back: the bounding set only shrinks.".to_owned(),
        Op::KeepCaps => "Leaving uid 0 would empty the permitted set at once; what follows needs it a moment longer.".to_owned(),
        Op::Groups(groups) if groups.is_empty() => "No supplementary group: those of whoever started caplab do not come along.".to_owned(),
        Op::Groups(_) => "Exactly these supplementary groups: those of whoever started caplab do not come along.".to_owned(),
        Op::Gid(_) => "Real, effective and saved, so that there is no way back.".to_owned(),
        Op::Uid(0) => "Root inside. What that root may do the capabilities say.".to_owned(),
        Op::Uid(_) => "An ordinary user, real, effective and saved, so that there is no way back.".to_owned(),
        Op::Capset { effective, .. } if *effective == 0 => "No capability is left to this process.".to_owned(),
        Op::Capset { effective, .. } => format!("The process keeps {} capabilities, of which the table below tells.", CapSet(*effective).names().len()),
        Op::Ambient(0) => "No capability passes to what an ordinary user executes.".to_owned(),
        Op::Ambient(_) => "These pass to what an ordinary user executes, although its file has no capabilities.".to_owned(),
        Op::NoNewPrivs => "execve(2) gives nothing that was not there before: no set-user-ID bit and no file capability counts.".to_owned(),
        Op::Seccomp(_) => "The kernel asks this filter at every system call, of this process and all its children, whatever capabilities they have.".to_owned(),
        Op::Umask(_) => "What the container's programs make is not writable by others.".to_owned(),
        Op::ChdirAsUser(_) => "Once more as the user, where root was not let in.".to_owned(),
        Op::Chdir(_) => "Where the command begins.".to_owned(),
    }
}

fn mount(fstype: &str, target: &str, attrs: u64, read_only: bool) -> String {
    let what = match (fstype, target) {
        ("proc", _) => "The processes of the new pid namespace, and no others.",
        ("sysfs", _) if read_only || attrs & 1 != 0 => {
            "The kernel's devices and drivers, to be read and not to be changed."
        }
        ("sysfs", _) => "The kernel's devices and drivers, which a root may change.",
        ("tmpfs", "/dev") => "An empty /dev: the host's device nodes are not in it.",
        ("devpts", _) => "Terminals of its own; those of the host are not in it.",
        ("mqueue", _) => "Message queues of the new ipc namespace.",
        ("tmpfs", "/dev/shm") => "Shared memory of its own, with a limit.",
        ("cgroup" | "cgroup2", _) => "The control groups, as the cgroup namespace shows them.",
        ("tmpfs", _) => "Memory that is written and forgotten with the container.",
        _ => "A file system of its own.",
    };
    let not: Vec<&str> = [(2, "no set-user-ID bit"), (4, "no device"), (8, "no program")]
        .into_iter()
        .filter(|(bit, _)| attrs & bit != 0)
        .map(|(_, what)| what)
        .collect();
    if not.is_empty() { what.to_owned() } else { format!("{what} In it counts {}.", and(&not)) }
}

fn and(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., end] => format!("{} and {end}", rest.join(", ")),
    }
}

/// Of an operation about something that this kernel does not have.
pub(super) fn needless(op: &Op) -> String {
    match op {
        Op::MaskPath(path) | Op::ReadonlyPath(path) => {
            format!("{path}: this machine's kernel does not have it, and nothing needs to be covered.")
        }
        Op::ChdirAsUser(_) => "Only where root was not let in the user tries once more.".to_owned(),
        Op::WorkingDir(path) => format!("{path} is there: it need not be made."),
        Op::Bounding(_) => "Everything that this machine's root has may stay: nothing is dropped.".to_owned(),
        _ => "Nothing is to be done on this machine.".to_owned(),
    }
}
