//! Plain values as YAML that every reader takes for the same: what could be mistaken has quotes.

use std::fmt::Write as _;

use crate::scenario::plain::{Plain, is_word};

/// A list or map that fits is written on one line.
const WIDTH: usize = 100;

/// A value below a key that was written already: begins with a space or a line break, ends with a line break.
#[must_use]
pub(in crate::convert) fn below(value: &Plain, indent: usize) -> String {
    let line = flow(value);
    if line.len() + indent <= WIDTH || value.scalar().is_some() {
        return format!(" {line}\n");
    }
    let mut text = "\n".to_owned();
    block(value, indent + 2, &mut text);
    text
}

/// Entries of a map, each on lines of its own.
#[must_use]
pub(in crate::convert) fn entries(map: &[(String, Plain)], indent: usize) -> String {
    map.iter().map(|(name, value)| format!("{:indent$}{}:{}", "", key(name), below(value, indent))).collect()
}

/// A map whose deeper maps have lines of their own, as Compose files and Kubernetes' are written.
#[must_use]
pub(in crate::convert) fn tall(value: &Plain, indent: usize) -> String {
    let mut text = String::new();
    block(value, indent, &mut text);
    text
}

fn block(value: &Plain, indent: usize, text: &mut String) {
    match value {
        Plain::Map(map) if !map.is_empty() => {
            for (name, value) in map {
                let _ = write!(text, "{:indent$}{}:", "", key(name));
                after(value, indent + 2, text);
            }
        }
        Plain::List(items) if !items.is_empty() && items.iter().all(|item| item.scalar().is_some()) => {
            wrapped(items, indent, text);
        }
        Plain::List(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(text, "{:indent$}-", "");
                match item {
                    Plain::Map(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        // The first key stands beside the dash.
                        let _ = write!(text, " {}", &inner[indent + 2..]);
                    }
                    item => after(item, indent + 2, text),
                }
            }
        }
        value => {
            let _ = writeln!(text, "{:indent$}{}", "", flow(value));
        }
    }
}

/// Words in brackets on as many lines as they need.
fn wrapped(items: &[Plain], indent: usize, text: &mut String) {
    let mut line = format!("{:indent$}[", "");
    for (index, item) in items.iter().map(flow).enumerate() {
        if index > 0 {
            line.push(',');
            if line.len() + item.len() + 2 > WIDTH {
                let _ = writeln!(text, "{line}");
                line = format!("{:indent$}", "");
            }
            line.push(' ');
        }
        line.push_str(&item);
    }
    let _ = writeln!(text, "{line}]");
}

fn after(value: &Plain, indent: usize, text: &mut String) {
    let deep = match value {
        Plain::Map(map) => !map.is_empty(),
        Plain::List(items) => items.iter().any(|item| item.scalar().is_none()),
        Plain::Word(_) | Plain::Text(_) => false,
    };
    let line = flow(value);
    if value.scalar().is_some() || (!deep && line.len() + indent <= WIDTH) {
        let _ = writeln!(text, " {line}");
    } else {
        text.push('\n');
        block(value, indent, text);
    }
}

/// On one line.
fn flow(value: &Plain) -> String {
    match value {
        Plain::Word(text) => text.clone(),
        Plain::Text(text) => quoted(text),
        Plain::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Plain::Map(map) => {
            let entries = map.iter().map(|(name, value)| format!("{}: {}", key(name), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn key(name: &str) -> String {
    quoted(name)
}

/// A text, in quotes where it could be taken for something else. Double quotes with escapes as YAML 1.2 and JSON have them.
#[must_use]
pub(in crate::convert) fn quoted(text: &str) -> String {
    let inner = |letter: char| letter.is_ascii_alphanumeric() || "/._-=+".contains(letter);
    let first = |letter: char| letter.is_ascii_alphabetic() || letter == '/';
    if text.starts_with(first) && text.chars().all(inner) && !is_word(text) {
        return text.to_owned();
    }
    let mut quoted = "\"".to_owned();
    for letter in text.chars() {
        let _ = match letter {
            '"' => write!(quoted, "\\\""),
            '\\' => write!(quoted, "\\\\"),
            '\n' => write!(quoted, "\\n"),
            '\t' => write!(quoted, "\\t"),
            // Not printable in YAML, or a line break to it.
            letter if letter.is_control() || "\u{2028}\u{2029}\u{feff}".contains(letter) => {
                write!(quoted, "\\u{:04x}", u32::from(letter))
            }
            letter => write!(quoted, "{letter}"),
        };
    }
    quoted.push('"');
    quoted
}

/// A line of comment: what came from outside stays on it.
#[must_use]
pub(in crate::convert) fn comment(text: &str) -> String {
    let one_line = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    format!("# {}", one_line.collect::<String>())
}
