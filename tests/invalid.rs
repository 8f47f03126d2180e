//! Bad scenario files and what their authors are told. `CAPLAB_BLESS=1` writes what is said now; read it then.

use std::{
    fs,
    path::{Path, PathBuf},
};

use caplab::scenario::{load, read};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid")
}

#[test]
fn each_bad_file_is_refused_with_its_message() {
    let bless = std::env::var_os("CAPLAB_BLESS").is_some();
    let mut files: Vec<_> = fs::read_dir(folder()).expect("the folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 45, "only {} bad files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("readable");
        let said = match load(&name, Path::new(&format!("{name}.yaml")), &text) {
            Ok(_) => "accepted\n".to_owned(),
            Err(diagnostic) => format!("{diagnostic}\n"),
        };
        let message = file.with_extension("txt");
        if bless {
            fs::write(&message, &said).expect("writable");
        }
        let wanted = fs::read_to_string(&message).unwrap_or_default();
        if said != wanted || said == "accepted\n" {
            wrong.push(format!("{name}\n--- wanted\n{wanted}--- said\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How long each takes is measured by benches/table.sh.
fn refused(text: &str) -> String {
    load("bad", Path::new("bad.yaml"), text).map(|_| ()).expect_err("refused").to_string()
}

#[test]
fn a_large_file_is_refused() {
    let said = refused(&format!("title: {}\n", "a".repeat(1 << 20)));
    assert!(said.contains("larger than 1 MiB"), "{said}");
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a: ", "- "] {
        let said = refused(&format!("title: {}", open.repeat(100_000)));
        assert!(said.contains("nested deeper") || said.contains("not YAML"), "{said}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
    }
    let said = refused(&text);
    assert!(said.contains("an alias counts as often as it stands"), "{said}");
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.yaml");
    fs::write(&path, b"title: \xff\n").expect("writable");
    let said = read("bad", &path).map(|_| ()).expect_err("refused").to_string();
    assert!(said.contains("not UTF-8"), "{said}");
    let said = read("none", &folder.path().join("none.yaml")).map(|_| ()).expect_err("refused").to_string();
    assert!(said.contains("cannot be read"), "{said}");
}

#[test]
fn a_file_of_comments_is_read_to_its_end() {
    let said = refused(&"#\n".repeat(500_000));
    assert!(said.contains("the file is empty"), "{said}");
}

/// Every scenario of the suite with a few bytes changed, deterministically: whatever comes out, it comes back.
#[test]
fn no_text_is_a_panic() {
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
    for (name, path) in caplab::scenario::discover::files(&root).expect("scenarios") {
        let text: Vec<char> = fs::read_to_string(&path).expect("readable").chars().collect();
        for _ in 0..40 {
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
            let changed: String = changed.into_iter().collect();
            if let Err(diagnostic) = load(&name, &path, &changed) {
                assert!(!diagnostic.to_string().is_empty());
            }
        }
    }
}
