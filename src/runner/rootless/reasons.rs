//! The reasons, by name.

/// Something that only the machine's own root shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    DeviceNodes,
    Disks,
    Clock,
    KernelLog,
    Modules,
    Bpf,
    Perf,
    Sysctls,
    MachineFiles,
    RealFiles,
    WritableSys,
    WholeMachine,
    SetUid,
    Maps,
    Limits,
    ControlGroups,
    HostNamespaces,
    Ids,
    Groups,
}

impl Beyond {
    #[cfg(test)]
    pub(super) const ALL: [Self; 19] = [
        Self::DeviceNodes,
        Self::Disks,
        Self::Clock,
        Self::KernelLog,
        Self::Modules,
        Self::Bpf,
        Self::Perf,
        Self::Sysctls,
        Self::MachineFiles,
        Self::RealFiles,
        Self::WritableSys,
        Self::WholeMachine,
        Self::SetUid,
        Self::Maps,
        Self::Limits,
        Self::ControlGroups,
        Self::HostNamespaces,
        Self::Ids,
        Self::Groups,
    ];

    /// Its name in docs/rootless.md, and why.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::DeviceNodes => ("device-nodes", "in a user namespace nobody makes a device node, whatever he has"),
            Self::Disks => ("disks", "a loop device, and a file system on a disk, are the machine's root's to set up"),
            Self::Clock => ("clock", "the clock is the machine's: CAP_SYS_TIME of a user namespace does not reach it"),
            Self::KernelLog => {
                ("kernel-log", "the kernel's log is the machine's: CAP_SYSLOG of a user namespace does not reach it")
            }
            Self::Modules => {
                ("modules", "modules are the machine's: CAP_SYS_MODULE of a user namespace does not reach them")
            }
            Self::Bpf => ("bpf", "BPF programs are the machine's: CAP_BPF of a user namespace does not reach them"),
            Self::Perf => (
                "perf",
                "counters of the kernel are the machine's: CAP_PERFMON of a user namespace does not reach them",
            ),
            Self::Sysctls => ("sysctls", "the sysctls belong to the machine's root, who is not the lab host's"),
            Self::MachineFiles => (
                "machine-files",
                "files of /proc, /sys and the machine's programs belong to the machine's root, who is not the lab host's",
            ),
            Self::RealFiles => {
                ("real-files", "the real machine's files belong to users whom the lab host does not have")
            }
            Self::WritableSys => (
                "writable-sys",
                "this machine's own /sys is read-only, as a container's is: the kernel gives a user no other",
            ),
            Self::WholeMachine => ("whole-machine", "a program of the step asks for what belongs to the whole machine"),
            Self::SetUid => (
                "set-uid",
                "a set-uid program of the machine's, or one with capabilities of its own, is an ordinary one in a user namespace",
            ),
            Self::Maps => ("maps", "the kernel shows the lab host's own id map where a host has none"),
            Self::Limits => ("limits", "the machine's root may go beyond limits, the lab host's may not"),
            Self::ControlGroups => {
                ("control-groups", "limits of control groups take a part of their tree that is the user's own")
            }
            Self::HostNamespaces => {
                ("host-namespaces", "the host's network, ipc or uts namespace is the machine's, not the lab host's")
            }
            Self::Ids => ("ids", "it takes ids that the user has not"),
            Self::Groups => ("groups", "with one id of one's own alone the kernel denies setgroups(2)"),
        }
    }
}
