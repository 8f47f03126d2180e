//! What is wrong with a file, as it is found. A reader tells and goes on, so that an author sees all of it at once; the file
//! is valid where nothing was told.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    path::Path,
};

use super::{
    diagnostic::{Diagnostic, Fault, Invalid, Level, Place},
    tree::Node,
};

/// More than these are counted and not shown.
const SHOWN: usize = 20;
/// So many are kept to be put in order. A file with more is none that somebody wrote.
const KEPT: usize = 500;

/// What was told so far.
#[derive(Default)]
pub(super) struct Problems {
    kept: RefCell<Vec<Fault>>,
    /// The cells of a matrix are read one by one, and say the same.
    known: RefCell<HashSet<(Place, String)>>,
    more: Cell<usize>,
    count: Cell<usize>,
}

impl Problems {
    /// Tells one.
    pub(super) fn tell(&self, fault: Fault) {
        self.count.set(self.count.get() + 1);
        if fault.told {
            return;
        }
        if self.is_full() {
            self.more.set(self.more.get() + 1);
        } else if self.known.borrow_mut().insert((fault.at, fault.message.clone())) {
            self.kept.borrow_mut().push(fault);
        }
    }

    /// Tells what came instead of a value.
    pub(super) fn ok<T>(&self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.tell(fault)).ok()
    }

    /// The same, for who has no value without it.
    pub(super) fn told<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        self.ok(result).ok_or_else(Fault::told)
    }

    /// What a list holds, but for items that are wrong.
    pub(super) fn each<T>(&self, nodes: &[Node], mut read: impl FnMut(&Node) -> Result<T, Fault>) -> Vec<T> {
        nodes.iter().filter_map(|node| self.ok(read(node))).collect()
    }

    /// How often something was told: what was read between two equal counts is whole.
    pub(super) fn count(&self) -> usize {
        self.count.get()
    }

    /// Whether the next one would be counted only: what it could have meant need not be looked for.
    pub(super) fn is_full(&self) -> bool {
        self.kept.borrow().len() >= KEPT
    }

    /// All of it, by place, of a file that is not valid.
    pub(super) fn refusal(self, name: &str, path: &Path, text: &str) -> Box<Invalid> {
        let mut kept = self.kept.into_inner();
        kept.sort_by_key(|fault| fault.at);
        let more = kept.len().saturating_sub(SHOWN) + self.more.get();
        kept.truncate(SHOWN);
        if kept.is_empty() {
            kept.push(Fault::new(Place::default(), "no scenario"));
        }
        let problems = kept.into_iter().map(|fault| Diagnostic::new(Level::Error, name, path, text, fault)).collect();
        Box::new(Invalid { scenario: name.to_owned(), path: path.to_owned(), problems, more })
    }
}
