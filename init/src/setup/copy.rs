//! What a root has at the place of a new tmpfs, copied into it, as runc and crun do where a mount says `tmpcopyup`.
//!
//! Copied is what is seen there, whatever is mounted in it. Owner and mode are kept, what a link says, which device a node is; each name of
//! a file becomes a file of its own. Times and extended attributes are not kept: runc leaves those out, and of what crun copies the
//! capabilities of a file are gone with the change of its owner (runc: mrunalp/fileutils CopyDirectory; crun: utils.c
//! copy_recursive_fd_to_fd, in which fchownat(2) comes behind copy_xattr).

use alloc::{format, string::String, vec, vec::Vec};

use caplab_init::wire::image::{MAX_BYTES, MAX_FILES};

use crate::sys::{
    Fail, Result,
    fd::{self, BorrowedFd},
    file, path,
};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Fills a new tmpfs, which nobody else sees yet, with what lies below a directory; `target` is its path for a reader. It is as much as an
/// image may hold at the most: what lies there may be the machine's own, and of a tmpfs without a size the kernel lets half of the
/// machine's memory be used.
pub(super) fn into_tmpfs(from: BorrowedFd<'_>, to: BorrowedFd<'_>, target: &str) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut room = MAX_BYTES;
    let mut count = 0;
    // No recursion: how deep it goes was the image's to say. The last one comes next.
    let mut waiting = below(from, "")?;
    while let Some(at) = waiting.pop() {
        let named = |fail: Fail| fail.with(format!("{}/{at}", target.trim_end_matches('/')));
        waiting.extend(one(from, to, &at, (&mut room, &mut buffer[..])).map_err(named)?);
        count += 1;
        if count + waiting.len() > MAX_FILES {
            return Err(Fail::new("getdents64", libc::EFBIG).with("more than 65,536 files"));
        }
    }
    Ok(())
}

/// The paths of what is in a directory, the first one last.
fn below(from: BorrowedFd<'_>, at: &str) -> Result<Vec<String>> {
    let (path, prefix) = if at.is_empty() { (".", String::new()) } else { (at, format!("{at}/")) };
    let directory = path::open_below(from, path, libc::O_RDONLY | libc::O_DIRECTORY)?;
    let mut names = file::names_in(directory.as_fd())?;
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names.into_iter().map(|name| format!("{prefix}{name}")).collect())
}

/// Copies one; the paths of what is in it.
fn one(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    at: &str,
    (room, buffer): (&mut u64, &mut [u8]),
) -> Result<Vec<String>> {
    let handle = path::open_below(from, at, libc::O_PATH | libc::O_NOFOLLOW)?;
    let status = fd::status(handle.as_fd())?;
    let mode = status.st_mode & 0o7777;
    let mut inside = Vec::new();
    match status.st_mode & libc::S_IFMT {
        libc::S_IFDIR => {
            path::make_directory(to, at, 0o700)?;
            inside = below(from, at)?;
        }
        libc::S_IFLNK => {
            let says = String::from_utf8(file::read_open_link(handle.as_fd())?);
            path::make_symlink(to, at, &says.map_err(|_| Fail::new("readlinkat", libc::EILSEQ))?)?;
            path::set_owner(to, at, status.st_uid, status.st_gid)?;
            return Ok(inside);
        }
        libc::S_IFREG => {
            let content = path::open_below(from, at, libc::O_RDONLY | libc::O_NONBLOCK)?;
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
            let made = path::open_in(to, at, flags, 0o600)?;
            loop {
                let count = fd::read(content.as_fd(), buffer)?;
                if count == 0 {
                    break;
                }
                *room = room.checked_sub(count as u64).ok_or_else(|| Fail::new("write", libc::EFBIG))?;
                fd::write_all(made.as_fd(), &buffer[..count])?;
            }
        }
        kind => path::make_node(to, at, kind | 0o600, status.st_rdev)?,
    }
    // A change of the owner clears set-uid and set-gid, chown(2): he comes first.
    path::set_owner(to, at, status.st_uid, status.st_gid)?;
    path::set_mode(to, at, mode)?;
    Ok(inside)
}
