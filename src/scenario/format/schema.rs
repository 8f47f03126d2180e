//! JSON Schema of the format, for editors: draft 7, which all of them know.
//!
//! It refuses nothing that a reader takes. What it cannot say (two keys that exclude each other, an id map that overlaps) the
//! reader says.

use serde_json::{Map as Object, Value, json};

use super::{
    Key, Map, Takes, control, file,
    probe::PROBES,
    step::{KINDS, STEP},
};
use crate::{
    capability::Capability,
    errno::{Errno, Signal},
    scenario::plain,
};

/// The schema of a scenario file.
#[must_use]
pub fn schema() -> Value {
    let mut made = Made::default();
    let mut whole = made.map(&file::SCENARIO);
    whole["oneOf"] = json!([{"required": ["container"]}, {"required": ["containers"]}]);
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://caplab.invalid/schemas/scenario.schema.json",
        "title": "caplab scenario, schema 1",
    });
    for (key, value) in whole.as_object().into_iter().flatten() {
        schema[key] = value.clone();
    }
    made.definitions.insert(
        "variable".to_owned(),
        json!({
            "description": "A variable of the matrix.", "type": "string", "pattern": "\\$\\{[A-Za-z0-9_]+\\}",
        }),
    );
    schema["definitions"] = Value::Object(made.definitions);
    schema
}

/// Definitions, by name; each is made once.
#[derive(Default)]
struct Made {
    definitions: Object<String, Value>,
}

impl Made {
    /// A reference to a definition, which is made where it is not there yet.
    fn refer(&mut self, id: &str, make: impl FnOnce(&mut Self) -> Value) -> Value {
        if !self.definitions.contains_key(id) {
            // A place for those that refer to themselves.
            self.definitions.insert(id.to_owned(), Value::Null);
            let made = make(self);
            self.definitions.insert(id.to_owned(), made);
        }
        json!({"$ref": format!("#/definitions/{id}")})
    }

    /// A map with known keys. A key may also come of a variable.
    fn map(&mut self, map: &Map) -> Value {
        let mut properties = Object::new();
        for key in map.keys {
            properties.insert(key.name.to_owned(), self.key(key));
        }
        let mut schema = json!({
            "description": map.about, "type": "object", "properties": properties, "additionalProperties": false,
        });
        if map.filled {
            schema["minProperties"] = 1.into();
        }
        let required: Vec<&str> = map.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    fn key(&mut self, key: &Key) -> Value {
        let takes = self.takes(&key.takes);
        // Beside a `$ref` draft 7 knows nothing else.
        let mut schema = if takes.get("$ref").is_some() { json!({"allOf": [takes]}) } else { takes };
        let default: Option<Value> = key.default.and_then(|default| serde_json::from_str(default).ok());
        let mut about = key.about.to_owned();
        if let (Some(words), None) = (key.default, &default) {
            about.push_str(&format!("\n\nDefault: {words}."));
        }
        // An editor offers examples as they are, and a map as "[object Object]": those are told.
        let (maps, offered): (Vec<&str>, Vec<&str>) = key.examples.iter().partition(|example| example.contains('{'));
        for example in maps {
            about.push_str(&format!("\n\nExample: `{example}`"));
        }
        schema["description"] = about.into();
        if let Some(default) = default {
            schema["default"] = default;
        }
        if !offered.is_empty() {
            schema["examples"] = offered.into_iter().map(plain::json).collect();
        }
        schema
    }

    fn takes(&mut self, takes: &Takes) -> Value {
        match takes {
            Takes::Text => json!({"type": ["string", "number", "boolean"]}),
            Takes::Truth => varied(json!({"type": "boolean"})),
            Takes::Number { least, most } => json!({"anyOf": [
                {"type": "integer", "minimum": least, "maximum": most},
                {"type": "string", "pattern": "^[0-9]+$"},
                variable(),
            ]}),
            Takes::Like(pattern) => varied(json!({"type": "string", "pattern": pattern})),
            Takes::LikeOrNumber(pattern) => {
                varied(json!({"type": ["string", "number", "boolean"], "pattern": pattern}))
            }
            Takes::MinusOne => json!({"enum": [-1, "-1"]}),
            Takes::Words(words) => varied(json!({"enum": words()})),
            Takes::Capability { all } => {
                self.refer(if *all { "capability_or_all" } else { "capability" }, |_| capability(*all))
            }
            Takes::Errno => self.refer("errno", |_| {
                let mut known: Vec<String> = Errno::known().map(|(name, _)| name).collect();
                // Those that permission is refused with come first: an editor offers them in this order.
                known.sort_by_key(|name| !["EPERM", "EACCES", "EROFS"].contains(&name.as_str()));
                varied(json!({"description": "errno(3)", "enum": known}))
            }),
            Takes::Signal => self.refer("signal", |_| {
                let known = (1..=64).map(|number| Signal(number).to_string());
                let known: Vec<String> = known.filter(|name| Signal::from_name(name).is_some()).collect();
                varied(json!({"description": "signal(7)", "enum": known}))
            }),
            Takes::List(of) => json!({"type": "array", "items": self.takes(of)}),
            Takes::Filled(of) => json!({"type": "array", "items": self.takes(of), "minItems": 1}),
            Takes::Several(of) => {
                let one = self.takes(of);
                json!({"anyOf": [one, {"type": "array", "items": one}]})
            }
            Takes::Map(map) => self.refer(map.id, |made| {
                let mut schema = made.map(map);
                vary_keys(&mut schema);
                schema
            }),
            Takes::Entries { like, takes } => {
                let mut schema = json!({"type": "object", "additionalProperties": self.takes(takes)});
                if !like.is_empty() {
                    schema["propertyNames"] = json!({"anyOf": [{"pattern": like}, variable()]});
                }
                schema
            }
            Takes::OneOf(keys) => self.one_of(keys),
            Takes::Any(forms) => json!({"anyOf": forms.iter().map(|form| self.takes(form)).collect::<Vec<_>>()}),
            Takes::Conditional(of) => {
                let plain = self.takes(of);
                let conditional = match of {
                    Takes::Because => self.conditional(&plain, &file::CONDITION_OF_BECAUSE),
                    _ => self.conditional(&plain, &file::CONDITION),
                };
                json!({"anyOf": [plain, conditional]})
            }
            // Said where it is known what of.
            Takes::Expect => json!({}),
            Takes::Step => self.refer("step", Self::step),
            Takes::Probe => self.refer("probe", Self::probe),
            Takes::Because => self.refer("because", |made| {
                let one = made.refer("control", Self::control);
                let (none, about) = control::NONE;
                json!({"anyOf": [{"const": none, "description": about}, one, {"type": "array", "items": one, "minItems": 1, "maxItems": control::MOST}]})
            }),
        }
    }

    /// A map of exactly one of these keys.
    fn one_of(&mut self, keys: &[Key]) -> Value {
        let mut properties = Object::new();
        for key in keys {
            properties.insert(key.name.to_owned(), self.key(key));
        }
        let mut schema = json!({
            "type": "object", "properties": properties, "additionalProperties": false,
            "minProperties": 1, "maxProperties": 1,
        });
        vary_keys(&mut schema);
        schema
    }

    /// What depends on the cell; an arm may depend on it again.
    fn conditional(&mut self, plain: &Value, condition: &'static Map) -> Value {
        let mut schema = self.map(condition);
        for arm in ["then", "else"] {
            let described = schema["properties"][arm]["description"].take();
            schema["properties"][arm] = json!({"description": described, "anyOf": [plain, {"required": ["if"]}]});
        }
        schema
    }

    /// A step is of one kind, which says what its `expect` is.
    fn step(&mut self) -> Value {
        let mut schema = self.map(&STEP);
        let (mut kinds, mut each) = (Vec::new(), Vec::new());
        for kind in &KINDS {
            let mut then = json!({});
            if let Some(expects) = kind.expects {
                then["required"] = json!(["expect"]);
                then["properties"] = json!({"expect": self.takes(expects)});
            }
            let without: Vec<Value> = kind.without.iter().map(|(key, _)| json!({"required": [key]})).collect();
            if !without.is_empty() {
                then["not"] = json!({"anyOf": without});
            }
            // Not in the alternatives themselves: an editor would say of each what is wrong with it.
            kinds.push(json!({"required": [kind.name]}));
            each.push(json!({"if": {"required": [kind.name]}, "then": then}));
        }
        schema["oneOf"] = kinds.into();
        schema["allOf"] = each.into();
        vary_keys(&mut schema);
        schema
    }

    fn probe(&mut self) -> Value {
        let mut properties = Object::new();
        for form in PROBES.iter().filter(|form| form.takes) {
            properties.insert(form.key.name.to_owned(), self.key(&form.key));
        }
        let mut with = json!({
            "type": "object", "properties": properties, "additionalProperties": false,
            "minProperties": 1, "maxProperties": 1,
        });
        vary_keys(&mut with);
        let described: Vec<Value> = PROBES
            .iter()
            .filter(|form| form.alone)
            .map(|form| json!({"const": form.key.name, "description": form.key.about}))
            .collect();
        json!({
            "description": "One attempt that asks the kernel for one permission, harmlessly: docs/probes.md.",
            "anyOf": [{"oneOf": described}, with, variable()],
        })
    }

    fn control(&mut self) -> Value {
        let words: Vec<Value> =
            control::WORDS.iter().map(|(word, about)| json!({"const": word, "description": about})).collect();
        let maps = self.one_of(&control::MAPS);
        json!({
            "description": "A protection that is changed, so that the outcome must flip: docs/format.md, because.",
            "anyOf": [{"oneOf": words}, maps, variable()],
        })
    }
}

fn variable() -> Value {
    json!({"$ref": "#/definitions/variable"})
}

/// What a variable of the matrix may stand for.
fn varied(schema: Value) -> Value {
    json!({"anyOf": [schema, variable()]})
}

/// A key may be one.
fn vary_keys(schema: &mut Value) {
    schema["patternProperties"] = json!({"\\$\\{[A-Za-z0-9_]+\\}": {}});
}

/// Names as the manual and as docker has them are offered; others differ in capital letters only.
fn capability(all: bool) -> Value {
    let names: Vec<&str> = Capability::all().map(Capability::short_name).collect();
    let mut offered: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    offered.extend(names.iter().map(|name| format!("CAP_{name}")));
    if all {
        offered.insert(0, "ALL".to_owned());
    }
    let any_case = |name: &str| -> String {
        let letter = |letter: char| match letter {
            '_' => "_".to_owned(),
            letter => format!("[{letter}{}]", letter.to_ascii_lowercase()),
        };
        name.chars().map(letter).collect()
    };
    let others = names.iter().map(|name| any_case(name)).collect::<Vec<_>>().join("|");
    let all = if all { "|[Aa][Ll][Ll]" } else { "" };
    json!({
        "description": "capabilities(7)",
        "anyOf": [
            {"enum": offered},
            {"type": "string", "pattern": format!("^(({}_)?({others}){all})$", any_case("CAP"))},
            variable(),
        ],
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::{Key, Made, PROBES, Takes, control, plain, schema};
    use crate::scenario::{format::reference::CHAPTERS, load};

    fn wrong(made: &mut Made, key: &Key) -> Vec<String> {
        let mut part = made.takes(&key.takes);
        part["definitions"] = schema()["definitions"].clone();
        let validator = jsonschema::draft7::new(&part).expect("a schema");
        let default: Option<Value> = key.default.and_then(|default| serde_json::from_str(default).ok());
        let values = key.examples.iter().map(|example| plain::json(example)).chain(default);
        values
            .flat_map(|value| validator.iter_errors(&value).map(|error| error.to_string()).collect::<Vec<_>>())
            .map(|error| format!("{}: {error}", key.name))
            .collect()
    }

    #[test]
    fn examples_and_defaults_are_what_a_key_takes() {
        let mut made = Made::default();
        let keys = CHAPTERS.iter().flat_map(|(_, map)| map.keys);
        let keys = keys.chain(PROBES.iter().map(|form| &form.key)).chain(&control::MAPS);
        // What a step expects is said where its kind is.
        let keys: Vec<&Key> = keys.filter(|key| !matches!(key.takes, Takes::Expect)).collect();
        assert!(keys.len() > 120, "{} keys", keys.len());
        let said: Vec<String> = keys.into_iter().flat_map(|key| wrong(&mut made, key)).collect();
        assert!(said.is_empty(), "{}", said.join("\n"));
    }

    /// The tables have no probe that the reader does not take.
    #[test]
    fn every_probe_is_read() {
        for form in &PROBES {
            let name = form.key.name;
            let alone = form.alone.then(|| name.to_owned());
            let with = form.key.examples.iter().map(|example| format!("{{{name}: {example}}}"));
            let probes: Vec<String> = alone.into_iter().chain(with).collect();
            assert!(!probes.is_empty(), "{name} has no example");
            for probe in probes {
                let text = format!("title: A\ncontainer: {{}}\nsteps: [{{probe: {probe}, expect: allowed}}]\n");
                if let Err(invalid) = load("probe", Path::new("probe.yaml"), &text) {
                    panic!("{invalid}");
                }
            }
        }
    }
}
