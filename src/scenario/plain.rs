//! YAML as plain values, for those who say the same in other words and do not ask what it means.

use std::{collections::HashSet, path::Path};

use serde_json::Value as Json;

use super::{
    diagnostic::{Fault, Invalid},
    load::of_cell,
    matrix,
    problems::Problems,
    read::Fields,
    tree::{self, Node, Value, is_null},
};

/// A value without its place. Scalars stay the text they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// What YAML takes for something else than a text where it has no quotes: `true`, `1024`, `null`.
    Word(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// A map, in the order written.
    Map(Vec<(String, Self)>),
}

impl Plain {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number.
    #[must_use]
    pub fn number(number: impl std::fmt::Display) -> Self {
        Self::Word(number.to_string())
    }

    /// `true` or `false`.
    #[must_use]
    pub fn truth(value: bool) -> Self {
        Self::Word(value.to_string())
    }

    /// A scalar's text.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Text(text) => Some(text),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Nothing: `key:` alone.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Word(text) if is_null(text))
    }

    /// A list's items; of a scalar itself, of nothing none.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Map(_) => &[],
            Self::Word(_) if self.is_nothing() => &[],
            Self::Word(_) | Self::Text(_) => std::slice::from_ref(self),
        }
    }

    /// A map's entries.
    #[must_use]
    pub fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a map's key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }
}

/// Reads a YAML document.
///
/// # Errors
/// What is wrong with it, for its author.
pub fn parse(path: &Path, text: &str) -> Result<Plain, Box<Invalid>> {
    whole(path, text, |problems| Ok(plain(&tree::parse(text, problems)?)))
}

/// Reads the YAML documents of a file that is no scenario, without those in which there is nothing.
///
/// # Errors
/// What is wrong with one of them, for its author.
pub fn documents(path: &Path, text: &str) -> Result<Vec<Plain>, Box<Invalid>> {
    let documents = whole(path, text, |problems| Ok(tree::documents(text, problems)?.iter().map(plain).collect()));
    documents.map(|all: Vec<Plain>| all.into_iter().filter(|one| !one.is_nothing()).collect())
}

/// The documents of a scenario's cases, in their order, variables replaced. Words for a reader are left out.
///
/// # Errors
/// Those of a scenario that is not valid.
pub fn cases(path: &Path, text: &str) -> Result<Vec<Plain>, Box<Invalid>> {
    whole(path, text, |problems| {
        let document = tree::parse(text, problems)?;
        let fields = Fields::any(&document, "a scenario", problems)?;
        let mut used = HashSet::new();
        let cells = fields.get("matrix").map(|node| matrix::cells(node, problems)).transpose()?;
        Ok(match cells {
            None => vec![plain(&of_cell(&fields, &[], None, &mut used))],
            Some(cells) => cells.iter().map(|cell| plain(&of_cell(&fields, &cells, Some(cell), &mut used))).collect(),
        })
    })
}

/// What is read of a text with which nothing is wrong.
fn whole<T>(path: &Path, text: &str, read: impl FnOnce(&Problems) -> Result<T, Fault>) -> Result<T, Box<Invalid>> {
    let problems = Problems::default();
    let value = problems.ok(read(&problems));
    match value {
        Some(value) if problems.count() == 0 => Ok(value),
        _ => Err(problems.refusal(&path.display().to_string(), path, text)),
    }
}

/// A document as JSON, scalars as YAML 1.2's core schema has them: as a validator in an editor sees it.
///
/// # Errors
/// What is wrong with it, for its author.
pub fn to_json(path: &Path, text: &str) -> Result<Json, Box<Invalid>> {
    whole(path, text, |problems| Ok(json_of(&tree::parse(text, problems)?)))
}

/// The same of a value that this program has itself; nothing where it is no YAML.
pub(super) fn json(text: &str) -> Json {
    tree::parse(text, &Problems::default()).map_or(Json::Null, |node| json_of(&node))
}

fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Scalar { text, plain: true, .. } => core(text),
        Value::Scalar { text, .. } => text.as_str().into(),
        Value::Broken => Json::Null,
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.text.clone(), json_of(value))).collect())
        }
    }
}

/// A scalar without quotes.
fn core(text: &str) -> Json {
    if is_null(text) {
        return Json::Null;
    }
    match text {
        "true" | "True" | "TRUE" => return true.into(),
        "false" | "False" | "FALSE" => return false.into(),
        _ => {}
    }
    let begins =
        text.trim_start_matches(['-', '+']).starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
    let digits = text.strip_prefix('+').unwrap_or(text);
    let integer = digits.parse::<u64>().map(Json::from).or_else(|_| digits.parse::<i64>().map(Json::from));
    match (integer, text.parse::<f64>()) {
        (Ok(number), _) => number,
        (Err(_), Ok(number)) if begins => number.into(),
        _ => text.into(),
    }
}

fn plain(node: &Node) -> Plain {
    match &node.value {
        Value::Scalar { text, plain: true, .. } if is_word(text) => Plain::Word(text.clone()),
        Value::Scalar { text, .. } => Plain::Text(text.clone()),
        Value::Broken => Plain::Word(String::new()),
        Value::List(items) => Plain::List(items.iter().map(plain).collect()),
        Value::Map(entries) => {
            Plain::Map(entries.iter().map(|(key, value)| (key.text.clone(), plain(value))).collect())
        }
    }
}

/// What some reader of YAML takes for a truth value, nothing or a number: YAML 1.1 and 1.2, sexagesimals left out.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let constant = ["true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "-.inf", "+.inf"];
    is_null(text)
        || constant.contains(&lower.as_str())
        || text.parse::<f64>().is_ok()
        || lower.starts_with("0x")
        || lower.starts_with("0o")
}
