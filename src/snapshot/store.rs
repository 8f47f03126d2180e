//! Where snapshots lie: `snapshots/<area>/<name>.snap` in insta's format, one section a case.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use similar::TextDiff;

use super::{former::Former, moved, weaker::weaker};
use crate::scenario::model::Scenario;

/// The snapshots of a suite.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder.
    Folder(PathBuf),
    /// Those that came with the binary: a scenario's file by its name.
    Embedded(fn(&str) -> Option<&'static str>),
}

/// How a case's picture and the reviewed one differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Not at all.
    Same,
    /// There is no reviewed one.
    Missing,
    /// In these lines: a unified diff, the reviewed one first.
    Different(String),
}

/// A snapshot that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The new picture shows less protection.
    #[error("the new picture of {scenario} shows less protection:\n{}\nif that is what you mean: --accept-weaker", points.join("\n"))]
    Weaker {
        /// The scenario, and what it was once.
        scenario: String,
        /// Each point.
        points: Vec<String>,
    },
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Snapshots that came with the binary.
    #[error("the suite that came with the binary cannot be updated; run where scenarios/ is")]
    Embedded,
}

/// A section: the case's name and its picture.
pub type Section = (Option<String>, String);

impl Store {
    /// Compares one case. `cases` are the names of all cases of the scenario.
    #[must_use]
    pub fn compare(&self, scenario: &str, case: Option<&str>, section: &str, cases: &[Option<String>]) -> Comparison {
        let Some(reviewed) = self.sections(scenario) else { return Comparison::Missing };
        let Some((_, old)) = reviewed.iter().find(|(name, _)| name.as_deref() == case) else {
            return Comparison::Missing;
        };
        if old != section {
            return Comparison::Different(diff(old, section));
        }
        // One case speaks for what is left over of a former matrix.
        let first = cases.first().map(Option::as_deref) == Some(case);
        if !first {
            return Comparison::Same;
        }
        let former = Former::among(&reviewed, cases.iter().map(Option::as_deref));
        // One that is awaited is no mistake of this case: that the other one has no picture is told where it is run.
        let stale = former.sections.iter().filter(|old| !former.is_awaited(old, &reviewed));
        let names: Vec<_> = stale.map(|(name, _)| format!("-case {}", name.as_deref().unwrap_or("(none)"))).collect();
        if names.is_empty() {
            return Comparison::Same;
        }
        Comparison::Different(format!("cases that the scenario no longer has:\n{}\n", names.join("\n")))
    }

    /// Writes a case's picture into `.snap.new`, beside the reviewed one, for `cargo insta review`.
    ///
    /// # Errors
    /// Those of the file system; where the snapshots came with the binary.
    pub fn propose(&self, scenario: &Scenario, case: Option<&str>, section: &str) -> Result<(), SnapshotError> {
        let Self::Folder(root) = self else { return Err(SnapshotError::Embedded) };
        let reviewed = file(root, &scenario.name);
        let proposed = reviewed.with_extension("snap.new");
        let parent = reviewed.parent().unwrap_or(root);
        let failed = |error| SnapshotError::Io { path: proposed.clone(), error };
        fs::create_dir_all(parent).map_err(failed)?;
        // nextest runs each case in a process of its own, and all write into one file.
        let lock = File::open(parent).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let known = [&proposed, &reviewed].into_iter().find_map(|path| fs::read_to_string(path).ok());
        let mut sections = known.as_deref().map(split).unwrap_or_default();
        replace(&mut sections, case, section);
        write(&proposed, &join(scenario, &sections)).map_err(failed)
    }

    /// Makes these pictures the reviewed ones; cases that are not among them keep theirs, and those of a former matrix until there
    /// are pictures of all that they became. True where that changed anything.
    ///
    /// # Errors
    /// A picture that shows less protection and a case that is gone, unless `accept_weaker`; those of the file system.
    pub fn update(&self, scenario: &Scenario, new: &[Section], accept_weaker: bool) -> Result<bool, SnapshotError> {
        let Self::Folder(root) = self else { return Err(SnapshotError::Embedded) };
        let path = file(root, &scenario.name);
        let failed = |error| SnapshotError::Io { path: path.clone(), error };
        // One that is there and cannot be read may say more than the new one.
        let before = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        // One that was under another name is no new one.
        let once = if before.is_none() { moved::once(root, scenario) } else { None };
        let reviewed = before.as_deref().or(once.as_ref().map(|(_, text)| text.as_str()));
        let mut sections = reviewed.map(split).unwrap_or_default();
        let points = lost(scenario, &sections, new);
        if !points.is_empty() && !accept_weaker {
            let once = once.map(|(name, _)| format!(", once {name},")).unwrap_or_default();
            return Err(SnapshotError::Weaker { scenario: format!("{}{once}", scenario.name), points });
        }
        for (case, section) in new {
            replace(&mut sections, case.as_deref(), section);
        }
        let text = join(scenario, &sections);
        if before.as_deref() == Some(&text) {
            return Ok(false);
        }
        fs::create_dir_all(path.parent().unwrap_or(root)).map_err(failed)?;
        write(&path, &text).map_err(failed)?;
        // What was proposed is now accepted or outdated; that it was not there is as well.
        fs::remove_file(path.with_extension("snap.new")).ok();
        Ok(true)
    }

    fn sections(&self, scenario: &str) -> Option<Vec<Section>> {
        match self {
            Self::Folder(root) => fs::read_to_string(file(root, scenario)).ok().as_deref().map(split),
            Self::Embedded(find) => find(scenario).map(split),
        }
    }
}

/// Each point in which these show less than the kept ones, and each case that is gone.
fn lost(scenario: &Scenario, kept: &[Section], new: &[Section]) -> Vec<String> {
    let former = Former::among(kept, names(scenario));
    let own = |case: &Option<String>| kept.iter().find(|(name, _)| name == case);
    let said = |case: Option<&str>| case.unwrap_or("without a matrix").to_owned();
    let mut points = Vec::new();
    for (case, section) in new {
        let mut compare = |old: &str, which: Option<String>| {
            let which = which.map(|which| format!("[{which}] ")).unwrap_or_default();
            points.extend(weaker(old, section).into_iter().map(|point| format!("  {which}{point}")));
        };
        if let Some((_, old)) = own(case) {
            compare(old, case.clone());
            continue;
        }
        for (was, old) in former.of(case.as_deref()) {
            let was = was.as_ref().map(|was| format!("{was}, ")).unwrap_or_default();
            compare(old, Some(format!("{was}now {}", said(case.as_deref()))));
        }
    }
    for old in former.sections.iter().filter(|old| former.became(old).next().is_none()) {
        let another = |(case, section): &Section| own(case).is_none() && *section == old.1;
        if !new.iter().any(another) {
            points.push(format!("  [{}] the case is gone", said(old.0.as_deref())));
        }
    }
    points
}

fn names(scenario: &Scenario) -> impl Iterator<Item = Option<&str>> + Clone {
    scenario.cases.iter().map(|case| case.name.as_deref())
}

fn file(root: &Path, scenario: &str) -> PathBuf {
    root.join(format!("{scenario}.snap"))
}

/// A unified diff, the reviewed picture first.
fn diff(old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().context_radius(2).header("reviewed", "now").to_string()
}

fn replace(sections: &mut Vec<Section>, case: Option<&str>, section: &str) {
    match sections.iter_mut().find(|(name, _)| name.as_deref() == case) {
        Some(known) => known.1 = section.to_owned(),
        None => sections.push((case.map(str::to_owned), section.to_owned())),
    }
}

/// The sections of a file, its header left away.
fn split(file: &str) -> Vec<Section> {
    let body = file.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or(file, |(_, body)| body);
    let mut sections: Vec<Section> = Vec::new();
    for line in body.lines() {
        if let Some(case) = line.strip_prefix("case ") {
            sections.push((Some(case.to_owned()), String::new()));
        } else {
            if sections.is_empty() {
                sections.push((None, String::new()));
            }
            if let Some((_, text)) = sections.last_mut() {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    sections
}

/// A file: insta's header, then the sections in the scenario's order; of cases it no longer has those that are awaited, first: one
/// without a name has no other place.
fn join(scenario: &Scenario, sections: &[Section]) -> String {
    let mut text = format!("---\nsource: scenarios/{}.yaml\n{}\n---\n", scenario.name, title_line(scenario));
    let former = Former::among(sections, names(scenario));
    let awaited = former.sections.iter().copied().filter(|old| former.is_awaited(old, sections));
    let known = names(scenario).filter_map(|case| sections.iter().find(|(name, _)| name.as_deref() == case));
    for (name, section) in awaited.chain(known) {
        if let Some(name) = name {
            text.push_str(&format!("case {name}\n"));
        }
        text.push_str(section);
    }
    text
}

/// What a file's header says of the scenario's title.
pub(super) fn title_line(scenario: &Scenario) -> String {
    let title = scenario.title.replace('\\', "\\\\").replace('"', "\\\"");
    format!("expression: \"{title}\"")
}

/// All or nothing, whoever reads meanwhile.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
