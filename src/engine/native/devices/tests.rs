use oci_spec::runtime::LinuxDeviceCgroup;

use super::{ALL, Kind, MAKE, READ, WRITE, compile};

/// What the kernel's interpreter would return for a request.
fn allowed(program: &[u64], kind: Kind, major: u32, minor: u32, access: u32) -> bool {
    let context = [kind as u32 | access << 16, major, minor];
    let mut registers = [0u32; 11];
    let mut at = 0;
    loop {
        let word = program[at];
        at += 1;
        let (to, from) = ((word >> 8 & 0xf) as usize, (word >> 12 & 0xf) as usize);
        let (offset, value) = ((word >> 16 & 0xffff) as usize, (word >> 32) as u32);
        match word & 0xff {
            0x61 => registers[to] = context[offset / 4],
            0xb4 => registers[to] = value,
            0xbc => registers[to] = registers[from],
            0x54 => registers[to] &= value,
            0x74 => registers[to] >>= value,
            0x56 => at += if registers[to] != value { offset } else { 0 },
            0x16 => at += if registers[to] == value { offset } else { 0 },
            0x95 => return registers[0] != 0,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn compiled(list: &str) -> Option<Vec<u64>> {
    let list: Vec<LinuxDeviceCgroup> = serde_json::from_str(list).expect("a list");
    compile(&list).expect("compiled")
}

#[test]
fn a_list_that_begins_with_nothing_allows_what_it_names() {
    let program = compiled(
        r#"[{"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]"#,
    )
    .expect("a program");
    let asked = |kind, major, minor, access| allowed(&program, kind, major, minor, access);
    assert!(asked(Kind::Character, 10, 229, READ));
    assert!(!asked(Kind::Character, 10, 229, READ | WRITE), "all that is asked for must be allowed");
    assert!(!asked(Kind::Block, 10, 229, READ));
    assert!(!asked(Kind::Character, 10, 228, READ) && !asked(Kind::Character, 11, 229, READ));
    // The runtime's own: any node may be made, few be opened.
    assert!(asked(Kind::Block, 8, 0, MAKE) && !asked(Kind::Block, 8, 0, MAKE | READ));
    assert!(asked(Kind::Character, 1, 3, ALL) && asked(Kind::Character, 136, 7, ALL));
    assert!(!asked(Kind::Character, 1, 1, READ));
}

#[test]
fn the_last_line_about_a_device_decides() {
    let program = compiled(
        r#"[{"allow": true, "access": "rwm"},
            {"allow": false, "type": "b", "access": "w"},
            {"allow": true, "type": "b", "major": 7, "access": "rwm"}]"#,
    )
    .expect("a program");
    let asked = |kind, major, minor, access| allowed(&program, kind, major, minor, access);
    assert!(asked(Kind::Block, 8, 1, READ) && !asked(Kind::Block, 8, 1, READ | WRITE));
    assert!(asked(Kind::Block, 7, 1, ALL) && asked(Kind::Character, 1, 1, ALL));
}

#[test]
fn where_everything_is_allowed_there_is_no_program() {
    assert_eq!(compiled(r#"[{"allow": false, "access": "rwm"}, {"allow": true, "access": "rwm"}]"#), None);
}

#[test]
fn a_line_that_means_nothing_is_refused() {
    let list: Vec<LinuxDeviceCgroup> = serde_json::from_str(r#"[{"allow": true, "access": "x"}]"#).expect("a list");
    assert!(compile(&list).is_err());
}
