//! The format as data: which keys there are, what they mean and what they take. The readers refuse by these tables, and the
//! schema for editors and docs/reference.md are made from them, so that none of the three can say something else.

pub(super) mod container;
pub(super) mod control;
pub(super) mod file;
pub(super) mod probe;
mod reference;
mod schema;
pub(super) mod step;
pub(super) mod words;

pub use reference::reference;
pub use schema::schema;

/// What tells an editor's language server which schema a file has, `up` folders below the one that has schemas/.
#[must_use]
pub fn modeline(up: usize) -> String {
    format!("# yaml-language-server: $schema={}schemas/scenario.schema.json\n", "../".repeat(up))
}

/// A map with known keys.
pub(super) struct Map {
    /// Its name in the schema.
    pub(super) id: &'static str,
    /// What a message calls it, `a container`.
    pub(super) what: &'static str,
    /// What it is for.
    pub(super) about: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
    /// Whether one without any key says nothing, and is refused.
    pub(super) filled: bool,
    /// Keys that the design has and this version does not build: refused as that.
    pub(super) planned: &'static [&'static str],
    /// Keys that other formats and command lines have, and what to write instead.
    pub(super) elsewhere: &'static [(&'static str, &'static str)],
}

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    /// What it means, in Markdown, and the flag of docker or podman that it is.
    pub(super) about: &'static str,
    /// What holds where it is not there: a JSON value, or words for a reader.
    pub(super) default: Option<&'static str>,
    /// Values, in YAML on one line.
    pub(super) examples: &'static [&'static str],
    pub(super) required: bool,
}

/// What a key takes.
pub(super) enum Takes {
    /// Any text; YAML's numbers and truth values are texts too.
    Text,
    /// `true` or `false`.
    Truth,
    /// A whole number, quoted or not.
    Number { least: u64, most: u64 },
    /// A text that matches an expression.
    Like(&'static str),
    /// The same, and YAML's numbers.
    LikeOrNumber(&'static str),
    /// -1, which is no limit.
    MinusOne,
    /// One of these.
    Words(fn() -> Vec<&'static str>),
    /// A capability, in docker's spellings. `all`: or ALL.
    Capability { all: bool },
    /// An errno's name.
    Errno,
    /// A signal's name.
    Signal,
    /// A list.
    List(&'static Takes),
    /// A list that is not empty.
    Filled(&'static Takes),
    /// One, or a list.
    Several(&'static Takes),
    /// A map with known keys.
    Map(&'static Map),
    /// A map with any keys that match.
    Entries { like: &'static str, takes: &'static Takes },
    /// A map with one of these keys; what is the same with every key is not said again.
    OneOf(&'static [Key]),
    /// One of several forms.
    Any(&'static [Takes]),
    /// A value, or one that depends on the cell of the matrix.
    Conditional(&'static Takes),
    /// What must come of a step, which depends on its kind.
    Expect,
    /// A step.
    Step,
    /// A probe.
    Probe,
    /// A control, or several.
    Because,
}

impl Map {
    /// Its keys' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }

    /// Whether it has a key.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }
}

/// A key that may be there.
pub(super) const fn key(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, about, default: None, examples: &[], required: false }
}

impl Key {
    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    pub(super) const fn examples(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// A map that is whole as it is built.
pub(super) const fn map(id: &'static str, what: &'static str, about: &'static str, keys: &'static [Key]) -> Map {
    Map { id, what, about, keys, filled: false, planned: &[], elsewhere: &[] }
}

/// The same of one that has at least one key.
pub(super) const fn filled(id: &'static str, what: &'static str, about: &'static str, keys: &'static [Key]) -> Map {
    Map { filled: true, ..map(id, what, about, keys) }
}

/// An id of a user or group: the kernel keeps 4294967295 for "no id".
pub(super) const ID: Takes = Takes::Number { least: 0, most: 4_294_967_294 };
/// An absolute path.
pub(super) const PATH: Takes = Takes::Like("^/");
/// A text with something in it.
pub(super) const FILLED: Takes = Takes::LikeOrNumber("\\S");
/// Permission bits.
pub(super) const MODE: Takes = Takes::LikeOrNumber("^[0-7]{3,4}$");
/// `uid:gid`.
pub(super) const OWNER: Takes = Takes::Like("^[0-9]+:[0-9]+$");
/// A time, as docker and go write it.
pub(super) const TIME: Takes = Takes::LikeOrNumber("^[0-9]+(ms|s|m)?$");
/// docker's sizes.
pub(super) const SIZE: Takes = Takes::LikeOrNumber("^[0-9]+(\\.[0-9]+)? ?([kKmMgGtTpP]?([iI]?[bB])?)$");
