//! `linux.seccomp` as the classic BPF program that seccomp(2) takes.
//!
//! libseccomp, which runc and crun link, makes the same decisions: calls by number for each architecture that the kernel can
//! execute, rules with arguments beside each other, rules for names that the architecture does not have left out. It is not
//! used because it is a C library that would have to be there.

use std::{collections::HashMap, sync::LazyLock};

use caplab_init::wire::Instruction;
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall};

use crate::engine::EngineError;

/// Offsets in struct seccomp_data, linux/seccomp.h.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// `__X32_SYSCALL_BIT`: what sets x32's calls apart from x86-64's, asm/unistd.h.
const X32: u32 = 0x4000_0000;

/// SECCOMP_RET_KILL_THREAD: libseccomp's answer to an architecture that no rule is about.
const KILL: u32 = 0;
const ENOSYS: u32 = 38;

/// linux/bpf_common.h.
mod op {
    pub(super) const LOAD: u16 = 0x20;
    pub(super) const JUMP: u16 = 0x05;
    pub(super) const IF_EQUAL: u16 = 0x15;
    pub(super) const IF_GREATER: u16 = 0x25;
    pub(super) const IF_AT_LEAST: u16 = 0x35;
    pub(super) const AND: u16 = 0x54;
    pub(super) const RETURN: u16 = 0x06;
}

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

const fn branch(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// The program.
///
/// # Errors
/// An architecture or an action that this engine does not know, and more rules than BPF has room for.
pub(super) fn compile(seccomp: &LinuxSeccomp) -> Result<Vec<Instruction>, EngineError> {
    let default = value(seccomp.default_action(), seccomp.default_errno_ret())?;
    let rules = seccomp.syscalls().as_deref().unwrap_or_default();
    let native = [Arch::ScmpArchNative];
    let architectures = seccomp.architectures().as_deref().filter(|list| !list.is_empty()).unwrap_or(&native);
    let newer = newer(seccomp, default);
    let mut blocks = Vec::new();
    let (mut native, mut x32) = (None, false);
    for architecture in architectures {
        match Table::of(*architecture)? {
            Table::Native => native = Some(decisions(rules, default, newer, native_number)?),
            Table::X32 => x32 = true,
            Table::X86 => blocks.push((AUDIT_I386, tree(&decisions(rules, default, newer, x86_number)?))),
            // arm's numbers are nowhere here; its programs get what no rule is about.
            Table::Arm => {}
        }
    }
    if let Some(mut native) = native {
        if !x32 {
            // Its calls are another architecture's.
            native.push((X32, Decision::Return(KILL)));
        }
        let mut block = tree(&native);
        if x32 {
            // They have the same numbers, but for some of x32's own, 512 to 547, which kernels without it do not have.
            block.insert(0, plain(op::AND, !X32));
        }
        blocks.insert(0, (AUDIT_NATIVE, block));
    }
    let mut program = vec![plain(op::LOAD, ARCHITECTURE)];
    for (audit, block) in blocks {
        // The block's own first instruction replaces the architecture by the number; the next test is jumped to over it.
        program.push(branch(op::IF_EQUAL, audit, 1, 0));
        program.push(plain(op::JUMP, 1 + block.len() as u32));
        program.push(plain(op::LOAD, NUMBER));
        program.extend(block);
    }
    program.push(plain(op::RETURN, KILL));
    if program.len() > 4096 {
        return Err(EngineError("the seccomp profile is too large for a BPF program of 4096 instructions".to_owned()));
    }
    Ok(program)
}

/// `AUDIT_ARCH_*`, linux/audit.h.
const AUDIT_NATIVE: u32 = if cfg!(target_arch = "aarch64") { 0xc000_00b7 } else { 0xc000_003e };
const AUDIT_I386: u32 = 0x4000_0003;

/// Whose numbers calls have.
enum Table {
    Native,
    X32,
    X86,
    Arm,
}

impl Table {
    fn of(architecture: Arch) -> Result<Self, EngineError> {
        let is_arm = cfg!(target_arch = "aarch64");
        match architecture {
            Arch::ScmpArchNative => Ok(Self::Native),
            Arch::ScmpArchX86_64 if !is_arm => Ok(Self::Native),
            Arch::ScmpArchX32 if !is_arm => Ok(Self::X32),
            Arch::ScmpArchX86 if !is_arm => Ok(Self::X86),
            Arch::ScmpArchAarch64 if is_arm => Ok(Self::Native),
            Arch::ScmpArchArm if is_arm => Ok(Self::Arm),
            other => Err(EngineError(format!("seccomp for the architecture {other} on this machine"))),
        }
    }
}

/// Numbers by name. The crate's own look-up tries one name after the other, hundreds of times for a profile.
type Numbers = HashMap<&'static str, u32>;

fn native_number(name: &str) -> Option<u32> {
    static NUMBERS: LazyLock<Numbers> =
        LazyLock::new(|| syscalls::Sysno::iter().map(|call| (call.name(), call.id() as u32)).collect());
    NUMBERS.get(name).copied()
}

fn x86_number(name: &str) -> Option<u32> {
    static NUMBERS: LazyLock<Numbers> =
        LazyLock::new(|| syscalls::x86::Sysno::iter().map(|call| (call.name(), call.id() as u32)).collect());
    NUMBERS.get(name).copied()
}

/// What seccomp(2) returns for an action.
fn value(action: LinuxSeccompAction, errno: Option<u32>) -> Result<u32, EngineError> {
    match action {
        LinuxSeccompAction::ScmpActNotify => {
            Err(EngineError("a seccomp profile that asks for a notification is not supported yet".to_owned()))
        }
        known => Ok(known.as_u32(errno)),
    }
}

/// What is said to calls that are newer than every call the profile names: ENOSYS, so that a program tries an older one.
/// runc, libcontainer/seccomp/patchbpf/enosys_linux.go; not where the profile says ENOSYS itself or refuses nothing.
fn newer(seccomp: &LinuxSeccomp, default: u32) -> Option<u32> {
    let permissive =
        matches!(seccomp.default_action(), LinuxSeccompAction::ScmpActAllow | LinuxSeccompAction::ScmpActLog);
    let refused = LinuxSeccompAction::ScmpActErrno.as_u32(Some(ENOSYS));
    (!permissive && seccomp.default_errno_ret() != Some(ENOSYS) && default != refused).then_some(refused)
}

/// What is decided about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    /// This is returned.
    Return(u32),
    /// The first of these whose conditions all hold; else the last value.
    Arguments(Vec<(Vec<LinuxSeccompArg>, u32)>, u32),
}

/// Which decision counts from which number on, up to the next; from 0 on, ascending.
type Decisions = Vec<(u32, Decision)>;

fn decisions(
    rules: &[LinuxSyscall],
    default: u32,
    newer: Option<u32>,
    number: impl Fn(&str) -> Option<u32>,
) -> Result<Decisions, EngineError> {
    // By number; what no rule names is not there. Linux has some hundred calls, in one row.
    let mut calls: Vec<Option<Decision>> = Vec::new();
    for rule in rules {
        let action = value(rule.action(), rule.errno_ret())?;
        let args = rule.args().as_deref().unwrap_or_default();
        for number in rule.names().iter().filter_map(|name| number(name)) {
            let at = number as usize;
            if calls.len() <= at {
                calls.resize(at + 1, None);
            }
            let known = calls[at].get_or_insert_with(|| Decision::Arguments(Vec::new(), default));
            // What the default says already is no rule (runc, seccomp_linux.go matchCall).
            if action == default {
                continue;
            }
            match known {
                // A rule without arguments is about every call of that number.
                Decision::Return(_) => {}
                Decision::Arguments(..) if args.is_empty() => *known = Decision::Return(action),
                Decision::Arguments(list, _) => {
                    list.extend(conditions(args).into_iter().map(|conditions| (conditions, action)));
                }
            }
        }
    }
    let beyond = calls.len() as u32;
    let decided = calls.into_iter().map(|call| match call {
        None => Decision::Return(default),
        Some(Decision::Arguments(list, otherwise)) if list.is_empty() => Decision::Return(otherwise),
        Some(decision) => decision,
    });
    let last = Decision::Return(newer.filter(|_| beyond > 0).unwrap_or(default));
    // A number whose decision is that of the one before needs no branch.
    let mut ranges: Decisions = Vec::new();
    for (number, decision) in (0..).zip(decided.chain([last])) {
        if ranges.last().is_none_or(|(_, before)| *before != decision) {
            ranges.push((number, decision));
        }
    }
    Ok(ranges)
}

/// Conditions on different arguments must all hold. Where an argument is named twice each condition stands alone: what runc
/// has always made of it (seccomp_linux.go matchCall).
fn conditions(args: &[LinuxSeccompArg]) -> Vec<Vec<LinuxSeccompArg>> {
    let twice = args.iter().enumerate().any(|(at, one)| args[..at].iter().any(|other| other.index() == one.index()));
    if twice { args.iter().map(|one| vec![*one]).collect() } else { vec![args.to_vec()] }
}

/// A binary search for the call's number, which is loaded.
fn tree(ranges: &[(u32, Decision)]) -> Vec<Instruction> {
    match ranges {
        [] => vec![plain(op::RETURN, KILL)],
        [(_, decision)] => leaf(decision),
        _ => {
            let (below, above) = ranges.split_at(ranges.len() / 2);
            let (left, right) = (tree(below), tree(above));
            let mut code = match u8::try_from(left.len()) {
                Ok(over) => vec![branch(op::IF_AT_LEAST, above[0].0, over, 0)],
                Err(_) => vec![branch(op::IF_AT_LEAST, above[0].0, 0, 1), plain(op::JUMP, left.len() as u32)],
            };
            code.extend(left);
            code.extend(right);
            code
        }
    }
}

fn leaf(decision: &Decision) -> Vec<Instruction> {
    match decision {
        Decision::Return(value) => vec![plain(op::RETURN, *value)],
        Decision::Arguments(list, otherwise) => {
            let mut code = Vec::new();
            for (conditions, value) in list {
                code.extend(all_hold(conditions, *value));
            }
            code.push(plain(op::RETURN, *otherwise));
            code
        }
    }
}

/// Returns the value where every condition holds; else what comes after.
fn all_hold(conditions: &[LinuxSeccompArg], value: u32) -> Vec<Instruction> {
    // From the last to the first, so that each knows how far it is to the end.
    let mut code = vec![plain(op::RETURN, value)];
    for condition in conditions.iter().rev() {
        let mut tested = holds(condition, code.len());
        tested.append(&mut code);
        code = tested;
    }
    code
}

/// Falls through where the condition holds, else jumps over what is behind it. An argument has 64 bits, BPF's words 32.
fn holds(condition: &LinuxSeccompArg, behind: usize) -> Vec<Instruction> {
    let offset = ARGUMENTS + 8 * condition.index() as u32;
    let (low, high) = if cfg!(target_endian = "big") { (offset + 4, offset) } else { (offset, offset + 4) };
    let halves = |value: u64| (value as u32, (value >> 32) as u32);
    let (value_low, value_high) = halves(condition.value());
    // Six conditions of at most seven instructions each are far below 255.
    let out = |between: usize| (behind + between) as u8;
    let greater = |code: u16, inverted: bool| {
        // The high halves decide unless they are equal.
        vec![
            plain(op::LOAD, high),
            branch(op::IF_GREATER, value_high, if inverted { out(3) } else { 3 }, 0),
            branch(op::IF_EQUAL, value_high, 0, if inverted { 2 } else { out(2) }),
            plain(op::LOAD, low),
            if inverted { branch(code, value_low, out(0), 0) } else { branch(code, value_low, 0, out(0)) },
        ]
    };
    match condition.op() {
        LinuxSeccompOperator::ScmpCmpEq => vec![
            plain(op::LOAD, high),
            branch(op::IF_EQUAL, value_high, 0, out(2)),
            plain(op::LOAD, low),
            branch(op::IF_EQUAL, value_low, 0, out(0)),
        ],
        LinuxSeccompOperator::ScmpCmpNe => vec![
            plain(op::LOAD, high),
            branch(op::IF_EQUAL, value_high, 0, 2),
            plain(op::LOAD, low),
            branch(op::IF_EQUAL, value_low, out(0), 0),
        ],
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            let (wanted_low, wanted_high) = halves(condition.value_two().unwrap_or(0));
            vec![
                plain(op::LOAD, high),
                plain(op::AND, value_high),
                branch(op::IF_EQUAL, wanted_high, 0, out(3)),
                plain(op::LOAD, low),
                plain(op::AND, value_low),
                branch(op::IF_EQUAL, wanted_low, 0, out(0)),
            ]
        }
        LinuxSeccompOperator::ScmpCmpGt => greater(op::IF_GREATER, false),
        LinuxSeccompOperator::ScmpCmpGe => greater(op::IF_AT_LEAST, false),
        LinuxSeccompOperator::ScmpCmpLe => greater(op::IF_GREATER, true),
        LinuxSeccompOperator::ScmpCmpLt => greater(op::IF_AT_LEAST, true),
    }
}

#[cfg(test)]
mod tests;
