//! `caplab new`.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::{complain, say, say_error, schema::missing};
use crate::{
    convert::{self, Dialect, Unconvertible},
    scenario::{self, describe, modeline},
};

// Arguments of `caplab new`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct New {
    /// Its name: `mine/clock` is written to scenarios/mine/clock.yaml
    #[arg(value_name = "NAME")]
    name: String,
    /// The container, in the flags of `docker run`, as one text; nothing is a default container
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    container: Option<String>,
    /// Whose flags, and whose defaults; docker's where nothing says so
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// What is tried: a probe as a scenario spells it, `set_time`, `{bind_port: 80}`; docs/probes.md has them
    #[arg(long, value_name = "PROBE")]
    probe: Option<String>,
    /// What must come of it
    #[arg(long, value_enum)]
    expect: Option<Claim>,
}

const EXAMPLES: &str = "Examples:
  caplab new mine/clock                    asks three questions
  caplab new mine/clock --probe set_time --expect denied
  caplab new mine/port --container \"--cap-drop ALL -u 1000\" --probe \"{bind_port: 80}\" --expect allowed
  caplab new mine/pod --preset podman --container \"--uidmap 0:2000:1000\" --probe mount --expect denied

Then: caplab run --update mine/clock. Say why it is so with `because` (docs/format.md), and no other reason will do.";

/// Whose words and defaults.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Preset {
    /// docker
    Docker,
    /// podman
    Podman,
}

/// What must come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Claim {
    /// The permission is there
    Allowed,
    /// The kernel refuses
    Denied,
}

impl New {
    pub(super) fn main(self) -> u8 {
        let path = match self.path() {
            Ok(path) => path,
            Err(message) => return complain(&message),
        };
        match self.text(&path).and_then(|text| write(&path, &text)) {
            Ok(()) => {
                say(format_args!("{}\nnow: caplab run --update {}", path.display(), self.name()));
                if let Some(hint) = missing() {
                    say(format_args!("{hint}"));
                }
                0
            }
            Err(message) => complain(&message),
        }
    }

    /// As `caplab run` knows it, also where the file was named.
    fn name(&self) -> &str {
        self.name.trim_end_matches(".yaml").trim_start_matches("scenarios/")
    }

    fn path(&self) -> Result<PathBuf, String> {
        let name = self.name();
        let valid = |letter: char| letter.is_ascii_alphanumeric() || "-_/.".contains(letter);
        let climbs = name.split('/').any(|part| part.is_empty() || part.starts_with('.'));
        if name.is_empty() || climbs || !name.chars().all(valid) {
            return Err(format!("`{}` is no name for a scenario: `area/name`, letters, digits, - and _", self.name));
        }
        let path = Path::new("scenarios").join(format!("{name}.yaml"));
        if path.exists() { Err(format!("{} is there already", path.display())) } else { Ok(path) }
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        let ask = io::stdin().is_terminal();
        let said = |error: Unconvertible| error.0;
        let dialect = self.preset.map(|preset| match preset {
            Preset::Docker => Dialect::Docker,
            Preset::Podman => Dialect::Podman,
        });
        let question =
            format!("The container, in {}'s flags (nothing: a default one)", dialect.unwrap_or(Dialect::Docker).name());
        let (flags, mut draft) = loop {
            let flags = answer(ask, self.container.clone(), &question, Some(""), "--container")?;
            match convert::from_flags(dialect, &flags) {
                Ok(draft) => break (flags, draft),
                // It is asked before anything else, and can be asked again.
                Err(wrong) if ask && self.container.is_none() => say_error(format_args!("{wrong}")),
                Err(wrong) => return Err(said(wrong)),
            }
        };
        let probe = answer(
            ask,
            self.probe.clone(),
            "What is tried: mount, set_time, {bind_port: 80}, … (docs/probes.md)",
            None,
            "--probe",
        )?;
        let claim = match self.expect {
            Some(claim) => claim,
            None => loop {
                match answer(ask, None, "Must it be allowed or denied", None, "--expect")?.as_str() {
                    "allowed" => break Claim::Allowed,
                    "denied" => break Claim::Denied,
                    // What was answered before is not to be typed again.
                    other if ask => say_error(format_args!("`{other}`: allowed or denied")),
                    other => return Err(format!("`{other}`: allowed or denied")),
                }
            },
        };
        let claimed = if claim == Claim::Allowed { "allowed" } else { "denied" };
        draft.source = format!("caplab new {}", self.name());
        let mut written = |title: &str| {
            draft.title = Some(title.to_owned());
            let text = convert::to_scenario(&draft).map_err(said)?;
            let modeline = modeline(path.components().count() - 1);
            Ok::<_, String>(format!("{modeline}{text}  - probe: {probe}\n    expect: {claimed}\n"))
        };
        // What the probe is called is known when it has been read.
        let scenario = scenario::load(self.name(), path, &written("new")?)
            .map_err(|wrong| wrong.problems.iter().map(|problem| problem.in_a_line()).collect::<Vec<_>>().join("\n"))?;
        let case = scenario.cases.first().ok_or("no case")?;
        let tried = case.steps.last().map(|step| describe::action(&step.action, &case.containers)).unwrap_or_default();
        let container = if flags.trim().is_empty() { "a default container" } else { "this container" };
        written(&format!("In {container} {tried} is {claimed}"))
    }
}

/// What a flag said, else what is answered on a terminal, else the default.
fn answer(
    ask: bool,
    said: Option<String>,
    question: &str,
    default: Option<&str>,
    flag: &str,
) -> Result<String, String> {
    if let Some(said) = said {
        return Ok(said);
    }
    if !ask {
        return default
            .map(str::to_owned)
            .ok_or_else(|| format!("{flag} is missing, and there is no terminal to ask on"));
    }
    eprint!("{question}: ");
    io::stderr().flush().map_err(|error| error.to_string())?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    match (line.trim(), default) {
        ("", None) => Err(format!("no answer; {flag} says it too")),
        (line, _) => Ok(line.to_owned()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
