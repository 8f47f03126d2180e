//! Whether a new picture shows less protection than the old one: every line that says a protection counts where it is gone or says less,
//! and where it cannot be told whether it says less it does.

mod facts;
mod mounts;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rows::{Line, lines};

/// Each point in which it does, in a line.
pub(super) fn weaker(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (Picture::read(old), Picture::read(new));
    let renamed = Renamed::between(&old, &new);
    let mut found = Vec::new();
    for (name, before) in &old.containers {
        match new.containers.get(renamed.now(name)) {
            Some(after) => found.extend(before.lost(after, &renamed).into_iter().map(|point| format!("{name}{point}"))),
            None => found.push(format!("{name}: the container is gone")),
        }
    }
    found.extend(joined(&old, &new, &renamed));
    for (before, after) in pairs(&old.steps, &new.steps, &renamed) {
        found.extend(before.lost(after, &renamed).into_iter().map(|point| format!("{}: {point}", before.title)));
    }
    found
}

/// Each namespace of an old container that a new one shares: whose own it was is no longer alone in it. What else a new container is says
/// nothing of the old ones.
fn joined(old: &Picture, new: &Picture, renamed: &Renamed<'_>) -> Vec<String> {
    let known: BTreeSet<_> = old.containers.keys().map(|name| renamed.now(name)).collect();
    let newcomers = new.containers.iter().filter(|(name, _)| !known.contains(name.as_str()));
    let shared = newcomers.flat_map(|(name, facts)| {
        let states = facts.facts.get("namespaces").into_iter().flat_map(|states| facts::owners(states));
        states.map(move |(namespace, owner)| (name, namespace, owner))
    });
    let with_old = shared.filter(|(_, _, owner)| known.contains(owner));
    let said =
        |(name, namespace, owner)| format!("{owner} namespaces: {namespace} is shared with {name}, which is new");
    with_old.map(said).collect()
}

/// A container that has another name now: the only one that is gone is the only one that is new.
struct Renamed<'a>(Option<(&'a str, &'a str)>);

impl<'a> Renamed<'a> {
    fn between(old: &'a Picture, new: &'a Picture) -> Self {
        let only = |these: &'a Picture, others: &Picture| {
            let mut these = these.containers.keys().filter(|name| !others.containers.contains_key(*name));
            these.next().filter(|_| these.next().is_none())
        };
        Self(only(old, new).map(String::as_str).zip(only(new, old).map(String::as_str)))
    }

    fn now<'b>(&self, name: &'b str) -> &'b str
    where
        'a: 'b,
    {
        self.0.filter(|(before, _)| *before == name).map_or(name, |(_, after)| after)
    }
}

/// A picture by what its lines are about.
#[derive(Default)]
struct Picture {
    containers: BTreeMap<String, Contained>,
    steps: Vec<Step>,
}

impl Picture {
    fn read(section: &str) -> Self {
        let mut picture = Self::default();
        for Line { part, about, value } in lines(section) {
            match (part.as_str(), about.as_slice()) {
                ("containers", [container, name]) => {
                    let container = picture.containers.entry(container.clone()).or_default();
                    if name.starts_with("refused(") {
                        container.refused = Some(name.clone());
                    } else {
                        container.facts.insert(name.clone(), value);
                    }
                }
                ("containers", [container, _, target]) => {
                    picture.containers.entry(container.clone()).or_default().mounts.push((target.clone(), value));
                }
                ("steps", [title]) => picture.steps.push(Step::new(title, value)),
                ("steps", [_, what @ ..]) => {
                    if let Some(step) = picture.steps.last_mut() {
                        step.say(what, &value);
                    }
                }
                _ => {}
            }
        }
        picture
    }
}

/// What a picture says of a container.
#[derive(Default)]
struct Contained {
    /// `refused(start)`: then nothing else is said.
    refused: Option<String>,
    /// `effective` and its value.
    facts: BTreeMap<String, String>,
    /// `/mnt` and `fixture:/etc ro`, a later one over an earlier one at the same place.
    mounts: Vec<(String, String)>,
}

impl Contained {
    fn lost(&self, after: &Self, renamed: &Renamed<'_>) -> Vec<String> {
        if after.refused.is_some() {
            return Vec::new();
        }
        if let Some(refused) = &self.refused {
            return vec![format!(": was {refused}, is started")];
        }
        let mut found = Vec::new();
        let names: BTreeSet<_> = self.facts.keys().chain(after.facts.keys()).collect();
        for name in names.into_iter().filter(|name| Cover::of(name).is_none()) {
            let before = self.facts.get(name).map(|value| match name.as_str() {
                "namespaces" => facts::map_owners(value, |owner| renamed.now(owner)),
                _ => value.clone(),
            });
            let lost = facts::lost(name, before.as_deref(), after.facts.get(name).map(String::as_str));
            found.extend(lost.map(|lost| format!(" {name}: {lost}")));
        }
        for (cover, words) in [(Cover::Masked, "masked"), (Cover::ReadOnly, "read-only")] {
            let mut kept = after.covered(Cover::Masked);
            if cover == Cover::ReadOnly {
                kept.extend(after.covered(Cover::ReadOnly));
            }
            let lost: Vec<_> = self.covered(cover).difference(&kept).copied().collect();
            if !lost.is_empty() {
                found.push(format!(" {words}: no longer {}", lost.join(" ")));
            }
        }
        found.extend(mounts::lost(&self.mounts, &after.mounts).into_iter().map(|lost| format!(" {lost}")));
        found
    }

    fn covered(&self, cover: Cover) -> BTreeSet<&str> {
        let of_it = self.facts.iter().filter(|(name, _)| Cover::of(name) == Some(cover));
        of_it.flat_map(|(_, paths)| paths.split(' ')).collect()
    }
}

/// What is done about a path of the kernel's. One that is masked is read-only as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    Masked,
    ReadOnly,
}

impl Cover {
    fn of(name: &str) -> Option<Self> {
        match name.split(',').next() {
            Some("masked") => Some(Self::Masked),
            Some("read-only") => Some(Self::ReadOnly),
            _ => None,
        }
    }
}

/// What a picture says of a step.
struct Step {
    /// `1 in box, mount`.
    title: String,
    /// The author's; `None` is the step's number, which another step before it changes.
    id: Option<String>,
    /// `box as 6667:6667`; of a look at a file of the host nothing.
    place: String,
    /// `mount`.
    what: String,
    outcome: String,
    /// What it showed.
    facts: BTreeMap<String, String>,
}

impl Step {
    fn new(title: &str, outcome: String) -> Self {
        let (head, what) = title.split_once(", ").unwrap_or((title, ""));
        let (id, place) = head.rsplit_once(" in ").unwrap_or((head, ""));
        let numbered = id.bytes().all(|byte| byte.is_ascii_digit());
        Self {
            title: title.to_owned(),
            id: (!numbered).then(|| id.to_owned()),
            place: place.to_owned(),
            what: what.to_owned(),
            outcome,
            facts: BTreeMap::new(),
        }
    }

    fn say(&mut self, about: &[String], value: &str) {
        let (name, value) = match about {
            // A line of a text.
            [stream, _] => (stream.as_str(), format!("{value}\n")),
            [name] => match (name.as_str(), value) {
                ("because" | "no" | "a", _) => ("because", format!("{name} {value}")),
                ("not", "there") => ("file", "not there".to_owned()),
                ("not", _) => ("because", format!("not {value}")),
                ("mode", _) => ("file", format!("mode: {value}")),
                (name, _) => (name, value.to_owned()),
            },
            _ => return,
        };
        self.facts.entry(name.to_owned()).or_default().push_str(&value);
    }

    /// What it does and where, with the names that containers have now.
    fn does(&self, renamed: &Renamed<'_>) -> (String, String) {
        let (name, whom) = self.place.split_once(" as ").unwrap_or((&self.place, ""));
        let what = self.what.strip_prefix("host: process of ");
        let what = what.map(|name| format!("host: process of {}", renamed.now(name)));
        (format!("{} as {whom}", renamed.now(name)), what.unwrap_or_else(|| self.what.clone()))
    }

    /// How much its outcome says for the container: a refusal, a failure whose cause it does not say, nothing.
    fn holds(&self) -> u8 {
        let begins = |words: &[&str]| words.iter().any(|word| self.outcome.starts_with(word));
        if begins(&["denied", "refused", "killed"]) { 2 } else { u8::from(begins(&["failed", "timed out"])) }
    }

    fn lost(&self, after: Option<&Self>, renamed: &Renamed<'_>) -> Vec<String> {
        let said = self.holds() > 0 || self.outcome == "observed";
        let Some(after) = after else {
            return if said { vec![format!("was {}, the step is gone", self.outcome)] } else { Vec::new() };
        };
        let mut found = Vec::new();
        // One that the author's id makes the same.
        if said && after.does(&Renamed(None)).1 != self.does(renamed).1 {
            found.push(format!("does {} now", after.what));
        }
        // By another signal, or with a status that does not say why: which of the two says more is not known.
        let both = |is: fn(&Self) -> bool| is(self) && is(after);
        let unlike = both(|step| step.holds() == 1) || both(|step| step.outcome.starts_with("killed"));
        if after.holds() < self.holds() || (unlike && after.outcome != self.outcome) {
            found.push(format!("was {}, is {}", self.outcome, after.outcome));
            return found;
        }
        let names: BTreeSet<_> = self.facts.keys().chain(after.facts.keys()).collect();
        for name in names {
            // Why something is allowed is no protection.
            if name == "because" && self.holds() == 0 {
                continue;
            }
            let (before, after) = (self.facts.get(name).map(String::as_str), after.facts.get(name).map(String::as_str));
            found.extend(facts::lost(name, before, after).map(|lost| format!("{name}: {lost}")));
        }
        found
    }
}

/// Each old step with the new one that has its author's id, or else does the same: the first of those that do with the first, and so on.
fn pairs<'a>(old: &'a [Step], new: &'a [Step], renamed: &Renamed<'_>) -> Vec<(&'a Step, Option<&'a Step>)> {
    let none = Renamed(None);
    let mut free: Vec<bool> = vec![true; new.len()];
    let mut by_id: HashMap<usize, usize> = HashMap::new();
    for (index, step) in old.iter().enumerate().filter(|(_, step)| step.id.is_some()) {
        let same = |other: &Step| other.id == step.id && other.does(&none).0 == step.does(renamed).0;
        if let Some(at) = new.iter().position(same) {
            free[at] = false;
            by_id.insert(index, at);
        }
    }
    let mut found = Vec::new();
    for (index, step) in old.iter().enumerate() {
        let by_id = by_id.get(&index).copied();
        let at = by_id.or_else(|| (0..new.len()).find(|at| free[*at] && new[*at].does(&none) == step.does(renamed)));
        if let Some(at) = at {
            free[at] = false;
        }
        found.push((step, at.map(|at| &new[at])));
    }
    found
}
