//! A message on the wire: four bytes of length, little endian, then a postcard document.

use alloc::{vec, vec::Vec};
use core::fmt;

use serde::{Serialize, de::DeserializeOwned};

/// The largest message either side accepts, in bytes. A case with a thousand steps that each fill their
/// output bound would be larger; the launcher keeps less of each stream then.
pub const MAX_FRAME: usize = 256 << 20;

/// Bytes of the length before a document.
pub const PREFIX: usize = 4;

/// A message that is too large, or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub(super) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl core::error::Error for Malformed {}

const TOO_LARGE: Malformed = Malformed("a message larger than 256 MiB");

/// The bytes of a message, its length before it.
///
/// # Errors
/// Where it cannot be encoded or is larger than [`MAX_FRAME`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Malformed> {
    let mut bytes = postcard::to_extend(message, vec![0; PREFIX]).map_err(|_| Malformed("a message without a form"))?;
    let length = bytes.len() - PREFIX;
    if length > MAX_FRAME {
        return Err(TOO_LARGE);
    }
    let prefix = u32::try_from(length).map_err(|_| TOO_LARGE)?.to_le_bytes();
    bytes[..PREFIX].copy_from_slice(&prefix);
    Ok(bytes)
}

/// How many bytes of a document follow.
///
/// # Errors
/// Where that is more than [`MAX_FRAME`].
pub fn length(prefix: [u8; PREFIX]) -> Result<usize, Malformed> {
    let length = u32::from_le_bytes(prefix) as usize;
    if length > MAX_FRAME { Err(TOO_LARGE) } else { Ok(length) }
}

/// The message that a document is.
///
/// # Errors
/// Where it is none of this version.
pub fn decode<T: DeserializeOwned>(document: &[u8]) -> Result<T, Malformed> {
    postcard::from_bytes(document).map_err(|_| Malformed("a message of another version"))
}
