//! `caplab explain`.

use clap::Args;
use serde_json::json;

use super::{Format, USAGE, complain, print_json, say, say_error, select::select, tell};
use crate::{
    convert::{self, Dialect, Draft},
    explain,
    host::Machine,
    report::{pretty, story},
    scenario::describe,
    terminal,
};

// Arguments of `caplab explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Explain {
    /// A scenario, by file or name; a case of it, `capabilities/sweep[cap=KILL,who=root]`
    #[arg(value_name = "SCENARIO")]
    what: String,
    /// How it is told
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// As with `run --trust-host`
    #[arg(long)]
    trust_host: bool,
}

const EXAMPLES: &str = "Examples:
  caplab explain users/run-as-6667
  caplab explain userns/uidmap-root-is-2000 | less -R
  caplab explain scenarios/mine/clock.yaml --format json

Told are the docker and podman lines, what was asked for beyond the preset, every system call that makes the container,
in order, with what it protects, whom the ids are on the host, and the rule of the kernel behind every capability.
Nothing is run. What this machine's kernel does not have is said there.";

impl Explain {
    pub(super) fn main(self) -> u8 {
        let selection = match select(std::slice::from_ref(&self.what)) {
            Ok(selection) => selection,
            Err(message) => return complain(&message),
        };
        if let Some(diagnostic) = selection.invalid().next() {
            say_error(format_args!("{diagnostic}"));
            return USAGE;
        }
        let (scenario, case) = match selection.only(&self.what) {
            Ok(found) => found,
            Err(message) => return complain(&message),
        };
        let stories = match explain::stories(case, &Machine::probe(self.trust_host)) {
            Ok(stories) => stories,
            Err(error) => return complain(&format!("{}: {error}", scenario.name)),
        };
        let draft = match convert::from_scenario(scenario) {
            Ok(drafts) => {
                drafts.into_iter().find(|(name, _)| *name == case.name).map(|(_, draft)| draft).unwrap_or_default()
            }
            Err(error) => return complain(&error.to_string()),
        };
        if self.format == Format::Json {
            let lines = |dialect| {
                draft.parts.iter().map(|part| convert::to_command(dialect, part, IMAGE).0).collect::<Vec<_>>()
            };
            print_json(&json!({
                "scenario": scenario.name,
                "case": case.name,
                "command_lines": {"docker": lines(Dialect::Docker), "podman": lines(Dialect::Podman)},
                "containers": stories.iter().map(story::json).collect::<Vec<_>>(),
            }));
            return 0;
        }
        say(format_args!("\x1b[1m{}\x1b[0m", pretty::name(&scenario.name, case.name.as_deref())));
        say(format_args!("{}", scenario.title));
        if let (Some(_), false) = (&case.name, self.what.contains('[')) {
            say(format_args!("\x1b[2mone of its {} cases; name another in brackets\x1b[0m", scenario.cases.len()));
        }
        lines(&draft);
        let columns = terminal::columns();
        for one in &stories {
            say(format_args!("{}", story::text(one, stories.len() > 1, columns).trim_end()));
        }
        say(format_args!("\n\x1b[1mThen the steps\x1b[0m"));
        tell(
            "  \x1b[2mEach in a process of its own that enters the namespaces with setns(2), takes the calls of the stage \"process\" and executes.\x1b[0m",
        );
        for step in &case.steps {
            tell(&format!("  {} {}", step.id, describe::action(&step.action, &case.containers)));
        }
        0
    }
}

/// What stands for an image, of which a scenario has none.
const IMAGE: &str = "IMAGE";

fn lines(draft: &Draft) {
    for dialect in [Dialect::Docker, Dialect::Podman] {
        say(format_args!("\n\x1b[1mAs a line of {}\x1b[0m", dialect.name()));
        for part in &draft.parts {
            let (line, notes) = convert::to_command(dialect, part, IMAGE);
            line.lines().for_each(|line| say(format_args!("  {line}")));
            notes.iter().for_each(|note| tell(&format!("  \x1b[2m# {note}\x1b[0m")));
        }
    }
}
