//! Who a process is: ids, groups, capability sets.

use syscalls::{Sysno, syscall};

use caplab_init::wire::Instruction;

use super::{Fail, Result, check};

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// setgroups(2).
pub(crate) fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads `groups.len()` ids of a slice that lives through the call.
    check("setgroups", unsafe { syscall!(Sysno::setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// setresgid(2), all three.
pub(crate) fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: setresgid touches no memory.
    check("setresgid", unsafe { syscall!(Sysno::setresgid, gid, gid, gid) }).map(drop)
}

/// setresuid(2), all three.
pub(crate) fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: setresuid touches no memory.
    check("setresuid", unsafe { syscall!(Sysno::setresuid, uid, uid, uid) }).map(drop)
}

/// setresuid(2), the effective one alone.
pub(crate) fn set_effective_uid(uid: u32) -> Result<()> {
    // SAFETY: setresuid touches no memory.
    check("setresuid", unsafe { syscall!(Sysno::setresuid, -1i32, uid, -1i32) }).map(drop)
}

/// capset(2) of this thread.
pub(crate) fn set_capabilities(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    let header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let word = |shift: u32| CapData {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let data = [word(0), word(32)];
    // SAFETY: for version 3 the kernel reads one header and two data words; both live through the call.
    check("capset", unsafe { syscall!(Sysno::capset, &raw const header, data.as_ptr()) }).map(drop)
}

/// Drops from the bounding set every capability that the kernel has and this mask has not.
pub(crate) fn limit_bounding(keep: u64) -> Result<()> {
    for capability in 0..64u32 {
        // The kernel says EINVAL at the first number that is no capability of it.
        match prctl("prctl(PR_CAPBSET_READ)", libc::PR_CAPBSET_READ, capability.into(), 0) {
            Err(fail) if fail.errno == libc::EINVAL => return Ok(()),
            Err(fail) => return Err(fail),
            Ok(1) if keep & (1 << capability) == 0 => {
                prctl("prctl(PR_CAPBSET_DROP)", libc::PR_CAPBSET_DROP, capability.into(), 0)?;
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// PR_SET_KEEPCAPS, until execve.
pub(crate) fn keep_capabilities() -> Result<()> {
    prctl("prctl(PR_SET_KEEPCAPS)", libc::PR_SET_KEEPCAPS, 1, 0).map(drop)
}

/// Makes the ambient set this.
pub(crate) fn set_ambient(capabilities: u64) -> Result<()> {
    prctl("prctl(PR_CAP_AMBIENT_CLEAR_ALL)", libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0)?;
    for capability in (0..64u64).filter(|number| capabilities & (1 << number) != 0) {
        prctl("prctl(PR_CAP_AMBIENT_RAISE)", libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, capability)?;
    }
    Ok(())
}

/// PR_SET_NO_NEW_PRIVS.
pub(crate) fn set_no_new_privs() -> Result<()> {
    prctl("prctl(PR_SET_NO_NEW_PRIVS)", libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// struct sock_fprog, linux/filter.h.
#[repr(C)]
struct Program {
    length: u16,
    filter: *const Instruction,
}

/// seccomp(2) SECCOMP_SET_MODE_FILTER. no_new_privs stays as it is: without it the kernel wants CAP_SYS_ADMIN.
pub(crate) fn filter_calls(program: &[Instruction]) -> Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| Fail::new("seccomp", libc::EINVAL))?;
    let program = Program { length, filter: program.as_ptr() };
    // SAFETY: the kernel reads one sock_fprog and as many instructions as it says, each laid out as sock_filter is; both live
    // through the call.
    check("seccomp", unsafe { syscall!(Sysno::seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) })
        .map(drop)
}

/// PR_SET_DUMPABLE 0: from here on until an execve only a process with CAP_SYS_PTRACE in the initial user
/// namespace may look into this one. A process that enters a container is seen there before it has given up
/// what it holds.
pub(crate) fn set_undumpable() -> Result<()> {
    prctl("prctl(PR_SET_DUMPABLE)", libc::PR_SET_DUMPABLE, 0, 0).map(drop)
}

/// PR_SET_PDEATHSIG SIGKILL.
pub(crate) fn die_with_parent() -> Result<()> {
    prctl("prctl(PR_SET_PDEATHSIG)", libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0).map(drop)
}

fn prctl(call: &'static str, option: i32, second: u64, third: u64) -> Result<usize> {
    // SAFETY: none of the options used here takes a pointer.
    check(call, unsafe { syscall!(Sysno::prctl, option, second, third, 0, 0) })
}
