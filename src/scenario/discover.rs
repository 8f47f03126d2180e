//! Scenario files of a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Every scenario below a folder, by name: its path below the folder without `.yaml`.
///
/// # Errors
/// Those of reading a directory.
pub fn files(root: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    walk(root, root, &mut found)?;
    found.sort();
    Ok(found)
}

/// The name of a scenario file below a folder; its stem where it does not lie below it.
#[must_use]
pub fn name(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or_else(|_| Path::new(path.file_name().unwrap_or(path.as_os_str())));
    below.with_extension("").to_string_lossy().into_owned()
}

fn walk(root: &Path, dir: &Path, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push((name(root, &path), path));
        }
    }
    Ok(())
}
