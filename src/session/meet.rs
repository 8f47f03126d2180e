//! How a second terminal finds the containers of the first.
//!
//! By a socket that has no name: it is bound, opened as a path and removed at once, so that nothing stays behind whatever ends who has
//! made it, and is reached through /proc/PID/fd. So the kernel decides who may come: who may look into that process
//! (ptrace(2), PTRACE_MODE_READ), who has the same /proc. A container has neither, also where it shares the host's network: an
//! abstract socket would be open to it (CVE-2020-15257).

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            fs::MetadataExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    net::sockopt::socket_peercred,
};

use super::ask::{Ask, Reply, receive, send};

/// What the directory is called in which it was bound, and with that what /proc/PID/fd says.
const NAME: &str = "caplab-shell-";
/// How long somebody may take to say what he wants.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Where others may come.
#[derive(Debug)]
pub struct Meeting {
    listener: UnixListener,
    /// Through which /proc leads to it.
    _path: OwnedFd,
}

impl Meeting {
    /// Opens one.
    ///
    /// # Errors
    /// A directory for temporary files that cannot be written.
    pub fn open() -> io::Result<Self> {
        let place = tempfile::Builder::new().prefix(NAME).tempdir()?;
        let path = place.path().join("socket");
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        let handle = openat(CWD, &path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        place.close()?;
        Ok(Self { listener, _path: handle })
    }

    /// Readable when somebody comes.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Who has come, where he is the same user.
    pub(super) fn accept(&self) -> Option<UnixStream> {
        let (stream, _) = self.listener.accept().ok()?;
        is_own(&stream).then_some(())?;
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(stream)
    }
}

/// The other side's user is this process's.
fn is_own(stream: &UnixStream) -> bool {
    socket_peercred(stream).is_ok_and(|peer| peer.uid.as_raw() == nix::unistd::geteuid().as_raw())
}

/// The containers of this user that run of this scenario and case ([`super::Scene::identity`]): the pid of who has made them, and a connection.
#[must_use]
pub fn running(of: &str) -> Vec<(u32, UnixStream)> {
    let mut found: Vec<_> =
        processes().filter_map(|pid| Some((pid, ask(pid).filter(|(name, _)| name == of)?.1))).collect();
    found.sort_by_key(|(pid, _)| *pid);
    found
}

/// Other processes of this user, in this process's namespaces: one of a container may call itself what it likes.
fn processes() -> impl Iterator<Item = u32> {
    let uid = nix::unistd::geteuid().as_raw();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry)));
    numbered.filter_map(move |(pid, entry): (u32, _)| {
        let own = entry.metadata().is_ok_and(|metadata| metadata.uid() == uid);
        (own && pid != std::process::id() && ["mnt", "pid", "user"].iter().all(|name| is_shared(&entry.path(), name)))
            .then_some(pid)
    })
}

fn is_shared(process: &Path, namespace: &str) -> bool {
    let of = |process: &Path| fs::read_link(process.join("ns").join(namespace)).ok();
    of(process).is_some_and(|found| Some(found) == of(Path::new("/proc/self")))
}

/// What a process has for others: the name, and the connection over which it was asked.
fn ask(pid: u32) -> Option<(String, UnixStream)> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let is_socket = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|target| {
            let target = target.to_string_lossy();
            target.contains(NAME) && target.ends_with("/socket (deleted)")
        })
    };
    descriptors.map(|entry| entry.path()).filter(is_socket).find_map(|path| {
        let stream = UnixStream::connect(path).ok().filter(is_own)?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        send(&stream, &Ask::What).ok()?;
        match receive(&stream) {
            Ok(Some(Reply::This(name))) => {
                stream.set_read_timeout(None).ok()?;
                Some((name, stream))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_without_a_name_is_reached_through_proc() {
        let meeting = Meeting::open().expect("a place");
        let own = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&meeting._path)));
        let link = fs::read_link(&own).expect("a descriptor");
        assert!(link.to_string_lossy().ends_with("/socket (deleted)"), "{}", link.display());
        assert!(!link.parent().expect("a directory").exists());
        let _client = UnixStream::connect(&own).expect("it listens");
        assert!(meeting.accept().is_some());
    }
}
