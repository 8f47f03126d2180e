//! What probes and commands ask of the machine.

use std::os::unix::fs::PermissionsExt;

use caplab_init::wire::{OpenMode, Probe};

use super::{has, reasons::Beyond, who::Who};
use crate::host::{LabHost, requirement, shell};

/// Which capabilities of the first user namespace open it.
const NODES: &[&str] = &["MKNOD"];
const TIME: &[&str] = &["SYS_TIME"];
const LOG: &[&str] = &["SYSLOG", "SYS_ADMIN"];
const MODULE: &[&str] = &["SYS_MODULE"];
const BPF: &[&str] = &["BPF", "SYS_ADMIN"];
const PERF: &[&str] = &["PERFMON", "SYS_ADMIN"];
const RESOURCE: &[&str] = &["SYS_RESOURCE"];
/// Over files, whose owner must be one that the user namespace has.
const FILES: &[&str] = &["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID"];

/// What a probe would ask for.
pub(super) fn of_probe(probe: &Probe, who: &Who, lab: &LabHost) -> Option<Beyond> {
    let (found, opens) = match probe {
        Probe::Mknod { .. } | Probe::OpenDevice { .. } => (Beyond::DeviceNodes, NODES),
        Probe::SetTime => (Beyond::Clock, TIME),
        Probe::ReadKernelLog => (Beyond::KernelLog, LOG),
        Probe::LoadModule => (Beyond::Modules, MODULE),
        Probe::Bpf => (Beyond::Bpf, BPF),
        Probe::PerfEventOpen => (Beyond::Perf, PERF),
        // `sysctl_perm` goes by the file's mode and the first namespace's root alone.
        Probe::WriteSysctl { .. } => return who.is_roots.then_some(Beyond::Sysctls),
        Probe::Open { path, mode } if is_machines(path, who) => {
            if *mode == OpenMode::Read && is_for_all(path) {
                return None;
            }
            return (who.is_roots || who.has(FILES)).then_some(Beyond::MachineFiles);
        }
        Probe::Chown { path, .. } | Probe::Chmod { path, .. }
            if is_machines(path, who) || path.starts_with("/dev/") =>
        {
            return (who.is_roots || who.has(FILES)).then_some(Beyond::MachineFiles);
        }
        Probe::Chown { uid, gid, .. } if !who.own_namespace => {
            return (!has(&lab.uids, *uid) || !has(&lab.gids, *gid)).then_some(Beyond::Ids);
        }
        Probe::Setuid { uid } if !who.own_namespace => return (!has(&lab.uids, *uid)).then_some(Beyond::Ids),
        Probe::Setgroups { groups } if !who.own_namespace => {
            let unknown = !groups.iter().all(|gid| has(&lab.gids, *gid));
            return (unknown || !lab.set_groups).then_some(Beyond::Ids);
        }
        // What is asked of a namespace that the lab host has made, of a file of the fixture host, or of nobody. A new probe has to say here
        // where the kernel asks.
        Probe::Open { .. }
        | Probe::Chown { .. }
        | Probe::Chmod { .. }
        | Probe::Setuid { .. }
        | Probe::Setgroups { .. }
        | Probe::ListFirewall { .. }
        | Probe::Mount
        | Probe::Chroot { .. }
        | Probe::Unshare { .. }
        | Probe::Setns { .. }
        | Probe::Ptrace { .. }
        | Probe::Kill { .. }
        | Probe::BindPort { .. }
        | Probe::Connect { .. }
        | Probe::RawSocket
        | Probe::Ping
        | Probe::Sethostname
        | Probe::Keyctl
        | Probe::Userfaultfd
        | Probe::Fork { .. }
        | Probe::OpenFiles { .. }
        | Probe::Allocate { .. }
        | Probe::Inotify { .. } => return None,
    };
    who.has(opens).then_some(found)
}

/// Whether a file is the kernel's or one of the machine's programs, which `rootfs: host` has.
fn is_machines(path: &str, who: &Who) -> bool {
    let programs = ["/usr/", "/bin/", "/sbin/", "/lib"];
    is_kernels(path, who) || (who.has_programs && programs.iter().any(|start| path.starts_with(start)))
}

/// Whether a file is of /proc and /sys, but for what /proc says of a process and what is hidden.
fn is_kernels(path: &str, who: &Who) -> bool {
    let kernels = match path.strip_prefix("/proc/") {
        Some(name) => !name.starts_with("self") && !name.starts_with(|letter: char| letter.is_ascii_digit()),
        None => path.starts_with("/sys/"),
    };
    kernels && !who.is_hidden(path)
}

/// Whether everybody may read a file and nobody write it, /proc/net/dev or /proc/cpuinfo: who is root is then no matter.
fn is_for_all(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o777 == 0o444)
}

/// Programs that ask for what belongs to the whole machine, and what opens it.
const PROGRAMS: [(&str, Beyond, &[&str]); 23] = [
    ("mknod", Beyond::DeviceNodes, NODES),
    ("losetup", Beyond::DeviceNodes, NODES),
    ("date", Beyond::Clock, TIME),
    ("hwclock", Beyond::Clock, TIME),
    ("dmesg", Beyond::KernelLog, LOG),
    ("insmod", Beyond::Modules, MODULE),
    ("modprobe", Beyond::Modules, MODULE),
    ("rmmod", Beyond::Modules, MODULE),
    ("bpftool", Beyond::Bpf, BPF),
    ("perf", Beyond::Perf, PERF),
    ("reboot", Beyond::WholeMachine, &["SYS_BOOT"]),
    ("poweroff", Beyond::WholeMachine, &["SYS_BOOT"]),
    ("kexec", Beyond::WholeMachine, &["SYS_BOOT"]),
    ("swapon", Beyond::WholeMachine, &["SYS_ADMIN"]),
    ("swapoff", Beyond::WholeMachine, &["SYS_ADMIN"]),
    ("quotaon", Beyond::WholeMachine, &["SYS_ADMIN"]),
    ("chattr", Beyond::WholeMachine, &["LINUX_IMMUTABLE"]),
    ("chrt", Beyond::WholeMachine, &["SYS_NICE"]),
    ("nice", Beyond::WholeMachine, &["SYS_NICE"]),
    ("renice", Beyond::WholeMachine, &["SYS_NICE"]),
    ("prlimit", Beyond::Limits, RESOURCE),
    ("iopl", Beyond::WholeMachine, &["SYS_RAWIO"]),
    ("auditctl", Beyond::WholeMachine, &["AUDIT_CONTROL"]),
];

/// What a command would ask for, by the names that are in it.
pub(super) fn of_command(argv: &[String], who: &Who) -> Option<Beyond> {
    let text = argv.join(" ");
    if !who.own_namespace && ["/uid_map", "/gid_map"].iter().any(|file| text.contains(file)) {
        return Some(Beyond::Maps);
    }
    let programs = match argv {
        [shell, flag, script] if shell == "sh" && flag == "-c" => shell::programs(script),
        argv => argv.first().cloned().into_iter().collect(),
    };
    let is_named = |name: &str| programs.iter().any(|program| program.rsplit('/').next() == Some(name));
    if who.is_roots {
        let mut paths = text.split(|letter: char| letter.is_whitespace() || "<>\"'=;|&()".contains(letter));
        if text.contains("/proc/sys/") || is_named("sysctl") {
            return Some(Beyond::Sysctls);
        }
        let writes = text.contains('>');
        if paths.any(|path| is_kernels(path, who) && (writes || !is_for_all(path))) {
            return Some(Beyond::MachineFiles);
        }
    }
    if !who.is_root && !who.own_namespace && programs.iter().any(|program| changes_who_runs_it(program)) {
        return Some(Beyond::SetUid);
    }
    if is_named("mount") && who.has(&["SYS_ADMIN"]) && !LAB_HOSTS.iter().any(|kind| text.contains(kind)) {
        return Some(Beyond::WholeMachine);
    }
    if text.contains("ulimit ") && who.has(RESOURCE) {
        return Some(Beyond::Limits);
    }
    PROGRAMS.iter().find(|(name, _, opens)| is_named(name) && who.has(opens)).map(|(_, found, _)| *found)
}

/// Words of a mount(8) that the root of any user namespace may do.
const LAB_HOSTS: [&str; 9] =
    ["--bind", "--rbind", "-o bind", "-o remount", "--make-", "tmpfs", "overlay", "-t proc", "-t devpts"];

/// Whether execve(2) of a program of the machine's changes credentials: of an owner, and of capabilities of a root, whom a user
/// namespace does not have the kernel takes no notice (`bprm_fill_uid`, `get_vfs_caps_from_disk`).
fn changes_who_runs_it(name: &str) -> bool {
    let Some(path) = requirement::program(name) else { return false };
    let bits = std::fs::metadata(&path).is_ok_and(|data| data.permissions().mode() & 0o6000 != 0);
    bits || rustix::fs::getxattr(&path, "security.capability", &mut [0; 64]).is_ok()
}
