//! Which directories a root has while it is filled: what is missing above a path is made first.

use std::{collections::BTreeMap, path::Path};

use caplab_init::wire::Base;

/// What was made at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// A directory of this mode.
    Directory(u32),
    /// A file of this mode and so many bytes.
    File(u32, usize),
    /// A link, and what it says.
    Link(String),
    /// Something of an image, or what is mounted there: nobody here says what it holds.
    Unknown,
}

/// What is known of the root.
pub(super) struct Tree<'a> {
    /// What was made, by its path.
    made: BTreeMap<String, Made>,
    /// Mounts whose content is the kernel's or the machine's: what is looked for in them is there.
    foreign: Vec<String>,
    is_fixture_directory: Box<dyn Fn(&str) -> bool + 'a>,
}

impl<'a> Tree<'a> {
    /// An empty one; says of a path of the fixture host whether it is a directory.
    pub(super) fn new(is_fixture_directory: impl Fn(&str) -> bool + 'a) -> Self {
        Self { made: BTreeMap::new(), foreign: Vec::new(), is_fixture_directory: Box::new(is_fixture_directory) }
    }

    /// Whether something is at this path.
    pub(super) fn has(&self, path: &str) -> bool {
        path.is_empty()
            || path == "/"
            || self.made.contains_key(path)
            || self.foreign.iter().any(|mount| is_below(path, mount))
    }

    /// Something is made at this path.
    pub(super) fn make(&mut self, path: &str, what: Made) {
        self.made.insert(path.to_owned(), what);
    }

    /// The directories that are missing, outermost first, up to this path itself; from now on they are there.
    pub(super) fn missing(&mut self, path: &str) -> Vec<String> {
        let mut missing = Vec::new();
        let mut at = path.trim_end_matches('/');
        while !self.has(at) {
            missing.push(at.to_owned());
            at = above(at);
        }
        missing.reverse();
        self.made.extend(missing.iter().map(|path| (path.clone(), Made::Directory(0o755))));
        missing
    }

    /// A mount hides what lay below its target.
    pub(super) fn mount(&mut self, target: &str, foreign: bool) {
        self.made.retain(|path, _| path == target || !is_below(path, target));
        self.foreign.retain(|mount| !is_below(mount, target));
        if foreign {
            self.foreign.push(target.to_owned());
        }
    }

    /// What lies below a directory, each by its path from there, in the order in which it is copied; `None` where not all of it is known.
    pub(super) fn below(&self, directory: &str) -> Option<Vec<(&str, &Made)>> {
        let inside = |path: &'_ str| path.len() > directory.len() && is_below(path, directory);
        let is_foreign = self.foreign.iter().any(|mount| is_below(directory, mount) || inside(mount));
        let mut found: Vec<(&str, &Made)> = self
            .made
            .iter()
            .filter(|(path, _)| inside(path))
            .map(|(path, what)| (path[directory.len()..].trim_start_matches('/'), what))
            .collect();
        if is_foreign || found.iter().any(|(_, what)| **what == Made::Unknown) {
            return None;
        }
        found.sort_by(|(one, _), (other, _)| one.split('/').cmp(other.split('/')));
        Some(found)
    }

    /// Whether a bind's source is a directory.
    pub(super) fn is_directory(&self, from: Base, path: &str) -> bool {
        match from {
            Base::Fixture | Base::Peer => (self.is_fixture_directory)(path),
            Base::SharedMemory => true,
            Base::Host => Path::new(path).is_dir(),
            // What is bound of it are files of its own.
            Base::Own => false,
        }
    }
}

/// `/a` of `/a/b`, nothing of `/a`.
pub(super) fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

fn is_below(path: &str, mount: &str) -> bool {
    path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
