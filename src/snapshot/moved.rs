//! The picture of a scenario whose file has another name now.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::store::title_line;
use crate::scenario::model::Scenario;

/// Name and text of the only snapshot with this scenario's title whose own scenario is no longer there.
pub(super) fn once(root: &Path, scenario: &Scenario) -> Option<(String, String)> {
    // The folder of the scenarios: a name has as many parts as the file lies deep in it.
    let scenarios = scenario.path.ancestors().nth(Path::new(&scenario.name).components().count())?;
    let mut files = Vec::new();
    walk(root, &mut files).ok()?;
    let title = title_line(scenario);
    let is_there = |name: &Path| ["yaml", "yml"].iter().any(|kind| scenarios.join(name).with_extension(kind).is_file());
    let mut found = files.iter().filter_map(|file| {
        let name = file.strip_prefix(root).ok()?;
        let text = (!is_there(name)).then(|| fs::read_to_string(file).ok())??;
        let same = text.lines().take(4).any(|line| line == title);
        same.then(|| (name.with_extension("").to_string_lossy().into_owned(), text))
    });
    found.next().filter(|_| found.next().is_none())
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let (kind, path) = entry.and_then(|entry| Ok((entry.file_type()?, entry.path())))?;
        if kind.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "snap") {
            found.push(path);
        }
    }
    Ok(())
}
