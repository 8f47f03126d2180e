//! `caplab man`.

use std::{fs, path::PathBuf};

use clap::{Args, CommandFactory};

use super::{Arguments, complain, print, say};

// Arguments of `caplab man`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// Where to write caplab.1 and a page a verb, caplab-run.1; without it caplab.1 is printed
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  caplab man | man -l -
  caplab man /usr/local/share/man/man1";

impl Man {
    pub(super) fn main(self) -> u8 {
        let command = Arguments::command();
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            // A vector takes everything.
            let _ = clap_mangen::Man::new(command).render(&mut page);
            print(&String::from_utf8_lossy(&page));
            return 0;
        };
        let written = fs::create_dir_all(&dir).and_then(|()| clap_mangen::generate_to(command, &dir));
        match written {
            Ok(()) => {
                say(format_args!("{}: caplab.1 and a page a verb", dir.display()));
                0
            }
            Err(error) => complain(&format!("{}: {error}", dir.display())),
        }
    }
}
