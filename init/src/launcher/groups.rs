//! Control groups of a launcher's containers: for their lists of devices, and for their limits.
//!
//! Those of a launcher lie in a directory of its own at the root of the version 2 hierarchy, which every kernel has, also where
//! the machine's controllers are in hierarchies of version 1. Where nobody has mounted it for this process it is mounted by
//! descriptor, and so nowhere to be seen. A launcher keeps a lock on its directory for as long as it lives. One that nobody locks
//! was left behind, and whoever finds it removes it: the guard of the launcher that made it, or, where that was killed too, the
//! next run's.
//!
//! A limit whose controller is in a hierarchy of version 1 has its group there, in a directory of the same name. That there are
//! such is written down before the first is made: by the directory [`ELSEWHERE`] beside the launcher's groups.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::cell::RefCell;

use caplab_init::wire::{Container, LimitGroup};

use crate::sys::{
    Fail, Result, cgroup,
    fd::{self, BorrowedFd, OwnedFd},
    file, mount, path,
};

/// What the names of the directories begin with.
const PREFIX: &str = "caplab-";
/// There are groups of this launcher in hierarchies of version 1.
const ELSEWHERE: &str = "v1";
/// Joining a group of version 1: a thread writes "0", itself. For this file, other than for cgroup.procs, the kernel need not hold
/// up every fork of the machine (kernel/cgroup/cgroup.c, cgroup_procs_write_start).
const JOIN: &str = "tasks";

/// The control groups of one launcher; none as long as no container needs one.
pub(super) struct Groups {
    /// A number that no other launcher of this pid namespace has.
    guard: u32,
    made: RefCell<Option<Made>>,
}

struct Made {
    /// The name of the launcher's directory, in every hierarchy.
    name: String,
    /// The directory, locked.
    own: OwnedFd,
    /// A group for each program. Containers with the same list are in one: it is a list and nothing that is used up.
    lists: Vec<(Vec<u64>, OwnedFd)>,
    /// Where hierarchies of version 1 are mounted, and the directory in each.
    elsewhere: Vec<(String, OwnedFd)>,
    /// How many groups have been made: their names.
    count: u32,
}

/// The groups of one container that has limits.
pub(super) struct Own {
    name: String,
    /// Of version 2: its processes are born into it.
    born: Option<OwnedFd>,
    /// Of version 1: where the hierarchy is mounted, and the file by which a process joins.
    joined: Vec<(String, OwnedFd)>,
}

impl Own {
    /// Puts this process, which is a new one of the container, into those groups that it was not born into. Before anything else:
    /// whatever it becomes is counted.
    pub(super) fn join(&self) -> Result<()> {
        self.joined.iter().try_for_each(|(mount, tasks)| {
            fd::write_all(tasks.as_fd(), b"0").map_err(|fail| fail.with(format!("{mount}: {JOIN}")))
        })
    }
}

impl Groups {
    /// None yet.
    pub(super) fn new(guard: u32) -> Self {
        Self { guard, made: RefCell::new(None) }
    }

    /// Calls with the group of version 2 that a process of a container is to be born into, where there is one: the container's
    /// own, or the one for its list of devices, which is made where it is the first of its kind.
    pub(super) fn with<T>(
        &self,
        devices: Option<&[u64]>,
        own: Option<&Own>,
        call: impl FnOnce(Option<BorrowedFd<'_>>) -> Result<T>,
    ) -> Result<T> {
        if let Some(group) = own.and_then(|own| own.born.as_ref()) {
            return call(Some(group.as_fd()));
        }
        let Some(program) = devices else { return call(None) };
        self.made(|made| {
            let at = match made.lists.iter().position(|(known, _)| known == program) {
                Some(at) => at,
                None => {
                    let (_, group) = made.group()?;
                    cgroup::decide_devices(group.as_fd(), program)?;
                    made.lists.push((program.to_vec(), group));
                    made.lists.len() - 1
                }
            };
            call(Some(made.lists[at].1.as_fd()))
        })
    }

    /// Makes the groups of a container with limits and sets them; `None` where it has none.
    pub(super) fn make(&self, container: &Container) -> Result<Option<Own>> {
        if container.limits.is_empty() {
            return Ok(None);
        }
        self.made(|made| {
            made.count += 1;
            let mut own = Own { name: format!("{}", made.count), born: None, joined: Vec::new() };
            for limits in &container.limits {
                let done = match &limits.hierarchy {
                    None => made.limit(&mut own, limits, container.devices.as_deref()),
                    Some(mount) => made.limit_elsewhere(&mut own, limits, mount),
                };
                if let Err(fail) = done {
                    made.remove(&own);
                    return Err(fail);
                }
            }
            Ok(Some(own))
        })
    }

    /// Removes the groups of a container in which nobody is any more.
    pub(super) fn remove(&self, own: &Own) {
        if let Some(made) = &*self.made.borrow() {
            made.remove(own);
        }
    }

    fn made<T>(&self, call: impl FnOnce(&mut Made) -> Result<T>) -> Result<T> {
        let mut made = self.made.borrow_mut();
        call(match &mut *made {
            Some(made) => made,
            none => none.insert(Made::new(self.guard)?),
        })
    }
}

impl Made {
    fn new(guard: u32) -> Result<Self> {
        let (name, own) = directory(guard)?;
        Ok(Self { name, own, lists: Vec::new(), elsewhere: Vec::new(), count: 0 })
    }

    /// A new group of version 2 and its name.
    fn group(&mut self) -> Result<(String, OwnedFd)> {
        self.count += 1;
        let name = format!("{}", self.count);
        let group = make_in(self.own.as_fd(), &name)?;
        Ok((name, group))
    }

    /// Limits of version 2, and the list of devices, which is of version 2 too: a process has one group in each hierarchy.
    fn limit(&mut self, own: &mut Own, limits: &LimitGroup, devices: Option<&[u64]>) -> Result<()> {
        let wanted: Vec<String> = limits.controllers.iter().map(|name| format!("+{name}")).collect();
        // Nobody is in the launcher's own directory, which the kernel asks for.
        set(self.own.as_fd(), "cgroup.subtree_control", &wanted.join(" "))?;
        let group = make_in(self.own.as_fd(), &own.name)?;
        let group = own.born.insert(group).as_fd();
        if let Some(program) = devices {
            cgroup::decide_devices(group, program)?;
        }
        limits.settings.iter().try_for_each(|(file, value)| set(group, file, value))
    }

    /// Limits of a hierarchy of version 1.
    fn limit_elsewhere(&mut self, own: &mut Own, limits: &LimitGroup, mount: &str) -> Result<()> {
        let at = match self.elsewhere.iter().position(|(known, _)| known == mount) {
            Some(at) => at,
            None => {
                path::make_directory(self.own.as_fd(), ELSEWHERE, 0o755)?;
                let directory = make_in(open(mount)?.as_fd(), &self.name)?;
                self.elsewhere.push((mount.to_owned(), directory));
                self.elsewhere.len() - 1
            }
        };
        let group = make_in(self.elsewhere[at].1.as_fd(), &own.name)?;
        own.joined.push((mount.to_owned(), path::open_in(group.as_fd(), JOIN, libc::O_WRONLY, 0)?));
        limits.settings.iter().try_for_each(|(file, value)| set(group.as_fd(), file, value))
    }

    /// Where that cannot be done now the guard does it.
    fn remove(&self, own: &Own) {
        if own.born.is_some() {
            path::remove_directory(self.own.as_fd(), &own.name).ok();
        }
        for (mount, _) in &own.joined {
            if let Some((_, directory)) = self.elsewhere.iter().find(|(known, _)| known == mount) {
                path::remove_directory(directory.as_fd(), &own.name).ok();
            }
        }
    }
}

/// A directory of this process's own view, to look into and to make others in.
fn open(mount: &str) -> Result<OwnedFd> {
    file::open(mount, libc::O_RDONLY | libc::O_DIRECTORY).map_err(|fail| fail.with(mount))
}

fn make_in(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    path::make_directory(parent, name, 0o755)?;
    path::open_in(parent, name, libc::O_RDONLY | libc::O_DIRECTORY, 0)
}

fn set(group: BorrowedFd<'_>, file: &str, value: &str) -> Result<()> {
    path::open_in(group, file, libc::O_WRONLY, 0)
        .and_then(|open| fd::write_all(open.as_fd(), value.as_bytes()))
        .map_err(|fail| fail.with(format!("{value} to {file}")))
}

/// The root of the hierarchy, to make groups in: as the machine has it mounted, else a mount of its own, for which the kernel
/// takes milliseconds (it waits for cgroup_mutex).
fn root() -> Result<OwnedFd> {
    match mounted() {
        Some(root) if file::is_writable(root) => open(root),
        _ => mount::create("cgroup2", "cgroup2", &[], false, 0),
    }
}

/// Where the machine has the hierarchy: alone, or beside those of version 1, as systemd mounts it.
fn mounted() -> Option<&'static str> {
    // The root of version 1 has no such file.
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .find(|mount| file::status(&format!("{mount}/cgroup.controllers")).is_ok())
}

fn directory(guard: u32) -> Result<(String, OwnedFd)> {
    let root = root()?;
    for number in 0..64 {
        let name = format!("{PREFIX}{guard}-{number}");
        if path::make_directory(root.as_fd(), &name, 0o755)? {
            // Until it is locked somebody's sweep may take it for one that was left behind, and remove it.
            let own = match path::open_in(root.as_fd(), &name, libc::O_RDONLY | libc::O_DIRECTORY, 0) {
                Err(fail) if fail.errno == libc::ENOENT => continue,
                opened => opened?,
            };
            if fd::lock(own.as_fd()).is_ok() && path::find(root.as_fd(), &name).is_ok() {
                return Ok((name, own));
            }
        }
    }
    Err(Fail::new("mkdirat", libc::EEXIST).with("64 control groups of this name are there"))
}

/// Removes what no living launcher holds. Where that cannot be done now the next run does it.
pub(super) fn sweep() {
    let is_left = |names: &[String]| names.iter().any(|name| name.starts_with(PREFIX));
    if mounted().is_some_and(|mount| !is_left(&file::names(mount).unwrap_or_default())) {
        return;
    }
    let Ok(root) = root() else { return };
    for name in names(root.as_fd()).iter().filter(|name| name.starts_with(PREFIX)) {
        let opened = path::open_in(root.as_fd(), name, libc::O_RDONLY | libc::O_DIRECTORY, 0);
        let Ok(group) = opened else { continue };
        if fd::lock(group.as_fd()).is_err() {
            continue;
        }
        let below = names(group.as_fd());
        if below.iter().any(|name| name == ELSEWHERE) && sweep_elsewhere(name) {
            path::remove_directory(group.as_fd(), ELSEWHERE).ok();
        }
        clear(group.as_fd(), &below);
        path::remove_directory(root.as_fd(), name).ok();
    }
}

/// Removes a launcher's groups of version 1; whether none is left.
fn sweep_elsewhere(name: &str) -> bool {
    // `36 35 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids`
    let mounts = file::read_text("/proc/self/mountinfo").unwrap_or_default();
    let mut clean = true;
    for line in mounts.lines().filter(|line| line.contains(" - cgroup ")) {
        let Some(Ok(hierarchy)) = line.split(' ').nth(4).map(open) else { continue };
        let opened = path::open_in(hierarchy.as_fd(), name, libc::O_RDONLY | libc::O_DIRECTORY, 0);
        let Ok(directory) = opened else { continue };
        clear(directory.as_fd(), &names(directory.as_fd()));
        clean &= path::remove_directory(hierarchy.as_fd(), name).is_ok();
    }
    clean
}

/// Removes the groups of containers.
fn clear(directory: BorrowedFd<'_>, names: &[String]) {
    for name in names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        path::remove_directory(directory, name).ok();
    }
}

fn names(directory: BorrowedFd<'_>) -> Vec<String> {
    path::open_in(directory, "/", libc::O_RDONLY | libc::O_DIRECTORY, 0)
        .and_then(|open| file::names_in(open.as_fd()))
        .unwrap_or_default()
}
