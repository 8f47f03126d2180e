//! A layer: a tar archive of changes, image-spec layer.md. Nothing of it reaches a file system.

use std::{
    collections::HashSet,
    io::{self, Read},
    str,
    sync::Arc,
};

use tar::{Archive, Entry, EntryType};

use super::{
    Image, MAX_BYTES, MAX_FILES,
    tree::{Body, Kind, parts},
};

/// What begins the name of a file that says that another one is gone, image-spec layer.md "Whiteouts".
const WHITEOUT: &str = ".wh.";
/// Says that nothing of the layers below is left in its directory.
const OPAQUE: &str = ".wh..wh..opq";
/// What else begins so is aufs's own and no file.
const AUFS: &str = ".wh..wh.";

/// Applies a layer's archive, uncompressed, to an image. `room` is how many bytes of files may still be read.
///
/// # Errors
/// What is wrong with it: the entry and why it is refused.
pub(super) fn apply(image: &mut Image, archive: impl Read, room: &mut u64) -> Result<(), String> {
    let mut archive = Archive::new(archive);
    let entries = archive.entries().map_err(|error| format!("no tar archive: {error}"))?;
    let mut layer = Layer { image, room, own: HashSet::new(), entries: 0 };
    for entry in entries {
        let mut entry = entry.map_err(|error| format!("the archive is broken: {error}"))?;
        let name = entry.path_bytes().into_owned();
        layer.entry(&mut entry).map_err(|why| format!("{}: {why}", String::from_utf8_lossy(&name).escape_debug()))?;
    }
    Ok(())
}

struct Layer<'a> {
    image: &'a mut Image,
    room: &'a mut u64,
    /// Where it has laid something: its own whiteouts do not reach that.
    own: HashSet<String>,
    entries: usize,
}

impl Layer<'_> {
    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), String> {
        self.entries += 1;
        if self.entries > 2 * MAX_FILES {
            return Err(format!("more than {} entries in one layer", 2 * MAX_FILES));
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| "a name that is not UTF-8")?;
        let name = parts(&path)?.last().copied().unwrap_or_default().to_owned();
        if name.starts_with(WHITEOUT) {
            return self.whiteout(&path, &name);
        }
        let extensions = Extensions::of(entry)?;
        let body = match kind {
            EntryType::Directory => Kind::Dir,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File(self.content(entry)?),
            EntryType::Symlink => Kind::Symlink(link(entry)?),
            EntryType::Link => return self.hard_link(&path, &link(entry)?),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                self.image.left_out.push(format!("/{} is a {}", path.trim_start_matches(['/', '.']), named(kind)));
                return Ok(());
            }
            other => {
                return Err(format!("an entry of the kind {:?}, which is none of an image's", other.as_byte() as char));
            }
        };
        let header = entry.header();
        let broken = |what: &str, error: &io::Error| format!("{what}: {error}");
        let id = |what: &str, number: io::Result<u64>, own: Option<u64>| {
            let number = own.map_or(number, Ok).map_err(|error| broken(what, &error))?;
            // The last one is nobody's: "no change" of chown(2).
            u32::try_from(number).ok().filter(|id| *id != u32::MAX).ok_or_else(|| format!("{what} {number} is no id"))
        };
        let body = Body {
            kind: body,
            mode: header.mode().map_err(|error| broken("mode", &error))? & 0o7777,
            uid: id("uid", header.uid(), extensions.uid)?,
            gid: id("gid", header.gid(), extensions.gid)?,
            capability: extensions.capability,
        };
        self.lay(&path, Arc::new(body))
    }

    fn lay(&mut self, path: &str, body: Arc<Body>) -> Result<(), String> {
        let tree = &mut self.image.tree;
        let place = tree.place(path, true)?.ok_or("there is no such directory")?;
        if place.is_empty() && !matches!(body.kind, Kind::Dir) {
            return Err("the root is a directory".to_owned());
        }
        tree.lay(place.clone(), body);
        if tree.len() > MAX_FILES {
            return Err(format!("more than {MAX_FILES} files"));
        }
        // A directory that is made for what is in it is the layer's too.
        let above = place.match_indices('/').map(|(at, _)| place[..at].to_owned());
        self.own.extend(above);
        self.own.insert(place);
        Ok(())
    }

    /// The file that a further name is given: of the image, by its path in it.
    fn hard_link(&mut self, path: &str, target: &str) -> Result<(), String> {
        let place = self.image.tree.place(target, false).map_err(|why| format!("a hard link to {target:?}: {why}"))?;
        let body = place.and_then(|place| self.image.tree.share(&place));
        let body = body.ok_or_else(|| format!("a hard link to {target:?}, which the image does not have"))?;
        if matches!(body.kind, Kind::Dir) {
            return Err(format!("a hard link to {target:?}, which is a directory"));
        }
        self.lay(path, body)
    }

    fn whiteout(&mut self, path: &str, name: &str) -> Result<(), String> {
        let hidden = &name[WHITEOUT.len()..];
        if name != OPAQUE && name.starts_with(AUFS) {
            return Ok(());
        }
        if name != OPAQUE && ["", ".", ".."].contains(&hidden) {
            return Err("a whiteout of no file".to_owned());
        }
        let parts = parts(path)?;
        let above = &parts[..parts.len() - 1];
        let tree = &mut self.image.tree;
        let Some(directory) = tree.directory(&above.join("/"), None)? else { return Ok(()) };
        let gone = if name == OPAQUE {
            tree.inside(&directory)
        } else {
            let at = if directory.is_empty() { hidden.to_owned() } else { format!("{directory}/{hidden}") };
            let below = tree.inside(&at);
            [vec![at], below].concat()
        };
        // What is in a directory before the directory.
        for path in gone.into_iter().rev().filter(|path| !self.own.contains(path)) {
            self.image.tree.remove_one(&path);
        }
        Ok(())
    }

    /// At most as much as there is room for, whatever the header says: a sparse file has its holes in it.
    fn content(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, String> {
        let most = (*self.room).min(MAX_BYTES);
        if entry.size() > most {
            return Err(format!(
                "{} bytes, with which the image is larger than it may be ({} MiB)",
                entry.size(),
                MAX_BYTES >> 20
            ));
        }
        let mut content = Vec::new();
        entry.take(most + 1).read_to_end(&mut content).map_err(|error| format!("its content ends early: {error}"))?;
        *self.room = self.room.checked_sub(content.len() as u64).ok_or("the image is larger than it may be")?;
        Ok(content)
    }
}

fn link(entry: &Entry<'_, impl Read>) -> Result<String, String> {
    let target = entry.link_name_bytes().ok_or("a link that leads nowhere")?;
    let target = String::from_utf8(target.into_owned()).map_err(|_| "a link to a name that is not UTF-8")?;
    if target.is_empty() || target.contains('\0') || target.len() > 4095 {
        return Err("a link that leads nowhere".to_owned());
    }
    Ok(target)
}

fn named(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Char => "character device, which no container gets from its image",
        EntryType::Block => "block device, which no container gets from its image",
        _ => "FIFO, which is left out",
    }
}

/// What a PAX header says of an entry, pax(1): beyond what the crate reads itself.
#[derive(Default)]
struct Extensions {
    uid: Option<u64>,
    gid: Option<u64>,
    capability: Option<Vec<u8>>,
}

impl Extensions {
    fn of(entry: &mut Entry<'_, impl Read>) -> Result<Self, String> {
        let mut found = Self::default();
        let broken = |error: io::Error| format!("its PAX header: {error}");
        let Some(extensions) = entry.pax_extensions().map_err(broken)? else { return Ok(found) };
        for extension in extensions {
            let extension = extension.map_err(broken)?;
            let number = || str::from_utf8(extension.value_bytes()).ok()?.parse().ok();
            match extension.key_bytes() {
                b"uid" => found.uid = Some(number().ok_or("its PAX header has no uid that is a number")?),
                b"gid" => found.gid = Some(number().ok_or("its PAX header has no gid that is a number")?),
                b"SCHILY.xattr.security.capability" => found.capability = Some(capability(extension.value_bytes())?),
                // Its content would be a list of holes, and the file another one.
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err("a sparse file of GNU tar's PAX format; `tar --sparse-version=0.0 --format=gnu`, or without --sparse".to_owned());
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// struct vfs_cap_data of version 2, linux/capability.h. One of version 3 belongs to a root that this image's is not.
fn capability(value: &[u8]) -> Result<Vec<u8>, String> {
    match (value.len(), value.get(3)) {
        (20, Some(2)) => Ok(value.to_vec()),
        _ => Err("file capabilities that are not of version 2 (VFS_CAP_REVISION_2)".to_owned()),
    }
}
