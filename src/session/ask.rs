//! What clients and the server of one machine's user say to each other: postcard in frames, as to the launcher.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

use caplab_init::wire::{Streams, Window, frame};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Where a process is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In a container of the scenario; the only one where none is named.
    Container(Option<String>),
    /// On the fixture host.
    Host,
}

/// What a client asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Ask {
    /// Which scenario's containers these are.
    What,
    /// A process.
    Open {
        /// Where.
        place: Place,
        /// `docker exec -u`, `user[:group]`.
        as_user: Option<String>,
        /// What is executed; a shell where nothing is said.
        command: Vec<String>,
        /// With a terminal of this size; else pipes.
        window: Option<Window>,
        /// The client's TERM.
        term: Option<String>,
    },
}

/// What the server says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Which scenario and case: [`super::Scene::identity`].
    This(String),
    /// It runs; the other side of its streams follows.
    Opened {
        /// Of which kind those are.
        streams: Streams,
        /// What its user should know.
        notes: Vec<String>,
    },
    /// It could not be.
    Refused {
        /// caplab's exit status.
        status: u8,
        /// Why.
        words: String,
    },
    /// It has ended.
    Ended {
        /// caplab's exit status.
        status: u8,
        /// What its user should know.
        note: Option<String>,
    },
}

/// One message.
pub(super) fn send<T: Serialize>(mut stream: &UnixStream, message: &T) -> io::Result<()> {
    let bytes = frame::encode(message).map_err(invalid)?;
    stream.write_all(&bytes)
}

/// One message; `None` where the other side closed the connection before it.
pub(super) fn receive<T: DeserializeOwned>(mut stream: &UnixStream) -> io::Result<Option<T>> {
    /// Of a request; replies are shorter.
    const LONGEST: usize = 1 << 20;
    let mut prefix = [0; frame::PREFIX];
    match stream.read_exact(&mut prefix) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = frame::length(prefix).map_err(invalid)?;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut document = vec![0; length];
    stream.read_exact(&mut document)?;
    frame::decode(&document).map(Some).map_err(invalid)
}

fn invalid(malformed: frame::Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}
