//! Steps, and what they say of the containers they are taken in.

use std::collections::HashSet;

use super::{
    Fields,
    because::because,
    container::user,
    expect, facts, list,
    probe::probe,
    scalar::{choice, duration, filled, path, texts},
    text,
};
use crate::{
    observe::{NamespaceState, Stream},
    scenario::{
        diagnostic::{Fault, Place},
        format::{
            self,
            control::NONE,
            step::{KINDS, Kind},
            words,
        },
        model::{Action, Container, Expect, FactsExpect, Matcher, OutcomeExpect, Step},
        problems::Problems,
        tree::{Node, Value},
    },
    text::nearest,
};

/// What steps are taken in.
pub(in crate::scenario) struct Scene<'a> {
    /// In the order in which they are made.
    pub(in crate::scenario) containers: &'a [Container],
    /// Names of those with which something is wrong, also where nothing could be made of them.
    pub(in crate::scenario) unsound: &'a HashSet<String>,
    pub(in crate::scenario) problems: &'a Problems,
}

impl Scene<'_> {
    /// A container with which nothing is wrong.
    fn sound(&self, index: usize) -> Option<&Container> {
        self.containers.get(index).filter(|container| !self.unsound.contains(&container.name))
    }

    /// The names of all containers, those included of which nothing could be made.
    fn names(&self) -> Vec<&str> {
        let known: Vec<&str> = self.containers.iter().map(|one| one.name.as_str()).collect();
        let mut lost: Vec<&str> = self.unsound.iter().map(String::as_str).filter(|one| !known.contains(one)).collect();
        lost.sort_unstable();
        [known, lost].concat()
    }

    fn find(&self, node: &Node) -> Result<usize, Fault> {
        let name = text(node)?;
        let names = self.names();
        match self.containers.iter().position(|one| one.name == name) {
            Some(index) => Ok(index),
            None if names.is_empty() || self.unsound.contains(name) => Err(Fault::told()),
            None => Err(unknown_container(node.at, name, &names)),
        }
    }
}

fn unknown_container(at: Place, name: &str, names: &[&str]) -> Fault {
    let fault = Fault::new(at, format!("no container `{name}`"));
    match nearest(name, names.iter().copied()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("there is {}", names.join(", "))),
    }
}

/// A step.
pub(in crate::scenario) fn step(index: usize, node: &Node, scene: &Scene<'_>) -> Result<Step, Fault> {
    let problems = scene.problems;
    let fields = Fields::of(node, &format::step::STEP, problems)?;
    let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| fields.key(kind.name).is_some()).collect();
    let Kind { name: kind, without, .. } = match kinds.as_slice() {
        [kind] => kind,
        // One of its keys may be one of them.
        [] if fields.is_puzzling() => return Err(Fault::told()),
        [] => return Err(Fault::new(node.at, "a step that does nothing").help("one of run, probe, inspect, host")),
        [first, second, ..] => {
            let at = fields.key(second.name).map_or(node.at, |key| key.at);
            return Err(Fault::new(at, format!("a step that is both `{}` and `{}`", first.name, second.name))
                .help("one step does one thing: make it two"));
        }
    };
    refuse_keys(&fields, kind, without);
    let within = problems.told(within(&fields, node, kind, scene));
    let container = within.as_ref().ok().and_then(|within| scene.sound(*within));
    let as_user = fields.read("as", user);
    let id = fields.read("id", filled).unwrap_or_else(|| (index + 1).to_string());
    let timeout = fields.read("timeout", duration);
    let capture = fields.read("capture", |node| capture(node, problems)).unwrap_or_default();
    let body = fields.required(kind)?;
    let decided =
        |expect: Option<&Expect>| problems.told(because(&fields, container, fields.get("as").is_some(), expect));
    let action = match *kind {
        "run" => {
            let argv = problems.told(argv(body));
            let expect = problems.told(expectation(&fields, node).and_then(|node| expect::of_run(node, problems)));
            let because = decided(expect.as_ref().ok());
            let expect = expect?;
            evidence(&fields, &expect)?;
            Action::Run { argv: argv?, through: fields.read("through", path), expect, because: because? }
        }
        "probe" => {
            let probe = problems.told(probe(body, problems));
            let expect = problems.told(expectation(&fields, node).and_then(|node| expect::of_probe(node, problems)));
            let because = decided(expect.as_ref().ok());
            Action::Probe { probe: probe?, expect: expect?, because: because? }
        }
        "inspect" => {
            let expect = facts::inspect(body, problems)?;
            named(&expect, body, scene)?;
            Action::Inspect(Box::new(expect))
        }
        _ => host(body, &fields, node, scene)?,
    };
    Ok(Step { id, within: within?, as_user, timeout, capture, action, line: node.at.line })
}

/// The container that a step is taken in.
fn within(fields: &Fields<'_>, node: &Node, kind: &str, scene: &Scene<'_>) -> Result<usize, Fault> {
    let names = scene.names();
    match fields.get("in") {
        Some(node) => scene.find(node),
        None if kind == "host" || names.len() <= 1 => Ok(0),
        None => {
            Err(Fault::new(node.at, "which container is meant?").help(format!("`in:` one of {}", names.join(", "))))
        }
    }
}

/// Keys that mean nothing in a step of this kind.
fn refuse_keys(fields: &Fields<'_>, kind: &str, without: &[(&str, &str)]) {
    for (key, reason) in without {
        if let Some(key) = fields.key(key) {
            let fault = Fault::new(key.at, format!("`{}` in a step of kind `{kind}`", key.text));
            fields.problems.tell(fault.help(*reason));
        }
    }
}

fn expectation<'a>(fields: &Fields<'a>, node: &Node) -> Result<&'a Node, Fault> {
    if fields.get("expect").is_none() && fields.is_puzzling() {
        return Err(Fault::told());
    }
    fields.get("expect").ok_or_else(|| {
        Fault::new(node.at, "a step without `expect`")
            .help("what must come of it? `expect: allowed`, `expect: {denied: EPERM}`, …")
    })
}

/// Whether the containers that an inspect names are there.
fn named(expect: &FactsExpect, node: &Node, scene: &Scene<'_>) -> Result<(), Fault> {
    let names = scene.names();
    let unknown = expect.namespaces.iter().find_map(|(_, state)| match state {
        NamespaceState::Container(name) if !names.contains(&name.as_str()) => Some(name),
        _ => None,
    });
    match unknown {
        Some(name) if !names.is_empty() => {
            let entries = Fields::any(node, "inspect", scene.problems)?.entries("namespaces");
            let text = format!("container:{name}");
            let place = entries
                .iter()
                .find(|(_, value)| matches!(&value.value, Value::Scalar { text: said, .. } if *said == text));
            Err(unknown_container(place.map_or(node.at, |(_, value)| value.at), name, &names))
        }
        _ => Ok(()),
    }
}

fn argv(node: &Node) -> Result<Vec<String>, Fault> {
    match &node.value {
        Value::List(items) => {
            let words: Vec<String> =
                items.iter().map(|item| text(item).map(str::to_owned)).collect::<Result<_, _>>()?;
            if words.first().is_none_or(String::is_empty) {
                return Err(Fault::new(node.at, "an empty command"));
            }
            Ok(words)
        }
        _ => Ok(vec!["sh".to_owned(), "-c".to_owned(), filled(node)?]),
    }
}

/// A command's failure alone is no denial.
fn evidence(fields: &Fields<'_>, expect: &Expect) -> Result<(), Fault> {
    let denied = matches!(expect.outcome, Some(OutcomeExpect::Denied(_)));
    // Of a command that says nothing every other silent failure would be one.
    let says = |matcher: &Option<Matcher>| matcher.as_ref().is_some_and(|matcher| !matcher.matches(""));
    let matched = expect.exit.is_some() && (says(&expect.stdout) || says(&expect.stderr));
    let because = fields.get("because");
    if denied && because.is_none() && !matched {
        let at = fields.get("expect").map_or(fields.at(), |node| node.at);
        return Err(Fault::new(at, "`denied` of a command without evidence").help(
            "a command fails for many reasons: say which control decides (`because:`), or `{outcome: denied, exit: 4, stderr: …}`",
        ));
    }
    // A command that fails whatever the container is would be denied by nothing.
    if let Some(none) = because.filter(|node| denied && !matched && text(node).is_ok_and(|word| word == NONE.0)) {
        return Err(Fault::new(none.at, "`because: none` is no evidence of a denial").help(
            "that no control changes it is so of a misspelt file too: `{outcome: denied, exit: 1, stderr: …}` says what was refused",
        ));
    }
    Ok(())
}

fn capture(node: &Node, problems: &Problems) -> Result<Vec<Stream>, Fault> {
    let mut streams = Vec::new();
    for item in texts(node)? {
        let Some(stream) = problems.ok(choice(item, "stream", &words::STREAMS, &[])) else { continue };
        if streams.contains(&stream) {
            problems.tell(Fault::new(item.at, format!("`{}` is there twice", text(item)?)).help("leave one away"));
            continue;
        }
        streams.push(stream);
    }
    Ok(streams)
}

fn host(node: &Node, step: &Fields<'_>, whole: &Node, scene: &Scene<'_>) -> Result<Action, Fault> {
    let problems = scene.problems;
    let fields = Fields::of(node, &format::step::LOOK, problems)?;
    let expect = problems.told(expectation(step, whole));
    match (fields.get("process"), fields.get("file")) {
        (Some(name), None) => {
            let container = problems.told(scene.find(name));
            Ok(Action::HostProcess { expect: facts::process(expect?, problems)?, container: container? })
        }
        (None, Some(file)) => {
            let path = problems.told(path(file));
            Ok(Action::HostFile { expect: facts::file(expect?, problems)?, path: path? })
        }
        (None, None) if fields.is_puzzling() => Err(Fault::told()),
        _ => {
            Err(Fault::new(node.at, "a look at one thing")
                .help("`host: {process: box}` or `host: {file: /etc/shadow}`"))
        }
    }
}

/// Steps, in the order written.
pub(in crate::scenario) fn steps(node: &Node, scene: &Scene<'_>) -> Result<Vec<Step>, Fault> {
    let nodes = list(node)?;
    if nodes.is_empty() {
        return Err(Fault::new(node.at, "no steps").help("what must be possible or impossible in it?"));
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut ids = HashSet::new();
    for (index, node) in nodes.iter().enumerate() {
        let Some(step) = scene.problems.ok(step(index, node, scene)) else { continue };
        if !ids.insert(step.id.clone()) {
            scene.problems.tell(
                Fault::new(node.at, format!("a second step with the id `{}`", step.id))
                    .help("a step without an id has its number"),
            );
        }
        steps.push(step);
    }
    Ok(steps)
}
