//! What the repository says of itself is what it does.

use std::{collections::BTreeSet, fs, path::Path};

use caplab::scenario::{discover, load, read};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the author of a bad file is told.
fn told(text: &str) -> String {
    load("bad", Path::new("bad.yaml"), text).map(|_| ()).expect_err("refused").to_string()
}

#[test]
fn every_snapshot_belongs_to_a_scenario_and_every_scenario_has_one() {
    let scenarios = discover::files(&root().join("scenarios")).expect("scenarios");
    let names: BTreeSet<String> = scenarios.into_iter().map(|(name, _)| name).collect();
    let mut snapshots = BTreeSet::new();
    for area in fs::read_dir(root().join("snapshots")).expect("snapshots").flatten() {
        for file in fs::read_dir(area.path()).expect("an area").flatten() {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "snap") {
                snapshots.insert(discover::name(&root().join("snapshots"), &path));
            }
        }
    }
    assert_eq!(names, snapshots);
}

#[test]
fn the_readme_counts_the_suite() {
    let scenarios = discover::files(&root().join("scenarios")).expect("scenarios");
    let cases: usize = scenarios.iter().map(|(name, path)| read(name, path).expect("valid").cases.len()).sum();
    let said = format!("{} scenarios, {cases} cases", scenarios.len());
    assert!(text("README.md").contains(&said), "README.md does not say: {said}");
}

#[test]
fn the_documented_experiments_of_this_version_are_there() {
    let scenarios = discover::files(&root().join("scenarios")).expect("scenarios");
    let sources: Vec<String> =
        scenarios.iter().filter_map(|(name, path)| read(name, path).expect("valid").source).collect();
    for id in ["S1", "S2", "S3", "S4", "S5", "S8", "S9", "S11", "S12", "S14", "S15", "S16", "S17", "S18", "S20", "S21"]
    {
        let named =
            |source: &&String| source.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == id);
        assert!(sources.iter().filter(named).count() >= 2, "{id}: once as a command, once as a probe");
    }
    // What is looked at from outside is neither, and an image's user is both in one.
    for id in ["(S19)", "(S13,"] {
        assert!(sources.iter().any(|source| source.contains(id)), "{id}");
    }
}

#[test]
fn the_documents_name_every_key_and_probe() {
    let head = "title: A claim\n";
    let keys = told(&format!("{head}container: {{zzzzzzzz: 1}}\nsteps: []\n"));
    let probes = told(&format!("{head}container: {{}}\nsteps:\n  - probe: zzzzzzzz\n    expect: allowed\n"));
    let list = |told: &str, before: &str| -> Vec<String> {
        let (_, list) = told.split_once(before).unwrap_or_else(|| panic!("{before:?} is not in {told}"));
        // Other problems of the same file follow.
        let list = list.lines().next().unwrap_or_default();
        list.split(", ").map(str::to_owned).collect()
    };
    let format = text("docs/format.md");
    for key in list(&keys, "help: it has ") {
        assert!(format.contains(&format!("`{key}`")), "docs/format.md does not have the key {key}");
    }
    let documented = text("docs/probes.md");
    for probe in list(&probes, "help: there is ") {
        assert!(documented.contains(&probe), "docs/probes.md does not have {probe}");
        assert!(format.contains(&probe), "docs/format.md does not have {probe}");
    }
}
