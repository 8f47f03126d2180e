//! `caplab to`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{complain, say_error, select::select};
use crate::{
    build,
    convert::{self, Dialect, Draft, Unconvertible},
    host::Machine,
    scenario::model::Scenario,
    spec,
};

// Arguments of `caplab to`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct To {
    /// In whose words
    #[arg(value_enum)]
    dialect: Words,
    /// A scenario, by file or name; a case of it, `capabilities/sweep[cap=KILL,who=root]`
    #[arg(value_name = "SCENARIO")]
    what: String,
    /// The image to run it from, since a scenario has none
    #[arg(long, value_name = "IMAGE", default_value = "debian:stable-slim")]
    image: String,
}

const EXAMPLES: &str = "Examples:
  caplab to docker users/run-as-6667
  caplab to pod scenarios/mine/web.yaml --image nginx > pod.yaml
  caplab to oci userns/uidmap-root-is-2000 > bundle/config.json

What the other words cannot say is a comment beside them; for oci, which has no comments, on standard error.
Volumes of a scenario are decoys of the fixture host; in other words they are the machine's own.";

/// Whose words.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Words {
    /// A `docker run` line a container
    Docker,
    /// A `podman run` line a container
    Podman,
    /// A Compose file
    Compose,
    /// A Kubernetes Pod
    Pod,
    /// The OCI runtime-spec document, config.json
    Oci,
}

impl To {
    pub(super) fn main(self) -> u8 {
        let selection = match select(std::slice::from_ref(&self.what)) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        if let Some(diagnostic) = selection.invalid().next() {
            say_error(format_args!("{diagnostic}"));
            return super::USAGE;
        }
        let (scenario, case) = match selection.only(&self.what) {
            Ok(found) => found,
            Err(message) => return complain(&message),
        };
        if let (Some(name), false) = (&case.name, self.what.contains('[')) {
            say_error(format_args!("this is its case {name}, one of {}", scenario.cases.len()));
        }
        let written = match self.dialect {
            Words::Oci => oci(scenario, case.name.as_deref()),
            _ => draft(scenario, case.name.as_deref()).map(|draft| self.write(&draft)),
        };
        match written {
            Ok(text) => {
                super::print(&text);
                0
            }
            Err(error) => complain(&error.to_string()),
        }
    }

    fn write(&self, draft: &Draft) -> String {
        match self.dialect {
            Words::Compose => convert::to_compose(draft, &self.image),
            Words::Pod => convert::to_pod(draft, &self.image),
            Words::Podman => self.lines(Dialect::Podman, draft),
            Words::Docker | Words::Oci => self.lines(Dialect::Docker, draft),
        }
    }

    fn lines(&self, dialect: Dialect, draft: &Draft) -> String {
        let mut text = String::new();
        for part in &draft.parts {
            let (line, notes) = convert::to_command(dialect, part, &self.image);
            notes.iter().for_each(|note| text.push_str(&format!("# {}\n", note.replace('\n', " "))));
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

fn draft(scenario: &Scenario, case: Option<&str>) -> Result<Draft, Unconvertible> {
    let drafts = convert::from_scenario(scenario)?;
    let found = drafts.into_iter().find(|(name, _)| name.as_deref() == case);
    found.map(|(_, draft)| draft).ok_or_else(|| Unconvertible("no such case".to_owned()))
}

fn oci(scenario: &Scenario, case: Option<&str>) -> Result<String, Unconvertible> {
    let case = scenario.cases.iter().find(|one| one.name.as_deref() == case);
    let case = case.ok_or_else(|| Unconvertible("no such case".to_owned()))?;
    let machine = Machine::probe(false);
    let case = build::prepared(case, &machine).map_err(|error| Unconvertible(error.to_string()))?;
    let job = spec::job(&case, &machine, Duration::from_secs(10)).map_err(|error| Unconvertible(error.to_string()))?;
    match job.containers.as_slice() {
        [one] => {
            let (text, notes) = convert::to_oci(one)?;
            notes.iter().for_each(|note| say_error(format_args!("{note}")));
            Ok(format!("{text}\n"))
        }
        several => Err(Unconvertible(format!(
            "{} has {} containers, and an OCI document is of one; `caplab explain --format json` has them all",
            scenario.name,
            several.len()
        ))),
    }
}
