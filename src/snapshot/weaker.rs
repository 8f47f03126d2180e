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
            "namespaces" => {
                let shared: Vec<_> = before
                    .split(", ")
                    .filter_map(|one| one.strip_suffix(" new"))
                    .filter(|name| after.contains(&format!("{name} host")))
                    .collect();
                (!shared.is_empty()).then(|| format!("{place}: {} now the host's", shared.join(", ")))
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

    const OLD: &str = "containers:\n  box:\n    permitted, effective: CAP_CHOWN\n    no_new_privs: true\n    namespaces: pid new, user host\n    \
        mounts:\n      /mnt fixture:/etc ro\nsteps:\n  1 in box, mount: denied(EPERM)\n";

    #[test]
    fn what_protects_less_is_named() {
        let new = OLD
            .replace("permitted, effective: CAP_CHOWN", "permitted: CAP_CHOWN\n    effective: CAP_CHOWN, CAP_KILL")
            .replace("no_new_privs: true", "no_new_privs: false")
            .replace("pid new", "pid host")
            .replace("/etc ro", "/etc rw")
            .replace("denied(EPERM)", "allowed");
        assert_eq!(weaker(OLD, &new).len(), 5, "{:?}", weaker(OLD, &new));
    }

    #[test]
    fn what_protects_more_is_not() {
        let new = OLD.replace("effective: CAP_CHOWN", "effective: none").replace("denied(EPERM)", "denied(EACCES)");
        assert_eq!(weaker(OLD, &new), Vec::<String>::new());
    }
}
