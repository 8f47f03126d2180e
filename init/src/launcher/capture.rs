//! What a container has made of its root, for an image that is built.
//!
//! It is read after the container's end: nobody is left to change a path between two looks, and with the mount namespace gone what was
//! mounted in the root, the machine's programs for one, covers nothing any more.

use alloc::{borrow::ToOwned, collections::BTreeMap, format, string::String, vec, vec::Vec};

use caplab_init::wire::{
    Captured, ImageFile, ImageKind, Phase, Refusal,
    image::{MAX_BYTES, MAX_FILES},
};

use super::{Lab, container::Running};
use crate::{
    setup::refusal,
    sys::{
        Fail, Result,
        fd::{self, BorrowedFd, OwnedFd},
        file, path,
    },
};

/// Ends the container and reads its root.
pub(super) fn capture(lab: &Lab, running: Running) -> core::result::Result<Captured, Refusal> {
    let root = path::directory(&format!("/proc/{}/root", running.pid));
    running.end(lab);
    root.and_then(|root| read(root.as_fd())).map_err(|fail| refusal(Phase::Plumbing, fail))
}

fn read(root: BorrowedFd<'_>) -> Result<Captured> {
    let mut captured = Captured::default();
    let mut room = MAX_BYTES;
    // A file of several names: where its first one is.
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    // No recursion: how deep it goes was the container's to say.
    let mut waiting = vec![String::new()];
    while let Some(at) = waiting.pop() {
        let relative = if at.is_empty() { "." } else { at.trim_start_matches('/') };
        let handle = match path::open_plain(root, relative, libc::O_PATH | libc::O_NOFOLLOW) {
            Err(fail) if fail.errno == libc::EXDEV => {
                captured.covered.push(at);
                continue;
            }
            handle => handle.map_err(|fail| fail.with(at.as_str()))?,
        };
        let status = fd::status(handle.as_fd())?;
        let path = if at.is_empty() { "/".to_owned() } else { at.clone() };
        let mut capability = None;
        let kind = match status.st_mode & libc::S_IFMT {
            libc::S_IFDIR => {
                let directory = path::open_plain(root, relative, libc::O_RDONLY | libc::O_DIRECTORY)?;
                let below = file::names_in(directory.as_fd())?;
                waiting.extend(below.into_iter().map(|name| format!("{at}/{name}")));
                ImageKind::Dir
            }
            libc::S_IFLNK => ImageKind::Symlink(text(&path, file::read_open_link(handle.as_fd())?)?),
            libc::S_IFREG => match names.get(&status.st_ino) {
                Some(first) => ImageKind::Link(first.clone()),
                None => {
                    let size = status.st_size as u64;
                    room = room.checked_sub(size).ok_or_else(|| Fail::new("read", libc::EFBIG).with(path.as_str()))?;
                    let content: OwnedFd = path::open_plain(root, relative, libc::O_RDONLY | libc::O_NONBLOCK)?;
                    if status.st_nlink > 1 {
                        names.insert(status.st_ino, path.clone());
                    }
                    capability = file::capability(content.as_fd())?;
                    ImageKind::File(fd::read_to_end(content.as_fd())?)
                }
            },
            _ => {
                captured.special += 1;
                continue;
            }
        };
        let mode = status.st_mode & 0o7777;
        captured.files.push(ImageFile { path, kind, mode, uid: status.st_uid, gid: status.st_gid, capability });
        if captured.files.len() + waiting.len() > MAX_FILES {
            return Err(Fail::new("getdents64", libc::EFBIG).with("more than 65,536 files"));
        }
    }
    Ok(captured)
}

fn text(path: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Fail::new("readlinkat", libc::EILSEQ).with(path))
}
