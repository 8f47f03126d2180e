//! A map with known keys.

use crate::{
    scenario::{
        diagnostic::{Fault, Place},
        format::Map,
        problems::Problems,
        tree::{Key, Node, Value},
    },
    text::nearest,
};

/// A map whose keys were checked.
pub(in crate::scenario) struct Fields<'a> {
    at: Place,
    what: &'static str,
    /// Its table; none where any key may be there.
    map: Option<&'static Map>,
    entries: &'a [(Key, Node)],
    /// Keys that are not known, by the one that was meant: the author knows what he wants there.
    meant: Vec<(&'static str, &'a Key)>,
    /// There are keys that could stand for any other.
    puzzling: bool,
    pub(in crate::scenario) problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// A map that has only the keys of its table.
    pub(in crate::scenario) fn of(node: &'a Node, map: &'static Map, problems: &'a Problems) -> Result<Self, Fault> {
        let mut fields = Self::any(node, map.what, problems)?;
        fields.map = Some(map);
        for (key, _) in fields.entries {
            if map.has(&key.text) {
                continue;
            }
            if map.planned.contains(&key.text.as_str()) {
                problems.tell(
                    Fault::new(key.at, format!("`{}` is not supported yet", key.text))
                        .help("it would be ignored, and the scenario would claim what was not tested: leave it away"),
                );
                continue;
            }
            if problems.is_full() {
                problems.tell(Fault::new(key.at, ""));
                continue;
            }
            if let Some((_, instead)) = map.elsewhere.iter().find(|(name, _)| *name == key.text) {
                let message = format!("{} has no key `{}`", map.what, key.text);
                problems.tell(Fault::new(key.at, message).help(*instead));
                continue;
            }
            match nearest(&key.text, map.names()).filter(|meant| fields.key(meant).is_none()) {
                Some(meant) => fields.meant.push((meant, key)),
                None => fields.puzzling = true,
            }
            problems.tell(unknown(key, map));
        }
        Ok(fields)
    }

    /// A map with whatever keys.
    pub(in crate::scenario) fn any(node: &'a Node, what: &'static str, problems: &'a Problems) -> Result<Self, Fault> {
        match &node.value {
            Value::Map(entries) => {
                Ok(Self { at: node.at, what, map: None, entries, meant: Vec::new(), puzzling: false, problems })
            }
            Value::Broken => Err(Fault::told()),
            _ => Err(Fault::new(node.at, format!("{what} must be a map, this is {}", node.kind()))
                .help("`{key: value}`, or a `key: value` in each line, further in than what it belongs to")),
        }
    }

    /// The value of a key, also where it is misspelled: that was told, and what it holds is wrong or right all the same.
    pub(in crate::scenario) fn get(&self, key: &str) -> Option<&'a Node> {
        debug_assert!(self.map.is_none_or(|map| map.has(key)), "{} has no key {key} in its table", self.what);
        let written = self.key(key)?;
        self.entries.iter().find(|(entry, _)| std::ptr::eq(entry, written)).map(|(_, node)| node)
    }

    /// What a reader makes of the value of a key, where it is there. What is wrong with it is told.
    pub(in crate::scenario) fn read<T>(&self, key: &str, read: impl FnOnce(&'a Node) -> Result<T, Fault>) -> Option<T> {
        self.get(key).and_then(|node| self.problems.ok(read(node)))
    }

    /// The same of a key that must be there; that it is not is told too.
    pub(in crate::scenario) fn need<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a Node) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.problems.told(self.required(key).and_then(read))
    }

    /// What a reader makes of each item of a list.
    pub(in crate::scenario) fn each<T>(&self, key: &str, read: impl FnMut(&Node) -> Result<T, Fault>) -> Vec<T> {
        self.read(key, super::list).map(|nodes| self.problems.each(nodes, read)).unwrap_or_default()
    }

    /// What is in the map that a key has.
    pub(in crate::scenario) fn entries(&self, key: &'static str) -> &'a [(Key, Node)] {
        self.read(key, |node| Fields::any(node, key, self.problems)).map(|fields| fields.all()).unwrap_or_default()
    }

    /// The value of a key that must be there.
    pub(in crate::scenario) fn required(&self, key: &str) -> Result<&'a Node, Fault> {
        self.get(key).ok_or_else(|| {
            // One of them may be this one.
            if self.puzzling {
                return Fault::told();
            }
            let at = Place { width: 1, ..self.at };
            let fault = Fault::new(at, format!("{} has no `{key}`", self.what));
            let known = self.map.and_then(|map| map.keys.iter().find(|known| known.name == key));
            match known.and_then(|known| known.examples.first()) {
                Some(example) => fault.help(format!("`{key}: {example}`")),
                None => fault,
            }
        })
    }

    /// The key itself, for a message about it.
    pub(in crate::scenario) fn key(&self, key: &str) -> Option<&'a Key> {
        let written = self.entries.iter().map(|(entry, _)| entry).find(|entry| entry.text == key);
        written.or_else(|| self.meant.iter().find(|(meant, _)| *meant == key).map(|(_, entry)| *entry))
    }

    /// Whether a key is not known, and none is near it.
    pub(in crate::scenario) fn is_puzzling(&self) -> bool {
        self.puzzling
    }

    /// Everything, in the order written.
    pub(in crate::scenario) fn all(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// The same, misspelled keys under the name that was meant.
    pub(in crate::scenario) fn meant(&self) -> impl Iterator<Item = (Key, &'a Node)> {
        self.entries.iter().map(|(key, node)| {
            let meant = self.meant.iter().find(|(_, entry)| std::ptr::eq(*entry, key));
            (Key { at: key.at, text: meant.map_or_else(|| key.text.clone(), |(meant, _)| (*meant).to_owned()) }, node)
        })
    }

    /// Where the map stands.
    pub(in crate::scenario) fn at(&self) -> Place {
        self.at
    }
}

/// A key that is not known.
fn unknown(key: &Key, map: &Map) -> Fault {
    let fault = Fault::new(key.at, format!("{} has no key `{}`", map.what, key.text));
    match nearest(&key.text, map.names()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("it has {}", map.names().collect::<Vec<_>>().join(", "))),
    }
}
