//! Whether a fact of a container or a step says less protection than it did.

use std::collections::{BTreeMap, BTreeSet};

/// What is lost, in words: of a fact by its name in the picture, which either of the two may not have.
pub(super) fn lost(name: &str, before: Option<&str>, after: Option<&str>) -> Option<String> {
    match (before, after) {
        (Some(before), Some(after)) if before != after => changed(name, before, after),
        (Some(before), None) => gone(name, before),
        (None, Some(after)) => added(name, after),
        _ => None,
    }
}

fn was(before: &str, after: &str) -> String {
    format!("was {before}, is {after}")
}

fn gone(name: &str, before: &str) -> Option<String> {
    if matches!(name, "stdout" | "stderr") {
        return Some("the captured text is gone".to_owned());
    }
    let no_limit = name.starts_with("limit ") && before.split(' ').all(|word| word == "unlimited");
    (!no_limit).then(|| format!("was {before}, is gone"))
}

/// What is said now and was not may say that there is less than there is where nothing is said.
fn added(name: &str, after: &str) -> Option<String> {
    match name {
        "because" => None,
        "stdout" | "stderr" => Some("there was no captured text".to_owned()),
        _ if name.starts_with("limit ") && !after.contains("unlimited") => None,
        _ => Some(format!("was not said, is {after}")),
    }
}

fn changed(name: &str, before: &str, after: &str) -> Option<String> {
    match name {
        "ids" => ids(before, after),
        "uid_map" | "gid_map" => map(before, after).then(|| was(before, after)),
        "inheritable" | "permitted" | "effective" | "bounding" | "ambient" => {
            let gained: Vec<_> = capabilities(after).difference(&capabilities(before)).copied().collect();
            (before != "ALL" && !gained.is_empty()).then(|| format!("gains {}", gained.join(", ")))
        }
        "no_new_privs" => (before == "true").then(|| was(before, after)),
        "seccomp" => (filters(after) < filters(before)).then(|| was(before, after)),
        "namespaces" => namespaces(before, after),
        "device list" => device_list(before, after),
        "file" => file(before, after),
        "stdout" | "stderr" => Some("the captured text is another".to_owned()),
        // Ports below it are root's.
        "sysctl net.ipv4.ip_unprivileged_port_start" => {
            let raised = before.parse::<u32>().ok().zip(after.parse::<u32>().ok()).is_some_and(|(old, new)| new > old);
            (!raised).then(|| was(before, after))
        }
        _ if name.starts_with("limit ") => limit(before, after).then(|| was(before, after)),
        _ => Some(was(before, after)),
    }
}

fn capabilities(text: &str) -> BTreeSet<&str> {
    text.split(", ").filter(|name| *name != "none").collect()
}

fn filters(mode: &str) -> u8 {
    match mode {
        "strict" => 2,
        "filter" => 1,
        _ => 0,
    }
}

/// What follows `name: `, up to a comma.
fn field(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{name}: "))?;
    Some(rest.split(',').next().unwrap_or(rest).to_owned())
}

/// `unlimited` is the most.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or(u64::MAX)
}

/// `24`; `24 32`, soft and hard; `50000 of 100000 microseconds`.
fn limit(before: &str, after: &str) -> bool {
    let share = |text: &str| {
        let (quota, period) = text.strip_suffix(" microseconds")?.split_once(" of ")?;
        Some((u128::from(number(quota)), u128::from(number(period))))
    };
    if let Some(((quota, period), (new_quota, new_period))) = share(before).zip(share(after)) {
        return new_quota * period > quota * new_period;
    }
    let (old, new): (Vec<_>, Vec<_>) =
        (before.split(' ').map(number).collect(), after.split(' ').map(number).collect());
    old.len() != new.len() || old.iter().zip(&new).any(|(old, new)| new > old)
}

/// `uid: 0, gid: 0, groups: [0, 4], as the host numbers them`; `uid: 0, gid: 0, uid_map: "0 0 1"`. Root has the most; who another one is
/// whom it can reach the files of, no picture says.
fn ids(before: &str, after: &str) -> Option<String> {
    let groups = |text: &str| -> BTreeSet<String> {
        let list = text.split_once("groups: [").and_then(|(_, rest)| rest.split_once(']'));
        list.into_iter()
            .flat_map(|(list, _)| list.split(", "))
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let maps = |text: &str| text.split_once("uid_map: ").map(|(_, map)| map.to_owned());
    let mut found = Vec::new();
    for name in ["uid", "gid"] {
        let (old, new) = (field(before, name).unwrap_or_default(), field(after, name).unwrap_or_default());
        if old != new && old != "0" {
            found.push(format!("{name} was {old}, is {new}"));
        }
    }
    let gid = field(after, "gid").unwrap_or_default();
    let gained: Vec<_> = groups(after).difference(&groups(before)).filter(|one| **one != gid).cloned().collect();
    if !gained.is_empty() {
        found.push(format!("gains the groups {}", gained.join(", ")));
    }
    let (old, new) = (maps(before).unwrap_or_default(), maps(after).unwrap_or_default());
    if map(&old, &new) {
        found.push(format!("uid_map was {old}, is {new}"));
    }
    (!found.is_empty()).then(|| found.join(", "))
}

/// `"0 100000 1000", "1000 0 1"`: less where anybody is somebody on the host who was not, unless the host's root
/// was one of them and is none.
fn map(before: &str, after: &str) -> bool {
    let read = |text: &str| -> Vec<[u64; 3]> {
        let ranges = text.split('"').filter(|part| part.bytes().any(|byte| byte.is_ascii_digit()));
        ranges
            .filter_map(|range| {
                range
                    .split(' ')
                    .map(|word| word.parse::<u32>().ok().map(u64::from))
                    .collect::<Option<Vec<u64>>>()?
                    .try_into()
                    .ok()
            })
            .collect()
    };
    let (old, new) = (read(before), read(after));
    let has_root = |map: &[[u64; 3]]| map.iter().any(|[_, outside, _]| *outside == 0);
    let within = |[inside, outside, count]: &[u64; 3], [from, to, many]: &[u64; 3]| {
        inside >= from && inside + count <= from + many && inside + to == outside + from
    };
    let kept = new.iter().all(|range| old.iter().any(|known| within(range, known)));
    before != after && !kept && (has_root(&new) || !has_root(&old))
}

/// With other names of the containers that own them.
pub(super) fn map_owners<'a>(text: &'a str, name: impl Fn(&'a str) -> &'a str) -> String {
    let one = |word: &'a str| match word.split_once("container:") {
        Some((before, owner)) => format!("{before}container:{}", name(owner)),
        None => word.to_owned(),
    };
    text.split(", ").map(one).collect::<Vec<_>>().join(", ")
}

/// Namespaces that are another container's, and whose.
pub(super) fn owners(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(", ").filter_map(|one| one.split_once(" container:"))
}

/// `pid new, user host`.
fn namespaces(before: &str, after: &str) -> Option<String> {
    // Its own, then another container's, then the host's.
    let rank = |state: &str| match state {
        "new" => 0,
        "host" => 2,
        _ => 1,
    };
    let states = |text: &str| -> BTreeMap<String, String> {
        let pairs = text.split(", ").filter_map(|one| one.split_once(' '));
        pairs.map(|(name, state)| (name.to_owned(), state.to_owned())).collect()
    };
    let (old, new) = (states(before), states(after));
    let mut found = Vec::new();
    for (name, state) in &old {
        match new.get(name) {
            // Of two other containers one may be less alone than the other.
            Some(now) if rank(now) > rank(state) || (rank(now) == 1 && rank(state) == 1 && now != state) => {
                found.push(format!("{name} was {state}, is {now}"));
            }
            None if state != "host" => found.push(format!("{name} was {state}, is not said")),
            _ => {}
        }
    }
    let added = new.iter().filter(|(name, state)| !old.contains_key(*name) && *state != "new");
    found.extend(added.map(|(name, state)| format!("{name} was not said, is {state}")));
    (!found.is_empty()).then(|| found.join(", "))
}

/// `the runtime's own, c 1:3 rwm, not b *:* w`, `every device`.
fn device_list(before: &str, after: &str) -> Option<String> {
    let split = |text: &str| -> (bool, Vec<String>) {
        let mut items = text.split(", ").map(str::to_owned);
        (items.next().as_deref() == Some("every device"), items.collect())
    };
    let ((every, old), (every_now, new)) = (split(before), split(after));
    if every && (old.is_empty() || !every_now) {
        return None;
    }
    if every || every_now {
        return Some(was(before, after));
    }
    let covers = |known: &String, item: &String| match (known.rsplit_once(' '), item.rsplit_once(' ')) {
        (Some((which, letters)), Some((wanted, access))) => {
            which == wanted && access.chars().all(|letter| letters.contains(letter))
        }
        _ => false,
    };
    let which = |item: &String| item.rsplit_once(' ').map_or(item.clone(), |(which, _)| which.to_owned());
    let order = |these: &[String], others: &[String]| -> Vec<String> {
        let others: BTreeSet<_> = others.iter().map(which).collect();
        these.iter().map(which).filter(|one| others.contains(one)).collect()
    };
    let is_not = |item: &&String| item.starts_with("not ");
    let gained = new.iter().filter(|item| !is_not(item) && !old.iter().any(|known| covers(known, item)));
    let mut found: Vec<_> = gained.map(|item| format!("gains {item}")).collect();
    found.extend(old.iter().filter(is_not).filter(|item| !new.contains(item)).map(|item| format!("loses {item}")));
    // A line that allows makes one before it that does not void.
    if found.is_empty() && old.iter().any(|item| is_not(&item)) && order(&old, &new) != order(&new, &old) {
        found.push(was(before, after));
    }
    (!found.is_empty()).then(|| found.join(", "))
}

/// `mode: 0600, owner: 0:0, changed: false, mounted over`; `not there`.
fn file(before: &str, after: &str) -> Option<String> {
    let mode = |text: &str| field(text, "mode").and_then(|mode| u32::from_str_radix(&mode, 8).ok());
    let (Some(old), Some(new)) = (mode(before), mode(after)) else { return Some(was(before, after)) };
    let opened = is_more_open(old, new);
    let owner = field(before, "owner") != field(after, "owner");
    let changed =
        field(before, "changed").as_deref() == Some("false") && field(after, "changed").as_deref() != Some("false");
    let mounted = !before.contains("mounted over") && after.contains("mounted over");
    (opened || owner || changed || mounted).then(|| was(before, after))
}

/// Whether a mode gives what the old one does not. The sticky bit takes.
pub(super) fn is_more_open(old: u32, new: u32) -> bool {
    const STICKY: u32 = 0o1000;
    new & !old & !STICKY != 0 || (old & STICKY != 0 && new & STICKY == 0 && new & 0o022 != 0)
}
