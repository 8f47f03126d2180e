//! Entering a container through a runtime of the fixture host: a decoy on which CVE-2019-5736 is shown.
//!
//! A runtime that has joined a container executes the container's program, and until then it is a process of the container
//! whose /proc/PID/exe is a file of the host. The decoy is this helper, copied into the fixture host. It is never executed
//! with more than the container has: the launcher joins, takes the credentials of the step, and only then executes the
//! file, whatever is in it by now. So neither it nor what a container has put in its place can reach anything that a
//! command of the same step could not.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use caplab_init::wire::Start;

use super::{FIXTURE, child};
use crate::sys::{
    Result, c_strings, credentials,
    fd::{self, OwnedFd},
    file, mount, path,
};

/// What is executed, opened before the container is entered: its path leads nowhere there.
pub(super) fn open(runtime: &str, start: Start) -> Result<OwnedFd> {
    let host = path::directory(FIXTURE)?;
    let host = match start {
        Start::ReadOnly => {
            let copy = mount::clone_tree(host.as_fd(), false)?;
            mount::set_attributes(copy.as_fd(), libc::MOUNT_ATTR_RDONLY, false)?;
            copy
        }
        Start::File | Start::Memfd => host,
    };
    let opened = path::open_in(host.as_fd(), runtime, libc::O_RDONLY | libc::O_NOFOLLOW, 0)?;
    match start {
        // What runc, crun and lxc do since: the container finds a copy, which nobody can write.
        Start::Memfd => file::sealed("runtime", &fd::read_to_end(opened.as_fd())?),
        Start::File | Start::ReadOnly => Ok(opened),
    }
}

/// The arguments that the decoy takes.
pub(super) fn arguments(env: &[String], command: &[String]) -> Vec<String> {
    let words = ["runtime".to_owned(), "init".to_owned()].into_iter().chain(env.iter().cloned());
    words.chain(["--".to_owned()]).chain(command.iter().cloned()).collect()
}

/// The decoy: what a runtime does last. It makes itself undumpable, as runc did (CVE-2016-9962), so that nobody in the
/// container may look at /proc/PID/exe; and it executes what the container has at that path. There the mistake was: of a script that
/// begins with `#!/proc/self/exe` the interpreter is the runtime itself, dumpable again.
pub(crate) fn main(words: &[&str]) -> i32 {
    let Some(end) = words.iter().position(|word| *word == "--") else { return crate::FAILED };
    let strings = |words: &[&str]| c_strings(words.iter().copied());
    let executed = || -> Result<core::convert::Infallible> {
        credentials::set_undumpable()?;
        Err(child::command(&strings(&words[end + 1..])?, &strings(&words[..end])?))
    };
    match executed() {
        Ok(never) => match never {},
        Err(fail) => crate::failed(&alloc::format!("{}: errno {}", fail.call, fail.errno)),
    }
}
