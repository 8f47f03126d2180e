//! What a valid scenario says that its author may not mean. A warning is never about taste: what it names has no effect, or can
//! have none, or would pass for another reason too.

mod because;
mod container;
mod fixture;
mod image;
mod step;

use super::{
    diagnostic::{Fault, Place},
    model::{Case, Container, Step},
    tree::{Node, Value},
};

/// One case and the document that it was read from.
pub(super) struct Read<'a> {
    pub(super) case: &'a Case,
    pub(super) document: &'a Node,
}

/// What looks for one kind of thing. A new one is a line here, a function, and a file in tests/warnings.
const KINDS: [fn(&Read<'_>, &mut Vec<Fault>); 9] = [
    container::privileged,
    container::capabilities,
    container::user,
    container::calls,
    fixture::unread,
    image::passed_over,
    step::cannot_fail,
    step::no_refusal,
    because::missing,
];

/// The warnings of a valid case.
fn of_case(case: &Case, document: &Node) -> Vec<Fault> {
    let read = Read { case, document };
    let mut found = Vec::new();
    for look in KINDS {
        look(&read, &mut found);
    }
    found
}

/// Those that every case gives, by place: a matrix may compare what makes sense with what does not.
pub(super) fn of_cases<'a>(cases: impl Iterator<Item = (&'a Case, &'a Node)>) -> Vec<Fault> {
    let mut common: Option<Vec<Fault>> = None;
    for (case, document) in cases {
        let found = of_case(case, document);
        let same = |one: &Fault, other: &Fault| one.at == other.at && one.message == other.message;
        common = Some(match common {
            None => found,
            Some(known) => known.into_iter().filter(|one| found.iter().any(|other| same(one, other))).collect(),
        });
        if common.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    let mut common = common.unwrap_or_default();
    common.sort_by_key(|fault| fault.at);
    common
}

impl<'a> Read<'a> {
    /// Containers, each with the map that it was read from.
    pub(super) fn containers(&self) -> impl Iterator<Item = (&'a Container, &'a Node)> {
        let (document, case) = (self.document, self.case);
        case.containers.iter().filter_map(move |container| {
            let node = match get(document, "container") {
                Some(only) => Some(only),
                None => get(get(document, "containers")?, &container.name),
            };
            node.map(|node| (container, node))
        })
    }

    /// Steps, each with the map that it was read from.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&'a Step, &'a Node)> {
        let nodes = match get(self.document, "steps").map(|steps| &steps.value) {
            Some(Value::List(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        self.case.steps.iter().zip(nodes)
    }
}

/// The value of a key.
pub(super) fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    entries(node).iter().find(|(known, _)| known.text == key).map(|(_, value)| value)
}

fn entries(node: &Node) -> &[(super::tree::Key, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// Where a key's value stands; where the whole does if it is not there.
pub(super) fn place(node: &Node, key: &str) -> Place {
    get(node, key).map_or(Place { width: 1, ..node.at }, |value| value.at)
}

/// Where the item of a list stands that has this text.
fn item(list: &Node, is: impl Fn(&str) -> bool) -> Option<Place> {
    let Value::List(items) = &list.value else { return None };
    items.iter().find(|item| matches!(&item.value, Value::Scalar { text, .. } if is(text))).map(|item| item.at)
}
