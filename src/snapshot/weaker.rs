//! Whether a new picture shows less protection than the old one.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::{Line, lines};

/// Each point in which it does, in a line.
pub(super) fn weaker(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (Picture::read(old), Picture::read(new));
    let mut found = Vec::new();
    for (step, before) in &old.steps {
        if let Some(after) = new.steps.get(step)
            && !before.starts_with("allowed")
            && !before.starts_with("observed")
            && after.starts_with("allowed")
        {
            found.push(format!("{step}: was {before}, is {after}"));
        }
    }
    for (place, before) in &old.facts {
        let Some(after) = new.facts.get(place).filter(|after| *after != before) else { continue };
        let lost = match place.rsplit(' ').next().unwrap_or("") {
            "inheritable" | "permitted" | "effective" | "bounding" | "ambient" => {
                let gained: Vec<_> = capabilities(after).difference(&capabilities(before)).copied().collect();
                (before != "ALL" && !gained.is_empty()).then(|| format!("{place}: gains {}", gained.join(", ")))
            }
            "no_new_privs" => (before == "true").then(|| format!("{place}: was true, is {after}")),
            "seccomp" => (after == "disabled").then(|| format!("{place}: was {before}, is {after}")),
            "list" => (after.starts_with("every device") && !before.starts_with("every device"))
                .then(|| format!("{place}: was {before}, is {after}")),
            "pids" | "memory" | "swap" => {
                let number = |text: &str| text.parse().unwrap_or(u64::MAX);
                (number(after) > number(before)).then(|| format!("{place}: was {before}, is {after}"))
            }
            "namespaces" => {
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
                let shared: Vec<_> = old
                    .iter()
                    .filter_map(|(name, state)| Some((name, state, new.get(name)?)))
                    .filter(|(_, old, new)| rank(new) > rank(old))
                    .map(|(name, old, new)| format!("{name} was {old}, is {new}"))
                    .collect();
                (!shared.is_empty()).then(|| format!("{place}: {}", shared.join(", ")))
            }
            _ => None,
        };
        found.extend(lost);
    }
    for (mount, before) in &old.mounts {
        let writable = |options: &str| options.split([' ', ',']).any(|word| word == "rw");
        if let Some(after) = new.mounts.get(mount)
            && !writable(before)
            && writable(after)
        {
            found.push(format!("{mount}: was {before}, is {after}"));
        }
    }
    found
}

fn capabilities(text: &str) -> BTreeSet<&str> {
    text.split(", ").filter(|name| *name != "none").collect()
}

/// A section's lines by what they are about.
#[derive(Default)]
struct Picture {
    /// `1 in box, list_firewall` and its outcome.
    steps: BTreeMap<String, String>,
    /// `box effective` and its value.
    facts: BTreeMap<String, String>,
    /// `box /mnt` and its options.
    mounts: BTreeMap<String, String>,
}

impl Picture {
    fn read(section: &str) -> Self {
        let mut picture = Self::default();
        for Line { part, about, value } in lines(section) {
            match (part.as_str(), about.as_slice()) {
                ("containers", [container, name]) => picture.facts.insert(format!("{container} {name}"), value),
                ("containers", [container, _, target]) => picture.mounts.insert(format!("{container} {target}"), value),
                ("steps", [step]) => picture.steps.insert(step.clone(), value),
                _ => None,
            };
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "containers:\n  box:\n    permitted, effective: CAP_CHOWN\n    no_new_privs: true\n    limit pids: 32\n    device list: the runtime's own\n    namespaces: pid new, user host\n    \
        mounts:\n      /mnt fixture:/etc ro\nsteps:\n  1 in box, mount: denied(EPERM)\n";

    #[test]
    fn what_protects_less_is_named() {
        let new = OLD
            .replace("permitted, effective: CAP_CHOWN", "permitted: CAP_CHOWN\n    effective: CAP_CHOWN, CAP_KILL")
            .replace("no_new_privs: true", "no_new_privs: false")
            .replace("pids: 32", "pids: unlimited")
            .replace("list: the runtime's own", "list: every device")
            .replace("pid new", "pid host")
            .replace("/etc ro", "/etc rw")
            .replace("denied(EPERM)", "allowed");
        assert_eq!(weaker(OLD, &new).len(), 7, "{:?}", weaker(OLD, &new));
    }

    #[test]
    fn a_namespace_that_is_shared_protects_less_than_an_own_one_and_more_than_the_hosts() {
        let shared = OLD.replace("pid new", "pid container:a");
        let hosts = OLD.replace("pid new", "pid host");
        assert_eq!(weaker(OLD, &shared), ["box namespaces: pid was new, is container:a"]);
        assert_eq!(weaker(&shared, &hosts), ["box namespaces: pid was container:a, is host"]);
        assert_eq!(weaker(&hosts, &shared), Vec::<String>::new());
    }

    #[test]
    fn what_protects_more_is_not() {
        let new = OLD
            .replace("effective: CAP_CHOWN", "effective: none")
            .replace("denied(EPERM)", "denied(EACCES)")
            .replace("pids: 32", "pids: 16");
        assert_eq!(weaker(OLD, &new), Vec::<String>::new());
    }
}
