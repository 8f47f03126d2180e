//! The files of an image, laid into a container's root.

use alloc::{borrow::Cow, string::String, vec::Vec};

use caplab_init::wire::{IdMap, ImageFile, ImageKind};

use crate::sys::{
    Fail, Result,
    fd::{self, BorrowedFd},
    file, path,
};

/// Whom the files belong to: as the image says where this process is in the container's user namespace, else what that is outside of
/// it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owners<'a> {
    /// The container's uid_map; empty where nothing is to be changed.
    pub(crate) uids: &'a [IdMap],
    /// Its gid_map.
    pub(crate) gids: &'a [IdMap],
}

impl Owners<'_> {
    fn of(&self, file: &ImageFile) -> Result<(u32, u32)> {
        Ok((outside(self.uids, file.uid)?, outside(self.gids, file.gid)?))
    }

    /// The attribute as this process has to write it for the container's root to be whose capabilities they are: the kernel does this
    /// itself for who is in the user namespace (security/commoncap.c cap_convert_nscap).
    fn capability<'c>(&self, value: &'c [u8]) -> Result<Cow<'c, [u8]>> {
        if self.uids.is_empty() {
            return Ok(Cow::Borrowed(value));
        }
        let root = outside(self.uids, 0)?;
        let mut owned: Vec<u8> = value.into();
        // struct vfs_ns_cap_data: the revision is the last byte of the first word, and the root's id comes last.
        if let Some(revision) = owned.get_mut(3) {
            *revision = 3;
        }
        owned.extend(root.to_le_bytes());
        Ok(Cow::Owned(owned))
    }
}

fn outside(map: &[IdMap], id: u32) -> Result<u32> {
    if map.is_empty() {
        return Ok(id);
    }
    // What fchownat(2) says of an id that is none.
    map.iter().find_map(|line| line.outside(id)).ok_or_else(|| Fail::new("fchownat", libc::EINVAL))
}

/// Lays all of them, but for those that are somebody else's to make.
pub(super) fn lay(root: BorrowedFd<'_>, files: &[ImageFile], without: &[String], owners: Owners<'_>) -> Result<()> {
    for file in files.iter().filter(|file| !without.contains(&file.path)) {
        lay_one(root, file, owners).map_err(|fail| fail.with(file.path.as_str()))?;
    }
    Ok(())
}

fn lay_one(root: BorrowedFd<'_>, own: &ImageFile, owners: Owners<'_>) -> Result<()> {
    let (uid, gid) = owners.of(own)?;
    if own.path == "/" {
        path::set_owner(root, ".", uid, gid)?;
        return path::set_mode(root, ".", own.mode);
    }
    let (parent, name) = path::parent(root, &own.path)?;
    let parent = parent.as_fd();
    // A change of the owner clears set-uid, set-gid and the capabilities of a file, chown(2): he comes first.
    match &own.kind {
        ImageKind::Dir => {
            path::make_directory(parent, &name, 0o700)?;
        }
        ImageKind::File(content) => {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
            let file = path::open_in(parent, &name, flags, 0o600)?;
            fd::write_all(file.as_fd(), content)?;
            path::set_owner(parent, &name, uid, gid)?;
            path::set_mode(parent, &name, own.mode)?;
            return match &own.capability {
                Some(value) => file::set_capability(file.as_fd(), &owners.capability(value)?),
                None => Ok(()),
            };
        }
        ImageKind::Symlink(target) => {
            path::make_symlink(parent, &name, target)?;
            return path::set_owner(parent, &name, uid, gid);
        }
        ImageKind::Link(target) => {
            let (from, old) = path::parent(root, target)?;
            return path::make_link(from.as_fd(), &old, parent, &name);
        }
    }
    path::set_owner(parent, &name, uid, gid)?;
    path::set_mode(parent, &name, own.mode)
}
