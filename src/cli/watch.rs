//! `caplab watch`.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    env, fs,
    io::{self, IsTerminal},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;

use super::{
    complain,
    pace::Pace,
    print,
    run::engine,
    say,
    select::{Selection, path_of, select},
};
use crate::{
    engine::{Early, Kind},
    host::Machine,
    report::screen::{Round, Standing},
    runner::{self, Context, Explanations, Outcome},
    snapshot::Store,
    terminal,
    watch::{Change, Files, Watcher, Woken},
};

// Arguments of `caplab watch`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Watch {
    /// Files, folders, or parts of names; all of ./scenarios where there is none
    #[arg(value_name = "PATH|FILTER")]
    what: Vec<String>,
    /// Who makes the containers
    #[arg(long, value_name = "ENGINE", default_value = "native", value_parser = engine)]
    engine: Kind,
    #[command(flatten)]
    pace: Pace,
    /// Let scenarios look at the real machine's paths, where they ask for that
    #[arg(long)]
    trust_host: bool,
}

const EXAMPLES: &str = "Examples:
  caplab watch                          all of ./scenarios
  caplab watch scenarios/mine           what lies there
  caplab watch mine/clock               one

At first everything runs, then on each save the scenarios that it is about: the file itself, its snapshot, a seccomp
profile that it names. A terminal is cleared for each screen. Enter runs everything again; Ctrl-C ends it (status 130).";

/// Where scenarios and their snapshots lie.
struct Folders {
    scenarios: Vec<PathBuf>,
    snapshots: PathBuf,
}

impl Folders {
    fn all(&self) -> Vec<PathBuf> {
        self.scenarios.iter().chain([&self.snapshots]).cloned().collect()
    }

    /// What is watched: also where a folder would be made that is not there.
    fn watch(&self, watcher: &Watcher) -> io::Result<()> {
        self.all().iter().try_for_each(|folder| watcher.add(folder))
    }
}

impl Watch {
    pub(super) fn main(self) -> u8 {
        let scenarios = match self.scenarios() {
            Ok(scenarios) => scenarios,
            Err(message) => return complain(&message),
        };
        let mut selection = select(&self.what);
        // A folder may be empty yet. What no scenario is called, none will be called by being saved, as far as anybody meant it.
        let is_there = |what: &String| path_of(what).is_some_and(|path| path.exists());
        if let (Err(message), false) = (&selection, self.what.iter().all(is_there)) {
            return complain(message);
        }
        let folders = Folders { scenarios, snapshots: snapshots(selection.as_ref().ok()) };
        let watcher = match Watcher::new().and_then(|watcher| folders.watch(&watcher).map(|()| watcher)) {
            Ok(watcher) => watcher,
            Err(error) => {
                return complain(&format!(
                    "inotify: {error}; as many as fs.inotify.max_user_instances and max_user_watches say are in use? sysctl raises them"
                ));
            }
        };
        let mut files = Files::default();
        files.look(&folders.all());
        let (mut standing, mut after, mut wanted) = (Standing::default(), String::new(), None);
        let mut keys = io::stdin().is_terminal();
        loop {
            self.round(&selection, &mut standing, wanted.as_ref(), after);
            (after, wanted) = loop {
                let stdin = io::stdin();
                let woken = match watcher.wait(keys.then(|| stdin.as_fd())) {
                    Ok(woken) => woken,
                    Err(error) => return complain(&format!("inotify: {error}")),
                };
                if woken == Woken::Other {
                    let mut line = String::new();
                    // Who closes it types no more.
                    keys = stdin.read_line(&mut line).is_ok_and(|count| count > 0);
                    if keys {
                        break ("Enter".to_owned(), None);
                    }
                    continue;
                }
                // A new folder is not watched yet; what lies in it is seen all the same, since it is looked at afterwards.
                if let Err(error) = folders.watch(&watcher) {
                    return complain(&format!("inotify: {error}"));
                }
                let change = files.look(&folders.all());
                if !change.is_empty() {
                    break (words(&change), Some(change));
                }
            };
            selection = select(&self.what);
        }
    }

    /// Where what is meant lies.
    fn scenarios(&self) -> Result<Vec<PathBuf>, String> {
        let paths = self.what.iter().filter_map(|what| path_of(what)).filter(|path| path.exists());
        let folder = |path: PathBuf| match path.is_dir() {
            true => path,
            false => path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")).to_owned(),
        };
        let mut scenarios: Vec<PathBuf> = paths.map(folder).collect();
        if scenarios.is_empty() {
            scenarios.push(PathBuf::from("scenarios"));
        }
        if let Some(gone) = scenarios.iter().find(|folder| !folder.is_dir()) {
            return Err(format!(
                "there is no folder {} to watch: run it where scenarios/ is, or name one",
                gone.display()
            ));
        }
        Ok(scenarios)
    }

    /// Runs what has changed, all where nothing is said, and shows how everything stands.
    fn round(
        &self,
        selection: &Result<Selection, String>,
        standing: &mut Standing,
        change: Option<&Change>,
        after: String,
    ) {
        let started = Instant::now();
        let mut round = Round { after, ..Round::default() };
        match selection {
            Err(message) => {
                round.error = Some(message.clone());
                round.is_news = true;
            }
            Ok(selection) => self.run(selection, standing, change, &mut round),
        }
        // A file that no scenario names is nobody's.
        if !round.is_news {
            return;
        }
        round.took = started.elapsed();
        let size = terminal::is_there_to_read().then(terminal::size);
        let screen = standing.screen(&round, size.map(|size| (usize::from(size.rows), usize::from(size.columns))));
        if size.is_some() {
            // Not among what NO_COLOR takes out.
            print("\x1b[H\x1b[2J");
            say(format_args!("{screen}\n\x1b[2mEnter runs everything, Ctrl-C ends.\x1b[0m"));
        } else {
            say(format_args!("{screen}"));
        }
    }

    fn run(&self, selection: &Selection, standing: &mut Standing, change: Option<&Change>, round: &mut Round) {
        let about = |path: &Path, name: &str, text: &str| {
            change.is_none_or(|change| is_about(change, selection, path, name, text))
        };
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        let known: BTreeSet<String> = standing.names().map(str::to_owned).collect();
        for loaded in &selection.scenarios {
            let (name, path) = match loaded {
                Ok(scenario) => (scenario.name.as_str(), scenario.path.as_path()),
                Err(invalid) => (invalid.scenario.as_str(), invalid.path.as_path()),
            };
            // Of an invalid one too: what it names may be what is wrong with it.
            let text = match loaded {
                Ok(scenario) => Cow::Borrowed(scenario.text.as_str()),
                Err(invalid) => Cow::Owned(fs::read_to_string(&invalid.path).unwrap_or_default()),
            };
            if about(path, name, &text) || !known.contains(name) {
                wanted.insert(name);
                standing.forget(name);
                if let Err(invalid) = loaded {
                    standing.invalid(invalid);
                }
            }
        }
        // Of one that is gone nothing stands.
        let there = |name: &str| {
            selection.scenarios.iter().any(|loaded| match loaded {
                Ok(scenario) => scenario.name == name,
                Err(invalid) => invalid.scenario == name,
            })
        };
        let gone: Vec<_> = known.iter().filter(|name| !there(name)).collect();
        gone.iter().for_each(|name| standing.forget(name));
        round.is_news = change.is_none() || !gone.is_empty() || !wanted.is_empty();
        let context = Context {
            machine: Machine::probe(self.trust_host),
            engine: self.engine,
            with_differences: false,
            timeout: self.pace.timeout,
            store: selection.store.clone(),
            update: false,
            propose: env::var_os("CI").is_none() && matches!(selection.store, Store::Folder(_)),
            explanations: Explanations::some(),
        };
        let cases = selection.cases();
        let cases: Vec<_> = cases.into_iter().filter(|(scenario, _)| wanted.contains(scenario.name.as_str())).collect();
        let jobs = self.pace.jobs();
        if !cases.is_empty() {
            runner::run_all(
                &context,
                &cases,
                jobs,
                Early::start(self.engine),
                |Outcome { scenario, result, .. }| {
                    standing.case(scenario, &result);
                },
            );
        }
        round.ran = wanted.into_iter().map(str::to_owned).collect();
    }
}

/// Where the snapshots of what is meant lie.
fn snapshots(selection: Option<&Selection>) -> PathBuf {
    match selection.map(|selection| &selection.store) {
        Some(Store::Folder(folder)) => folder.clone(),
        _ => PathBuf::from("snapshots"),
    }
}

/// Whether a change is about a scenario: its file, its snapshot, or a file that it names.
fn is_about(change: &Change, selection: &Selection, path: &Path, name: &str, text: &str) -> bool {
    let snapshot = match &selection.store {
        Store::Folder(folder) => folder.join(format!("{name}.snap")),
        Store::Embedded(_) => return false,
    };
    change.saved.iter().chain(&change.removed).any(|changed| {
        let is_yaml = changed.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml || changed.extension().is_some_and(|extension| extension == "snap") {
            return is_same(changed, path) || is_same(changed, &snapshot);
        }
        changed.file_name().and_then(|name| name.to_str()).is_some_and(|name| text.contains(name))
    })
}

/// `./a` is `a`. One that is gone is so by its name.
fn is_same(one: &Path, other: &Path) -> bool {
    let whole =
        |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned());
    one == other || (one.file_name() == other.file_name() && whole(one) == whole(other))
}

/// What was saved, in a few words.
fn words(change: &Change) -> String {
    let mut all = change.saved.iter().chain(&change.removed).map(|path| path.display().to_string());
    match (all.next(), all.count()) {
        (Some(first), 0) => first,
        (Some(first), more) => format!("{first} and {more} more"),
        (None, _) => String::new(),
    }
}
