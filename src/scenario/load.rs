//! A whole scenario file.

use std::{collections::HashSet, fs, io::Read, path::Path};

use super::{
    beside::Beside,
    diagnostic::{Diagnostic, Fault, Invalid, Level, Place},
    format,
    matrix::{self, Cell, Substitution},
    model::{Because, Case, Container, Requirement, Scenario},
    problems::Problems,
    read::{
        self, Fields,
        container::container,
        host::host,
        list, list_of_text,
        step::{Scene, steps},
        text,
    },
    there,
    tree::{self, Node, Value},
    warn,
};
use crate::{capability::Capability, engine::Kind, text::nearest};

/// A larger file is no scenario, in bytes.
const MAX_FILE: usize = 1 << 20;

/// More values in all cells of a matrix are a generated file.
const MAX_VALUES: usize = 100_000;

/// Reads and validates a scenario file.
///
/// # Errors
/// All that is wrong with it, for its author; also where it cannot be read.
pub fn read(name: &str, path: &Path) -> Result<Scenario, Box<Invalid>> {
    let whole = |message: String| {
        let problems = Problems::default();
        problems.tell(Fault::new(Place::default(), message));
        problems.refusal(name, path, "")
    };
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
/// All that is wrong with it, for its author.
pub fn load(name: &str, path: &Path, text: &str) -> Result<Scenario, Box<Invalid>> {
    load_with(name, path, text, Beside::Folder(path.parent().unwrap_or(path)))
}

/// The same where the files that it names are elsewhere.
///
/// # Errors
/// All that is wrong with it, for its author.
pub fn load_with(name: &str, path: &Path, text: &str, beside: Beside<'_>) -> Result<Scenario, Box<Invalid>> {
    let problems = Problems::default();
    let scenario = problems.ok(understand(name, path, text, beside, &problems));
    match scenario {
        Some(scenario) if problems.count() == 0 => Ok(scenario),
        _ => Err(problems.refusal(name, path, text)),
    }
}

fn understand(name: &str, path: &Path, text: &str, beside: Beside<'_>, problems: &Problems) -> Result<Scenario, Fault> {
    if text.len() > MAX_FILE {
        return Err(Fault::new(Place::default(), "larger than 1 MiB").help("a scenario is a page that a person reads"));
    }
    let document = tree::parse(text, problems)?;
    let fields = Fields::of(&document, &format::file::SCENARIO, problems)?;
    let line = |key: &str| fields.read(key, read::text).map(str::to_owned);
    let title = fields.need("title", title);
    let (source, about) = (line("source"), line("about"));
    let cases = match fields.get("matrix") {
        None => vec![problems.told(case(&fields, &[], None, &mut HashSet::new(), beside))],
        Some(matrix) => problems.told(matrix::cells(matrix, problems)).map(|cells| cases(&fields, &cells, beside))?,
    };
    let cases = cases.into_iter().collect::<Result<Vec<_>, _>>()?;
    // Of a file that is wrong there may be less than a case has.
    if problems.count() > 0 {
        return Err(Fault::told());
    }
    let warnings = warn::of_cases(cases.iter().map(|(case, document)| (case, document))).into_iter();
    Ok(Scenario {
        name: name.to_owned(),
        path: path.to_owned(),
        title: title?,
        source,
        about,
        text: text.to_owned(),
        warnings: warnings.map(|fault| Diagnostic::new(Level::Warning, name, path, text, fault)).collect(),
        cases: cases.into_iter().map(|(case, _)| case).collect(),
    })
}

fn title(node: &Node) -> Result<String, Fault> {
    let title = text(node)?.trim();
    if title.is_empty() || title.contains('\n') {
        return Err(Fault::new(node.at, "a title is one line").help("the claim, in a sentence; more goes into `about`"));
    }
    Ok(title.to_owned())
}

fn cases(fields: &Fields<'_>, cells: &[Cell], beside: Beside<'_>) -> Vec<Result<(Case, Node), Fault>> {
    let problems = fields.problems;
    let mut used = HashSet::new();
    let mut cases = Vec::new();
    // The matrix itself is in none of its cells.
    let of_a_cell = fields.all().iter().filter(|(key, _)| key.text != "matrix");
    let values: usize = of_a_cell.map(|(_, node)| node.size().0).sum();
    if values * cells.len() > MAX_VALUES {
        let at = fields.key("matrix").map_or(fields.at(), |key| key.at);
        let fault = Fault::new(at, format!("{} cells of {values} values each", cells.len()));
        problems
            .tell(fault.help(format!("at most {MAX_VALUES} in all cells: several scenarios ask less and say more")));
        return cases;
    }
    for cell in cells {
        cases.push(problems.told(case(fields, cells, Some(cell), &mut used, beside)));
        // A file that is this wrong says the same again in every cell.
        if problems.is_full() {
            break;
        }
    }
    let variables = fields.get("matrix").map(|matrix| Fields::any(matrix, "matrix", problems));
    for (key, _) in variables.into_iter().flatten().flat_map(|fields| fields.all()) {
        if !used.contains(&key.text) {
            problems.tell(
                Fault::new(key.at, format!("`{}` is used nowhere", key.text))
                    .help(format!("write ${{{}}} where its values are meant: else every cell is the same", key.text)),
            );
        }
    }
    cases
}

/// One cell's, or the only one, and the document that it was read from.
fn case(
    whole: &Fields<'_>,
    cells: &[Cell],
    cell: Option<&Cell>,
    used: &mut HashSet<String>,
    beside: Beside<'_>,
) -> Result<(Case, Node), Fault> {
    let problems = whole.problems;
    let before = problems.count();
    let document = of_cell(whole, cells, cell, used);
    let fields = Fields::any(&document, "a scenario", problems)?;
    let host = fields.read("host", |node| host(node, problems)).unwrap_or_default();
    let (containers, unsound) = containers(&fields, whole, beside);
    let scene = Scene { containers: &containers, unsound: &unsound, problems };
    let steps = match whole.get("steps") {
        // Misspelled keys have been given their names in the document of the cell.
        Some(_) => fields.need("steps", |node| steps(node, &scene)),
        None => whole.need("steps", |_| Ok(Vec::new())),
    };
    let requires = fields.read("requires", |node| requires(node, problems)).unwrap_or_default();
    let case = Case { name: cell.map(matrix::name), host, steps: steps?, containers, requires };
    // What a case that is wrong in itself lacks besides is not known.
    if problems.count() == before {
        there::check(&case, &document, problems);
    }
    if !case.is_for(Kind::Native)
        && let Some(step) = case.steps.iter().find(|step| *step.action.because() != Because::Unsaid)
    {
        let at = fields.key("requires").map_or(fields.at(), |key| key.at);
        let fault = Fault::new(at, format!("not for the native engine, and step {} has a `because`", step.id));
        problems.tell(fault.help(
            "what a because changes runs natively, whoever runs the case: say it of an `engine` list with native in it, or leave it away",
        ));
    }
    Ok((case, document))
}

/// The document with what the cell has for its variables.
pub(super) fn of_cell(whole: &Fields<'_>, cells: &[Cell], cell: Option<&Cell>, used: &mut HashSet<String>) -> Node {
    let empty = Cell::new();
    let mut substitution = Substitution::new(cells, cell.unwrap_or(&empty), whole.problems);
    // Words for a reader are left as they are.
    let parts: Vec<_> = whole
        .meant()
        .filter(|(key, _)| !["title", "source", "about", "matrix"].contains(&key.text.as_str()))
        .map(|(key, node)| (key.clone(), substitution.apply(node, Some(&key.text))))
        .collect();
    used.extend(substitution.used());
    Node { at: whole.at(), value: Value::Map(parts) }
}

/// The containers, and the names of those with which something is wrong.
fn containers(fields: &Fields<'_>, whole: &Fields<'_>, beside: Beside<'_>) -> (Vec<Container>, HashSet<String>) {
    let problems = fields.problems;
    let mut unsound = HashSet::new();
    let mut made = Vec::new();
    let mut make = |name: &str, at: Place, node| {
        let before = problems.count();
        let container = problems.ok(container(name, at, node, beside, problems));
        if problems.count() > before {
            unsound.insert(name.to_owned());
        }
        made.extend(container.map(|container| (container, node)));
    };
    match (fields.get("container"), fields.get("containers")) {
        (Some(node), None) => make("box", fields.key("container").map_or(node.at, |key| key.at), node),
        (None, Some(node)) => {
            let all = problems.ok(Fields::any(node, "containers", problems)).map(|fields| fields.all());
            if all.is_some_and(<[_]>::is_empty) {
                problems.tell(Fault::new(node.at, "no containers").help("`containers: {first: {preset: docker}}`"));
            }
            for (key, node) in all.unwrap_or_default() {
                let valid = key.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
                if key.text.is_empty() || key.text.len() > 63 || !valid {
                    problems.tell(
                        Fault::new(key.at, format!("`{}` is no name for a container", key.text))
                            .help("letters, digits, - and _, at most 63"),
                    );
                }
                make(&key.text, key.at, node);
            }
        }
        (Some(_), Some(_)) => {
            let at = fields.key("containers").map_or(fields.at(), |key| key.at);
            problems
                .tell(Fault::new(at, "both `container` and `containers`").help("one container, or several with names"));
        }
        // One of them may be it.
        (None, None) if whole.is_puzzling() => {}
        (None, None) => {
            let at = Place { width: 1, ..whole.at() };
            problems.tell(Fault::new(at, "no container").help("`container: {preset: docker}`"));
        }
    }
    let made = read::sharing::in_order(made, &mut unsound, problems);
    (made, unsound)
}

fn requires(node: &Node, problems: &Problems) -> Result<Vec<Requirement>, Fault> {
    Ok(problems.each(list(node)?, requirement))
}

fn requirement(node: &Node) -> Result<Requirement, Fault> {
    let help = "root, userns, nf_tables, {command: NAME}, {capability: NAME}, {engine: NAME}";
    if let Value::Map(entries) = &node.value {
        return match entries.as_slice() {
            [(key, value)] if key.text == "command" => Ok(Requirement::Command(text(value)?.to_owned())),
            [(key, value)] if key.text == "capability" => {
                let name = text(value)?;
                Capability::from_name(name)
                    .map(|known| Requirement::Capability(known.to_string()))
                    .ok_or_else(|| read::no_capability(value.at, name))
            }
            [(key, value)] if key.text == "engine" => {
                let one = |(name, at): (String, Place)| {
                    Kind::from_name(&name).ok_or_else(|| {
                        let names = Kind::ALL.map(Kind::name);
                        let fault = Fault::new(at, format!("no engine `{name}`"));
                        match nearest(&name, names) {
                            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
                            None => fault.help(names.join(", ")),
                        }
                    })
                };
                list_of_text(value)?.into_iter().map(one).collect::<Result<_, _>>().map(Requirement::Engine)
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
