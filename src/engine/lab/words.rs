//! What the kernel refused, in words: the call, the object, the errno, the likely cause, the remedy.

use caplab_init::wire::{Base, Case, Container, Op, Phase, Refusal, StepKind};

use crate::{engine::Job, errno::Errno};

/// Of a container that could not be made.
pub(super) fn container(case: &Case, container: &Container, refusal: &Refusal) -> String {
    let object = match refusal.phase {
        Phase::Join => format!("a namespace of {}", owners(case, container, u64::MAX).join(" or ")),
        Phase::Clone => "a process in new namespaces".to_owned(),
        Phase::ControlGroup => "the control groups for its limits".to_owned(),
        Phase::IdMap => "the id maps of the user namespace".to_owned(),
        Phase::Setup(index) => op(container.setup.get(index as usize)),
        Phase::Process(index) => op(container.init.ops.get(index as usize)),
        Phase::Exec => program(&container.init.program),
        _ => "the helper's own work".to_owned(),
    };
    sentence(&object, refusal, cause(refusal, container_op(container, refusal)))
}

/// The containers whose namespaces of these `CLONE_NEW*` flags a container shares.
fn owners<'a>(case: &'a Case, container: &Container, flags: u64) -> Vec<&'a str> {
    let joins = container.joins.iter().filter(|join| join.namespaces & flags != 0);
    joins.filter_map(|join| Some(case.containers.get(usize::from(join.container))?.name.as_str())).collect()
}

/// Why a container may not run.
pub(super) fn ended(case: &Case, container: u16) -> String {
    let mut text = "it was refused, or its command has ended".to_owned();
    let found = case.containers.get(usize::from(container));
    let owners = found.map(|found| owners(case, found, nix::libc::CLONE_NEWPID as u64)).unwrap_or_default();
    for owner in owners {
        text.push_str(&format!(
            ", or {owner}'s has: with the pid 1 of a pid namespace the kernel kills everybody in it"
        ));
    }
    text
}

/// Of a step whose process could not be made.
pub(super) fn step(case: &Case, index: usize, refusal: &Refusal) -> String {
    let Some(StepKind::Exec { process, .. }) = case.steps.get(index).map(|step| &step.kind) else {
        return sentence("a look at the fixture host", refusal, None);
    };
    let (object, op) = match refusal.phase {
        Phase::Process(index) => {
            let found = process.ops.get(index as usize);
            (op(found), found)
        }
        Phase::Exec => (program(&process.program), None),
        Phase::Enter => ("entering the container".to_owned(), None),
        _ => ("the helper's own work".to_owned(), None),
    };
    sentence(&object, refusal, cause(refusal, op))
}

/// Of a root that could not be read.
pub(super) fn captured(refusal: &Refusal) -> String {
    let cause = (refusal.errno == nix::libc::EFBIG).then_some("an image may hold 192 MiB in 65,536 files");
    sentence("what the container has made of its root", refusal, cause)
}

/// Of a lab host that could not be made.
pub(super) fn lab_host(refusal: &Refusal) -> String {
    let object = match refusal.phase {
        Phase::IdMap => "becoming root of the lab host",
        _ => "the lab host (its user, pid and mount namespaces)",
    };
    sentence(object, refusal, None)
}

/// Of a fixture host, or of the launcher itself.
pub(super) fn fixture(job: &Job, refusal: &Refusal) -> String {
    let (object, cause) = match refusal.phase {
        Phase::Fixture(index) => {
            let path = job.fixture.get(index as usize).map_or("?", |entry| entry.path.as_str());
            let full = refusal.errno == nix::libc::ENOSPC;
            (
                format!("the fixture host's {path}"),
                full.then_some("the fixture host may hold 64 MiB in 16,000 files; give it less"),
            )
        }
        Phase::Disk => ("the fixture host's disk".to_owned(), disk_cause(refusal.errno)),
        Phase::Sysctl => (
            "a sysctl of the host's user namespace".to_owned(),
            (refusal.errno == nix::libc::ENOENT).then_some("the kernel was built without what it limits"),
        ),
        _ => (
            "the lab host (its pid and mount namespaces)".to_owned(),
            (refusal.errno == nix::libc::EPERM).then_some(
                "this needs root with CAP_SYS_ADMIN: run as root (sudo), or in an outer container with --privileged",
            ),
        ),
    };
    sentence(&object, refusal, cause)
}

fn disk_cause(errno: i32) -> Option<&'static str> {
    match errno {
        nix::libc::ENOENT => Some("the kernel has no loop devices here: modprobe loop"),
        nix::libc::ENODEV => Some("the kernel has no ext4: modprobe ext4"),
        nix::libc::EPERM | nix::libc::EACCES => {
            Some("an outer container's device list closes loop devices: start it with --privileged")
        }
        _ => None,
    }
}

fn sentence(object: &str, refusal: &Refusal, cause: Option<&str>) -> String {
    if refusal.phase == Phase::Runtime {
        return format!("{}: {}", refusal.call, refusal.detail);
    }
    let errno = Errno(refusal.errno);
    let mut text = format!("{}: {object}: {errno} ({})", refusal.call, errno.description());
    if !refusal.detail.is_empty() {
        text.push_str(&format!(" [{}]", refusal.detail));
    }
    if let Some(cause) = cause {
        text.push_str("; ");
        text.push_str(cause);
    }
    text
}

fn container_op<'a>(container: &'a Container, refusal: &Refusal) -> Option<&'a Op> {
    match refusal.phase {
        Phase::Setup(index) => container.setup.get(index as usize),
        Phase::Process(index) => container.init.ops.get(index as usize),
        _ => None,
    }
}

/// What an operation is about.
fn op(op: Option<&Op>) -> String {
    match op {
        None => "an operation".to_owned(),
        Some(Op::Peer(source)) => format!("a copy of the fixture host's {source}"),
        Some(Op::PrivateMounts) => "making the mounts private".to_owned(),
        Some(Op::Image { .. }) => "a file of the image".to_owned(),
        Some(Op::Root) => "the root file system".to_owned(),
        Some(Op::Dir { path, .. }) => format!("directory {path}"),
        Some(Op::File { path, .. }) => format!("file {path}"),
        Some(Op::Symlink { path, .. }) => format!("link {path}"),
        Some(Op::Device { node, .. }) => format!("device {}", node.path),
        Some(Op::Mount { fstype, target, .. }) => format!("{fstype} on {target}"),
        Some(Op::Bind { from: Base::Fixture | Base::Peer, source, target, .. }) => {
            format!("the fixture host's {source} on {target}")
        }
        Some(Op::Bind { from: Base::SharedMemory, target, .. }) => format!("the shared memory on {target}"),
        Some(Op::Bind { from: Base::Host | Base::Own, source, target, .. }) => format!("{source} on {target}"),
        Some(Op::Pivot) => "the new root".to_owned(),
        Some(Op::Hostname(name)) => format!("host name {name}"),
        Some(Op::LoopbackUp) => "the loopback device".to_owned(),
        Some(Op::Sysctl { name, value }) => format!("sysctl {name}={value}"),
        Some(Op::ReadonlyPath(path)) => format!("read-only path {path}"),
        Some(Op::MaskPath(path)) => format!("masked path {path}"),
        Some(Op::ReadonlyMount(path)) => format!("the read-only mount at {path}"),
        Some(Op::ReadonlyRoot) => "the read-only root".to_owned(),
        Some(Op::Rlimit { soft, hard, resource }) => {
            let amount = |limit: u64| if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() };
            format!("limit {} to {}:{}", ulimit(*resource), amount(*soft), amount(*hard))
        }
        Some(Op::Bounding(_)) => "the bounding set".to_owned(),
        Some(Op::KeepCaps) => "keeping capabilities across setuid".to_owned(),
        Some(Op::Groups(groups)) => format!("supplementary groups {groups:?}"),
        Some(Op::Gid(gid)) => format!("gid {gid}"),
        Some(Op::Uid(uid)) => format!("uid {uid}"),
        Some(Op::Capset { .. }) => "the capability sets".to_owned(),
        Some(Op::Ambient(_)) => "the ambient set".to_owned(),
        Some(Op::NoNewPrivs) => "no_new_privs".to_owned(),
        Some(Op::Seccomp(program)) => format!("a seccomp filter of {} instructions", program.len()),
        Some(Op::Umask(_)) => "the umask".to_owned(),
        Some(Op::WorkingDir(path) | Op::Chdir(path) | Op::ChdirAsUser(path)) => format!("working directory {path}"),
    }
}

/// A limit as `ulimits` names it, `nofile`.
fn ulimit(resource: u32) -> String {
    limit_name(resource).trim_start_matches("RLIMIT_").to_ascii_lowercase()
}

fn program(program: &caplab_init::wire::Program) -> String {
    match program {
        caplab_init::wire::Program::Through { runtime, .. } => format!("the fixture host's {runtime}"),
        caplab_init::wire::Program::Command(args) => {
            format!("command {}", args.first().map_or("(none)", String::as_str))
        }
        _ => "the helper".to_owned(),
    }
}

/// The likely cause and the remedy.
fn cause(refusal: &Refusal, op: Option<&Op>) -> Option<&'static str> {
    use nix::libc::{
        EACCES, EAGAIN, EBUSY, EINVAL, ENODEV, ENOENT, ENOSPC, ENOSYS, ENOTDIR, EPERM, EROFS, ESRCH, ETIMEDOUT,
    };
    if let Some(Op::Mount { copy_up: true, .. }) = op
        && let Some(cause) = uncopied(refusal)
    {
        return Some(cause);
    }
    Some(match (&refusal.phase, op, refusal.errno) {
        (Phase::Join, _, _) => "that container was refused or has ended; one without `command` waits",
        (Phase::Clone, _, EPERM) => "making namespaces needs CAP_SYS_ADMIN: run as root",
        (Phase::Clone, _, ENOSPC) => {
            "the machine's limit of namespaces is reached: raise sysctl user.max_user_namespaces and its siblings"
        }
        (Phase::Clone, _, ENOSYS) => "clone3 is not allowed here: an outer container's seccomp profile?",
        (Phase::ControlGroup, _, EROFS | EACCES | EPERM) => {
            "control groups are not to be made here: an outer container?"
        }
        (Phase::ControlGroup, _, EBUSY | ENOENT) => {
            "the controller is not handed to new groups: write it into cgroup.subtree_control of the hierarchy's root"
        }
        (Phase::Clone | Phase::Enter, _, EAGAIN) => {
            "a limit of processes is reached: the container's own, or the machine's"
        }
        (Phase::Enter, _, ENODEV) => "for a terminal the container must have its devpts, which has been unmounted",
        (Phase::IdMap, _, EINVAL) => "uid and gid 0 of the container must be mapped: let a line of uidmap begin with 0",
        (Phase::IdMap, _, EPERM) => "mapping other ids than one's own needs CAP_SETUID and CAP_SETGID",
        (_, Some(Op::Mount { fstype, .. }), EPERM) if fstype == "mqueue" => {
            "the kernel mounts one for whom the IPC namespace belongs to: not in a user namespace of one's own (uidmap) and \
             another container's IPC namespace"
        }
        (_, Some(Op::Mount { fstype, .. }), EPERM) if fstype == "proc" || fstype == "sysfs" => {
            "in a user namespace the kernel gives a new one only where the machine's own is visible whole: \
             is a path of it masked by an outer container? Nor in another container's pid namespace"
        }
        (_, Some(Op::Image { .. }), EINVAL) => {
            "its owner is none of the container's ids: extend uidmap and gidmap, or let an ordinary user have more subordinate ids"
        }
        (_, Some(Op::Image { .. }), ENOSPC) => "a container's root may hold 512 MiB",
        (_, Some(Op::Mount { .. }), ENODEV) => "this kernel does not have that file system",
        (_, Some(Op::Mount { .. }), EINVAL) => "an option that the file system does not know or a value it refuses",
        (_, Some(Op::Bind { from: Base::Fixture, .. }), ENOENT) => {
            "the fixture host does not have it: name it under `host: {files: …}`"
        }
        (_, Some(Op::Bind { from: Base::Host, .. }), ENOENT) => "the machine does not have it",
        (_, Some(Op::Bind { .. } | Op::Device { .. }), EACCES) => {
            "the container's root, an ordinary user outside its user namespace, may not go through a directory above it"
        }
        (_, Some(Op::Uid(_) | Op::Gid(_) | Op::Groups(_)), EINVAL) => {
            "that id is not in the container's user namespace: extend uidmap and gidmap"
        }
        (_, Some(Op::Capset { .. } | Op::Ambient(_)), EPERM) => {
            "caplab's own bounding set lacks one of them, as in an outer container: `caplab doctor` names it"
        }
        (_, Some(Op::Seccomp(_)), EPERM) => "a filter without no_new_privs needs CAP_SYS_ADMIN",
        (_, Some(Op::Seccomp(_)), ESRCH | ETIMEDOUT) => {
            "under it pid 1 did not come to run: it refuses what every program needs, as execve, execveat, write or exit_group"
        }
        (_, Some(Op::Seccomp(_)), EINVAL) => "this kernel was built without seccomp filters",
        (_, Some(Op::Rlimit { resource, .. }), EPERM) if ulimit(*resource) == "nofile" => {
            "beyond the machine's fs.nr_open nobody has more, and raising a hard limit needs CAP_SYS_RESOURCE in the initial \
             user namespace: ask for less"
        }
        (_, Some(Op::Rlimit { .. }), EPERM) => {
            "raising a hard limit needs CAP_SYS_RESOURCE in the initial user namespace: ask for less"
        }
        (_, Some(Op::Sysctl { .. }), ENOENT) => "this kernel does not have that sysctl",
        (_, Some(Op::Chdir(_)), ENOENT) => {
            "the directory does not exist in the container: mount one there, or drop working_dir"
        }
        (_, Some(Op::WorkingDir(_) | Op::Chdir(_) | Op::ChdirAsUser(_)), ENOTDIR) => {
            "a file is there, or above it: `working_dir` is a directory"
        }
        (_, Some(Op::ChdirAsUser(_)), EACCES) => "the user may not enter that directory",
        (Phase::Exec, _, ENOENT) => {
            "command not found in the container: `rootfs: host` gives it the machine's programs, toolbox has none"
        }
        (Phase::Exec, _, EACCES) => "not executable by that user, or on a mount with noexec",
        _ => return None,
    })
}

/// Why what a tmpfs covers could not be copied into it; `None` where it was not yet at that.
fn uncopied(refusal: &Refusal) -> Option<&'static str> {
    use nix::libc::{EACCES, EFBIG, EINVAL, ENOSPC, EPERM};
    Some(match (refusal.call.as_str(), refusal.errno) {
        (_, ENOSPC) => {
            "podman has what a tmpfs covers copied into it, and here that is more than it may hold: give it a larger `size=`"
        }
        (_, EFBIG) => {
            "podman has what a tmpfs covers copied into it, of which caplab copies 192 MiB in 65,536 files at the most: mount it \
             over something smaller"
        }
        ("fchownat", EINVAL) => {
            "podman has what a tmpfs covers copied into it, and the owner is none of the container's ids: extend uidmap and gidmap"
        }
        ("openat2", EACCES) => {
            "podman has what a tmpfs covers copied into it, and the container's root, an ordinary user outside its user namespace, may \
             not read it"
        }
        ("mknodat", EPERM) => {
            "podman has what a tmpfs covers copied into it, and in a user namespace nobody makes the device that is there"
        }
        _ => return None,
    })
}

/// `RLIMIT_*` of asm-generic/resource.h.
#[must_use]
pub(crate) fn limit_name(resource: u32) -> &'static str {
    const NAMES: [&str; 16] = [
        "RLIMIT_CPU",
        "RLIMIT_FSIZE",
        "RLIMIT_DATA",
        "RLIMIT_STACK",
        "RLIMIT_CORE",
        "RLIMIT_RSS",
        "RLIMIT_NPROC",
        "RLIMIT_NOFILE",
        "RLIMIT_MEMLOCK",
        "RLIMIT_AS",
        "RLIMIT_LOCKS",
        "RLIMIT_SIGPENDING",
        "RLIMIT_MSGQUEUE",
        "RLIMIT_NICE",
        "RLIMIT_RTPRIO",
        "RLIMIT_RTTIME",
    ];
    NAMES.get(resource as usize).copied().unwrap_or("RLIMIT_?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tmpfs_too_small_for_what_it_covers_says_so() {
        let mount = |copy_up| Op::Mount {
            fstype: "tmpfs".to_owned(),
            source: "tmpfs".to_owned(),
            target: "/run".to_owned(),
            options: Vec::new(),
            attrs: 0,
            read_only: false,
            copy_up,
        };
        let refusal = |call: &str, errno| Refusal {
            phase: Phase::Setup(0),
            call: call.to_owned(),
            errno,
            detail: "/run/app/data".to_owned(),
        };
        let said = |refusal: &Refusal, copy_up| {
            let mount = mount(copy_up);
            sentence(&op(Some(&mount)), refusal, cause(refusal, Some(&mount)))
        };
        let full = said(&refusal("write", nix::libc::ENOSPC), true);
        assert!(
            full.starts_with("write: tmpfs on /run: ENOSPC (No space left on device) [/run/app/data]; podman"),
            "{full}"
        );
        assert!(full.ends_with("give it a larger `size=`"), "{full}");
        // What the file system itself refuses is told as that of any other.
        let option = refusal("fsconfig", nix::libc::EINVAL);
        assert_eq!(said(&option, true), said(&option, false));
    }

    #[test]
    fn a_limit_is_called_what_its_author_calls_it() {
        let limit = |resource, hard| op(Some(&Op::Rlimit { resource, soft: 64, hard }));
        assert_eq!(limit(7, 128), "limit nofile to 64:128");
        assert_eq!(limit(6, u64::MAX), "limit nproc to 64:unlimited");
    }
}
