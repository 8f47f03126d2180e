//! Which scenarios and cases the arguments mean.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{say_error, shard::Shard};
use crate::{
    report::pretty,
    scenario::{self, Invalid, discover, model::Case, model::Scenario},
    snapshot::Store,
    suite::{Loaded, Source},
    text::nearest,
};

/// What was selected.
pub(super) struct Selection {
    /// Scenarios, and what is wrong with those that are invalid.
    pub(super) scenarios: Vec<Loaded>,
    /// Where their snapshots lie.
    pub(super) store: Store,
    /// Folders of scenarios that the paths lie in: each has snapshots of its own.
    roots: BTreeSet<PathBuf>,
    filters: Vec<String>,
    /// Those of the filters that are the whole name of a scenario or a case: they mean that one, and not each that begins so.
    exact: BTreeSet<String>,
    /// Names of the cases that are one share of several.
    share: Option<BTreeSet<String>>,
}

/// Selects by path (a file or folder that exists) or by name: a scenario's or a case's, or a part of it.
///
/// # Errors
/// Where an argument means nothing, for the reader.
pub(super) fn select(arguments: &[String]) -> Result<Selection, String> {
    let filters: Vec<String> = arguments.iter().filter(|argument| path_of(argument).is_none()).cloned().collect();
    let paths: Vec<PathBuf> = arguments.iter().filter_map(|argument| path_of(argument)).collect();
    if paths.is_empty() {
        return by_name(filters);
    }
    let mut scenarios = Vec::new();
    let mut store = None;
    let mut roots = BTreeSet::new();
    for path in &paths {
        let root = root_of(path);
        roots.insert(root.canonicalize().unwrap_or_else(|_| root.clone()));
        store.get_or_insert_with(|| Source::Folder(root.clone()).store());
        if path.is_dir() {
            let files = discover::files(path).map_err(|error| format!("{}: {error}", path.display()))?;
            if files.is_empty() {
                return Err(format!("{}: no scenario below it; a scenario is a .yaml file", path.display()));
            }
            scenarios.extend(files.iter().map(|(_, file)| scenario::read(&discover::name(&root, file), file)));
        } else if path.exists() {
            scenarios.push(scenario::read(&discover::name(&root, path), path));
        } else {
            return Err(format!("{}: no such file or folder", path.display()));
        }
    }
    let store = store.unwrap_or_else(|| Source::here().store());
    let mut selection = Selection { exact: exact(&scenarios, &filters), scenarios, store, roots, filters, share: None };
    selection.narrow();
    Ok(selection)
}

/// The file or folder that an argument is the path of, also where the ending of a scenario's file is left away; `None` of a name.
pub(super) fn path_of(argument: &str) -> Option<PathBuf> {
    let path = Path::new(argument);
    if argument.ends_with(".yaml") || argument.ends_with(".yml") || path.exists() {
        return Some(path.to_owned());
    }
    // Of other texts the beginning of a file's name says nothing: `pod` is a filter, whatever lies beside.
    let leads = argument.starts_with(['.', '/']);
    if !leads && !path.components().any(|part| part.as_os_str() == "scenarios") {
        return None;
    }
    let whole = ["yaml", "yml"].map(|ending| PathBuf::from(format!("{argument}.{ending}")));
    whole.into_iter().find(|path| path.is_file()).or_else(|| leads.then(|| path.to_owned()))
}

fn by_name(filters: Vec<String>) -> Result<Selection, String> {
    let source = Source::here();
    if matches!(source, Source::Embedded) {
        say_error(format_args!("caplab: there is no ./scenarios here: this is the suite that came with caplab"));
    }
    let names = source.names().map_err(|error| format!("the scenarios cannot be read: {error}"))?;
    for filter in &filters {
        let part = filter.split('[').next().unwrap_or(filter);
        if !names.iter().any(|name| name.contains(part)) {
            let help = match nearest(
                part,
                names
                    .iter()
                    .map(|name| name.rsplit('/').next().unwrap_or(name))
                    .chain(names.iter().map(String::as_str)),
            ) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "`caplab list` tells what there is".to_owned(),
            };
            return Err(format!("no scenario has `{filter}` in its name; {help}"));
        }
    }
    let wanted = |name: &&String| {
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.split('[').next().unwrap_or(filter)))
    };
    let scenarios: Vec<_> = names.iter().filter(wanted).map(|name| source.load(name)).collect();
    let exact = exact(&scenarios, &filters);
    let mut selection =
        Selection { scenarios, store: source.store(), roots: BTreeSet::new(), filters, exact, share: None };
    selection.narrow();
    let any = selection.scenarios.iter().any(|loaded| {
        loaded.as_ref().map_or(true, |scenario| scenario.cases.iter().any(|case| selection.has(scenario, case)))
    });
    if !any {
        if selection.filters.is_empty() {
            return Err("./scenarios has no scenario yet; `caplab new mine/clock` begins one".to_owned());
        }
        return Err(format!(
            "no case is named like `{}`; `caplab list` tells what there is",
            selection.filters.join("`, `")
        ));
    }
    Ok(selection)
}

impl Selection {
    /// What is wrong with the files that are no valid scenario.
    pub(super) fn invalid(&self) -> impl Iterator<Item = &Invalid> {
        self.scenarios.iter().filter_map(|loaded| loaded.as_ref().err()).map(AsRef::as_ref)
    }

    /// # Errors
    /// Where scenarios lie in several folders, whose snapshots are not in one place.
    pub(super) fn of_one_folder(&self) -> Result<(), String> {
        let folders: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        match folders.len() {
            0 | 1 => Ok(()),
            _ => Err(format!(
                "{} have snapshots of their own, and pictures are compared with those of one: call `caplab run` for each",
                folders.join(" and ")
            )),
        }
    }

    /// The cases, in the order of the suite.
    pub(super) fn cases(&self) -> Vec<(&Scenario, &Case)> {
        let scenarios = self.scenarios.iter().flatten();
        scenarios
            .flat_map(|scenario| scenario.cases.iter().map(move |case| (scenario, case)))
            .filter(|(scenario, case)| self.has(scenario, case))
            .collect()
    }

    /// Keeps one share of the cases; a file that is invalid counts as one. Scenarios stay whole: a snapshot knows of all cases.
    pub(super) fn share(&mut self, shard: Shard) {
        let cases = self.cases().into_iter().map(|(scenario, case)| pretty::name(&scenario.name, case.name.as_deref()));
        let mine = shard.of(cases.chain(self.invalid().map(|diagnostic| diagnostic.scenario.clone())));
        self.scenarios.retain(|loaded| loaded.as_ref().map_or_else(|wrong| mine.contains(&wrong.scenario), |_| true));
        self.share = Some(mine);
        self.narrow();
    }

    /// The one case that is meant: the only one, or the first of the only scenario whose cases were not told apart.
    pub(super) fn only(&self, asked: &str) -> Result<(&Scenario, &Case), String> {
        let cases = self.cases();
        let exact = cases.iter().find(|(scenario, case)| {
            scenario.name == asked || pretty::name(&scenario.name, case.name.as_deref()) == asked
        });
        let same = cases.iter().all(|(scenario, _)| scenario.name == cases[0].0.name);
        match (exact, cases.first()) {
            (Some(found), _) => Ok(*found),
            (None, Some(first)) if same => Ok(*first),
            (None, None) => Err(format!("no scenario `{asked}`; `caplab list` tells what there is")),
            (None, Some(_)) => {
                let mut names: Vec<&str> = cases.iter().map(|(scenario, _)| scenario.name.as_str()).collect();
                names.dedup();
                let more = if names.len() > 5 { ", …" } else { "" };
                Err(format!("`{asked}` means several: {}{more}; name one", names[..names.len().min(5)].join(", ")))
            }
        }
    }

    fn has(&self, scenario: &Scenario, case: &Case) -> bool {
        let name = pretty::name(&scenario.name, case.name.as_deref());
        let means = |filter: &String| match self.exact.contains(filter) {
            true => scenario.name == *filter || name == *filter,
            false => name.contains(filter.as_str()),
        };
        let wanted = self.filters.is_empty() || self.filters.iter().any(means);
        wanted && self.share.as_ref().is_none_or(|mine| mine.contains(&name))
    }

    /// Leaves away scenarios that no filter means.
    fn narrow(&mut self) {
        let scenarios = std::mem::take(&mut self.scenarios);
        self.scenarios = scenarios
            .into_iter()
            .filter(|loaded| match loaded {
                Ok(scenario) => scenario.cases.iter().any(|case| self.has(scenario, case)),
                // Whatever is asked for, a file that cannot be read is told; one name alone asks for no other.
                Err(invalid) => {
                    let asked = |filter: &String| !self.exact.contains(filter) || invalid.scenario == *filter;
                    self.filters.is_empty() || self.filters.iter().any(asked)
                }
            })
            .collect();
    }
}

/// The filters that are a whole name.
fn exact(scenarios: &[Loaded], filters: &[String]) -> BTreeSet<String> {
    let is_whole = |filter: &&String| {
        scenarios.iter().any(|loaded| match loaded {
            Ok(scenario) => {
                let is_a_case = |case: &Case| pretty::name(&scenario.name, case.name.as_deref()) == **filter;
                scenario.name == **filter || scenario.cases.iter().any(is_a_case)
            }
            Err(invalid) => invalid.scenario == **filter,
        })
    };
    filters.iter().filter(is_whole).cloned().collect()
}

/// The folder that a scenario's name counts from: the nearest one above named `scenarios`, else the one it lies in.
fn root_of(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let named = absolute.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "scenarios"));
    // Counted from the path as it was given, so that messages show it as the reader wrote it.
    let up = match named {
        Some(root) => absolute.strip_prefix(root).map_or(0, |below| below.components().count()),
        None => usize::from(!path.is_dir()),
    };
    let root = path.ancestors().nth(up).filter(|root| *root != Path::new("") || path.is_relative());
    match root {
        Some(root) if root == Path::new("") => PathBuf::from("."),
        Some(root) => root.to_owned(),
        None => absolute.ancestors().nth(up).unwrap_or(&absolute).to_owned(),
    }
}
