//! The suite that the binary carries: every scenario and its snapshot, as a table.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Writes `OUT_DIR/suite.rs`: `&[(name, yaml, snapshot)]`, by name; and `OUT_DIR/beside.rs`: `&[(path, text)]` of the files that
/// scenarios name.
pub(crate) fn write(root: &Path, out: &Path) {
    let (scenarios, snapshots) = (root.join("scenarios"), root.join("snapshots"));
    let mut files = Vec::new();
    let mut beside = Vec::new();
    for folder in [&scenarios, &snapshots] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    find(&scenarios, "yaml", &mut files);
    find(&scenarios, "json", &mut beside);
    // By name, not by path: `a-b.yaml` comes before `a.yaml`, and `a` before `a-b`.
    let name = |file: &PathBuf| file.strip_prefix(&scenarios).expect("found below it").with_extension("");
    files.sort_by_key(|file| name(file).display().to_string());
    let mut table = String::from("&[\n");
    for file in files {
        let name = name(&file);
        let snapshot = snapshots.join(&name).with_extension("snap");
        let snapshot = if snapshot.exists() { format!("Some(include_str!({snapshot:?}))") } else { "None".to_owned() };
        writeln!(table, "    ({:?}, include_str!({file:?}), {snapshot}),", name.display().to_string())
            .expect("a string can be written to");
    }
    table.push(']');
    fs::write(out.join("suite.rs"), table).expect("OUT_DIR can be written to");
    beside.sort();
    let mut table = String::from("&[\n");
    for file in beside {
        let path = file.strip_prefix(&scenarios).expect("found below it").display().to_string();
        writeln!(table, "    ({path:?}, include_str!({file:?})),").expect("a string can be written to");
    }
    table.push(']');
    fs::write(out.join("beside.rs"), table).expect("OUT_DIR can be written to");
}

fn find(folder: &Path, kind: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, kind, files);
        } else if path.extension().is_some_and(|extension| extension == kind) {
            files.push(path);
        }
    }
}
