//! The device list, `linux.resources.devices`, as the program that the kernel asks before a device is made or opened.
//!
//! It is the same program on every machine: the kernel asks those of cgroup v2 also where the v1 controller is used for
//! everything else (`devcgroup_check_permission`, then BPF_CGROUP_RUN_PROG_DEVICE_CGROUP).

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use super::EngineError;

/// What runc allows to every container whatever its list says: runc 1.1, libcontainer/specconv/spec_linux.go `AllowedDevices`.
const ALLOWED: [Rule; 11] = [
    Rule::allow(Kind::Character, None, None, MAKE),
    Rule::allow(Kind::Block, None, None, MAKE),
    Rule::allow(Kind::Character, Some(1), Some(3), ALL),
    Rule::allow(Kind::Character, Some(1), Some(8), ALL),
    Rule::allow(Kind::Character, Some(1), Some(7), ALL),
    Rule::allow(Kind::Character, Some(5), Some(0), ALL),
    Rule::allow(Kind::Character, Some(1), Some(5), ALL),
    Rule::allow(Kind::Character, Some(1), Some(9), ALL),
    // Terminals of the container's own devpts, its /dev/ptmx, and /dev/net/tun.
    Rule::allow(Kind::Character, Some(136), None, ALL),
    Rule::allow(Kind::Character, Some(5), Some(2), ALL),
    Rule::allow(Kind::Character, Some(10), Some(200), ALL),
];

/// `BPF_DEVCG_ACC_*`, linux/bpf.h.
const MAKE: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;
const ALL: u32 = MAKE | READ | WRITE;

/// `BPF_DEVCG_DEV_*`, linux/bpf.h.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block = 1,
    Character = 2,
}

/// One line of a list; `None` is every one.
#[derive(Clone, Copy)]
struct Rule {
    allow: bool,
    kind: Option<Kind>,
    major: Option<u32>,
    minor: Option<u32>,
    access: u32,
}

impl Rule {
    const fn allow(kind: Kind, major: Option<u32>, minor: Option<u32>, access: u32) -> Self {
        Self { allow: true, kind: Some(kind), major, minor, access }
    }

    fn read(rule: &LinuxDeviceCgroup) -> Result<Self, EngineError> {
        // The runtime-spec has -1 for every number beside leaving it out.
        let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        let mut access = 0;
        for letter in rule.access().as_deref().unwrap_or("rwm").chars() {
            access |= match letter {
                'r' => READ,
                'w' => WRITE,
                'm' => MAKE,
                other => return Err(EngineError(format!("the device list asks for the access `{other}`"))),
            };
        }
        Ok(Self {
            allow: rule.allow(),
            kind: match rule.typ() {
                None | Some(LinuxDeviceType::A) => None,
                Some(LinuxDeviceType::B) => Some(Kind::Block),
                Some(LinuxDeviceType::C | LinuxDeviceType::U) => Some(Kind::Character),
                Some(LinuxDeviceType::P) => return Err(EngineError("the device list names a FIFO".to_owned())),
            },
            major: number(rule.major()),
            minor: number(rule.minor()),
            access,
        })
    }

    /// Everything.
    fn is_all(&self) -> bool {
        self.kind.is_none() && self.major.is_none() && self.minor.is_none() && self.access == ALL
    }
}

/// The program for a list; `None` where everything is allowed.
///
/// # Errors
/// A line that means nothing.
pub(super) fn compile(list: &[LinuxDeviceCgroup]) -> Result<Option<Vec<u64>>, EngineError> {
    let mut rules = list.iter().map(Rule::read).collect::<Result<Vec<_>, _>>()?;
    rules.extend(ALLOWED);
    // The last line about a device decides: from the end on, the first. A line about everything ends the list.
    rules.reverse();
    let end = rules.iter().position(Rule::is_all);
    let otherwise = end.is_some_and(|end| rules[end].allow);
    rules.truncate(end.unwrap_or(rules.len()));
    if otherwise && rules.iter().all(|rule| rule.allow) {
        return Ok(None);
    }
    let mut program = PROLOGUE.to_vec();
    for rule in &rules {
        program.extend(test(rule));
    }
    program.extend([bpf::set(0, otherwise.into()), bpf::EXIT]);
    Ok(Some(program))
}

/// struct bpf_cgroup_dev_ctx into registers: 2 the kind, 3 the access, 4 the major, 5 the minor number.
const PROLOGUE: [u64; 6] = [
    bpf::load(2, 1, 0),
    bpf::and(2, 0xffff),
    bpf::load(3, 1, 0),
    bpf::shift_right(3, 16),
    bpf::load(4, 1, 4),
    bpf::load(5, 1, 8),
];

fn test(rule: &Rule) -> Vec<u64> {
    // What is returned where the rule is about the request, behind what jumps over it.
    let mut code = vec![bpf::set(0, rule.allow.into()), bpf::EXIT];
    let mut before = |instructions: &[u64]| {
        let mut longer = instructions.to_vec();
        longer.append(&mut code);
        code = longer;
        code.len() as u16
    };
    let mut length = 2;
    if rule.allow {
        // All that is asked for must be in the line.
        if rule.access != ALL {
            length = before(&[bpf::copy(1, 3), bpf::and(1, ALL & !rule.access), bpf::unless_equal(1, 0, length)]);
        }
    } else {
        // Any of it is enough.
        length = before(&[bpf::copy(1, 3), bpf::and(1, rule.access), bpf::if_equal(1, 0, length)]);
    }
    let fields = [(5, rule.minor), (4, rule.major), (2, rule.kind.map(|kind| kind as u32))];
    for (register, value) in fields {
        if let Some(value) = value {
            length = before(&[bpf::unless_equal(register, value, length)]);
        }
    }
    code
}

/// Instructions of eBPF: struct bpf_insn, linux/bpf.h, as one little-endian word.
mod bpf {
    const fn word(code: u8, to: u8, from: u8, offset: u16, value: u32) -> u64 {
        code as u64 | ((from << 4 | to) as u64) << 8 | (offset as u64) << 16 | (value as u64) << 32
    }

    /// 32 bits of memory.
    pub(super) const fn load(to: u8, from: u8, offset: u16) -> u64 {
        word(0x61, to, from, offset, 0)
    }

    pub(super) const fn set(register: u8, value: u32) -> u64 {
        word(0xb4, register, 0, 0, value)
    }

    pub(super) const fn copy(to: u8, from: u8) -> u64 {
        word(0xbc, to, from, 0, 0)
    }

    pub(super) const fn and(register: u8, value: u32) -> u64 {
        word(0x54, register, 0, 0, value)
    }

    pub(super) const fn shift_right(register: u8, bits: u32) -> u64 {
        word(0x74, register, 0, 0, bits)
    }

    /// Jumps over as many instructions.
    pub(super) const fn unless_equal(register: u8, value: u32, over: u16) -> u64 {
        word(0x56, register, 0, over, value)
    }

    /// Jumps over as many instructions.
    pub(super) const fn if_equal(register: u8, value: u32, over: u16) -> u64 {
        word(0x16, register, 0, over, value)
    }

    pub(super) const EXIT: u64 = 0x95;
}

#[cfg(test)]
mod tests;
