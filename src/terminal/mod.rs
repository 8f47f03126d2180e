//! The user's own terminal while a process elsewhere has the other side of it: raw mode, size, signals, and what is copied.

mod relay;
mod signals;

pub(crate) use relay::{Relay, Woken};
pub(crate) use signals::Signals;

use std::{io, io::IsTerminal, os::fd::AsFd, sync::OnceLock};

use caplab_init::wire::Window;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Why standard output lacks something that was written to it.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// How writing to standard output went: who closed it (`| head`) wanted no more, anything else (a disk that is full) is remembered.
pub(crate) fn wrote(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        UNWRITTEN.get_or_init(|| error.to_string());
    }
}

/// Why standard output is not whole, if it is not.
pub(crate) fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get().map(String::as_str)
}

/// Whether there is a terminal to type at and to read on.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether there is a terminal to read on.
pub(crate) fn is_there_to_read() -> bool {
    io::stdout().is_terminal()
}

/// How wide the terminal is that is read on; `None` where there is none, and nobody breaks lines.
pub(crate) fn columns() -> Option<usize> {
    is_there_to_read().then(|| usize::from(size().columns))
}

/// The size of the terminal; that of a VT100 where it does not say.
pub(crate) fn size() -> Window {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => Window { rows: size.ws_row, columns: size.ws_col },
        _ => Window { rows: 24, columns: 80 },
    }
}

/// The terminal in raw mode: every key goes on as it is, Ctrl-C too, to be understood by the terminal at the other end. It is as it
/// was when this is dropped, which a panic does as well.
pub(crate) struct Raw {
    before: Termios,
}

impl Raw {
    /// Begins.
    pub(crate) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let raw = Self { before };
        raw.again()?;
        Ok(raw)
    }

    /// Once more: a shell that has had this process stopped has set the terminal as it likes it.
    pub(crate) fn again(&self) -> io::Result<()> {
        let mut wanted = self.before.clone();
        wanted.make_raw();
        Ok(tcsetattr(io::stdin().as_fd(), OptionalActions::Drain, &wanted)?)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Drain, &self.before);
    }
}
