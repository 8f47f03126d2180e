//! Sysctls of a container's namespaces.

use std::collections::HashMap;

use caplab_init::wire::IdMap;

use super::{namespaces, preset::Facts};
use crate::{host::Machine, scenario::model::Container};

const PING: &str = "net.ipv4.ping_group_range";

/// The preset's, and its author's. `gids` is the map of a user namespace of its own, empty where it has none.
pub(super) fn all(container: &Container, facts: &Facts, gids: &[IdMap], machine: &Machine) -> HashMap<String, String> {
    let own = !gids.is_empty();
    let groups = if own || machine.lab.initial { gids } else { &machine.lab.gids };
    // A range of groups that the map does not have cannot be written from inside (moby, WithSysctls); podman's has root alone.
    let preset = facts.sysctls.iter().filter(|(name, value)| !(own && *name == PING && *value != "0 0"));
    let preset = preset.filter(|(name, _)| namespaces::may_set(container, name));
    let preset = preset.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let all = preset.chain(container.sysctls.iter().cloned());
    all.map(|(name, value)| (name.clone(), value_of(&name, value, groups))).collect()
}

/// The value where there are these groups: every group that may ping is every one there is (`ipv4_ping_group_range` refuses one that
/// has no number).
fn value_of(name: &str, value: String, groups: &[IdMap]) -> String {
    match (name, value.split_once(char::is_whitespace), last(groups)) {
        (PING, Some((first, asked)), Some(last)) => {
            let asked = asked.trim().parse().unwrap_or(u32::MAX);
            format!("{first} {}", asked.min(last))
        }
        _ => value,
    }
}

fn last(groups: &[IdMap]) -> Option<u32> {
    groups.iter().map(|line| line.inside + (line.count - 1)).max()
}

/// The value that is the same on every machine: an ordinary user's lab host has fewer groups than there can be.
#[must_use]
pub fn everywhere(name: &str, value: &str, machine: &Machine) -> String {
    match value.split_once(' ') {
        Some((first, most)) if name == PING && !machine.lab.initial && most.parse().ok() == last(&machine.lab.gids) => {
            format!("{first} 2147483647")
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_may_ping_that_there_is() {
        let one = |inside, count| IdMap { inside, outside: 100_000, count };
        let ping = |value: &str, map: &[IdMap]| value_of(PING, value.to_owned(), map);
        assert_eq!(ping("0 2147483647", &[]), "0 2147483647");
        assert_eq!(ping("0 2147483647", &[one(0, 1), one(1, 65_536)]), "0 65536");
        assert_eq!(ping("0 0", &[one(0, 1), one(1, 65_536)]), "0 0");
        assert_eq!(value_of("net.ipv4.ip_unprivileged_port_start", "0".to_owned(), &[one(0, 1)]), "0");
    }
}
