//! Texts that nobody wrote, at four doors: a scenario that is loaded, checked, rendered in other words, and one that is made from
//! other words. None may panic, take long, or come out as something that is no scenario.
//!
//! `CAPLAB_FUZZ=600 cargo test --release --test fuzz -- --nocapture` gives each door ten minutes and begins with a seed of the
//! clock, which it prints; `CAPLAB_SEED=N` begins there again. Without them each has a second, and the same seed each time.

use std::{
    collections::HashSet,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use caplab::{
    convert::{self, Dialect, Draft},
    explain,
    host::Machine,
    report::{github, sarif, story},
    scenario::{Diagnostic, discover, load, model::Scenario, plain},
    spec,
};

/// xorshift64, Marsaglia 2003.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &'a [impl AsRef<T>]) -> &'a T {
        let index = self.below(of.len());
        of[index].as_ref()
    }
}

/// Texts to begin with, and the lines and words that are in them.
struct Corpus {
    texts: Vec<String>,
    lines: Vec<String>,
    words: Vec<String>,
}

/// What YAML, ids, paths and the kernel's limits are made of.
const PIECES: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "  ",
    "\"",
    "'",
    "&a ",
    "*a",
    "${cap}",
    "|\n",
    "#",
    "\t",
    "0",
    "-1",
    "é",
    "!x ",
    "? ",
    "<<",
    "~",
    ",",
    "/",
    "..",
    ":",
    "=",
    "4294967295",
    "18446744073709551616",
    "0x10",
    "1e9",
    "99999999999999999999g",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "%",
    "\\",
    "container:",
    "container:a",
    "null",
    "true",
    "\"\"",
    "{}",
];

impl Corpus {
    fn new(texts: Vec<String>) -> Self {
        let lines: HashSet<String> = texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        let letter = |letter: char| !letter.is_alphanumeric() && !"_./-".contains(letter);
        let words: HashSet<String> = lines
            .iter()
            .flat_map(|line| line.split(letter))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        let sorted = |set: HashSet<String>| {
            let mut all: Vec<String> = set.into_iter().collect();
            all.sort();
            all
        };
        Self { texts, lines: sorted(lines), words: sorted(words) }
    }

    fn folders(folders: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = folders.iter().flat_map(|folder| {
            let mut files: Vec<PathBuf> =
                discover::files(&root.join(folder)).expect("files").into_iter().map(|(_, file)| file).collect();
            files.sort();
            files
        });
        Self::new(files.filter_map(|file| fs::read_to_string(file).ok()).collect())
    }

    /// A text with a few of its letters, words and lines changed for others of the corpus.
    fn text(&self, random: &mut Random) -> String {
        let mut text = random.one::<str>(&self.texts).to_owned();
        for _ in 0..=random.below(4) {
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = ends.get(random.below(ends.len())).copied().unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            match random.below(8) {
                0 => text.truncate(at),
                1 => text.insert_str(at, random.one(&PIECES)),
                2 => {
                    let until = ends.iter().copied().find(|end| *end > at + random.below(20)).unwrap_or(text.len());
                    text.replace_range(at..until, "");
                }
                3 => {
                    // A word for another.
                    let from = text[..at].rfind(|letter: char| !letter.is_alphanumeric()).map_or(0, |start| start + 1);
                    let from = (from..=at).find(|place| text.is_char_boundary(*place)).unwrap_or(at);
                    let until =
                        text[at..].find(|letter: char| !letter.is_alphanumeric()).map_or(text.len(), |end| at + end);
                    text.replace_range(from..until, random.one(&self.words));
                }
                4 => {
                    let mut lines = lines;
                    lines.insert(random.below(lines.len() + 1), random.one(&self.lines));
                    text = lines.join("\n");
                }
                5 => {
                    let mut lines = lines;
                    if lines.len() > 1 {
                        lines.remove(random.below(lines.len()));
                    }
                    text = lines.join("\n");
                }
                6 => {
                    let mut lines = lines;
                    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
                    if one < lines.len() && other < lines.len() {
                        lines.swap(one, other);
                    }
                    text = lines.join("\n");
                }
                _ => {
                    // The same with another's lines.
                    let other: Vec<&str> = random.one::<str>(&self.texts).lines().collect();
                    let (keep, take) = (random.below(lines.len() + 1), random.below(other.len() + 1));
                    text = lines[..keep].iter().chain(&other[take..]).copied().collect::<Vec<_>>().join("\n");
                }
            }
        }
        text
    }
}

/// How long this thread has been on a processor: a machine that does other things too makes nothing slow.
fn on_processor() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default())
}

/// Calls `look` with changed texts until the time is over; what it was called with is told where that panics or takes long.
fn door(name: &str, corpus: &Corpus, mut look: impl FnMut(&str, &mut Random) -> bool) {
    let given = env::var("CAPLAB_FUZZ").ok().map(|seconds| seconds.parse().expect("seconds"));
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64);
    let seed = match env::var("CAPLAB_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => given.map_or(0x9e37_79b9_7f4a_7c15, |_| clock() | 1),
    };
    let mut random = Random(seed);
    let (started, time) = (Instant::now(), Duration::from_secs(given.unwrap_or(1)));
    let (mut count, mut taken, mut slowest) = (0_u64, 0_u64, Duration::ZERO);
    while started.elapsed() < time {
        let text = corpus.text(&mut random);
        let begun = on_processor();
        let said = catch_unwind(AssertUnwindSafe(|| look(&text, &mut random)));
        let took = on_processor().saturating_sub(begun);
        match said {
            Ok(valid) => taken += u64::from(valid),
            Err(_) => panic!("{name}, seed {seed}, text {count}:\n{text}"),
        }
        slowest = slowest.max(took);
        // Not optimized; the 100 ms of a file are measured by benches/table.sh.
        assert!(took < Duration::from_secs(2), "{name}, seed {seed}, text {count} took {took:?}:\n{text}");
        count += 1;
    }
    println!("{name}: {count} texts, {taken} of them taken, the slowest {slowest:?}, seed {seed}");
    assert!(count > 3 && taken > 0, "{name}: {taken} of {count} were taken: the door was not gone through");
}

/// Valid ones: what is behind the first door is seen through them.
fn scenarios() -> Corpus {
    Corpus::folders(&["scenarios", "tests/warnings"])
}

fn read(text: &str) -> Option<Scenario> {
    match load("fuzz", Path::new("scenarios/fuzz.yaml"), text) {
        Ok(scenario) => Some(scenario),
        Err(invalid) => {
            let told = invalid.to_string();
            assert!(!invalid.problems.is_empty() && invalid.problems.len() <= 20 && told.len() < 40_000, "{told}");
            let lines = text.lines().count();
            for problem in &invalid.problems {
                assert!(!problem.message.is_empty() && problem.line <= lines + 1, "{problem}");
            }
            assert!(invalid.problems.is_sorted_by_key(|problem| (problem.line, problem.column)), "{told}");
            None
        }
    }
}

#[test]
fn load_takes_any_text() {
    let corpus = Corpus::folders(&["scenarios", "tests/invalid", "tests/warnings"]);
    door("load", &corpus, |text, _| read(text).is_some());
}

#[test]
fn check_takes_any_scenario() {
    let machine = Machine::probe(false);
    door("check", &scenarios(), |text, _| {
        let Some(scenario) = read(text) else { return false };
        let of_line = |(line, error): (usize, spec::Unresolvable)| {
            Diagnostic::of_line(&scenario, caplab::scenario::Level::Error, line, error.to_string())
        };
        let mut found: Vec<Diagnostic> =
            scenario.cases.iter().take(4).flat_map(|case| spec::problems(case, &machine)).map(of_line).collect();
        found.extend(scenario.warnings.iter().cloned());
        for one in &found {
            assert!(!one.to_string().is_empty() && github::problem(one).lines().count() == 1);
        }
        let results = &sarif::document(&found.iter().collect::<Vec<_>>())["runs"][0]["results"];
        assert_eq!(results.as_array().map(Vec::len), Some(found.len()));
        plain::to_json(Path::new("fuzz.yaml"), text).expect("a valid scenario is YAML");
        true
    });
}

/// What is made of other words is a scenario.
fn made(draft: Result<Draft, convert::Unconvertible>) -> bool {
    let Ok(text) = draft.and_then(|draft| convert::to_scenario(&draft)) else { return false };
    if let Err(invalid) = load("made", Path::new("scenarios/made.yaml"), &text) {
        panic!("made what is no scenario: {invalid}\n{text}");
    }
    true
}

#[test]
fn from_makes_scenarios_or_refuses() {
    let lines = include_str!("convert/command_line.rs")
        .split('"')
        .filter(|part| part.starts_with("docker run ") || part.starts_with("podman run "));
    let commands = Corpus::new(lines.map(str::to_owned).collect());
    let files = Corpus::folders(&["tests/convert/files"]);
    door("from a command line", &commands, |text, random| {
        let dialect = if random.below(2) == 0 { Dialect::Docker } else { Dialect::Podman };
        let words = shlex::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect());
        made(convert::from_command(dialect, words.get(1..).unwrap_or_default()))
    });
    door("from a file", &files, |text, random| {
        let path = Path::new("file.yaml");
        made(if random.below(2) == 0 { convert::from_compose(path, text) } else { convert::from_pod(path, text) })
    });
}

#[test]
fn render_says_any_scenario_in_every_word() {
    let machine = Machine::probe(false);
    door("render", &scenarios(), |text, _| {
        let Some(scenario) = read(text) else { return false };
        for case in scenario.cases.iter().take(2) {
            if let Ok(stories) = explain::stories(case, &machine) {
                for told in &stories {
                    assert!(
                        !story::text(told, stories.len() > 1, Some(80)).is_empty() && story::json(told).is_object()
                    );
                }
            }
            if let Ok(job) = spec::job(case, &machine, Duration::from_secs(1)) {
                job.containers.iter().for_each(|one| drop(convert::to_oci(one)));
            }
        }
        let Ok(drafts) = convert::from_scenario(&scenario) else { return false };
        for (_, draft) in drafts.iter().take(2) {
            for part in &draft.parts {
                for dialect in [Dialect::Docker, Dialect::Podman] {
                    assert!(convert::to_command(dialect, part, "image").0.contains(" run "));
                }
            }
            for text in [convert::to_compose(draft, "image"), convert::to_pod(draft, "image")] {
                plain::parse(Path::new("rendered.yaml"), &text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
            }
        }
        true
    });
}
