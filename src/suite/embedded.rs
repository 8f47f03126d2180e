//! The scenarios and snapshots that came with the binary.

use crate::snapshot::Store;

/// Name, YAML, snapshot; by name. Made by build/suite.rs.
pub(super) static FILES: &[(&str, &str, Option<&str>)] = include!(concat!(env!("OUT_DIR"), "/suite.rs"));

/// Files that scenarios name: path below scenarios/, and text. Made by build/suite.rs.
static BESIDE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/beside.rs"));

/// One of them, by path from the folder of the scenario that names it.
pub(super) fn file(folder: &str, name: &str) -> Option<&'static str> {
    let path = [folder, name].into_iter().flat_map(|part| part.split('/')).filter(|part| !matches!(*part, "" | "."));
    let path = path.collect::<Vec<_>>().join("/");
    BESIDE.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

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
