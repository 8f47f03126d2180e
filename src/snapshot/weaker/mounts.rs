//! Whether a container's mounts give it more than they did.

use std::{collections::BTreeMap, path::Path};

use super::facts::is_more_open;

/// Target and value of each mount, in their order.
type Mounts = [(String, String)];

/// Each mount that is new or gives more, and each that is gone from a volume that it covered.
pub(super) fn lost(old: &Mounts, new: &Mounts) -> Vec<String> {
    let mut found = Vec::new();
    for (at, (target, after)) in new.iter().enumerate() {
        match same_place(old, target, time(new, at)) {
            Some(before) if gives_more(before, after) => found.push(format!("{target}: was {before}, is {after}")),
            Some(_) => {}
            None => found.push(format!("{target}: was not mounted, is {after}")),
        }
    }
    for (at, (target, before)) in old.iter().enumerate() {
        let covered = |(over, value): &(String, String)| {
            let volume = Mount::read(value);
            volume.is_some_and(|volume| volume.is_volume()) && Path::new(target).starts_with(over)
        };
        if same_place(new, target, time(old, at)).is_none() && new.iter().any(covered) {
            found.push(format!("{target}: was {before}, is gone from a volume that it covered"));
        }
    }
    found
}

/// How many are mounted at its place before it.
fn time(mounts: &Mounts, at: usize) -> usize {
    mounts[..at].iter().filter(|(target, _)| *target == mounts[at].0).count()
}

fn same_place<'a>(mounts: &'a Mounts, target: &str, time: usize) -> Option<&'a str> {
    mounts.iter().filter(|(known, _)| known == target).nth(time).map(|(_, value)| value.as_str())
}

/// `fixture:/srv rw,nosuid, slave`; `tmpfs rw,nodev size=64k,mode=755`; of the root `rw`.
struct Mount<'a> {
    /// Source or file system type.
    source: &'a str,
    options: Vec<&'a str>,
    /// Who sees what is mounted below it, or options of the file system.
    rest: &'a str,
}

impl<'a> Mount<'a> {
    fn read(text: &'a str) -> Option<Self> {
        // A source may have blanks in it.
        let begins = |word: &str| matches!(word.split(',').next(), Some("ro" | "rw"));
        let mut end = text.len();
        for word in text.rsplit(' ') {
            let start = end - word.len();
            if begins(word) {
                let options = word.split(',').filter(|option| !option.is_empty()).collect();
                return Some(Self { source: text[..start].trim_end(), options, rest: text[end..].trim_start() });
            }
            end = start.saturating_sub(1);
        }
        None
    }

    fn is_volume(&self) -> bool {
        self.source.starts_with('/') || self.source.starts_with("fixture:")
    }

    fn has(&self, option: &str) -> bool {
        self.options.contains(&option)
    }

    fn own(&self) -> BTreeMap<&'a str, &'a str> {
        self.rest.split(',').filter_map(|option| option.split_once('=')).collect()
    }
}

fn gives_more(before: &str, after: &str) -> bool {
    let (Some(old), Some(new)) = (Mount::read(before), Mount::read(after)) else { return before != after };
    let opened = ["ro", "nosuid", "nodev", "noexec", "nosymfollow"].iter().any(|word| old.has(word) && !new.has(word));
    old.source != new.source
        || opened
        || has_more_peers(old.rest, new.rest)
        || has_more_of_its_own(&old.own(), &new.own())
}

fn has_more_peers(old: &str, new: &str) -> bool {
    let rank = |peers: &str| match peers {
        "slave" => 1,
        "shared" | "slave and shared" => 2,
        _ => 0,
    };
    rank(new) > rank(old)
}

/// Of a tmpfs without a mode the kernel shows none, and it is everybody's.
fn has_more_of_its_own(old: &BTreeMap<&str, &str>, new: &BTreeMap<&str, &str>) -> bool {
    let mode = |own: &BTreeMap<&str, &str>, key: &str, unsaid| {
        own.get(key).map_or(unsaid, |mode| u32::from_str_radix(mode, 8).unwrap_or(0o7777))
    };
    let opened = [("mode", 0o1777), ("ptmxmode", 0)]
        .iter()
        .any(|(key, unsaid)| is_more_open(mode(old, key, *unsaid), mode(new, key, *unsaid)));
    let more = ["size", "nr_inodes"].iter().any(|key| amount(new.get(key)) > amount(old.get(key)));
    opened || more || old.get("hidepid").is_some_and(|hidden| new.get("hidepid") != Some(hidden))
}

/// Unsaid is no limit, and so is what cannot be read.
fn amount(text: Option<&&str>) -> u64 {
    let Some(text) = text else { return u64::MAX };
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => Some(1),
        "k" => Some(1 << 10),
        "m" => Some(1 << 20),
        "g" => Some(1 << 30),
        _ => None,
    };
    digits.parse::<u64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit)).unwrap_or(u64::MAX)
}
