//! A process of the runtime-spec as operations on oneself.

use caplab_init::wire::{Instruction, Op, Process as WireProcess, Program};
use oci_spec::runtime::{Capabilities, PosixRlimitType, Process};

use crate::{capability::CapSet, observe::umask};

/// The operations in runc's order (init_linux.go finalizeNamespace): limits while they can still be raised, the
/// bounding set while there is CAP_SETPCAP, the ids with the permitted set kept across them, then the sets.
///
/// The seccomp filter is loaded where runc does (standard_init_linux.go): before the capability to do so is given up, or,
/// with no_new_privs, which makes that capability needless, at the very end.
///
/// Without `set_groups` the kernel denies setgroups(2), and the process has those of who started caplab.
pub(super) fn plan(
    process: &Process,
    filter: Option<&[Instruction]>,
    program: Program,
    set_groups: bool,
) -> WireProcess {
    let no_new_privs = process.no_new_privileges().unwrap_or(false);
    let filter = || filter.map(|program| Op::Seccomp(program.to_vec()));
    let user = process.user();
    let mut ops = vec![Op::Umask(umask(process))];
    for limit in process.rlimits().iter().flatten() {
        ops.push(Op::Rlimit { resource: resource(limit.typ()), soft: limit.soft(), hard: limit.hard() });
    }
    if !no_new_privs {
        ops.extend(filter());
    }
    // Both runtimes go there while they are root, so that a user may begin in a directory that he may not enter, and only where root
    // may not once more as the user (init_linux.go finalizeNamespace).
    let dir = process.cwd().to_string_lossy().into_owned();
    ops.push(Op::Chdir(dir.clone()));
    let sets = process.capabilities().clone().unwrap_or_default();
    let set = |capabilities: &Option<Capabilities>| capabilities.iter().flatten().collect::<CapSet>().0;
    ops.push(Op::Bounding(set(sets.bounding())));
    if user.uid() != 0 {
        ops.push(Op::KeepCaps);
    }
    if set_groups {
        ops.push(Op::Groups(user.additional_gids().clone().unwrap_or_default()));
    }
    ops.push(Op::Gid(user.gid()));
    ops.push(Op::Uid(user.uid()));
    ops.push(Op::ChdirAsUser(dir));
    ops.push(Op::Capset {
        effective: set(sets.effective()),
        permitted: set(sets.permitted()),
        inheritable: set(sets.inheritable()),
    });
    ops.push(Op::Ambient(set(sets.ambient())));
    if no_new_privs {
        ops.push(Op::NoNewPrivs);
        ops.extend(filter());
    }
    WireProcess { ops, program, env: process.env().clone().unwrap_or_default(), document: None }
}

/// `RLIMIT_*` of asm-generic/resource.h, which x86-64 and arm64 use.
fn resource(limit: PosixRlimitType) -> u32 {
    match limit {
        PosixRlimitType::RlimitCpu => 0,
        PosixRlimitType::RlimitFsize => 1,
        PosixRlimitType::RlimitData => 2,
        PosixRlimitType::RlimitStack => 3,
        PosixRlimitType::RlimitCore => 4,
        PosixRlimitType::RlimitRss => 5,
        PosixRlimitType::RlimitNproc => 6,
        PosixRlimitType::RlimitNofile => 7,
        PosixRlimitType::RlimitMemlock => 8,
        PosixRlimitType::RlimitAs => 9,
        PosixRlimitType::RlimitLocks => 10,
        PosixRlimitType::RlimitSigpending => 11,
        PosixRlimitType::RlimitMsgqueue => 12,
        PosixRlimitType::RlimitNice => 13,
        PosixRlimitType::RlimitRtprio => 14,
        PosixRlimitType::RlimitRttime => 15,
    }
}
