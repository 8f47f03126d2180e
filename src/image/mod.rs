//! Images: what a container's root holds and what is said about it, as values.
//!
//! An image is read into memory: its layers are applied to a [`Tree`], which is a map of paths and no file system, so that nothing that
//! an archive says can reach a path of the machine. Only what came out of it is laid into a container's root, by the launcher.
//! docs/adr/0019.

mod archive;
pub mod config;
mod folder;
mod layer;
mod layout;
mod open;
mod tree;

pub use config::Config;
pub(crate) use folder::contents;
pub use folder::{Folder, Found, Laid};
pub use open::{beside, open};
pub use tree::{Body, Kind, Tree};

use caplab_init::wire::image::{MAX_BYTES, MAX_FILES};

/// The most that is unpacked for one image, files that a later layer replaces among it, in bytes.
pub const MAX_UNPACKED: u64 = 2 * MAX_BYTES;

/// A root file system and what its maker says about it.
#[derive(Clone, Default)]
pub struct Image {
    /// What it holds is called by: see [`Tree::id`].
    pub id: String,
    /// What it holds.
    pub tree: Tree,
    /// What is said about it.
    pub config: Config,
    /// What of the image is not there, each a sentence for a reader.
    pub left_out: Vec<String>,
}

impl Image {
    /// The same with what is said about it, once its tree is whole.
    ///
    /// # Errors
    /// Where no container can be made of that tree.
    pub fn finished(self, config: Config) -> Result<Self, String> {
        check(&self.tree)?;
        Ok(Self { id: self.tree.id(), config, ..self })
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("id", &self.id).field("config", &self.config).finish_non_exhaustive()
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.config == other.config
    }
}

/// Whether a tree is one that a container can be made of.
fn check(tree: &Tree) -> Result<(), String> {
    // Mounts are made on them. Over a link the kernel would mount where the link leads to, and who owns the link could lead it elsewhere
    // later: runc refuses that too (CVE-2019-19921).
    for name in ["proc", "sys", "dev"] {
        if tree.get(name).is_some_and(|body| !matches!(body.kind, Kind::Dir)) {
            return Err(format!("/{name} is no directory: a container's own is mounted there"));
        }
    }
    if tree.len() > MAX_FILES {
        return Err(format!("{} files: an image may have {MAX_FILES}", tree.len()));
    }
    if tree.bytes() > MAX_BYTES {
        return Err(format!("its files hold {} MiB: an image may have {}", tree.bytes() >> 20, MAX_BYTES >> 20));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
