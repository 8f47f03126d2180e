//! Control groups of a launcher's containers, for their lists of devices.
//!
//! They lie in a directory of their own at the root of the version 2 hierarchy, which every kernel has, also where the
//! machine's own hierarchies are of version 1. It is mounted by descriptor, and so nowhere to be seen. A launcher keeps a
//! lock on its directory for as long as it lives. One that nobody locks was left behind, and whoever finds it removes it: the
//! guard of the launcher that made it, or, where that was killed too, the next run's.

use alloc::{format, string::String, vec::Vec};
use core::cell::RefCell;

use crate::sys::{
    Fail, Result, cgroup,
    fd::{self, BorrowedFd, OwnedFd},
    file, mount, path,
};

/// What the names of the directories begin with.
const PREFIX: &str = "caplab-";

/// The control groups of one launcher; none as long as no container has a list of devices.
pub(super) struct Groups {
    /// A number that no other launcher of this pid namespace has.
    guard: u32,
    made: RefCell<Option<Made>>,
}

struct Made {
    /// The launcher's directory, locked.
    own: OwnedFd,
    /// A group for each program. Containers with the same list are in one: it is a list and nothing that is used up.
    groups: Vec<(Vec<u64>, OwnedFd)>,
}

impl Groups {
    /// None yet.
    pub(super) fn new(guard: u32) -> Self {
        Self { guard, made: RefCell::new(None) }
    }

    /// Calls with the group for this list, which is made where it is the first of its kind.
    pub(super) fn with<T>(&self, program: &[u64], call: impl FnOnce(BorrowedFd<'_>) -> Result<T>) -> Result<T> {
        let mut made = self.made.borrow_mut();
        let made = match &mut *made {
            Some(made) => made,
            none => none.insert(Made { own: directory(self.guard)?, groups: Vec::new() }),
        };
        let at = match made.groups.iter().position(|(known, _)| known == program) {
            Some(at) => at,
            None => {
                let name = format!("{}", made.groups.len());
                path::make_directory(made.own.as_fd(), &name, 0o755)?;
                let group = path::open_in(made.own.as_fd(), &name, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
                cgroup::decide_devices(group.as_fd(), program)?;
                made.groups.push((program.to_vec(), group));
                made.groups.len() - 1
            }
        };
        call(made.groups[at].1.as_fd())
    }
}

/// The root of the hierarchy.
fn root() -> Result<OwnedFd> {
    mount::create("cgroup2", "cgroup2", &[], false, 0)
}

fn directory(guard: u32) -> Result<OwnedFd> {
    let root = root()?;
    for number in 0..64 {
        let name = format!("{PREFIX}{guard}-{number}");
        if path::make_directory(root.as_fd(), &name, 0o755)? {
            let own = path::open_in(root.as_fd(), &name, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
            // Between the two somebody's sweep may have taken it for one that was left behind.
            let kept = fd::lock(own.as_fd()).is_ok() && path::find(root.as_fd(), &name).is_ok();
            if kept {
                return Ok(own);
            }
        }
    }
    Err(Fail::new("mkdirat", libc::EEXIST).with("64 control groups of this name are there"))
}

/// Removes what no living launcher holds. Where that cannot be done now the next run does it.
pub(super) fn sweep() {
    let Ok(root) = root() else { return };
    for name in names(root.as_fd()).iter().filter(|name| name.starts_with(PREFIX)) {
        let opened = path::open_in(root.as_fd(), name, libc::O_RDONLY | libc::O_DIRECTORY, 0);
        let Ok(group) = opened else { continue };
        if fd::lock(group.as_fd()).is_err() {
            continue;
        }
        for below in names(group.as_fd()).iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            path::remove_directory(group.as_fd(), below).ok();
        }
        path::remove_directory(root.as_fd(), name).ok();
    }
}

fn names(directory: BorrowedFd<'_>) -> Vec<String> {
    path::open_in(directory, "/", libc::O_RDONLY | libc::O_DIRECTORY, 0)
        .and_then(|open| file::names_in(open.as_fd()))
        .unwrap_or_default()
}
