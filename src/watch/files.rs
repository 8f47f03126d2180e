//! The files of folders, and how they differ from what they were.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What was there when one looked last.
#[derive(Debug, Clone, Default)]
pub struct Files(BTreeMap<PathBuf, Stamp>);

/// Another one where somebody has written: a file that is renamed over it is another, and one that is written to has a later time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    seconds: i64,
    nanos: i64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let (seconds, nanos) = (metadata.mtime(), metadata.mtime_nsec());
        Self { inode: metadata.ino(), length: metadata.len(), seconds, nanos }
    }
}

/// How files differ from what they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Those that were made or written to.
    pub saved: Vec<PathBuf>,
    /// Those that are gone.
    pub removed: Vec<PathBuf>,
}

impl Change {
    /// Nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.saved.is_empty() && self.removed.is_empty()
    }
}

impl Files {
    /// Looks at the files below these folders, and says what is otherwise than it was.
    pub fn look(&mut self, folders: &[PathBuf]) -> Change {
        let mut now = BTreeMap::new();
        folders.iter().for_each(|folder| walk(folder, &mut now));
        let saved = now.iter().filter(|(path, stamp)| self.0.get(*path) != Some(stamp)).map(|(path, _)| path.clone());
        let removed = self.0.keys().filter(|path| !now.contains_key(*path)).cloned();
        let change = Change { saved: saved.collect(), removed: removed.collect() };
        self.0 = now;
        change
    }
}

/// Whether an editor keeps something of its own there: a swap file, a backup, a lock; or caplab, a picture to be reviewed.
fn is_beside(name: &str) -> bool {
    let own = [".swp", ".swx", ".tmp", ".bak", ".orig", ".snap.new"];
    name.starts_with(['.', '#']) || name.ends_with(['~', '#']) || own.iter().any(|end| name.ends_with(end))
}

fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, Stamp>) {
    // What cannot be read is as if it were not there.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_beside(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        match fs::metadata(&path) {
            // A link to a folder is none of it: it could lead back.
            Ok(metadata) if metadata.is_dir() && entry.file_type().is_ok_and(|kind| kind.is_dir()) => {
                walk(&path, found)
            }
            Ok(metadata) if metadata.is_file() => drop(found.insert(path, Stamp::of(&metadata))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_saving_is_seen_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (folders, file) = ([folder.path().to_owned()], folder.path().join("one.yaml"));
        let mut files = Files::default();
        let saved = Change { saved: vec![file.clone()], removed: Vec::new() };
        fs::write(&file, "a").expect("written");
        assert_eq!(files.look(&folders), saved);
        assert!(files.look(&folders).is_empty());
        // Into it.
        fs::write(&file, "ab").expect("written");
        assert_eq!(files.look(&folders), saved);
        // Another one renamed over it, of the same length, with a backup and a swap file beside.
        fs::write(folder.path().join(".one.yaml.swp"), "x").expect("written");
        fs::rename(&file, folder.path().join("one.yaml~")).expect("renamed");
        fs::write(folder.path().join("4913.tmp"), "cd").expect("written");
        fs::rename(folder.path().join("4913.tmp"), &file).expect("renamed");
        assert_eq!(files.look(&folders), saved);
        fs::remove_file(&file).expect("removed");
        assert_eq!(files.look(&folders), Change { saved: Vec::new(), removed: vec![file] });
    }
}
