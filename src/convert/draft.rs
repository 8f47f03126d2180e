//! Containers on their way from one dialect to another.

use std::path::PathBuf;

use crate::scenario::plain::Plain;

/// Containers that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Where they come from, in a line: the command line, the file's name.
    pub source: String,
    /// Where files that it names are looked for; empty is the working directory.
    pub folder: PathBuf,
    /// The claim, where somebody made one.
    pub title: Option<String>,
    /// In the order written; never empty.
    pub parts: Vec<Part>,
    /// What could not be said and is about all of them.
    pub notes: Vec<String>,
}

/// One container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it is made from; no key of a scenario is a registry's image.
    pub image: Option<String>,
    /// In the words of the format.
    pub keys: Keys,
    /// A command that is tried in it and ends, in contrast to its own, which stays.
    pub tried: Option<Vec<String>>,
    /// What could not be said, a line each.
    pub notes: Vec<String>,
    /// Facts in the words of `inspect` that what was read does not decide: none is asserted. `uid` takes those with it that depend on it.
    pub unknown: Vec<&'static str>,
}

/// Keys of a container and their values, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(pub Vec<(String, Plain)>);

impl Keys {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Plain> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Sets a key; what it had is gone, as with a flag that is given twice.
    pub fn set(&mut self, key: &str, value: Plain) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => *known = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Takes a key away.
    pub fn take(&mut self, key: &str) -> Option<Plain> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(at).1)
    }

    /// One more item of a list.
    pub fn add(&mut self, key: &str, item: Plain) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, Plain::List(items))) => items.push(item),
            _ => self.set(key, Plain::List(vec![item])),
        }
    }

    /// One more entry of a map; the last one of a name counts.
    pub fn enter(&mut self, key: &str, name: &str, value: Plain) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, Plain::Map(entries))) => {
                entries.retain(|(known, _)| known != name);
                entries.push((name.to_owned(), value));
            }
            _ => self.set(key, Plain::Map(vec![(name.to_owned(), value)])),
        }
    }

    /// Whether it is true.
    #[must_use]
    pub fn is(&self, key: &str) -> bool {
        self.get(key).and_then(Plain::scalar) == Some("true")
    }

    /// A scalar's text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Plain::scalar)
    }

    /// The items of a list; a scalar is a list of one.
    #[must_use]
    pub fn items(&self, key: &str) -> &[Plain] {
        self.get(key).map_or(&[], Plain::items)
    }
}

/// Names and values of a map, or of a list of `NAME=value`.
#[must_use]
pub(in crate::convert) fn pairs(value: &Plain) -> Vec<(String, String)> {
    let of_map = value.entries().iter().map(|(name, value)| (name.clone(), value.scalar().unwrap_or("").to_owned()));
    let of_list = value.items().iter().filter_map(Plain::scalar).map(|item| match item.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (item.to_owned(), String::new()),
    });
    of_map.chain(of_list).collect()
}

/// The argv of a `command`: a list, or words.
#[must_use]
pub(in crate::convert) fn argv(value: &Plain) -> Vec<String> {
    match value {
        Plain::List(items) => items.iter().filter_map(Plain::scalar).map(str::to_owned).collect(),
        value => {
            let text = value.scalar().unwrap_or_default();
            shlex::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
        }
    }
}

/// A list of texts.
pub(in crate::convert) fn texts(items: impl IntoIterator<Item = impl Into<String>>) -> Plain {
    Plain::List(items.into_iter().map(|item| Plain::text(item)).collect())
}
