//! A matrix makes a document into one per cell: `${var}` replaced, conditional expectations decided.

use std::collections::HashSet;

use super::{
    diagnostic::{Fault, Place},
    format,
    problems::Problems,
    read::{Fields, list_of_text},
    tree::{Key, Node, Value},
};
use crate::text::nearest;

/// Cells beyond this make no test suite.
const MAX_CELLS: usize = 1000;

/// One cell: variables and values, in the order written.
pub(super) type Cell = Vec<(String, String)>;

/// The cells of a `matrix:`.
pub(super) fn cells(node: &Node, problems: &Problems) -> Result<Vec<Cell>, Fault> {
    let fields = Fields::any(node, "matrix", problems)?;
    let before = problems.count();
    let variables: Vec<_> =
        fields.all().iter().filter_map(|(key, values)| problems.ok(variable(key, values, problems))).collect();
    if problems.count() > before {
        return Err(Fault::told());
    }
    let mut cells: Vec<Cell> = vec![Vec::new()];
    for (name, values) in &variables {
        if cells.len() * values.len() > MAX_CELLS {
            return Err(Fault::new(node.at, format!("more than {MAX_CELLS} cells"))
                .help("every value is combined with every other: several scenarios ask less and say more"));
        }
        cells = cells
            .iter()
            .flat_map(|cell| {
                values.iter().map(move |value| {
                    let mut cell = cell.clone();
                    cell.push((name.clone(), value.clone()));
                    cell
                })
            })
            .collect();
    }
    if cells == [Vec::new()] {
        return Err(Fault::new(node.at, "an empty matrix").help("leave `matrix:` away, or give it a variable"));
    }
    Ok(cells)
}

/// A variable and its values.
fn variable(key: &Key, values: &Node, problems: &Problems) -> Result<(String, Vec<String>), Fault> {
    if key.text.is_empty() || !key.text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Err(Fault::new(key.at, format!("`{}` is no name for a variable", key.text))
            .help("letters, digits and underscores"));
    }
    let texts = list_of_text(values)?;
    if texts.is_empty() {
        return Err(
            Fault::new(values.at, format!("`{}` has no values", key.text)).help("a matrix of nothing has no cells")
        );
    }
    let mut seen = HashSet::new();
    for (text, at) in &texts {
        if !seen.insert(text) {
            problems.tell(Fault::new(*at, format!("`{text}` is there twice")).help("two cells cannot have one name"));
        }
        if text.contains([',', '=', '[', ']', '\n']) {
            problems.tell(
                Fault::new(*at, "a value of a matrix cannot hold , = [ ] or a line break")
                    .help("it names its cell, `area/name[cap=KILL]`: write what it stands for with a condition"),
            );
        }
    }
    Ok((key.text.clone(), texts.into_iter().map(|(text, _)| text).collect()))
}

/// `cap=KILL,user=root`.
pub(super) fn name(cell: &Cell) -> String {
    cell.iter().map(|(variable, value)| format!("{variable}={value}")).collect::<Vec<_>>().join(",")
}

/// Replaces variables in a document for one cell.
pub(super) struct Substitution<'a> {
    /// Every cell of the matrix.
    cells: &'a [Cell],
    cell: &'a Cell,
    used: HashSet<String>,
    problems: &'a Problems,
}

impl<'a> Substitution<'a> {
    pub(super) fn new(cells: &'a [Cell], cell: &'a Cell, problems: &'a Problems) -> Self {
        Self { cells, cell, used: HashSet::new(), problems }
    }

    /// The variables that stood somewhere.
    pub(super) fn used(self) -> HashSet<String> {
        self.used
    }

    /// The document of the cell.
    pub(super) fn apply(&mut self, node: &Node, within: Option<&str>) -> Node {
        let value = match &node.value {
            Value::Scalar { text, plain, .. } => match self.text(node.at, text, within) {
                Some(done) => {
                    let written = (!plain && done != *text).then(|| text.as_str().into());
                    Value::Scalar { text: done, plain: *plain, written }
                }
                None => Value::Broken,
            },
            Value::List(items) => Value::List(items.iter().map(|item| self.apply(item, within)).collect()),
            Value::Map(_) if matches!(within, Some("expect" | "inspect" | "because")) && is_conditional(node) => {
                return self.decided(node, within).unwrap_or(Node { at: node.at, value: Value::Broken });
            }
            Value::Map(entries) => Value::Map(self.entries(entries, within)),
            Value::Broken => Value::Broken,
        };
        Node { at: node.at, value }
    }

    fn entries(&mut self, entries: &[(Key, Node)], within: Option<&str>) -> Vec<(Key, Node)> {
        let mut done: Vec<(Key, Node)> = Vec::new();
        for (key, value) in entries {
            // What stands under run is a shell's: its own ${…} are left to it.
            let within = if within == Some("run") { "run" } else { key.text.as_str() };
            let Some(text) = self.text(key.at, &key.text, Some(within)) else { continue };
            if text != key.text && done.iter().any(|(other, _)| other.text == text) {
                let fault = Fault::new(key.at, format!("`{}` becomes a second `{text}`", key.text));
                self.problems.tell(fault.help("only one can be meant"));
                continue;
            }
            let value = match within {
                // Where its condition does not hold and it says nothing else, nothing is said.
                "because" if is_conditional(value) => self.decided(value, Some(within)),
                _ => Some(self.apply(value, Some(within))),
            };
            done.extend(value.map(|value| (Key { at: key.at, text }, value)));
        }
        done
    }

    /// Nothing where a variable is not known, which is told.
    fn text(&mut self, at: Place, text: &str, within: Option<&str>) -> Option<String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            done.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                rest = &rest[before.len()..];
                break;
            };
            match self.cell.iter().find(|(variable, _)| variable == name) {
                Some((variable, value)) => {
                    self.used.insert(variable.clone());
                    done.push_str(value);
                }
                None if within == Some("run") => done.push_str(&format!("${{{name}}}")),
                None => {
                    let fault = Fault::new(at, format!("no variable `{name}`"));
                    self.unknown(name, fault);
                    return None;
                }
            }
            rest = after;
        }
        done.push_str(rest);
        Some(done)
    }

    /// Tells that a variable is not known. The one that was meant is used then.
    fn unknown(&mut self, name: &str, fault: Fault) {
        let known: Vec<_> = self.cell.iter().map(|(variable, _)| variable.as_str()).collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(meant) => {
                self.used.insert(meant.to_owned());
                format!("did you mean `{meant}`?")
            }
            None if known.is_empty() => "the scenario has no matrix".to_owned(),
            None => format!("the matrix has {}", known.join(", ")),
        };
        self.problems.tell(fault.help(help));
    }

    /// `{if: {cap: [A, B]}, then: …, else: …}`; nothing where there is no `else` and it is asked for, or what is wrong was told.
    fn decided(&mut self, node: &Node, within: Option<&str>) -> Option<Node> {
        let broken = Node { at: node.at, value: Value::Broken };
        let decided = self.decide(node, within);
        match self.problems.ok(decided) {
            Some(arm) => arm,
            None => Some(broken),
        }
    }

    fn decide(&mut self, node: &Node, within: Option<&str>) -> Result<Option<Node>, Fault> {
        let problems = self.problems;
        let optional = within == Some("because");
        let map = if optional { &format::file::CONDITION_OF_BECAUSE } else { &format::file::CONDITION };
        let fields = Fields::of(node, map, problems)?;
        let condition = fields.need("if", |node| self.holds(node));
        let (then, otherwise) = (
            fields.need("then", Ok),
            match optional {
                true => Ok(fields.get("else")),
                false => fields.need("else", Ok).map(Some),
            },
        );
        // Both arms are read, so that a mistake in one is found in any cell.
        let then = then.map(|node| self.apply(node, within));
        let otherwise = otherwise.map(|node| node.map(|node| self.apply(node, within)));
        if condition? { then.map(Some) } else { otherwise }
    }

    /// A condition on a value that no cell has holds nowhere: what stands under it would never be looked at.
    fn must_be_one_of_the_matrix(&self, variable: &str, text: &str, at: Place) {
        let known =
            || self.cells.iter().flatten().filter(|(name, _)| name == variable).map(|(_, value)| value.as_str());
        if known().any(|value| value == text) {
            return;
        }
        let help = match nearest(text, known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let mut seen = HashSet::new();
                format!("the matrix has {}", known().filter(|value| seen.insert(*value)).collect::<Vec<_>>().join(", "))
            }
        };
        self.problems.tell(Fault::new(at, format!("no cell has `{text}` for `{variable}`")).help(help));
    }

    fn holds(&mut self, condition: &Node) -> Result<bool, Fault> {
        let conditions = Fields::any(condition, "if", self.problems)?;
        if conditions.all().is_empty() {
            return Err(Fault::new(condition.at, "an empty condition").help("`if: {cap: [CHOWN, FOWNER]}`"));
        }
        let mut holds = true;
        for (variable, values) in conditions.all() {
            match self.cell.iter().find(|(name, _)| *name == variable.text) {
                Some((_, value)) => {
                    self.used.insert(variable.text.clone());
                    let values = list_of_text(values)?;
                    // A condition is the same in every cell.
                    if self.cells.first() == Some(self.cell) {
                        values.iter().for_each(|(text, at)| self.must_be_one_of_the_matrix(&variable.text, text, *at));
                    }
                    holds &= values.iter().any(|(text, _)| text == value);
                }
                None => {
                    let fault = Fault::new(variable.at, format!("`{}` is no variable of the matrix", variable.text));
                    if nearest(&variable.text, self.cell.iter().map(|(name, _)| name.as_str())).is_some() {
                        self.unknown(&variable.text, fault);
                    } else {
                        self.problems.tell(
                            fault.help("a condition can only ask for the cell, never for what happens at run time"),
                        );
                    }
                    return Err(Fault::told());
                }
            }
        }
        Ok(holds)
    }
}

fn is_conditional(node: &Node) -> bool {
    matches!(&node.value, Value::Map(entries) if entries.iter().any(|(key, _)| key.text == "if"))
}
