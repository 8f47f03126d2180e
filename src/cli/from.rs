//! `caplab from`.

use std::{fs, path::Path};

use clap::Args;

use super::{USAGE, complain, say_error, schema::missing};
use crate::{
    convert::{self, Draft, Unconvertible},
    scenario::modeline,
};

// Arguments of `caplab from`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct From {
    /// `docker run …` or `podman run …` as it would be typed, or a file: a Compose file or a Kubernetes Pod
    #[arg(value_name = "COMMAND|FILE", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    what: Vec<String>,
}

const EXAMPLES: &str = "Examples:
  caplab from docker run -it --cap-add NET_ADMIN -v /etc:/mnt bash iptables -L > scenarios/mine/firewall.yaml
  caplab from podman run --uidmap 0:2000:1000 bash
  caplab from \"docker run --rm -u 6667:6667 alpine id\"
  caplab from compose.yaml
  caplab from pod.yaml

The scenario is printed, with a comment for all that could not be carried over. It says what was asked for as facts that
the kernel shows (`inspect`); add what must be possible and impossible.";

impl From {
    pub(super) fn main(self) -> u8 {
        let written = self.draft().and_then(|draft| convert::to_scenario(&draft));
        match written {
            Ok(text) => {
                // Where it will lie is not known; most lie in an area of scenarios/.
                super::print(&format!("{}{text}", modeline(2)));
                if let Some(hint) = missing() {
                    say_error(format_args!("{hint}"));
                }
                0
            }
            Err(Unconvertible(message)) if message.contains('\n') => {
                say_error(format_args!("{message}"));
                USAGE
            }
            Err(error) => complain(&error.to_string()),
        }
    }

    fn draft(&self) -> Result<Draft, Unconvertible> {
        // A file may have a space in its name.
        let is_file = matches!(self.what.as_slice(), [one] if Path::new(one).exists());
        if let Some(draft) = if is_file { None } else { convert::from_line(&self.what)? } {
            return Ok(draft);
        }
        match self.what.as_slice() {
            [] => Err(Unconvertible("nothing to convert".to_owned())),
            [file] => self::file(Path::new(file)),
            [first, ..] => Err(Unconvertible(format!(
                "`{first}` is neither docker nor podman; `caplab from docker run …`, or one file"
            ))),
        }
    }
}

/// A Compose file has services, an object of Kubernetes a kind.
fn file(path: &Path) -> Result<Draft, Unconvertible> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| Unconvertible(format!("{shown}: {error}")))?;
    let top = |key: &str| text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    match (top("services"), top("kind")) {
        (true, _) => convert::from_compose(path, &text),
        (_, true) => convert::from_pod(path, &text),
        _ => Err(Unconvertible(format!(
            "{shown} is neither a Compose file (`services:`) nor an object of Kubernetes (`kind: Pod`)"
        ))),
    }
}
