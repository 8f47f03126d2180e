//! Who wants a process in a container: asks the server, and copies between it and his own streams.

use std::{io, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};

use caplab_init::wire::Streams;

use super::{
    ask::{Ask, Reply, receive, send},
    status,
};
use crate::{
    pass,
    terminal::{Raw, Relay, Signals, Woken},
};

/// What a process has written before it ended is there at once; who it has left running may hold its streams open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A connection to a server.
#[derive(Debug)]
pub struct Client(UnixStream);

/// A process that runs, and what its user should know of it.
pub struct Running {
    /// Sentences.
    pub notes: Vec<String>,
    stream: UnixStream,
    relay: Relay,
    is_terminal: bool,
}

/// caplab's exit status, and why.
type Refused = (u8, String);

impl Client {
    /// Over this connection.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Has a process executed.
    ///
    /// # Errors
    /// caplab's exit status, and why.
    pub fn open(self, ask: &Ask) -> Result<Running, Refused> {
        let lost =
            |error: io::Error| (status::FAILED, format!("the connection to the container's server broke: {error}"));
        let end = || lost(io::ErrorKind::UnexpectedEof.into());
        let stream = self.0;
        send(&stream, ask).map_err(lost)?;
        match receive(&stream).map_err(lost)?.ok_or_else(end)? {
            Reply::Opened { streams, notes } => {
                let other = pass::receive(stream.as_fd()).map_err(lost)?;
                let relay = Relay::new(streams, other).map_err(lost)?;
                Ok(Running { notes, stream, relay, is_terminal: streams != Streams::Pipes })
            }
            Reply::Refused { status, words } => Err((status, words)),
            Reply::This(_) | Reply::Ended { .. } => Err(end()),
        }
    }
}

impl Running {
    /// Copies until the process has ended or a signal says to end; gives caplab's exit status, and what its user should know.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub(crate) fn attend(mut self, signals: &Signals) -> Result<(u8, Option<String>), Refused> {
        let failed = |error: io::Error| (status::FAILED, format!("the terminal: {error}"));
        let raw = if self.is_terminal { Some(Raw::enter().map_err(failed)?) } else { None };
        match self.relay.run(signals, raw.as_ref(), self.stream.as_fd()).map_err(failed)? {
            Woken::Signal(signal) => Ok((status::SIGNAL + signal as u8, None)),
            Woken::Control => {
                let said = receive(&self.stream).ok().flatten();
                self.relay.finish(LAST_WORDS);
                match said {
                    Some(Reply::Ended { status, note }) => Ok((status, note)),
                    _ => Err((status::FAILED, "the containers are gone: who had made them has ended".to_owned())),
                }
            }
        }
    }
}
