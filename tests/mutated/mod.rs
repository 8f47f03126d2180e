//! Every scenario of the suite with a few bytes changed, the same each time.

use std::{fs, path::Path};

use caplab::scenario::discover;

/// So many of each scenario: its name, its path, the changed text.
pub(crate) fn each(count: usize, mut look: impl FnMut(&str, &Path, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        // xorshift64, Marsaglia 2003.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    let pieces = [
        "{", "}", "[", "]", ": ", "- ", "\n", "  ", "\"", "'", "&a ", "*a", "${cap}", "|\n", "#", "\t", "0", "-1", "é",
        "!x ", "? ", "<<", "~", ",",
    ];
    for (name, path) in discover::files(&root).expect("scenarios") {
        let text: Vec<char> = fs::read_to_string(&path).expect("readable").chars().collect();
        for _ in 0..count {
            let mut changed = text.clone();
            for _ in 0..=random(4) {
                let at = random(changed.len());
                match random(3) {
                    0 if changed.len() > 1 => drop(changed.remove(at)),
                    1 => {
                        let piece = pieces[random(pieces.len())];
                        changed.splice(at..at, piece.chars());
                    }
                    _ => changed.truncate(at.max(1)),
                }
            }
            look(&name, &path, &changed.into_iter().collect::<String>());
        }
    }
}
