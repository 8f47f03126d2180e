//! `caplab completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, print};

// Arguments of `caplab completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "Examples:
  caplab completions bash > /etc/bash_completion.d/caplab
  caplab completions zsh > \"${fpath[1]}/_caplab\"
  caplab completions fish > ~/.config/fish/completions/caplab.fish";

impl Completions {
    pub(super) fn main(self) -> u8 {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "caplab", &mut text);
        print(&String::from_utf8_lossy(&text));
        0
    }
}
