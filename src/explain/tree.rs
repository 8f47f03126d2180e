//! Which directories a root has while it is filled: what is missing above a path is made first.

use std::{collections::BTreeSet, path::Path};

use caplab_init::wire::Base;

/// What is known of the root.
pub(super) struct Tree<'a> {
    /// Directories and files that were made.
    made: BTreeSet<String>,
    /// Mounts whose content is the kernel's or the machine's: what is looked for in them is there.
    foreign: Vec<String>,
    is_fixture_directory: Box<dyn Fn(&str) -> bool + 'a>,
}

impl<'a> Tree<'a> {
    /// An empty one; says of a path of the fixture host whether it is a directory.
    pub(super) fn new(is_fixture_directory: impl Fn(&str) -> bool + 'a) -> Self {
        Self { made: BTreeSet::new(), foreign: Vec::new(), is_fixture_directory: Box::new(is_fixture_directory) }
    }

    /// Whether something is at this path.
    pub(super) fn has(&self, path: &str) -> bool {
        path.is_empty()
            || path == "/"
            || self.made.contains(path)
            || self.foreign.iter().any(|mount| is_below(path, mount))
    }

    /// Something is made at this path.
    pub(super) fn make(&mut self, path: &str) {
        self.made.insert(path.to_owned());
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
        self.made.extend(missing.iter().cloned());
        missing
    }

    /// A mount hides what lay below its target.
    pub(super) fn mount(&mut self, target: &str, foreign: bool) {
        self.made.retain(|path| path == target || !is_below(path, target));
        self.foreign.retain(|mount| !is_below(mount, target));
        if foreign {
            self.foreign.push(target.to_owned());
        }
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
