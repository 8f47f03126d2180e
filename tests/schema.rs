//! The schema for editors and docs/reference.md are what the reader's tables say, and the schema judges as the reader does.
//! `CAPLAB_BLESS=1 cargo test --test schema` writes both files.

mod mutated;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use caplab::scenario::{self, discover, plain};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn current(path: &str, wanted: &str, same: impl Fn(&str) -> bool) {
    let path = root().join(path);
    if std::env::var_os("CAPLAB_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, wanted).expect("written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(same(&kept), "{}: CAPLAB_BLESS=1 cargo test --test schema writes it", path.display());
}

#[test]
fn the_files_are_current() {
    let schema = scenario::schema();
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
    // The order of keys is no matter of the schema, and depends on how serde_json was built.
    current("schemas/scenario.schema.json", &text, |kept| {
        serde_json::from_str::<Value>(kept).ok().as_ref() == Some(&schema)
    });
    let page = scenario::reference();
    current("docs/reference.md", &page, |kept| kept == page);
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::meta::validate(&scenario::schema()).expect("a schema of draft 7");
    jsonschema::draft7::new(&scenario::schema()).expect("a schema")
}

fn wrong(validator: &jsonschema::Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn read(path: &Path) -> Option<Value> {
    plain::to_json(path, &fs::read_to_string(path).expect("readable")).ok()
}

#[test]
fn every_valid_file_is_valid() {
    let validator = validator();
    let mut said = Vec::new();
    let mut count = 0;
    for folder in ["scenarios", "tests/warnings", "examples/dev-dependency/scenarios"] {
        for (name, path) in discover::files(&root().join(folder)).expect("files") {
            count += 1;
            for error in wrong(&validator, &read(&path).expect("YAML")) {
                said.push(format!("{name}{error}"));
            }
        }
    }
    assert!(count > 150, "{count} files");
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// An editor must not underline what caplab takes.
#[test]
fn what_the_reader_takes_the_schema_takes() {
    let validator = validator();
    let (mut said, mut taken) = (Vec::new(), 0);
    mutated::each(30, |name, path, text| {
        if scenario::load(name, path, text).is_ok() {
            taken += 1;
            let document = plain::to_json(path, text).expect("YAML");
            said.extend(wrong(&validator, &document).into_iter().map(|error| format!("{name}{error}\n{text}")));
        }
    });
    assert!(taken > 200, "{taken} of the changed files are valid");
    assert!(said.is_empty(), "{} of {taken}:\n{}", said.len(), said[..said.len().min(3)].join("\n"));
}

#[test]
fn every_scenario_tells_an_editor_its_schema() {
    for (name, path) in discover::files(&root().join("scenarios")).expect("scenarios") {
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with(&scenario::modeline(1 + name.matches('/').count())), "{name} has no modeline");
    }
    assert!(root().join("schemas/scenario.schema.json").exists());
}

/// What a schema cannot see: what belongs together, what overlaps, what is there twice, what lies elsewhere.
const UNSEEN: &str = include_str!("invalid/unseen-by-the-schema.txt");

#[test]
fn bad_files_are_refused_where_a_schema_can_see_it() {
    let validator = validator();
    let unseen: BTreeSet<&str> = UNSEEN.lines().collect();
    let mut accepted = BTreeSet::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("tests/invalid")).expect("the folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let count = files.len();
    for path in files {
        // What is no YAML no schema sees.
        if read(&path).is_none_or(|document| wrong(&validator, &document).is_empty()) {
            accepted.insert(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    if std::env::var_os("CAPLAB_BLESS").is_some() {
        let list: String = accepted.iter().map(|name| format!("{name}\n")).collect();
        fs::write(root().join("tests/invalid/unseen-by-the-schema.txt"), list).expect("written");
    }
    let accepted: BTreeSet<&str> = accepted.iter().map(String::as_str).collect();
    assert_eq!(accepted, unseen, "of {count}");
}

fn each(part: &Value, place: &str, look: &mut impl FnMut(&str, &Value)) {
    let Some(object) = part.as_object() else { return };
    for (name, value) in object {
        let place = format!("{place}/{name}");
        // What stands in these is no schema.
        match (name.as_str(), value) {
            ("examples" | "default" | "enum" | "const", _) => {}
            ("properties" | "definitions", Value::Object(parts)) => {
                for (name, part) in parts {
                    let place = format!("{place}/{name}");
                    look(&place, part);
                    each(part, &place, look);
                }
            }
            (_, Value::Array(parts)) => parts.iter().for_each(|part| each(part, &place, look)),
            _ => each(value, &place, look),
        }
    }
}

#[test]
fn every_part_is_described() {
    let mut said = Vec::new();
    each(&scenario::schema(), "", &mut |place, part| {
        // What a kind of step says of `expect` stands beside what every step says.
        if place.contains("/properties/")
            && !place.contains("/allOf/")
            && part["description"].as_str().is_none_or(str::is_empty)
        {
            said.push(place.to_owned());
        }
    });
    assert!(said.is_empty(), "{}", said.join("\n"));
}
