//! A YAML document as a tree that remembers where each part stood. Scalars stay the text they were: `0000` is four
//! digits, not zero.

use std::{borrow::Cow, collections::HashMap};

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{
    diagnostic::{Fault, Place},
    layout::misplaced,
    problems::Problems,
};

/// Nesting beyond this has no use in a scenario.
const MAX_DEPTH: usize = 32;
/// Nodes beyond this are an alias bomb or a generated file.
const MAX_NODES: usize = 50_000;
/// Bytes of scalars, aliases counted as often as they stand.
const MAX_TEXT: usize = 8 << 20;

/// A part of the document.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Text; `plain` where it had no quotes. `written` is what stood there in quotes where a variable of the matrix was put in.
    Scalar { text: String, plain: bool, written: Option<Box<str>> },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written. No key is there twice.
    Map(Vec<(Key, Node)>),
    /// Nothing that can be read; why was told.
    Broken,
}

/// A key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) at: Place,
    pub(super) text: String,
}

impl Node {
    /// Where a line of it stands, counted from 1. A block is where its first line is; a text in one line is all there.
    pub(super) fn line(&self, number: usize) -> Place {
        let is_block = matches!(&self.value, Value::Scalar { text, .. } if text.contains('\n'));
        Place { line: self.at.line + if is_block { number - 1 } else { 0 }, width: 1, ..self.at }
    }

    /// `a text`, `a list`, `a map`.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { text, plain: true, .. } if is_null(text) => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Broken => "wrong",
        }
    }

    /// Values, and bytes of text in them.
    pub(super) fn size(&self) -> (usize, usize) {
        let sum = |sizes: &mut dyn Iterator<Item = (usize, usize)>| {
            sizes.fold((1, 0), |(nodes, text), size| (nodes + size.0, text + size.1))
        };
        match &self.value {
            Value::Scalar { text, .. } => (1, text.len()),
            Value::Broken => (1, 0),
            Value::List(items) => sum(&mut items.iter().map(Self::size)),
            Value::Map(entries) => sum(&mut entries.iter().map(|(key, node)| {
                let (nodes, text) = node.size();
                (nodes, text + key.text.len())
            })),
        }
    }
}

/// YAML's plain spellings of nothing.
pub(super) fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

/// Reads the one document of a text. What is wrong in one place of it is told; the error is what nothing can be read after.
pub(super) fn parse(text: &str, problems: &Problems) -> Result<Node, Fault> {
    let root = read(text, problems, true)?.pop();
    root.ok_or_else(|| Fault::new(Place::default(), "the file is empty").help("a scenario begins with `title:`"))
}

/// Reads all documents of a text, as files of others have them.
pub(super) fn documents(text: &str, problems: &Problems) -> Result<Vec<Node>, Fault> {
    read(text, problems, false)
}

fn read(text: &str, problems: &Problems, only_one: bool) -> Result<Vec<Node>, Fault> {
    let parser = Parser::new_from_str(text);
    let mut builder = Builder { parser, source: text, problems, anchors: HashMap::new(), nodes: 0, text: 0 };
    let mut roots = Vec::new();
    loop {
        let (event, span) = builder.next()?;
        match event {
            Event::StreamEnd => return Ok(roots),
            Event::DocumentStart(..) if only_one && !roots.is_empty() => {
                return Err(Fault::new(place(&span), "a second YAML document").help("one file is one scenario"));
            }
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => roots.push(builder.node(event, &span, 0)?),
        }
    }
}

struct Builder<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    source: &'a str,
    problems: &'a Problems,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    text: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => {
                    let marker = error.marker();
                    let at = Place { line: marker.line(), column: marker.col() + 1, width: 1 };
                    let seen = misplaced(self.source, marker.line());
                    return Err(seen.unwrap_or_else(|| {
                        Fault::new(at, format!("not YAML: {}", error.info())).help(
                            "a text with `: ` or ` #` in it, or that begins with one of {[&*#!|>@%, is put in quotes; lines are moved in with spaces",
                        )
                    }));
                }
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn count(&mut self, at: Place, nodes: usize, text: usize) -> Result<(), Fault> {
        self.nodes += nodes;
        self.text += text;
        if self.nodes > MAX_NODES || self.text > MAX_TEXT {
            return Err(Fault::new(at, format!("more than {MAX_NODES} values or {} MiB of text", MAX_TEXT >> 20))
                .help("an alias counts as often as it stands; write what is meant without so many of them"));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Fault> {
        let at = place(span);
        if depth > MAX_DEPTH {
            return Err(Fault::new(at, format!("nested deeper than {MAX_DEPTH} levels"))
                .help("nothing in a scenario is nested that deep"));
        }
        self.count(at, 1, 0)?;
        let (node, anchor) = match event {
            Event::Alias(anchor) => {
                let mut node = self.anchors.get(&anchor).cloned().ok_or_else(|| {
                    Fault::new(at, "an alias within what it stands for").help("write what is meant in its place")
                })?;
                let (nodes, text) = node.size();
                self.count(at, nodes, text)?;
                node.at = at;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.count(at, 0, text.len())?;
                (self.scalar(text, style, at), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, &span, depth + 1)?),
                    }
                }
                (Node { at, value: Value::List(items) }, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                (Node { at, value: Value::Map(self.entries(depth)?) }, anchor)
            }
            _ => return Err(Fault::new(at, "not a value")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn scalar(&self, text: Cow<'_, str>, style: ScalarStyle, at: Place) -> Node {
        if text.contains('\0') {
            let fault = Fault::new(at, "a NUL character").help("no path, name or argument of Linux can hold one");
            self.problems.tell(fault);
            return Node { at, value: Value::Broken };
        }
        Node { at, value: Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain, written: None } }
    }

    fn refuse_tag(&self, tagged: bool, at: Place) {
        if tagged {
            self.problems.tell(Fault::new(at, "a YAML tag").help("leave the `!…` away; a scenario needs none"));
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, Fault> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut known = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            let Value::Scalar { text, .. } = key.value else {
                self.problems.tell(
                    Fault::new(key.at, format!("a key must be a text, this is {}", key.kind()))
                        .help("`key: value`; a text that begins with [ or { is put in quotes"),
                );
                continue;
            };
            let key = Key { at: key.at, text };
            match known.get(&key.text) {
                Some(first) => self.problems.tell(
                    Fault::new(key.at, format!("`{}` is there twice", key.text))
                        .help(format!("the first one is in line {first}; only one can be meant")),
                ),
                None => {
                    known.insert(key.text.clone(), key.at.line);
                    entries.push((key, value));
                }
            }
        }
    }
}

fn place(span: &Span) -> Place {
    let (start, end) = (&span.start, &span.end);
    let width = if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { 1 };
    Place { line: start.line(), column: start.col() + 1, width: width.max(1) }
}
