//! The interpreter of a setup: an ordered list of operations, each a handful of system calls.

mod files;
mod identity;
mod mounts;

use alloc::borrow::ToOwned;

use caplab_init::wire::{Op, Phase, Refusal};

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
    /// The container's root, from `Op::Root` on.
    root: Option<OwnedFd>,
}

impl<'a> Place<'a> {
    /// Before any operation.
    pub(crate) fn new(lab_root: &'a str, fixture: &'a str) -> Self {
        Self { lab_root, fixture, root: None }
    }

    /// In a root that is there already.
    pub(crate) fn at(root: OwnedFd) -> Self {
        Self { lab_root: "/", fixture: "/", root: Some(root) }
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
        Op::Root => {
            place.root = Some(mounts::root(place.lab_root)?);
            Ok(())
        }
        Op::Dir { path, mode } => files::directory(place.root()?, path, *mode),
        Op::File { path, mode, content } => files::file(place.root()?, path, *mode, content),
        Op::Symlink { path, target } => files::symlink(place.root()?, path, target),
        Op::Device { node, bind } => files::device(place.root()?, node, *bind),
        Op::Mount { fstype, source, target, options, attrs, read_only } => mounts::new(place.root()?, target, || {
            crate::sys::mount::create(fstype, source, options, *read_only, *attrs)
        }),
        Op::Bind { from, source, target, recursive, attrs } => {
            let base = mounts::base(*from, place.fixture);
            mounts::bind(place.root()?, base, source, target, *recursive, *attrs)
        }
        Op::Pivot => crate::sys::mount::pivot(place.root()?),
        Op::ReadonlyPath(path) => mounts::read_only(place.root()?, path),
        Op::MaskPath(path) => mounts::mask(place.root()?, path),
        Op::ReadonlyRoot => mounts::read_only_root(place.root()?),
        Op::Sysctl { name, value } => files::sysctl(place.root()?, name, value),
        other => identity::perform(other),
    }
}
