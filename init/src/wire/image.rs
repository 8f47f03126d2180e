//! A root file system as a value: what an image holds, and what a container has made of it.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// The most that the files of an image may hold together, in bytes. It is sent as one message.
pub const MAX_BYTES: u64 = 192 << 20;

/// The most files, directories and links of an image.
pub const MAX_FILES: usize = 1 << 16;

/// An image as a launcher is given it, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// What it is called by in an [`super::Op::Image`]: it says what the image holds.
    pub id: String,
    /// Parents before children, a file before a link to it.
    pub files: Vec<ImageFile>,
}

/// A file, directory or link. Its parents are directories of the same image, no links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFile {
    /// Absolute path; `/` is the root itself.
    pub path: String,
    /// What it is.
    pub kind: ImageKind,
    /// Permission bits, set-uid, set-gid and sticky among them.
    pub mode: u32,
    /// Owner, as the container's processes are to see it.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// `security.capability`, capabilities(7) "File capability extended attribute versioning": of version 2.
    pub capability: Option<Vec<u8>>,
}

/// What an [`ImageFile`] is. Devices, sockets and FIFOs are none of an image's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageKind {
    /// A directory.
    Dir,
    /// A regular file with this content.
    File(Vec<u8>),
    /// A symbolic link and what it says.
    Symlink(String),
    /// A further name of the file at this path.
    Link(String),
}

/// What a container has made of its root, read after its end. What was mounted there is not in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Captured {
    /// As those of an image.
    pub files: Vec<ImageFile>,
    /// Paths that could not be looked at because something is still mounted there: they are as they were.
    pub covered: Vec<String>,
    /// Devices, sockets and FIFOs, which are left out.
    pub special: u32,
}
