//! A message on the wire: four bytes of length, little endian, then a postcard document.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// The largest message either side accepts, in bytes. A case with a thousand steps that each fill their
/// output bound would be larger; the parent sends such a case's steps with smaller bounds.
pub const MAX_FRAME: usize = 256 << 20;

/// Writes one message.
///
/// # Errors
/// Those of the writer; `InvalidData` where the message cannot be encoded or is larger than [`MAX_FRAME`].
pub fn send<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    bytes = postcard::to_extend(message, bytes).map_err(invalid)?;
    let length = bytes.len() - 4;
    if length > MAX_FRAME {
        return Err(invalid("message too large"));
    }
    let prefix = u32::try_from(length).map_err(invalid)?.to_le_bytes();
    bytes[..4].copy_from_slice(&prefix);
    to.write_all(&bytes)
}

/// Reads one message; `None` where the other side closed the connection between two messages.
///
/// # Errors
/// Those of the reader; `InvalidData` for a message that is too large or does not decode.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    match from.read_exact(&mut prefix) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(prefix) as usize;
    if length > MAX_FRAME {
        return Err(invalid("message too large"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    postcard::from_bytes(&bytes).map(Some).map_err(invalid)
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
