//! Bad scenario files and what their authors are told. `CAPLAB_BLESS=1` writes what is said now; read it then.

mod mutated;

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
    assert!(files.len() >= 120, "only {} bad files", files.len());
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

const GOOD: &str = "title: A\ncontainer: {preset: docker}\nsteps:\n  - {probe: mount, expect: {denied: EPERM}}\n";

#[test]
fn a_file_of_mistakes_shows_some_and_counts_the_rest() {
    let keys: String = (0..20_000).map(|number| format!("expectation{number}: 1\n")).collect();
    let wrong = load("bad", Path::new("bad.yaml"), &format!("{GOOD}{keys}")).map(|_| ()).expect_err("refused");
    assert_eq!((wrong.problems.len(), wrong.more), (20, 19_980));
    assert!(wrong.to_string().ends_with("bad.yaml: and 19980 more"), "{wrong}");
}

#[test]
fn what_is_long_is_shown_in_short() {
    let said = refused(&GOOD.replace("docker", &"a".repeat(1 << 19)));
    assert!(said.len() < 1000 && said.contains("no preset `aaaa"), "{} bytes", said.len());
}

#[test]
fn a_matrix_that_makes_a_large_file_is_refused() {
    let values = (0..31).map(|value| value.to_string()).collect::<Vec<_>>().join(", ");
    let steps = "  - {probe: {setuid: \"${a}\"}, as: \"${b}\", expect: {denied: EPERM}}\n".repeat(30);
    let text = format!("title: A\nmatrix: {{a: [{values}], b: [{values}]}}\ncontainer: {{}}\nsteps:\n{steps}");
    let said = refused(&text);
    assert!(said.contains("961 cells of") && said.contains("at most 100000 in all cells"), "{said}");
}

/// What the matrix itself holds is in none of its cells.
#[test]
fn a_thousand_small_cells_are_read() {
    let values = (0..1000).map(|value| value.to_string()).collect::<Vec<_>>().join(", ");
    let steps = "steps:\n  - {probe: {setuid: \"${n}\"}, expect: allowed}\n";
    let text = format!("title: A\nmatrix: {{n: [{values}]}}\ncontainer: {{}}\n{steps}");
    assert_eq!(load("good", Path::new("good.yaml"), &text).expect("valid").cases.len(), 1000);
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

#[test]
fn no_text_is_a_panic() {
    mutated::each(40, |name, path, text| {
        if let Err(invalid) = load(name, path, text) {
            assert!(!invalid.to_string().is_empty());
        }
    });
}
