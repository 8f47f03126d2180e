//! The scenarios and snapshots that came with the binary.

use crate::snapshot::Store;

/// Name, YAML, snapshot; by name. Made by build/suite.rs.
pub(super) static FILES: &[(&str, &str, Option<&str>)] = include!(concat!(env!("OUT_DIR"), "/suite.rs"));

/// Their snapshots.
pub(super) fn store() -> Store {
    Store::Embedded(|scenario| {
        let index = FILES.binary_search_by_key(&scenario, |(name, ..)| name).ok()?;
        FILES[index].2
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_came_with_its_snapshot() {
        let Store::Embedded(find) = store() else { panic!("not embedded") };
        assert!(FILES.len() > 40, "only {}", FILES.len());
        for (name, ..) in FILES {
            assert!(find(name).is_some(), "{name}");
        }
    }
}
