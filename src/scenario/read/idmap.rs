//! Id maps, user_namespaces(7).

use caplab_init::wire::IdMap;

use super::{list, scalar::id_text, text};
use crate::scenario::{diagnostic::Fault, problems::Problems, tree::Node};

/// The kernel takes no more lines (UID_GID_MAP_MAX_EXTENTS).
const MAX_LINES: usize = 340;

/// podman's `container:host:amount` lines.
pub(super) fn podman(node: &Node, problems: &Problems) -> Result<Vec<IdMap>, Fault> {
    read(node, problems, ':', "`container:host:amount`, \"0:2000:1000\"")
}

/// The kernel's "inside outside count" lines.
pub(super) fn kernel(node: &Node, problems: &Problems) -> Result<Vec<IdMap>, Fault> {
    read(node, problems, ' ', "\"inside outside count\", \"0 2000 1000\"")
}

fn read(node: &Node, problems: &Problems, separator: char, form: &str) -> Result<Vec<IdMap>, Fault> {
    let items = list(node)?;
    if items.is_empty() {
        return Err(
            Fault::new(node.at, "an empty id map").help("without any id there is no user that a process could be")
        );
    }
    if items.len() > MAX_LINES {
        return Err(Fault::new(node.at, format!("an id map of more than {MAX_LINES} lines"))
            .help("the kernel takes no more: a line is a range, not an id"));
    }
    let mut lines: Vec<IdMap> = Vec::new();
    for item in items {
        if let Some(line) = problems.ok(line(item, separator, form)) {
            problems.ok(check(item, &line, &lines));
            lines.push(line);
        }
    }
    Ok(lines)
}

fn line(item: &Node, separator: char, form: &str) -> Result<IdMap, Fault> {
    let text = text(item)?;
    let parts: Vec<&str> = text.split(separator).filter(|part| separator != ' ' || !part.is_empty()).collect();
    let [inside, outside, count] = parts.as_slice() else {
        return Err(Fault::new(item.at, format!("`{text}` is no line of an id map")).help(form));
    };
    Ok(IdMap {
        inside: id_text(item.at, inside)?,
        outside: id_text(item.at, outside)?,
        count: count.parse().map_err(|_| Fault::new(item.at, format!("`{count}` is no amount of ids")).help(form))?,
    })
}

fn check(item: &Node, line: &IdMap, before: &[IdMap]) -> Result<(), Fault> {
    if line.count == 0 {
        return Err(Fault::new(item.at, "an id map of no ids").help("the amount is the third number"));
    }
    for first in [line.inside, line.outside] {
        if u64::from(first) + u64::from(line.count) > u64::from(u32::MAX) {
            return Err(Fault::new(item.at, format!("{first} and {} more goes beyond the last id", line.count))
                .help("ids end at 4294967294"));
        }
    }
    let meets = |a: u32, b: u32, other: &IdMap| {
        u64::from(a) < u64::from(b) + u64::from(other.count) && u64::from(b) < u64::from(a) + u64::from(line.count)
    };
    for other in before {
        let side = if meets(line.inside, other.inside, other) {
            "container"
        } else if meets(line.outside, other.outside, other) {
            "host"
        } else {
            continue;
        };
        return Err(Fault::new(
            item.at,
            format!("this line and {}:{}:{} overlap on the {side}'s side", other.inside, other.outside, other.count),
        )
        .help("the kernel refuses a map in which an id has two meanings"));
    }
    Ok(())
}
