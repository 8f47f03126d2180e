//! docs/reference.md: every key, probe and control, from the tables that the reader refuses by.

use std::fmt::Write as _;

use super::{Key, Map, Takes, container, control, file, probe, step, words};

/// Every map of the format with its chapter, in the order of a reader.
pub(super) const CHAPTERS: [(&str, &Map); 18] = [
    ("A scenario", &file::SCENARIO),
    ("Host", &file::HOST),
    ("File of the host", &file::FILE),
    ("Container", &container::CONTAINER),
    ("Volume, long form", &container::VOLUME),
    ("Device, long form", &container::DEVICE),
    ("Ulimits", &container::LIMITS),
    ("Soft and hard", &container::BOTH),
    ("Expect of a container", &container::EXPECT),
    ("Step", &step::STEP),
    ("Expect of a run", &step::EXPECT_OF_RUN),
    ("Expect of a probe", &step::EXPECT_OF_PROBE),
    ("Inspect", &step::INSPECT),
    ("Capability sets", &step::SETS),
    ("Mount", &step::MOUNT),
    ("Resources", &step::RESOURCES),
    ("Expect of a process", &step::EXPECT_OF_PROCESS),
    ("Expect of a file", &step::EXPECT_OF_FILE),
];

/// The page.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Reference: every key, probe and control\n\n\
         Made from the tables by which the reader refuses (`CAPLAB_BLESS=1 cargo test --test schema` writes it), as \
         schemas/scenario.schema.json is, which `caplab schema` prints. What they mean together: [format.md](format.md); \
         what the kernel checks: [probes.md](probes.md); editors: [editors.md](editors.md).\n",
    );
    for (head, map) in CHAPTERS {
        let _ = writeln!(page, "\n## {head}\n\n{}\n", map.about);
        keys(&mut page, map.keys);
        if !map.planned.is_empty() {
            let _ = writeln!(page, "\nPlanned and refused until then: `{}`.", map.planned.join("`, `"));
        }
    }
    page.push_str("\n## Texts\n\n`stdout`, `stderr`, `processes`, `command`, `parents`, `content`: texts that must be contained, or one of\n\n");
    keys(&mut page, step::MATCHER_MAP.keys);
    page.push_str("\n## Probes\n\n| probe | | with | what it does |\n|---|---|---|---|\n");
    for form in &probe::PROBES {
        let alone = if form.alone { format!("`{}`", form.key.name) } else { String::new() };
        let with = if form.takes { examples(&form.key, true) } else { String::new() };
        let _ = writeln!(page, "| {} | {alone} | {with} | {} |", form.key.name, cell(form.key.about));
    }
    let maps = [&probe::OPEN, &probe::MKNOD, &probe::CHOWN, &probe::CHMOD, &probe::SETNS, &probe::BIND_PORT];
    for map in maps {
        let _ = writeln!(page, "\n`{}`:\n", map.what);
        keys(&mut page, map.keys);
    }
    let _ = writeln!(page, "\nPlanned and refused until then: `{}`.", probe::PLANNED.join("`, `"));
    page.push_str(
        "\n## Controls\n\nWhat a `because` can name, and what is changed.\n\n| control | changed |\n|---|---|\n",
    );
    for (word, about) in control::WORDS {
        let _ = writeln!(page, "| `{word}` | {} |", cell(about));
    }
    for key in &control::MAPS {
        let _ = writeln!(page, "| {} | {} |", examples(key, true), cell(key.about));
    }
    let _ = writeln!(
        page,
        "\nLimits: `{}`. Up to {} controls that decide together are a list.",
        words::limits().join("`, `"),
        control::MOST
    );
    page
}

fn keys(page: &mut String, keys: &[Key]) {
    page.push_str("| key | takes | without it | meaning | example |\n|---|---|---|---|---|\n");
    for key in keys {
        let without = match (key.required, key.default) {
            (true, _) => "required".to_owned(),
            (false, Some("\"\"")) => "empty".to_owned(),
            (false, Some(default)) if default.starts_with(['"', '[', '{', 't', 'f']) && !default.contains(' ') => {
                format!("`{}`", default.trim_matches('"'))
            }
            (false, Some(default)) => default.trim_matches('"').to_owned(),
            (false, None) => String::new(),
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            key.name,
            cell(&takes(&key.takes)),
            cell(&without),
            cell(key.about),
            examples(key, false)
        );
    }
}

fn examples(key: &Key, whole: bool) -> String {
    let one = |example: &&str| {
        let text = if whole { format!("{{{}: {example}}}", key.name) } else { (*example).to_owned() };
        format!("`{}`", cell(&text))
    };
    key.examples.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A bar ends a cell, in code too.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// In a few words.
fn takes(takes: &Takes) -> String {
    match takes {
        Takes::Text | Takes::Like(_) | Takes::LikeOrNumber(_) => "text".to_owned(),
        Takes::MinusOne => "`-1`".to_owned(),
        Takes::Truth => "true, false".to_owned(),
        Takes::Number { least, most } if *most >= u64::MAX - 1 => format!("number from {least}"),
        Takes::Number { least: 0, most: 4_294_967_294 } => "id".to_owned(),
        Takes::Number { least, most } => format!("{least} to {most}"),
        Takes::Words(words) => format!("`{}`", words().join("`, `")),
        Takes::Capability { all: false } => "capability".to_owned(),
        Takes::Capability { all: true } => "capability or ALL".to_owned(),
        Takes::Errno => "errno".to_owned(),
        Takes::Signal => "signal".to_owned(),
        Takes::List(of) | Takes::Filled(of) => format!("list of {}", self::takes(of)),
        Takes::Several(of) => format!("{}, or a list", self::takes(of)),
        Takes::Map(map) => match CHAPTERS.iter().find(|(_, known)| known.id == map.id) {
            Some((head, _)) => {
                let anchor = head.to_lowercase().replace(' ', "-").replace(',', "");
                format!("[{}](#{anchor})", head.to_lowercase())
            }
            None => format!("map: {}", map.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        },
        Takes::Entries { takes, .. } => format!("map of {}", self::takes(takes)),
        Takes::OneOf(keys) => format!(
            "map of one key: {}",
            keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ")
        ),
        Takes::Any(forms) => {
            let mut said: Vec<String> = Vec::new();
            for form in forms.iter().map(self::takes) {
                if !said.contains(&form) {
                    said.push(form);
                }
            }
            said.join("; ")
        }
        Takes::Conditional(of) => self::takes(of),
        Takes::Expect => "what its kind says: [run](#expect-of-a-run), [probe](#expect-of-a-probe), [process](#expect-of-a-process), [file](#expect-of-a-file)".to_owned(),
        Takes::Step => "[step](#step)".to_owned(),
        Takes::Probe => "[probe](#probes)".to_owned(),
        Takes::Because => "[control](#controls), a list, or `none`".to_owned(),
    }
}
