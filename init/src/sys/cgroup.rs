//! Control groups of version 2, and programs of devices on them: bpf(2) BPF_PROG_TYPE_CGROUP_DEVICE, Linux 4.15.

use syscalls::{Sysno, syscall};

use super::{
    Result, check,
    fd::{BorrowedFd, OwnedFd},
};

/// linux/bpf.h.
const BPF_PROG_LOAD: u32 = 5;
const BPF_PROG_ATTACH: u32 = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// The part of union bpf_attr that BPF_PROG_LOAD reads here.
#[repr(C)]
struct Load {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// The part of union bpf_attr that BPF_PROG_ATTACH reads.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Puts a program, one word an instruction, before every mknod and every open of a device in a control group. It stays there
/// as long as the control group does.
pub(crate) fn decide_devices(group: BorrowedFd<'_>, program: &[u64]) -> Result<()> {
    let load = Load {
        program_type: PROG_TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr().addr() as u64,
        license: c"MIT".as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads as much of the attributes as is said, and by them as many instructions as there are and a C
    // string; all of it lives through the call.
    let program = OwnedFd::made("bpf(BPF_PROG_LOAD)", unsafe {
        syscall!(Sysno::bpf, BPF_PROG_LOAD, &raw const load, size_of::<Load>())
    })?;
    let attach = Attach {
        target: group.number() as u32,
        program: program.as_fd().number() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    // SAFETY: the kernel reads as much of the attributes as is said; they live through the call.
    check("bpf(BPF_PROG_ATTACH)", unsafe {
        syscall!(Sysno::bpf, BPF_PROG_ATTACH, &raw const attach, size_of::<Attach>())
    })
    .map(drop)
}
