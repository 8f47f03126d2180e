//! The fixture host: decoy files on a tmpfs of the lab, made anew for each case.

use alloc::vec::Vec;

use caplab_init::wire::{Case, FileReport, FixtureEntry, FixtureKind, Phase, Refusal};

use super::{FIXTURE, Lab, disk, socket};
use crate::{
    setup::refusal,
    sys::{
        Result,
        fd::{self, BorrowedFd},
        file, mount, path,
    },
};

/// Mounts and fills it.
pub(super) fn make(lab: &Lab, case: &Case) -> core::result::Result<(), Refusal> {
    let (entries, disk) = (&case.fixture, case.disk.as_deref());
    mount::attach_new("tmpfs", FIXTURE, "mode=0755,size=64m,nr_inodes=16k")
        .map_err(|fail| refusal(Phase::Plumbing, fail))?;
    let root = path::directory(FIXTURE).map_err(|fail| refusal(Phase::Plumbing, fail))?;
    if case.shared {
        // As systemd has a machine's root. What is mounted on is the lab host's, whose own mounts are private: it goes no further.
        mount::set_propagation_of(root.as_fd(), libc::MS_SHARED).map_err(|fail| refusal(Phase::Plumbing, fail))?;
    }
    for (index, entry) in entries.iter().enumerate() {
        make_entry(lab, root.as_fd(), entry).map_err(|fail| refusal(Phase::Fixture(index as u32), fail))?;
        if disk == Some(entry.path.as_str()) {
            // What is made below lies on it.
            mount_disk(root.as_fd(), entry).map_err(|fail| refusal(Phase::Disk, fail))?;
        }
    }
    // Who reads the device and not the file system sees what has been written there.
    let written = disk.map_or(Ok(()), |at| {
        path::open_in(root.as_fd(), at, libc::O_RDONLY | libc::O_DIRECTORY, 0).and_then(|disk| file::sync(disk.as_fd()))
    });
    written.map_err(|fail| refusal(Phase::Disk, fail))
}

fn mount_disk(root: BorrowedFd<'_>, entry: &FixtureEntry) -> Result<()> {
    let mounted = mount::create("ext4", disk::PATH, &[], false, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV)?;
    mount::attach(mounted.as_fd(), path::find(root, &entry.path)?.as_fd())?;
    let (parent, name) = path::parent(root, &entry.path)?;
    path::set_owner(parent.as_fd(), &name, entry.uid, entry.gid)?;
    path::set_mode(parent.as_fd(), &name, entry.mode)
}

fn make_entry(lab: &Lab, root: BorrowedFd<'_>, entry: &FixtureEntry) -> Result<()> {
    let (parent, name) = path::parent(root, &entry.path)?;
    match &entry.kind {
        FixtureKind::Dir => {
            path::make_directory(parent.as_fd(), &name, 0o700)?;
        }
        FixtureKind::Socket => socket::serve(lab, &entry.path)?,
        FixtureKind::File(content) => {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
            let file = path::open_in(parent.as_fd(), &name, flags, 0o600)?;
            fd::write_all(file.as_fd(), content)?;
        }
    }
    path::set_owner(parent.as_fd(), &name, entry.uid, entry.gid)?;
    path::set_mode(parent.as_fd(), &name, entry.mode)
}

/// Removes it, whoever still has it open.
pub(super) fn remove() {
    // Nothing else mounts there; where it is not mounted there is nothing to remove.
    mount::detach(FIXTURE).ok();
}

/// What a file of it is now.
pub(super) fn look(path: &str, limit: usize) -> Result<FileReport> {
    let root = path::directory(FIXTURE)?;
    let handle = match path::open_in(root.as_fd(), path, libc::O_PATH | libc::O_NOFOLLOW, 0) {
        Ok(handle) => handle,
        Err(fail) if fail.errno == libc::ENOENT => {
            return Ok(FileReport::default());
        }
        Err(fail) => return Err(fail),
    };
    let status = fd::status(handle.as_fd())?;
    let open = |flags| path::open_in(root.as_fd(), path, libc::O_RDONLY | libc::O_NOFOLLOW | flags, 0);
    let (mut content, mut names) = (Vec::new(), Vec::new());
    let kind = status.st_mode & libc::S_IFMT;
    match kind {
        libc::S_IFREG => {
            content = fd::read_to_end(open(0)?.as_fd())?;
            content.truncate(limit);
        }
        libc::S_IFDIR => {
            names = file::names_in(open(libc::O_DIRECTORY)?.as_fd())?;
            names.sort_unstable();
        }
        _ => {}
    }
    let mounted = fd::is_mount(handle.as_fd())?;
    let (mode, uid, gid) = (status.st_mode & 0o7777, status.st_uid, status.st_gid);
    Ok(FileReport { exists: true, mounted, mode, uid, gid, kind, content, names })
}
