//! Where scenarios come from.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::embedded;
use crate::{
    scenario::{self, Beside, Invalid, discover, model::Scenario},
    snapshot::Store,
};

/// A scenario, or what is wrong with its file.
pub type Loaded = Result<Scenario, Box<Invalid>>;

/// Where scenarios come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A folder; snapshots lie in `snapshots` beside it.
    Folder(PathBuf),
    /// Those that came with the binary.
    Embedded,
}

impl Source {
    /// `scenarios` in the working directory, else the embedded ones.
    #[must_use]
    pub fn here() -> Self {
        let folder = PathBuf::from("scenarios");
        if folder.is_dir() { Self::Folder(folder) } else { Self::Embedded }
    }

    /// The names of all scenarios.
    ///
    /// # Errors
    /// Those of reading the folder.
    pub fn names(&self) -> io::Result<Vec<String>> {
        match self {
            Self::Folder(root) => Ok(discover::files(root)?.into_iter().map(|(name, _)| name).collect()),
            Self::Embedded => Ok(embedded::FILES.iter().map(|(name, ..)| (*name).to_owned()).collect()),
        }
    }

    /// Reads a scenario by name.
    pub fn load(&self, name: &str) -> Loaded {
        match self {
            Self::Folder(root) => {
                let path = root.join(format!("{name}.yaml"));
                let path = if path.exists() { path } else { root.join(format!("{name}.yml")) };
                scenario::read(name, &path)
            }
            Self::Embedded => {
                let path = PathBuf::from(format!("scenarios/{name}.yaml"));
                let text = embedded::FILES.iter().find(|(known, ..)| *known == name).map_or("", |(_, text, _)| text);
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                scenario::load_with(name, &path, text, Beside::Embedded(&|file| embedded::file(folder, file)))
            }
        }
    }

    /// Where their snapshots lie.
    #[must_use]
    pub fn store(&self) -> Store {
        match self {
            Self::Folder(root) => Store::Folder(beside(root)),
            Self::Embedded => embedded::store(),
        }
    }
}

/// `snapshots` beside a folder of scenarios.
fn beside(scenarios: &Path) -> PathBuf {
    match scenarios.parent() {
        Some(parent) if parent != Path::new("") => parent.join("snapshots"),
        _ => PathBuf::from("snapshots"),
    }
}
