//! A socket of the fixture host at which a daemon of its root's answers, as docker's does at /run/docker.sock.
//!
//! Who sends it a path gets what is in that file, whoever he is: a daemon asks nobody who has come as far as connect(2). It
//! reads the fixture host alone, by openat2(RESOLVE_IN_ROOT), and writes nothing.

use alloc::string::String;
use core::time::Duration;

use super::{FIXTURE, Lab};
use crate::sys::{
    Fail, Result,
    clock::Instant,
    fd::{self, OwnedFd},
    path,
    process::{self, Side},
    unix,
};

/// The longest question.
const QUESTION: usize = 4096;
/// How long somebody who has connected may take to ask.
const PATIENCE: Duration = Duration::from_secs(2);

/// Binds it, and has it answered until the case ends: everybody of the lab host is killed then.
pub(super) fn serve(lab: &Lab, at: &str) -> Result<()> {
    let socket = unix::listen(&alloc::format!("{FIXTURE}{at}"))?;
    match lab.clone(0, None, None)? {
        Side::Parent(..) => Ok(()),
        Side::Child => {
            while let Ok(client) = unix::accept(socket.as_fd()) {
                // Who is refused is told nothing, and the next one is served.
                answer(&client).ok();
            }
            process::exit_now(0)
        }
    }
}

fn answer(client: &OwnedFd) -> Result<()> {
    let mut question = [0; QUESTION];
    let [asked] = fd::poll([Some(client.as_fd())], Some(Instant::now() + PATIENCE))?;
    if !asked {
        return Err(Fail::new("poll", libc::ETIMEDOUT));
    }
    let count = fd::read(client.as_fd(), &mut question)?;
    let name = String::from_utf8_lossy(&question[..count]);
    let root = path::directory(FIXTURE)?;
    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = path::open_in(root.as_fd(), name.trim(), flags, 0)?;
    if fd::status(file.as_fd())?.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(Fail::new("open", libc::EINVAL));
    }
    fd::write_all(client.as_fd(), &fd::read_to_end(file.as_fd())?)
}
