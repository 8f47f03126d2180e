//! Drafts as scenarios, and scenarios as drafts.

use std::{fmt::Write as _, path::Path, time::Duration};

use super::{
    Draft, Keys, Part, Unconvertible,
    draft::{argv, texts},
    profile,
    settled::settled,
    volume, yaml,
};
use crate::{
    capability::CapSet,
    engine::ContainerJob,
    host::{Machine, fixture},
    observe::after_execve,
    scenario::{
        self, Diagnostic,
        model::{Host, Scenario},
        plain::{self, Plain},
    },
    spec,
};

/// A scenario as drafts, one a case, each with the case's name.
///
/// # Errors
/// Those of a scenario that is not valid.
pub fn read(scenario: &Scenario) -> Result<Vec<(Option<String>, Draft)>, Unconvertible> {
    let documents = plain::cases(&scenario.path, &scenario.text).map_err(|wrong| Unconvertible(wrong.to_string()))?;
    let names = scenario.cases.iter().map(|case| case.name.clone());
    Ok(names.zip(documents).map(|(name, document)| (name, draft(scenario, &document))).collect())
}

fn draft(scenario: &Scenario, document: &Plain) -> Draft {
    let part = |name: &str, keys: &Plain| Part {
        name: name.to_owned(),
        keys: Keys(keys.entries().to_vec()),
        ..Part::default()
    };
    let parts = match (document.get("container"), document.get("containers")) {
        (Some(one), _) => vec![part("box", one)],
        (None, several) => {
            several.map_or(&[][..], Plain::entries).iter().map(|(name, keys)| part(name, keys)).collect()
        }
    };
    Draft { source: scenario.name.clone(), parts, ..Draft::default() }
}

/// A draft as a scenario that `caplab check` accepts, with a comment for everything that could not be carried over.
///
/// # Errors
/// Where nothing of it is left that could be a container.
pub fn write(draft: &Draft) -> Result<String, Unconvertible> {
    let mut taken = Taken { folder: &draft.folder, host: Vec::new(), parts: Vec::new(), called: Vec::new() };
    for part in &draft.parts {
        taken.part(&profile::found(&settled(part)?, &draft.folder)?);
    }
    let mut text = String::new();
    for note in &draft.notes {
        let _ = writeln!(text, "{}", yaml::comment(note));
    }
    let _ = writeln!(text, "title: {}", yaml::quoted(&title(draft)));
    let _ = writeln!(text, "source: {}", yaml::quoted(&draft.source));
    if !taken.host.is_empty() {
        text.push_str("\n# Stands for what lies on your host at the volumes' sources; nothing of yours is read.\nhost:\n  files:\n");
        for path in &taken.host {
            let _ = writeln!(text, "    {}: {{content: \"a decoy\\n\"}}", yaml::quoted(path));
        }
    }
    text.push_str(&containers(&taken));
    text.push_str(&taken.steps()?);
    match check(&text, &draft.folder) {
        Ok(_) => Ok(text),
        Err(why) => Err(Unconvertible(format!("what came of it is no valid scenario: {why}"))),
    }
}

fn title(draft: &Draft) -> String {
    let image = |part: &Part| part.image.clone().unwrap_or_else(|| part.name.clone());
    match draft.parts.as_slice() {
        _ if draft.title.is_some() => draft.title.clone().unwrap_or_default(),
        [one] => format!("A container of {} is what its author asked for", image(one)),
        parts => format!("{} containers of {} are what their author asked for", parts.len(), draft.source),
    }
}

/// Keys that are asked for before the others.
const RANKS: [&str; 2] = ["privileged", "mem_limit"];

/// Whether a filter is among the options that is not the engine's.
fn has_profile(options: &Plain) -> bool {
    let items = options.items().iter().filter_map(Plain::scalar);
    items.filter_map(|option| option.strip_prefix("seccomp")).any(|rest| !rest.ends_with("unconfined"))
}

/// What the reader of the format took.
struct Taken<'a> {
    /// Where its author's files are.
    folder: &'a Path,
    /// Files of the fixture host.
    host: Vec<String>,
    /// The containers.
    parts: Vec<Part>,
    /// What each was called, and is here.
    called: Vec<(String, String)>,
}

impl Taken<'_> {
    fn part(&mut self, part: &Part) {
        let mut name: String = part
            .name
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .take(60)
            .collect();
        while self.parts.iter().any(|other| other.name == name) {
            name.push('x');
        }
        self.called.push((part.name.clone(), name.clone()));
        let (notes, tried, unknown) = (part.notes.clone(), part.tried.clone(), part.unknown.clone());
        self.parts.push(Part { name, notes, tried, unknown, ..Part::default() });
        let preset = part.keys.get("preset").map(|preset| (preset, self.take("preset", preset)));
        if let Some((preset, Err(why))) = preset {
            self.note(format!("{}: {why}; docker's defaults stand in its place", shown("preset", preset)));
        }
        if part.tried.is_some() || part.keys.get("command").is_some() {
            self.take("rootfs", &Plain::text("host")).ok();
        }
        if let Some(image) = &part.image {
            let made_of = if self.last().keys.get("rootfs").is_some() {
                "rootfs: host, this machine's own programs"
            } else {
                "nothing but caplab's helper: probes need no programs"
            };
            self.note(format!("image {image}: the container is made of {made_of}"));
        }
        // Of two that do not fit together the one that wins is asked first, wherever its author wrote it: `privileged` over what engines
        // ignore beside it (moby oci/caps TweakCapabilities), a limit before one that is none without it.
        let rank = |key: &str| RANKS.iter().position(|first| *first == key).unwrap_or(RANKS.len());
        let mut keys: Vec<_> = part.keys.0.iter().filter(|(key, _)| key != "preset").collect();
        keys.sort_by_key(|(key, _)| rank(key));
        for (key, value) in keys {
            let value = &self.renamed(value);
            let Err(why) = self.take(key, value) else { continue };
            // Its filter is no other's: podman has it beside `privileged`.
            if key == "security_opt" && part.keys.text("preset") == Some("podman") && has_profile(value) {
                self.parts.iter_mut().last().into_iter().for_each(|part| part.unknown.push("seccomp"));
            }
            // One item that is refused does not take the others with it.
            match value {
                Plain::List(items) if items.len() > 1 => {
                    for item in items {
                        let mut list = self.last().keys.items(key).to_vec();
                        list.push(item.clone());
                        if let Err(why) = self.take(key, &Plain::List(list)) {
                            self.note(format!("{}: {why}", shown(key, item)));
                        }
                    }
                }
                Plain::Map(entries) if entries.len() > 1 => {
                    for entry in entries {
                        let mut map = self.last().keys.get(key).map_or(&[][..], Plain::entries).to_vec();
                        map.push(entry.clone());
                        if let Err(why) = self.take(key, &Plain::Map(map)) {
                            self.note(format!("{}: {why}", shown(key, &Plain::Map(vec![entry.clone()]))));
                        }
                    }
                }
                value => self.note(format!("{}: {why}", shown(key, value))),
            }
        }
    }

    /// What names another container of the draft, with the name that it has here.
    fn renamed(&self, value: &Plain) -> Plain {
        let owner = value.scalar().and_then(|text| text.strip_prefix("container:"));
        match self.called.iter().find(|(name, _)| Some(name.as_str()) == owner) {
            Some((_, name)) => Plain::text(format!("container:{name}")),
            None => value.clone(),
        }
    }

    fn last(&self) -> &Part {
        &self.parts[self.parts.len() - 1]
    }

    fn note(&mut self, note: String) {
        self.parts.iter_mut().last().into_iter().for_each(|part| part.notes.push(note.clone()));
    }

    /// Takes a key if the reader does, else says why not.
    fn take(&mut self, key: &str, value: &Plain) -> Result<(), String> {
        let before = (self.host.clone(), self.last().keys.clone());
        if key == "volumes" {
            self.decoys(value);
        }
        self.parts.iter_mut().last().into_iter().for_each(|part| part.keys.set(key, value.clone()));
        let asked = self.check().map(drop);
        if asked.is_err() {
            self.host = before.0;
            self.parts.iter_mut().last().into_iter().for_each(|part| part.keys = before.1.clone());
        }
        asked
    }

    /// Decoys for sources that the fixture host does not have by itself.
    fn decoys(&mut self, volumes: &Plain) {
        let sources: Vec<String> = volumes.items().iter().map(|one| volume::parts(one).source).collect();
        for source in &sources {
            let source = source.trim_end_matches('/');
            let inside = format!("{source}/");
            let known = |path: &String| path == source || path.starts_with(&inside);
            let is_parent = sources.iter().any(|other| other.starts_with(&inside));
            if is_parent || self.host.iter().any(known) || fixture::has(&Host::default(), source) || source.is_empty() {
                continue;
            }
            let name = source.rsplit('/').next().unwrap_or_default();
            let is_file = name.trim_start_matches('.').contains('.');
            self.host.push(if is_file { source.to_owned() } else { format!("{source}/decoy") });
        }
    }

    fn check(&self) -> Result<Vec<ContainerJob>, String> {
        let mut text = "title: asked\nhost:\n  files: {".to_owned();
        for path in &self.host {
            let _ = write!(text, "{}: {{}}, ", yaml::quoted(path));
        }
        text.push_str("}\n");
        text.push_str(&containers(self));
        let within =
            if self.parts.len() > 1 { format!(", in: {}", yaml::quoted(&self.parts[0].name)) } else { String::new() };
        let _ = writeln!(text, "steps: [{{inspect: {{uid: 0}}{within}}}]");
        check(&text, self.folder)
    }

    fn steps(&self) -> Result<String, Unconvertible> {
        let jobs = self.check().map_err(Unconvertible)?;
        let mut text =
            "\nsteps:\n  # What was asked for, as the kernel shows it. Add what must be possible and impossible: docs/probes.md.\n"
                .to_owned();
        for (part, job) in self.parts.iter().zip(&jobs) {
            let within =
                if self.parts.len() > 1 { format!("    in: {}\n", yaml::quoted(&part.name)) } else { String::new() };
            let _ = write!(text, "  - inspect:\n{}{within}", yaml::entries(&facts(part, job), 6));
            if let Some(command) = &part.tried {
                let run = match command.as_slice() {
                    [shell, flag, script] if shell == "sh" && flag == "-c" && !script.trim().is_empty() => {
                        Plain::text(script)
                    }
                    words => texts(words.iter().cloned()),
                };
                let _ = write!(text, "  - run:{}{within}", yaml::below(&run, 4));
                text.push_str(
                    "    expect: allowed    # it exits with 0; where it must fail: docs/format.md, \"expect\"\n",
                );
            }
        }
        Ok(text)
    }
}

/// The containers of a scenario that would lie in that folder.
pub(super) fn check(text: &str, folder: &Path) -> Result<Vec<ContainerJob>, String> {
    let scenario = scenario::load("asked", &folder.join("asked"), text).map_err(|wrong| {
        let planned = |problem: &Diagnostic| problem.message.ends_with("not supported yet");
        let said = wrong.problems.iter().map(|problem| match planned(problem) {
            true => problem.message.clone(),
            false => problem.in_a_line(),
        });
        said.collect::<Vec<_>>().join("\n")
    })?;
    // What "every capability" is depends on the machine, and no text that is made here should.
    let mut machine = Machine::probe(false);
    machine.bounding = CapSet::KNOWN;
    let case = scenario.cases.first().ok_or("no case")?;
    spec::job(case, &machine, Duration::from_secs(1)).map(|job| job.containers).map_err(|error| error.to_string())
}

fn containers(taken: &Taken) -> String {
    let mut text = String::new();
    let (indent, several) = (if taken.parts.len() > 1 { 4 } else { 2 }, taken.parts.len() > 1);
    text.push_str(if several { "\ncontainers:\n" } else { "\ncontainer:\n" });
    for part in &taken.parts {
        if several {
            let _ = writeln!(text, "  {}:", yaml::quoted(&part.name));
        }
        for note in &part.notes {
            let _ = writeln!(text, "{:indent$}{}", "", yaml::comment(note));
        }
        if part.keys.get("preset").is_none() {
            let _ = writeln!(text, "{:indent$}preset: docker", "");
        }
        text.push_str(&yaml::entries(&part.keys.0, indent));
    }
    text
}

/// What the kernel will show of what was asked for.
fn facts(part: &Part, job: &ContainerJob) -> Vec<(String, Plain)> {
    let mut facts = Vec::new();
    let Some(process) = job.spec.process() else { return facts };
    let is_known = |name: &str| !part.unknown.contains(&name);
    let mut add = |name: &str, value: Plain| {
        if is_known(name) {
            facts.push((name.to_owned(), value));
        }
    };
    add("uid", Plain::number(process.user().uid()));
    add("gid", Plain::number(process.user().gid()));
    let sets = after_execve(process);
    let set = |set: CapSet| match set {
        CapSet::EMPTY => Plain::text("none"),
        CapSet::KNOWN => Plain::text("ALL"),
        set => texts(set.names()),
    };
    // All but a few is another list on a machine whose root lacks some.
    let portable = |set: CapSet| set == CapSet::KNOWN || set.names().len() <= CapSet::KNOWN.names().len() / 2;
    let named = [("effective", sets.effective), ("bounding", sets.bounding)].into_iter();
    // execve gives root more of them than a user.
    let named = named.filter(|(name, set)| portable(*set) && (is_known("uid") || *name == "bounding"));
    let named: Vec<_> = named.map(|(name, one)| (name.to_owned(), set(one))).collect();
    if !named.is_empty() {
        add("capabilities", Plain::Map(named));
    }
    let linux = job.spec.linux().clone().unwrap_or_default();
    if let Some(map) = linux.uid_mappings() {
        let lines = map.iter().map(|line| format!("{} {} {}", line.container_id(), line.host_id(), line.size()));
        add("uid_map", texts(lines));
    }
    add("no_new_privs", Plain::truth(process.no_new_privileges() == Some(true)));
    add("seccomp", Plain::text(if linux.seccomp().is_some() { "filter" } else { "disabled" }));
    let mounts: Vec<_> = part
        .keys
        .items("volumes")
        .iter()
        .map(|one| {
            let parts = volume::parts(one);
            (parts.target, Plain::text(if parts.read_only { "ro" } else { "rw" }))
        })
        .collect();
    if !mounts.is_empty() {
        add("mounts", Plain::Map(mounts));
    }
    facts
}

fn shown(key: &str, value: &Plain) -> String {
    let inner = |value: &Plain| match value {
        Plain::List(_) => argv(value).join(" "),
        Plain::Map(entries) => {
            let entries = entries.iter().map(|(name, value)| format!("{name}: {}", value.scalar().unwrap_or("…")));
            entries.collect::<Vec<_>>().join(", ")
        }
        value => value.scalar().unwrap_or_default().to_owned(),
    };
    format!("{key} {}", inner(value))
}
