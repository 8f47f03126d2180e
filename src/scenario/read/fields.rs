//! A map with known keys.

use crate::{
    scenario::{
        diagnostic::{Fault, Place},
        tree::{Key, Node, Value},
    },
    text::nearest,
};

/// A map whose keys were checked.
pub(in crate::scenario) struct Fields<'a> {
    at: Place,
    what: &'static str,
    entries: &'a [(Key, Node)],
}

impl<'a> Fields<'a> {
    /// A map that has only these keys.
    pub(in crate::scenario) fn of(node: &'a Node, what: &'static str, known: &[&str]) -> Result<Self, Fault> {
        Self::planned(node, what, known, &[])
    }

    /// A map that has only these keys; further ones are planned and not built.
    pub(in crate::scenario) fn planned(
        node: &'a Node,
        what: &'static str,
        known: &[&str],
        planned: &[&str],
    ) -> Result<Self, Fault> {
        let fields = Self::any(node, what)?;
        for (key, _) in fields.entries {
            if planned.contains(&key.text.as_str()) {
                return Err(Fault::new(key.at, format!("`{}` is not supported yet", key.text))
                    .help("it would be ignored, and the scenario would claim what was not tested: leave it away"));
            }
            if !known.contains(&key.text.as_str()) {
                return Err(unknown(key, what, known));
            }
        }
        Ok(fields)
    }

    /// A map with whatever keys.
    pub(in crate::scenario) fn any(node: &'a Node, what: &'static str) -> Result<Self, Fault> {
        match &node.value {
            Value::Map(entries) => Ok(Self { at: node.at, what, entries }),
            _ => Err(Fault::new(node.at, format!("{what} must be a map, this is {}", node.kind()))),
        }
    }

    /// The value of a key.
    pub(in crate::scenario) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(entry, _)| entry.text == key).map(|(_, node)| node)
    }

    /// The value of a key that must be there.
    pub(in crate::scenario) fn required(&self, key: &str) -> Result<&'a Node, Fault> {
        self.get(key).ok_or_else(|| {
            let at = Place { width: 1, ..self.at };
            Fault::new(at, format!("{} has no `{key}`", self.what))
        })
    }

    /// The key itself, for a message about it.
    pub(in crate::scenario) fn key(&self, key: &str) -> Option<&'a Key> {
        self.entries.iter().map(|(entry, _)| entry).find(|entry| entry.text == key)
    }

    /// Everything, in the order written.
    pub(in crate::scenario) fn all(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// Where the map stands.
    pub(in crate::scenario) fn at(&self) -> Place {
        self.at
    }
}

/// A key that is not known.
pub(in crate::scenario) fn unknown(key: &Key, what: &str, known: &[&str]) -> Fault {
    let fault = Fault::new(key.at, format!("{what} has no key `{}`", key.text));
    match nearest(&key.text, known.iter().copied()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("it has {}", known.join(", "))),
    }
}
