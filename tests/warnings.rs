//! Every file of tests/warnings is valid, and gives the warnings that lie beside it. `CAPLAB_BLESS=1 cargo test --test warnings`
//! writes them.

use std::{fs, path::Path};

use caplab::scenario::{discover, load, read};

#[test]
fn each_doubtful_file_has_its_warnings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/warnings");
    let bless = std::env::var_os("CAPLAB_BLESS").is_some();
    let mut wrong = Vec::new();
    let files = discover::files(&folder).expect("the folder");
    assert!(files.len() >= 12, "only {} files", files.len());
    for (name, file) in files {
        let text = fs::read_to_string(&file).expect("readable");
        let scenario = load(&name, Path::new(&format!("{name}.yaml")), &text)
            .unwrap_or_else(|invalid| panic!("{name} is valid, but for: {invalid}"));
        let said: String = scenario.warnings.iter().map(|warning| format!("{warning}\n")).collect();
        let kept = file.with_extension("txt");
        if bless {
            fs::write(&kept, &said).expect("writable");
        }
        let wanted = fs::read_to_string(&kept).unwrap_or_default();
        if said != wanted {
            wrong.push(format!("{name}\n--- wanted\n{wanted}--- said\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_suite_has_none() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let warnings: Vec<String> = discover::files(&root)
        .expect("scenarios")
        .iter()
        .flat_map(|(name, file)| read(name, file).expect("valid").warnings)
        .map(|warning| warning.to_string())
        .collect();
    assert!(warnings.is_empty(), "{}", warnings.join("\n\n"));
}
