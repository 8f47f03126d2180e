//! A whole scenario file.

use std::{collections::HashSet, fs, io::Read, path::Path};

use super::{
    diagnostic::{Diagnostic, Fault, Place},
    matrix::{self, Cell, Substitution},
    model::{Case, Container, Requirement, Scenario},
    read::{self, Fields, container::container, host::host, list, step::steps, text},
    tree::{self, Node, Value},
};
use crate::capability::Capability;

/// A larger file is no scenario, in bytes.
const MAX_FILE: usize = 1 << 20;

const KEYS: [&str; 9] = ["title", "source", "about", "host", "container", "containers", "steps", "matrix", "requires"];

/// Reads and validates a scenario file.
///
/// # Errors
/// What is wrong with it, for its author; also where it cannot be read.
pub fn read(name: &str, path: &Path) -> Result<Scenario, Box<Diagnostic>> {
    let whole = |message: String| Box::new(Diagnostic::new(name, path, "", Fault::new(Place::default(), message)));
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| whole(format!("cannot be read: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => load(name, path, &text),
        Err(error) if error.as_bytes().len() > MAX_FILE => load(name, path, &" ".repeat(MAX_FILE + 1)),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(whole(format!("not UTF-8 from byte {good} on, in line {line}")))
        }
    }
}

/// Validates the text of a scenario file.
///
/// # Errors
/// What is wrong with it, for its author.
pub fn load(name: &str, path: &Path, text: &str) -> Result<Scenario, Box<Diagnostic>> {
    understand(name, path, text).map_err(|fault| Box::new(Diagnostic::new(name, path, text, fault)))
}

fn understand(name: &str, path: &Path, text: &str) -> Result<Scenario, Fault> {
    if text.len() > MAX_FILE {
        return Err(Fault::new(Place::default(), "larger than 1 MiB").help("a scenario is a page that a person reads"));
    }
    let document = tree::parse(text)?;
    let fields = Fields::planned(&document, "a scenario", &KEYS, &["lab", "schema", "tags"])?;
    let line = |key: &str| fields.get(key).map(read::text).transpose().map(|found| found.map(str::to_owned));
    let title = title(fields.required("title")?)?;
    let cases = match fields.get("matrix") {
        None => vec![case(&document, None, &mut HashSet::new())?],
        Some(matrix) => cases(&document, matrix)?,
    };
    Ok(Scenario {
        name: name.to_owned(),
        path: path.to_owned(),
        title,
        source: line("source")?,
        about: line("about")?,
        cases,
    })
}

fn title(node: &Node) -> Result<String, Fault> {
    let title = text(node)?.trim();
    if title.is_empty() || title.contains('\n') {
        return Err(Fault::new(node.at, "a title is one line").help("the claim, in a sentence; more goes into `about`"));
    }
    Ok(title.to_owned())
}

fn cases(document: &Node, matrix: &Node) -> Result<Vec<Case>, Fault> {
    let cells = matrix::cells(matrix)?;
    let mut used = HashSet::new();
    let cases = cells.iter().map(|cell| case(document, Some(cell), &mut used)).collect::<Result<Vec<_>, _>>()?;
    for (key, _) in Fields::any(matrix, "matrix")?.all() {
        if !used.contains(&key.text) {
            return Err(Fault::new(key.at, format!("`{}` is used nowhere", key.text))
                .help(format!("write ${{{}}} where its values are meant: else every cell is the same", key.text)));
        }
    }
    Ok(cases)
}

/// The document of one cell, or the only one.
fn case(document: &Node, cell: Option<&Cell>, used: &mut HashSet<String>) -> Result<Case, Fault> {
    let empty = Cell::new();
    let mut substitution = Substitution::new(cell.unwrap_or(&empty));
    let Value::Map(entries) = &document.value else { return Err(Fault::new(document.at, "a scenario is a map")) };
    // Words for a reader are left as they are.
    let parts: Vec<_> = entries
        .iter()
        .filter(|(key, _)| !["title", "source", "about", "matrix"].contains(&key.text.as_str()))
        .map(|(key, node)| Ok((key.clone(), substitution.apply(node, Some(&key.text))?)))
        .collect::<Result<_, Fault>>()?;
    used.extend(substitution.used());
    let document = Node { at: document.at, value: Value::Map(parts) };
    let fields = Fields::any(&document, "a scenario")?;
    let containers = containers(&fields)?;
    Ok(Case {
        name: cell.map(matrix::name),
        host: fields.get("host").map(host).transpose()?.unwrap_or_default(),
        steps: steps(fields.required("steps")?, &containers)?,
        containers,
        requires: fields.get("requires").map(requires).transpose()?.unwrap_or_default(),
    })
}

fn containers(fields: &Fields<'_>) -> Result<Vec<Container>, Fault> {
    match (fields.get("container"), fields.get("containers")) {
        (Some(node), None) => Ok(vec![container("box", fields.key("container").map_or(node.at, |key| key.at), node)?]),
        (None, Some(node)) => {
            let all = Fields::any(node, "containers")?.all();
            if all.is_empty() {
                return Err(Fault::new(node.at, "no containers").help("`containers: {first: {preset: docker}}`"));
            }
            all.iter()
                .map(|(key, node)| {
                    let valid =
                        key.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
                    if key.text.is_empty() || key.text.len() > 63 || !valid {
                        return Err(Fault::new(key.at, format!("`{}` is no name for a container", key.text))
                            .help("letters, digits, - and _, at most 63"));
                    }
                    container(&key.text, key.at, node)
                })
                .collect()
        }
        (Some(_), Some(_)) => {
            let at = fields.key("containers").map_or(fields.at(), |key| key.at);
            Err(Fault::new(at, "both `container` and `containers`").help("one container, or several with names"))
        }
        (None, None) => Err(Fault::new(fields.at(), "no container").help("`container: {preset: docker}`")),
    }
}

fn requires(node: &Node) -> Result<Vec<Requirement>, Fault> {
    list(node)?.iter().map(requirement).collect()
}

fn requirement(node: &Node) -> Result<Requirement, Fault> {
    let help = "root, userns, nf_tables, {command: NAME}, {capability: NAME}";
    if let Value::Map(entries) = &node.value {
        return match entries.as_slice() {
            [(key, value)] if key.text == "command" => Ok(Requirement::Command(text(value)?.to_owned())),
            [(key, value)] if key.text == "capability" => {
                let name = text(value)?;
                Capability::from_name(name)
                    .map(|known| Requirement::Capability(known.to_string()))
                    .ok_or_else(|| Fault::new(value.at, format!("no capability `{name}`")))
            }
            _ => Err(Fault::new(node.at, "no requirement").help(help)),
        };
    }
    match text(node)? {
        "root" => Ok(Requirement::Root),
        "userns" => Ok(Requirement::Userns),
        "nf_tables" => Ok(Requirement::NfTables),
        other => Err(Fault::new(node.at, format!("no requirement `{other}`")).help(help)),
    }
}
