//! The suite that the binary carries: every scenario and its snapshot, as a table.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Writes `OUT_DIR/suite.rs`: `&[(name, yaml, snapshot)]`, by name.
pub(crate) fn write(root: &Path, out: &Path) {
    let (scenarios, snapshots) = (root.join("scenarios"), root.join("snapshots"));
    let mut files = Vec::new();
    for folder in [&scenarios, &snapshots] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    find(&scenarios, &mut files);
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
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}
