//! What can be wrong with one operation. A new operation is left out without anyone thinking of it; how it is weakened is an arm here.

use caplab_init::wire::{Base, Instruction, Op};
use nix::libc::{MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE};

/// Every capability, also those that this kernel does not know: the kernel takes what it has.
const EVERYTHING: u64 = (1 << 41) - 1;
/// `MOUNT_ATTR_*` of mount_setattr(2) that protect.
const PROTECTING: [(u64, &str); 4] = [(0x1, "ro"), (0x2, "nosuid"), (0x4, "nodev"), (0x8, "noexec")];
/// A filter of one instruction: BPF_RET, SECCOMP_RET_ALLOW.
const ALLOW: Instruction = Instruction { code: 0x06, jt: 0, jf: 0, k: 0x7fff_0000 };

/// What an operation is called.
pub(super) fn name(op: &Op) -> String {
    match op {
        Op::PrivateMounts => "private mounts".to_owned(),
        Op::Root => "root".to_owned(),
        Op::Image { .. } => "files of the image".to_owned(),
        Op::Dir { path, .. } => format!("directory {path}"),
        Op::File { path, .. } => format!("file {path}"),
        Op::Symlink { path, .. } => format!("link {path}"),
        Op::Device { node, .. } => format!("device {}", node.path),
        Op::Mount { target, fstype, .. } => format!("{fstype} at {target}"),
        Op::Peer(source) => format!("peer of the host's {source}"),
        Op::Bind { target, .. } => format!("bind at {target}"),
        Op::WorkingDir(_) => "working directory".to_owned(),
        Op::Pivot => "pivot_root(2)".to_owned(),
        Op::Hostname(_) => "sethostname(2)".to_owned(),
        Op::LoopbackUp => "lo up".to_owned(),
        Op::Sysctl { name, .. } => format!("sysctl {name}"),
        Op::ReadonlyPath(path) => format!("read-only {path}"),
        Op::MaskPath(path) => format!("masked {path}"),
        Op::ReadonlyMount(path) => format!("read-only mount at {path}"),
        Op::ReadonlyRoot => "read-only root".to_owned(),
        Op::Rlimit { resource, .. } => format!("setrlimit(2) {resource}"),
        Op::Bounding(_) => "bounding set".to_owned(),
        Op::KeepCaps => "PR_SET_KEEPCAPS".to_owned(),
        Op::Groups(_) => "setgroups(2)".to_owned(),
        Op::Gid(_) => "setresgid(2)".to_owned(),
        Op::Uid(_) => "setresuid(2)".to_owned(),
        Op::Capset { .. } => "capset(2)".to_owned(),
        Op::Ambient(_) => "ambient set".to_owned(),
        Op::NoNewPrivs => "no_new_privs".to_owned(),
        Op::Seccomp(_) => "seccomp(2)".to_owned(),
        Op::Umask(_) => "umask(2)".to_owned(),
        Op::ChdirAsUser(_) => "chdir(2) as the user".to_owned(),
        Op::Chdir(_) => "chdir(2)".to_owned(),
    }
}

/// What is wrong, and what stands in the operation's place; nothing where it is left out.
pub(super) fn mutants(op: &Op) -> Vec<(String, Option<Op>)> {
    // Without these a container's paths would be the real machine's, and even a probe would make and remove a node there. A directory
    // that is there anyway can be left out.
    if matches!(op, Op::PrivateMounts | Op::Root | Op::Pivot | Op::WorkingDir(_) | Op::ChdirAsUser(_)) {
        return Vec::new();
    }
    // What this kernel does not have is passed over, so that a cover left out is none.
    if let Op::ReadonlyPath(path) | Op::MaskPath(path) = op
        && std::fs::symlink_metadata(path).is_err()
    {
        return Vec::new();
    }
    let mut made = vec![("left out".to_owned(), None)];
    let mut weaker = |what: &str, op: Op| made.push((what.to_owned(), Some(op)));
    match op {
        Op::Dir { path, mode } if mode & 0o002 == 0 => {
            weaker("for everybody to write", Op::Dir { path: path.clone(), mode: mode | 0o777 });
        }
        Op::File { path, content, mode } => {
            weaker(
                "for everybody to write",
                Op::File { path: path.clone(), content: content.clone(), mode: mode | 0o666 },
            );
        }
        Op::Mount { fstype, source, target, options, attrs, read_only, copy_up } => {
            for (attr, word) in PROTECTING.iter().filter(|(attr, _)| attrs & attr != 0) {
                let read_only = *read_only && *word != "ro";
                let (fstype, source, target, options) =
                    (fstype.clone(), source.clone(), target.clone(), options.clone());
                weaker(
                    &format!("without {word}"),
                    Op::Mount { fstype, source, target, options, attrs: attrs & !attr, read_only, copy_up: *copy_up },
                );
            }
        }
        // What is bound from the real machine stays read-only, whatever is tried.
        Op::Bind { from: from @ (Base::Fixture | Base::Peer), source, target, recursive, attrs, propagation } => {
            let mut other = |what: &str, attrs: u64, propagation: u64| {
                let (source, target) = (source.clone(), target.clone());
                weaker(what, Op::Bind { from: *from, source, target, recursive: *recursive, attrs, propagation });
            };
            for (attr, word) in PROTECTING.iter().filter(|(attr, _)| attrs & attr != 0) {
                other(&format!("without {word}"), attrs & !attr, *propagation);
            }
            if propagation & MS_SHARED == 0 {
                other("shared", *attrs, MS_SHARED | MS_REC);
            } else {
                other("a slave", *attrs, MS_SLAVE | MS_REC);
            }
            if *propagation != 0 {
                other("private", *attrs, MS_PRIVATE | MS_REC);
            }
        }
        Op::Rlimit { resource, soft, hard } if soft < hard => {
            weaker("soft as the hard one", Op::Rlimit { resource: *resource, soft: *hard, hard: *hard });
        }
        Op::Bounding(_) => weaker("every capability kept", Op::Bounding(EVERYTHING)),
        Op::Groups(groups) => {
            weaker("root's too", Op::Groups(groups.iter().copied().chain([0]).collect()));
        }
        Op::Gid(gid) if *gid != 0 => weaker("root's", Op::Gid(0)),
        Op::Uid(uid) if *uid != 0 => weaker("root's", Op::Uid(0)),
        Op::Capset { effective, permitted, inheritable } => {
            weaker(
                "the permitted set inheritable",
                Op::Capset { effective: *effective, permitted: *permitted, inheritable: inheritable | permitted },
            );
        }
        Op::Seccomp(_) => weaker("everything allowed", Op::Seccomp(vec![ALLOW])),
        Op::Umask(_) => weaker("0", Op::Umask(0)),
        _ => {}
    }
    made
}
