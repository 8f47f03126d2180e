//! Files that somebody edits: what has changed since one looked last.
//!
//! The kernel only says that something has happened; what it was is found by looking again. Editors save in many ways: into the file,
//! into another one that is renamed over it, by removing it and making it anew, with backups and swap files beside.

mod files;

pub use files::{Change, Files};

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::inotify::{self, CreateFlags, WatchFlags},
};

/// Saving is over when nothing has happened for so long.
const QUIET: Duration = Duration::from_millis(60);
/// Who writes without end is looked at all the same.
const AT_MOST: Duration = Duration::from_secs(2);

/// Why waiting is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Something has happened in a folder.
    Changed,
    /// A line was typed, or whatever was waited for besides is ready.
    Other,
}

/// An inotify instance.
#[derive(Debug)]
pub struct Watcher(OwnedFd);

impl Watcher {
    /// Makes one.
    ///
    /// # Errors
    /// EMFILE where the user has as many as fs.inotify.max_user_instances says.
    pub fn new() -> io::Result<Self> {
        Ok(Self(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
    }

    /// Watches a folder and those below it; one that it watches already stays so, one that is not there is left out.
    ///
    /// # Errors
    /// ENOSPC where the user watches as many as fs.inotify.max_user_watches says.
    pub fn add(&self, folder: &Path) -> io::Result<()> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MODIFY
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(&self.0, folder, flags) {
            Ok(_) => {}
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for entry in folder.read_dir()?.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Waits until something has happened and then nothing more for a moment, or `other` is readable.
    ///
    /// # Errors
    /// Those of poll(2) and read(2).
    pub fn wait(&self, other: Option<BorrowedFd<'_>>) -> io::Result<Woken> {
        let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
        fds.extend(other.map(|other| PollFd::from_borrowed_fd(other, PollFlags::IN)));
        loop {
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => {}
                done => {
                    done?;
                    break;
                }
            }
        }
        if fds[0].revents().is_empty() {
            return Ok(Woken::Other);
        }
        let until = Instant::now() + AT_MOST;
        while self.drain()? && Instant::now() < until {
            let quiet = QUIET.try_into().ok();
            let mut own = [PollFd::new(&self.0, PollFlags::IN)];
            while poll(&mut own, quiet.as_ref()) == Err(rustix::io::Errno::INTR) {}
        }
        Ok(Woken::Changed)
    }

    /// Reads what there is; whether there was something.
    fn drain(&self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.0, &mut buffer) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
