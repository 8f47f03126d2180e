//! A root as an image, without a registry: imported once, named by what it holds.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use caplab_init::wire::{ImageFile, ImageKind};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::client::Client;
use crate::{
    engine::{EngineError, RootTree},
    text::hex,
};

/// The repository that every image of caplab's is in.
pub(super) const REPOSITORY: &str = "caplab-root";

/// The label of every root.
pub(super) const ROOT_LABEL: &str = "caplab=root";

/// Images that this process knows to be there: engine and name.
static KNOWN: Mutex<Option<HashSet<(&'static str, String)>>> = Mutex::new(None);

/// The image of a root; imported where the engine does not have it.
pub(super) fn ensure(client: &Client, tree: &RootTree, scratch: &Path) -> Result<String, EngineError> {
    let archive = archive(tree)?;
    let hash = hex(&Sha256::digest(&archive)[..8]);
    let image = format!("{REPOSITORY}:{hash}");
    // Held over the import: two workers do not import the same.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    let key = (client.name, image.clone());
    if known.contains(&key) {
        return Ok(image);
    }
    if client.must(&["image", "inspect", "--format", "{{.Id}}", &image]).is_err() {
        import(client, &archive, &image, scratch)?;
    }
    known.insert(key);
    Ok(image)
}

/// The image of a root under a name that nobody else has, with an id of its own.
pub(super) fn own(client: &Client, tree: &RootTree, image: &str, scratch: &Path) -> Result<(), EngineError> {
    import(client, &archive(tree)?, image, scratch)
}

fn import(client: &Client, archive: &[u8], image: &str, scratch: &Path) -> Result<(), EngineError> {
    let file = scratch.join("root.tar");
    fs::write(&file, archive).map_err(|error| EngineError(format!("{}: {error}", file.display())))?;
    let label = format!("LABEL {ROOT_LABEL}");
    let imported = client.must(&["import", "--change", &label, &file.to_string_lossy(), image]);
    // The whole folder goes at the end.
    fs::remove_file(&file).ok();
    imported.map(drop)
}

fn archive(tree: &RootTree) -> Result<Vec<u8>, EngineError> {
    tar(tree).map_err(|error| EngineError(format!("the root of a container as a tar archive: {error}")))
}

/// The same tree is the same archive, byte for byte.
fn tar(tree: &RootTree) -> std::io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let header = |kind: EntryType, mode: u32, size: usize| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header
    };
    // The root itself is an engine's to make.
    for file in tree.image.iter().flat_map(|image| image.tree.files()).filter(|file| file.path != "/") {
        append(&mut archive, &file)?;
    }
    for (path, mode) in &tree.dirs {
        archive.append_data(&mut header(EntryType::Directory, *mode, 0), relative(path), std::io::empty())?;
    }
    for (path, mode, content) in &tree.files {
        let mut header = header(EntryType::Regular, *mode, content.len());
        archive.append_data(&mut header, relative(path), content.as_slice())?;
    }
    for (path, target) in &tree.symlinks {
        archive.append_link(&mut header(EntryType::Symlink, 0o777, 0), relative(path), target)?;
    }
    archive.into_inner()
}

/// A file of an image, with its owner and its capabilities.
fn append(archive: &mut Builder<Vec<u8>>, file: &ImageFile) -> std::io::Result<()> {
    if let Some(value) = &file.capability {
        archive.append_pax_extensions([("SCHILY.xattr.security.capability", value.as_slice())])?;
    }
    let mut header = Header::new_gnu();
    header.set_mode(file.mode);
    header.set_uid(file.uid.into());
    header.set_gid(file.gid.into());
    header.set_mtime(0);
    header.set_size(0);
    let path = relative(&file.path);
    match &file.kind {
        ImageKind::Dir => {
            header.set_entry_type(EntryType::Directory);
            archive.append_data(&mut header, path, std::io::empty())
        }
        ImageKind::File(content) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content.as_slice())
        }
        ImageKind::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            archive.append_link(&mut header, path, target)
        }
        ImageKind::Link(target) => {
            header.set_entry_type(EntryType::Link);
            archive.append_link(&mut header, path, relative(target))
        }
    }
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}
