use caplab_init::wire::Instruction;
use oci_spec::runtime::LinuxSeccomp;

use super::{AUDIT_I386, AUDIT_NATIVE, X32, compile, op};

/// What the kernel's interpreter would return for a call.
fn returned(program: &[Instruction], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut accumulator = 0u32;
    let mut at = 0;
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |condition: bool| usize::from(if condition { jt } else { jf });
        match code {
            op::LOAD => {
                accumulator = match k {
                    0 => number,
                    4 => architecture,
                    offset => {
                        let argument = arguments[(offset as usize - 16) / 8];
                        if offset % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 }
                    }
                }
            }
            op::AND => accumulator &= k,
            op::JUMP => at += k as usize,
            op::IF_EQUAL => at += jump(accumulator == k),
            op::IF_GREATER => at += jump(accumulator > k),
            op::IF_AT_LEAST => at += jump(accumulator >= k),
            op::RETURN => return k,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn compiled(profile: &str) -> Vec<Instruction> {
    let profile: LinuxSeccomp = serde_json::from_str(profile).expect("a profile");
    compile(&profile).expect("compiled")
}

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const NONE: [u64; 6] = [0; 6];

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_are_decided_by_number_and_architecture() {
    let program = compiled(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [{"names": ["read", "getpid", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
                         {"names": ["getppid"], "action": "SCMP_ACT_KILL_PROCESS"}]}"#,
    );
    let native = |number| returned(&program, AUDIT_NATIVE, number, NONE);
    assert_eq!((native(0), native(1), native(39), native(110)), (ALLOW, EPERM, ALLOW, 0x8000_0000));
    assert_eq!(native(111), ENOSYS, "newer than every call the profile names");
    assert_eq!(native(X32), ALLOW);
    assert_eq!(native(X32 | 1), EPERM);
    let i386 = |number| returned(&program, AUDIT_I386, number, NONE);
    assert_eq!((i386(3), i386(4), i386(20), i386(64), i386(65)), (ALLOW, EPERM, ALLOW, 0x8000_0000, ENOSYS));
    assert_eq!(returned(&program, 0x1234, 0, NONE), 0, "an architecture that the profile does not have");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn where_x32_is_not_asked_for_its_calls_are_killed() {
    let program = compiled(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": ["write"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}"#,
    );
    let native = |number| returned(&program, AUDIT_NATIVE, number, NONE);
    assert_eq!((native(0), native(1), native(5000)), (ALLOW, 0x0005_0005, ALLOW));
    assert_eq!(native(X32), 0);
}

#[test]
fn arguments_are_compared_in_all_their_bits() {
    let big = (1 << 32) + 7;
    for (operator, value, allowed, refused) in [
        ("EQ", big, vec![big], vec![7, 1 << 32, big + 1, big + (1 << 32)]),
        ("NE", big, vec![7, 1 << 32, big + 1], vec![big]),
        ("GT", big, vec![big + 1, 2 << 32], vec![big, 7, u64::from(u32::MAX)]),
        ("GE", big, vec![big, big + 1, 2 << 32], vec![big - 1, 7, 0]),
        ("LT", big, vec![0, 7, big - 1, u64::from(u32::MAX)], vec![big, big + 1, u64::MAX]),
        ("LE", big, vec![0, big - 1, big], vec![big + 1, (1 << 32) + 8, 2 << 32]),
    ] {
        let program = compiled(&format!(
            r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{{"names": ["read"], "action": "SCMP_ACT_ALLOW",
                "args": [{{"index": 2, "value": {value}, "op": "SCMP_CMP_{operator}"}}]}}]}}"#
        ));
        let number = super::native_number("read").expect("a call");
        let with = |argument| returned(&program, AUDIT_NATIVE, number, [9, 9, argument, 9, 9, 9]);
        for argument in allowed {
            assert_eq!(with(argument), ALLOW, "{operator} {argument:#x}");
        }
        for argument in refused {
            assert_eq!(with(argument), EPERM, "{operator} {argument:#x}");
        }
    }
}

#[test]
fn conditions_on_several_arguments_must_all_hold_and_rules_stand_beside_each_other() {
    let program = compiled(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 9, "op": "SCMP_CMP_EQ"}]},
            {"names": ["socket"], "action": "SCMP_ACT_LOG", "args": [
                {"index": 0, "value": 240, "valueTwo": 32, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]}"#,
    );
    let call =
        |name, arguments| returned(&program, AUDIT_NATIVE, super::native_number(name).expect("a call"), arguments);
    assert_eq!(call("socket", [16, 0, 9, 0, 0, 0]), ALLOW);
    assert_eq!(call("socket", [16, 0, 8, 0, 0, 0]), EPERM);
    assert_eq!(call("socket", [32 + 3, 0, 9, 0, 0, 0]), 0x7ffc_0000);
    // Twice the same argument: either.
    assert_eq!((call("read", [1; 6]), call("read", [2; 6]), call("read", [3; 6])), (ALLOW, ALLOW, EPERM));
}
