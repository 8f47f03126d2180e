//! Volumes in the words of the command lines and of Compose, which are nearly the format's.

use crate::scenario::{model::Propagation, plain::Plain};

/// Where a relative source is taken to lie on the fixture host: nothing of the author's folder is read.
pub(super) const PROJECT: &str = "/project";

/// A volume of the format, or why it is none, and what of it was left away.
pub(super) struct Read {
    pub(super) volume: Result<Plain, String>,
    pub(super) notes: Vec<String>,
}

/// `source:target[:options]`.
pub(super) fn short(text: &str) -> Read {
    let mut notes = Vec::new();
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => {
            let why = format!("volume {text}: a volume without a source has nothing of the host in it");
            return Read { volume: Err(why), notes };
        }
    };
    let Some(source) = place(source, &mut notes) else {
        let why = format!("volume {text}: a named volume is the engine's own folder; the fixture host has none");
        return Read { volume: Err(why), notes };
    };
    let mut kept = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => kept.push(option),
            "rw" => {}
            word if Propagation::from_name(word).is_some() => kept.push(option),
            other => notes.push(format!("volume {text}: option {other}{}", lost(other))),
        }
    }
    let suffix = if kept.is_empty() { String::new() } else { format!(":{}", kept.join(",")) };
    Read { volume: Ok(Plain::text(format!("{source}:{target}{suffix}"))), notes }
}

/// What of an option is not carried over.
fn lost(option: &str) -> &'static str {
    match option {
        "O" => {
            " is not carried over: podman puts an overlay there, and the source keeps what it has; here it is written to"
        }
        "U" | "chown" => {
            " is not carried over: podman gives the source's files to the container's user; here they keep their owner"
        }
        "idmap" => " is not carried over: podman maps the ids of its files; here they are the host's",
        "noexec" => " is not carried over: nothing on it can be executed there; here it can",
        "nosuid" => {
            " is not carried over: set-user-ID and capabilities of files on it count for nothing there; here they do"
        }
        "nodev" => " is not carried over: no device on it can be opened there; here one can",
        "bind" | "bind-nonrecursive" | "bind-recursive" => {
            " is not carried over: here what is mounted below the source comes with it, and read-only is the volume itself"
        }
        _ => " has no meaning here",
    }
}

/// Absolute, or relative to a folder that stands for the author's; `None` for a name.
fn place(source: &str, notes: &mut Vec<String>) -> Option<String> {
    if source.starts_with('/') {
        return Some(source.to_owned());
    }
    let below = source.strip_prefix("./").or((source == ".").then_some(""));
    let home = source.strip_prefix("~/").or((source == "~").then_some(""));
    let (folder, rest) = match (below, home) {
        (Some(rest), _) => (PROJECT, rest),
        (_, Some(rest)) => ("/root", rest),
        _ => return None,
    };
    let path = format!("{folder}/{rest}").trim_end_matches('/').to_owned();
    notes.push(format!("volume source {source}: it stands as {path} on the fixture host"));
    Some(path)
}

/// The fields of `--mount`, a line of RFC 4180, or of Compose's long form; the last of a name counts.
pub(super) fn long(fields: &[(String, String)], shown: &str) -> Result<(&'static str, Read), String> {
    let find = |names: &[&str]| {
        fields.iter().rev().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.as_str())
    };
    let kind = find(&["type"]).unwrap_or("volume");
    let Some(target) = find(&["target", "destination", "dst"]) else {
        return Err(format!("mount {shown} has no target; `target=/mnt`"));
    };
    let mut notes = Vec::new();
    let is_true = |value: Option<&str>| value.is_some_and(|value| value.is_empty() || value == "true" || value == "1");
    let read_only = is_true(find(&["readonly", "ro", "read_only"]));
    let known = [
        "type",
        "target",
        "destination",
        "dst",
        "source",
        "src",
        "readonly",
        "ro",
        "read_only",
        "bind-propagation",
        "tmpfs-size",
        "tmpfs-mode",
    ];
    for (name, _) in fields.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        notes.push(format!("mount {shown}: option {name}{}", lost(name)));
    }
    match kind {
        "bind" => {
            let Some(source) = find(&["source", "src"]) else {
                return Err(format!("mount {shown} has no source; `source=/etc`"));
            };
            let Some(source) = place(source, &mut notes) else {
                return Ok(("volumes", Read { volume: Err(format!("mount {shown}: its source is no path")), notes }));
            };
            // The short form, where nothing in it could be taken for its separator.
            let propagation = find(&["bind-propagation"]).filter(|word| match Propagation::from_name(word) {
                Some(_) => true,
                None => {
                    notes.push(format!("mount {shown}: propagation {word} is none"));
                    false
                }
            });
            let volume = if source.contains(':') || target.contains(':') {
                let mut map =
                    vec![("source".to_owned(), Plain::text(source)), ("target".to_owned(), Plain::text(target))];
                map.extend(read_only.then(|| ("read_only".to_owned(), Plain::truth(true))));
                map.extend(propagation.map(bind));
                Plain::Map(map)
            } else {
                let options: Vec<&str> = read_only.then_some("ro").into_iter().chain(propagation).collect();
                let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
                Plain::text(format!("{source}:{target}{options}"))
            };
            Ok(("volumes", Read { volume: Ok(volume), notes }))
        }
        "tmpfs" => {
            let size = find(&["tmpfs-size"]).map(|size| format!("size={size}"));
            let mode = find(&["tmpfs-mode"]).map(|mode| format!("mode={mode}"));
            let options: Vec<String> = size.into_iter().chain(mode).chain(read_only.then(|| "ro".to_owned())).collect();
            let text = if options.is_empty() { target.to_owned() } else { format!("{target}:{}", options.join(",")) };
            Ok(("tmpfs", Read { volume: Ok(Plain::text(text)), notes }))
        }
        kind => {
            let why = format!("mount {shown}: a {kind} is the engine's own; the fixture host has none");
            Ok(("volumes", Read { volume: Err(why), notes }))
        }
    }
}

/// `type=bind,source="a,b",readonly` in fields.
pub(super) fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                fields.iter_mut().last().into_iter().for_each(|field| field.push('"'));
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => fields.iter_mut().last().into_iter().for_each(|field| field.push(letter)),
        }
    }
    let pair = |field: String| match field.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (field, String::new()),
    };
    fields.into_iter().filter(|field| !field.is_empty()).map(pair).collect()
}

/// A volume of the format as docker's flag, and its source.
pub(super) fn flag(volume: &Plain) -> (&'static str, String) {
    if let Some(text) = volume.scalar() {
        return ("volume", text.to_owned());
    }
    let field = |name: &str| volume.get(name).and_then(Plain::scalar).unwrap_or_default();
    let mut parts =
        vec!["type=bind".to_owned(), format!("source={}", field("source")), format!("target={}", field("target"))];
    if read_only(volume) {
        parts.push("readonly".to_owned());
    }
    parts.extend(self::parts(volume).propagation.map(|word| format!("bind-propagation={word}")));
    ("mount", parts.into_iter().map(csv).collect::<Vec<_>>().join(","))
}

/// A volume of the format.
pub(super) struct Parts {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) read_only: bool,
    /// The word, where one is there.
    pub(super) propagation: Option<String>,
}

/// Takes one apart.
pub(super) fn parts(volume: &Plain) -> Parts {
    match volume.scalar() {
        Some(text) => {
            let mut parts = text.split(':').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            let (source, target, options) = (next(), next(), next());
            let read_only = options.split(',').any(|word| word == "ro");
            let propagation = options.split(',').find(|word| Propagation::from_name(word).is_some()).map(str::to_owned);
            Parts { source, target, read_only, propagation }
        }
        None => {
            let field = |name: &str| volume.get(name).and_then(Plain::scalar).unwrap_or_default().to_owned();
            let bind = volume.get("bind").and_then(|bind| bind.get("propagation")).and_then(Plain::scalar);
            let (source, target) = (field("source"), field("target"));
            Parts { source, target, read_only: read_only(volume), propagation: bind.map(str::to_owned) }
        }
    }
}

/// Compose's key for a propagation.
pub(super) fn bind(word: &str) -> (String, Plain) {
    ("bind".to_owned(), Plain::Map(vec![("propagation".to_owned(), Plain::text(word))]))
}

/// Of the real machine a volume is read-only unless the file says otherwise.
fn read_only(volume: &Plain) -> bool {
    let is = |name: &str| volume.get(name).and_then(Plain::scalar).map(|text| text == "true");
    is("read_only").or_else(|| is("real_host")).unwrap_or(false)
}

fn csv(field: String) -> String {
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}
