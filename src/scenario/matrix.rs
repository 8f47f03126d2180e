//! A matrix makes a document into one per cell: `${var}` replaced, conditional expectations decided.

use std::collections::HashSet;

use super::{
    diagnostic::Fault,
    read::{Fields, list_of_text},
    tree::{Key, Node, Value},
};

/// Cells beyond this make no test suite.
const MAX_CELLS: usize = 1000;

/// One cell: variables and values, in the order written.
pub(super) type Cell = Vec<(String, String)>;

/// The cells of a `matrix:`.
pub(super) fn cells(node: &Node) -> Result<Vec<Cell>, Fault> {
    let mut cells: Vec<Cell> = vec![Vec::new()];
    let fields = Fields::any(node, "matrix")?;
    for (key, values) in fields.all() {
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
                return Err(Fault::new(*at, format!("`{text}` is there twice")).help("two cells cannot have one name"));
            }
            if text.contains([',', '=', '[', ']', '\n']) {
                return Err(Fault::new(
                    *at,
                    "a value of a matrix names its cell, and cannot hold , = [ ] or a line break",
                ));
            }
        }
        cells = cells
            .iter()
            .flat_map(|cell| {
                texts.iter().map(move |(text, _)| {
                    let mut cell = cell.clone();
                    cell.push((key.text.clone(), text.clone()));
                    cell
                })
            })
            .collect();
        if cells.len() > MAX_CELLS {
            return Err(Fault::new(node.at, format!("more than {MAX_CELLS} cells")));
        }
    }
    if cells == [Vec::new()] {
        return Err(Fault::new(node.at, "an empty matrix").help("leave `matrix:` away, or give it a variable"));
    }
    Ok(cells)
}

/// `cap=KILL,user=root`.
pub(super) fn name(cell: &Cell) -> String {
    cell.iter().map(|(variable, value)| format!("{variable}={value}")).collect::<Vec<_>>().join(",")
}

/// Replaces variables in a document for one cell.
pub(super) struct Substitution<'a> {
    cell: &'a Cell,
    used: HashSet<String>,
}

impl<'a> Substitution<'a> {
    pub(super) fn new(cell: &'a Cell) -> Self {
        Self { cell, used: HashSet::new() }
    }

    /// The variables that stood somewhere.
    pub(super) fn used(self) -> HashSet<String> {
        self.used
    }

    /// The document of the cell.
    pub(super) fn apply(&mut self, node: &Node, within: Option<&str>) -> Result<Node, Fault> {
        let value = match &node.value {
            Value::Scalar { text, plain } => Value::Scalar { text: self.text(node, text, within)?, plain: *plain },
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.apply(item, within)).collect::<Result<_, _>>()?)
            }
            Value::Map(_) if within == Some("expect") && is_conditional(node) => return self.decide(node),
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        // What stands under run is a shell's: its own ${…} are left to it.
                        let within = if within == Some("run") { "run" } else { key.text.as_str() };
                        let text =
                            self.text(&Node { at: key.at, value: Value::List(Vec::new()) }, &key.text, Some(within))?;
                        Ok((Key { at: key.at, text }, self.apply(value, Some(within))?))
                    })
                    .collect::<Result<_, Fault>>()?,
            ),
        };
        Ok(Node { at: node.at, value })
    }

    fn text(&mut self, node: &Node, text: &str, within: Option<&str>) -> Result<String, Fault> {
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
                    let known: Vec<_> = self.cell.iter().map(|(variable, _)| variable.as_str()).collect();
                    let help = if known.is_empty() {
                        "the scenario has no matrix".to_owned()
                    } else {
                        format!("the matrix has {}", known.join(", "))
                    };
                    return Err(Fault::new(node.at, format!("no variable `{name}`")).help(help));
                }
            }
            rest = after;
        }
        done.push_str(rest);
        Ok(done)
    }

    /// `{if: {cap: [A, B]}, then: …, else: …}`.
    fn decide(&mut self, node: &Node) -> Result<Node, Fault> {
        let fields = Fields::of(node, "a conditional expect", &["if", "then", "else"])?;
        let condition = fields.required("if")?;
        let conditions = Fields::any(condition, "if")?;
        let mut holds = true;
        for (variable, values) in conditions.all() {
            let Some((_, value)) = self.cell.iter().find(|(name, _)| *name == variable.text) else {
                return Err(Fault::new(variable.at, format!("`{}` is no variable of the matrix", variable.text))
                    .help("a condition can only ask for the cell, never for what happens at run time"));
            };
            self.used.insert(variable.text.clone());
            let values = list_of_text(values)?;
            holds &= values.iter().any(|(text, _)| text == value);
        }
        if conditions.all().is_empty() {
            return Err(Fault::new(condition.at, "an empty condition").help("`if: {cap: [CHOWN, FOWNER]}`"));
        }
        let (then, otherwise) = (fields.required("then")?, fields.required("else")?);
        // Both arms are read, so that a mistake in one is found in any cell.
        let then = self.apply(then, Some("expect"))?;
        let otherwise = self.apply(otherwise, Some("expect"))?;
        Ok(if holds { then } else { otherwise })
    }
}

fn is_conditional(node: &Node) -> bool {
    matches!(&node.value, Value::Map(entries) if entries.iter().any(|(key, _)| key.text == "if"))
}
