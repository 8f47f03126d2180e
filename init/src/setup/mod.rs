//! The interpreter of a setup: an ordered list of operations, each a handful of system calls.

mod copy;
mod files;
mod identity;
pub(crate) mod image;
mod mounts;

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use caplab_init::wire::{Base, Image, Op, Phase, Refusal};

use crate::sys::{
    Fail, Result,
    fd::{BorrowedFd, OwnedFd},
    path,
};

/// The first byte on the status pipe of a new process: it has become what it should be.
pub(crate) const READY: u8 = 0;
/// The first byte on the status pipe of a new process: a [`Refusal`] follows.
pub(crate) const REFUSED: u8 = 1;

/// Where the operations take place.
pub(crate) struct Place<'a> {
    /// Directory for a container's root to be mounted on, in the launcher's view.
    pub(crate) lab_root: &'a str,
    /// The fixture host, in the launcher's view.
    pub(crate) fixture: &'a str,
    /// The images that the launcher was given.
    images: &'a [Image],
    /// Whom the files of an image belong to.
    owners: image::Owners<'a>,
    /// Copies that `Op::Peer` took, by their paths.
    peers: Vec<(String, OwnedFd)>,
    /// The container's root, from `Op::Root` on.
    root: Option<OwnedFd>,
    /// Root was not let into the working directory.
    kept_out: bool,
}

impl<'a> Place<'a> {
    /// Before any operation.
    pub(crate) fn new(lab_root: &'a str, fixture: &'a str) -> Self {
        let (images, owners) = (&[][..], image::Owners::default());
        Self { lab_root, fixture, images, owners, peers: Vec::new(), root: None, kept_out: false }
    }

    /// The same where there are these images.
    pub(crate) fn with_images(self, images: &'a [Image], owners: image::Owners<'a>) -> Self {
        Self { images, owners, ..self }
    }

    /// In a root that is there already.
    pub(crate) fn at(root: OwnedFd) -> Self {
        Self { root: Some(root), ..Self::new("/", "/") }
    }

    /// The container's root; this process's own where none was made.
    fn root(&mut self) -> Result<BorrowedFd<'_>> {
        let root = match self.root.take() {
            Some(root) => root,
            None => path::directory("/")?,
        };
        let root: &OwnedFd = self.root.insert(root);
        Ok(root.as_fd())
    }
}

/// Walks the list; says at which operation it stopped.
pub(crate) fn walk(place: &mut Place<'_>, ops: &[Op], phase: fn(u32) -> Phase) -> core::result::Result<(), Refusal> {
    for (index, op) in ops.iter().enumerate() {
        perform(place, op).map_err(|fail| refusal(phase(index as u32), fail))?;
    }
    Ok(())
}

/// A failed call, and how far it had got.
pub(crate) fn refusal(phase: Phase, fail: Fail) -> Refusal {
    Refusal { phase, call: fail.call.to_owned(), errno: fail.errno, detail: fail.detail }
}

fn perform(place: &mut Place<'_>, op: &Op) -> Result<()> {
    match op {
        Op::PrivateMounts => mounts::make_private(),
        Op::Peer(source) => {
            let copy = mounts::copy(place.fixture, source)?;
            place.peers.push((source.clone(), copy));
            Ok(())
        }
        Op::Root => {
            place.root = Some(mounts::root(place.lab_root)?);
            Ok(())
        }
        Op::Image { id, without } => {
            let found = place.images.iter().find(|image| image.id == *id);
            let image = found.ok_or_else(|| Fail::new("image", libc::ENOENT).with(id.as_str()))?;
            let owners = place.owners;
            image::lay(place.root()?, &image.files, without, owners)
        }
        Op::Dir { path, mode } => files::directory(place.root()?, path, *mode),
        Op::File { path, mode, content } => files::file(place.root()?, path, *mode, content),
        Op::Symlink { path, target } => files::symlink(place.root()?, path, target),
        Op::Device { node, bind } => files::device(place.root()?, node, *bind),
        Op::Mount { fstype, source, target, options, attrs, read_only, copy_up } => {
            let mode = mounts::mode_to_keep(place.root()?, target, fstype, options)?;
            mounts::new(place.root()?, target, |covered| {
                let made = crate::sys::mount::create(fstype, source, options, *read_only, *attrs)?;
                if *copy_up {
                    copy::into_tmpfs(covered, made.as_fd(), target)?;
                }
                // Not by the option: mountinfo says the same as with runc.
                mode.map_or(Ok(()), |mode| path::set_mode(made.as_fd(), ".", mode)).map(|()| made)
            })
        }
        Op::Bind { from, source, target, recursive, attrs, propagation } => {
            let copy = match from {
                Base::Peer => mounts::taken(&mut place.peers, source)?,
                Base::Own => mounts::clone(place.root()?, source, *recursive)?,
                Base::Fixture | Base::SharedMemory | Base::Host => {
                    let base = path::directory(mounts::base(*from, place.fixture))?;
                    mounts::clone(base.as_fd(), source, *recursive)?
                }
            };
            crate::sys::mount::set_propagation_of(copy.as_fd(), *propagation)?;
            mounts::bind(place.root()?, copy.as_fd(), target, (*recursive, from.is_deep()), *attrs)
        }
        Op::WorkingDir(path) => path::make_directories(place.root()?, path).map(drop),
        Op::Pivot => crate::sys::mount::pivot(place.root()?),
        Op::ReadonlyPath(path) => mounts::read_only(place.root()?, path),
        Op::MaskPath(path) => mounts::mask(place.root()?, path),
        Op::Chdir(path) => {
            let changed = crate::sys::system::change_directory(path);
            place.kept_out = changed.as_ref().is_err_and(|fail| fail.errno == libc::EACCES);
            if place.kept_out { Ok(()) } else { changed }
        }
        Op::ChdirAsUser(path) if place.kept_out => crate::sys::system::change_directory(path),
        Op::ChdirAsUser(_) => Ok(()),
        Op::ReadonlyMount(path) => mounts::read_only_mount(place.root()?, path),
        Op::ReadonlyRoot => mounts::read_only_root(place.root()?),
        Op::Sysctl { name, value } => files::sysctl(place.root()?, name, value),
        other => identity::perform(other),
    }
}
