//! A root file system in memory. Paths are resolved in it and lead nowhere else.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use caplab_init::wire::{ImageFile, ImageKind};
use sha2::{Digest, Sha256};

use crate::text::hex;

/// As many links of a path are followed, path_resolution(7).
const MAX_LINKS: usize = 40;
/// The longest path of the kernel's, limits.h PATH_MAX.
const MAX_PATH: usize = 4095;
/// Deeper is no image's: to follow such a path again and again takes its time.
const MAX_DEPTH: usize = 128;
/// The longest name, limits.h NAME_MAX.
const MAX_NAME: usize = 255;

/// A file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, set-uid, set-gid and sticky among them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// `security.capability`.
    pub capability: Option<Vec<u8>>,
}

/// What a [`Body`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link.
    Symlink(String),
}

impl Body {
    /// Root's.
    #[must_use]
    pub fn of_root(kind: Kind, mode: u32) -> Self {
        Self { kind, mode, uid: 0, gid: 0, capability: None }
    }
}

/// Paths, without a `/` at their beginning, and what lies there. The parents of each are directories of it. Names of one file share
/// their body.
#[derive(Debug, Clone)]
pub struct Tree {
    root: Arc<Body>,
    below: BTreeMap<String, Arc<Body>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { root: Arc::new(Body::of_root(Kind::Dir, 0o755)), below: BTreeMap::new() }
    }
}

/// A path as it is written in an archive, without what says nothing.
///
/// # Errors
/// Where it climbs with `..`, or is none that the kernel has.
pub(super) fn parts(path: &str) -> Result<Vec<&str>, String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("climbs out with `..`".to_owned());
    }
    if path.len() > MAX_PATH || parts.iter().any(|part| part.len() > MAX_NAME) || path.contains('\0') {
        return Err("no path that Linux has".to_owned());
    }
    if parts.len() > MAX_DEPTH {
        return Err(format!("{} directories deep: an image may have {MAX_DEPTH}", parts.len()));
    }
    Ok(parts)
}

/// The steps of a path, the first one last.
fn steps(path: &str) -> impl Iterator<Item = String> {
    path.split('/').rev().filter(|step| !step.is_empty() && *step != ".").map(str::to_owned)
}

impl Tree {
    /// How many files, directories and links there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.below.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    /// What its files hold together; one of several names counts as often.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let size = |body: &Arc<Body>| match &body.kind {
            Kind::File(content) => content.len() as u64,
            _ => 0,
        };
        self.below.values().map(size).sum()
    }

    /// What lies at this path, which has no links in it.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Body> {
        if path.is_empty() { Some(&self.root) } else { self.below.get(path).map(Arc::as_ref) }
    }

    /// Everything, parents first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Body)> {
        self.below.iter().map(|(path, body)| (path.as_str(), body.as_ref()))
    }

    /// The names below a directory, at any depth.
    pub(super) fn inside(&self, path: &str) -> Vec<String> {
        if path.is_empty() {
            return self.below.keys().cloned().collect();
        }
        // '0' is the character after '/'.
        let (first, end) = (format!("{path}/"), format!("{path}0"));
        self.below
            .range::<str, _>((Bound::Included(&*first), Bound::Excluded(&*end)))
            .map(|(at, _)| at.clone())
            .collect()
    }

    /// Removes what lies at a path and everything below it.
    pub fn remove(&mut self, path: &str) {
        for at in self.inside(path) {
            self.below.remove(&at);
        }
        self.below.remove(path);
    }

    /// Removes what lies at a path, unless something is left in it.
    pub(super) fn remove_one(&mut self, path: &str) {
        if self.inside(path).is_empty() {
            self.below.remove(path);
        }
    }

    /// Lays something at a path whose parent is a directory. A directory keeps what is in it, everything else replaces what was there.
    pub(super) fn lay(&mut self, path: String, body: Arc<Body>) {
        if path.is_empty() {
            self.root = body;
            return;
        }
        let both = matches!(body.kind, Kind::Dir) && self.get(&path).is_some_and(|old| matches!(old.kind, Kind::Dir));
        if !both {
            self.remove(&path);
        }
        self.below.insert(path, body);
    }

    pub(super) fn share(&self, path: &str) -> Option<Arc<Body>> {
        self.below.get(path).cloned()
    }

    /// How far these parts lead from a directory, links followed: where, and what is missing from there, the next one last.
    fn walk(&self, from: &str, mut waiting: Vec<String>) -> Result<(String, Vec<String>), String> {
        let mut at = from.to_owned();
        let mut links = 0;
        while let Some(part) = waiting.pop() {
            if part == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let next = if at.is_empty() { part.clone() } else { format!("{at}/{part}") };
            match self.below.get(&next).map(|body| &body.kind) {
                Some(Kind::Dir) => at = next,
                Some(Kind::File(_)) => return Err(format!("/{next} is no directory")),
                Some(Kind::Symlink(target)) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(format!("/{next} leads from link to link without an end"));
                    }
                    if target.starts_with('/') {
                        at.clear();
                    }
                    waiting.extend(steps(target));
                }
                None => {
                    waiting.push(part);
                    break;
                }
            }
        }
        Ok((at, waiting))
    }

    /// Where the directory of this path is once links have been followed, made (0755) where it is missing and somebody is to own it.
    ///
    /// # Errors
    /// Where something on the way is no directory, or the links have no end.
    pub(super) fn directory(&mut self, path: &str, make: Option<(u32, u32)>) -> Result<Option<String>, String> {
        let (mut at, mut missing) = self.walk("", steps(path).collect())?;
        while let Some(part) = missing.pop() {
            let Some((uid, gid)) = make else { return Ok(None) };
            let next = if at.is_empty() { part } else { format!("{at}/{part}") };
            self.below.insert(next.clone(), Arc::new(Body { uid, gid, ..Body::of_root(Kind::Dir, 0o755) }));
            (at, missing) = self.walk(&next, missing)?;
        }
        Ok(Some(at))
    }

    /// Where the last name of a path is, the links before it followed; the root's is empty.
    ///
    /// # Errors
    /// As [`Self::directory`] and [`parts`].
    pub(super) fn place(&mut self, path: &str, make: bool) -> Result<Option<String>, String> {
        let parts = parts(path)?;
        let Some((name, above)) = parts.split_last() else { return Ok(Some(String::new())) };
        let Some(above) = self.directory(&above.join("/"), make.then_some((0, 0)))? else { return Ok(None) };
        Ok(Some(if above.is_empty() { (*name).to_owned() } else { format!("{above}/{name}") }))
    }

    /// Lays something at a path, its parents made where missing, links before the last name followed.
    ///
    /// # Errors
    /// Where the path is none that can be.
    pub fn put(&mut self, path: &str, body: Body) -> Result<(), String> {
        match self.place(path, true)? {
            Some(place) if place.is_empty() && !matches!(body.kind, Kind::Dir) => {
                Err("the root is a directory".to_owned())
            }
            Some(place) => {
                self.lay(place, Arc::new(body));
                Ok(())
            }
            None => Err("there is no such directory".to_owned()),
        }
    }

    /// The directory at this path, made (0755, whom it is to belong to) with its parents where it is missing; where it is once links have been
    /// followed.
    ///
    /// # Errors
    /// Where something on the way is no directory.
    pub fn make_directory(&mut self, path: &str, owner: (u32, u32)) -> Result<String, String> {
        parts(path)?;
        self.directory(path, Some(owner))?.ok_or_else(|| "there is no such directory".to_owned())
    }

    /// Where a path leads once links have been followed, as far as it is there.
    #[must_use]
    pub fn followed(&self, path: &str) -> String {
        match self.walk("", steps(path).collect()) {
            Ok((at, missing)) => {
                let missing = missing.iter().rev().map(|part| format!("/{part}")).collect::<String>();
                if at.is_empty() { missing } else { format!("/{at}{missing}") }
            }
            Err(_) => path.to_owned(),
        }
    }

    /// Whether a path leads to a directory, links followed.
    #[must_use]
    pub fn is_directory(&self, path: &str) -> bool {
        self.walk("", steps(path).collect()).is_ok_and(|(_, missing)| missing.is_empty())
    }

    /// Whose the root directory is, and its mode, become again what they are in another tree.
    pub fn keep_root(&mut self, from: &Self) {
        self.root = Arc::clone(&from.root);
    }

    /// What lies at a path and below becomes again what it is in another tree, where it may be missing.
    pub fn put_back(&mut self, path: &str, from: &Self) {
        self.remove(path);
        for at in [vec![path.to_owned()], from.inside(path)].concat() {
            if let Some(body) = from.share(&at) {
                self.below.insert(at, body);
            }
        }
    }

    /// The content of a regular file, links followed.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let place = self.resolve(&path)?;
            match &self.get(&place)?.kind {
                Kind::File(content) => return Some(content),
                Kind::Dir => return None,
                Kind::Symlink(target) if target.starts_with('/') => path = target.clone(),
                Kind::Symlink(target) => {
                    let above = place.rsplit_once('/').map_or("", |(above, _)| above);
                    path = format!("{above}/{target}");
                }
            }
        }
        None
    }

    /// Where a path's last name is, links before it followed: `..` is one of a link, and stays in the root.
    fn resolve(&self, path: &str) -> Option<String> {
        let mut parts: Vec<String> = steps(path).collect();
        if parts.is_empty() {
            return Some(String::new());
        }
        let name = parts.remove(0);
        let (above, missing) = self.walk("", parts).ok()?;
        let place = if above.is_empty() { name } else { format!("{above}/{name}") };
        missing.is_empty().then_some(place)
    }

    /// As it is said to a launcher.
    #[must_use]
    pub fn files(&self) -> Vec<ImageFile> {
        let mut names: std::collections::HashMap<*const Body, &str> = std::collections::HashMap::new();
        let mut files = vec![file("/".to_owned(), &self.root, ImageKind::Dir)];
        for (path, body) in &self.below {
            let kind = match &body.kind {
                Kind::Dir => ImageKind::Dir,
                kind => match names.get(&Arc::as_ptr(body)) {
                    Some(first) => ImageKind::Link(format!("/{first}")),
                    None => {
                        names.insert(Arc::as_ptr(body), path);
                        match kind {
                            Kind::File(content) => ImageKind::File(content.clone()),
                            Kind::Symlink(target) => ImageKind::Symlink(target.clone()),
                            Kind::Dir => ImageKind::Dir,
                        }
                    }
                },
            };
            files.push(file(format!("/{path}"), body, kind));
        }
        files
    }

    /// From what a launcher says.
    ///
    /// # Errors
    /// Where a file is a further name of one that is not there.
    pub fn of_files(files: Vec<ImageFile>) -> Result<Self, String> {
        let mut tree = Self::default();
        let mut links = Vec::new();
        for ImageFile { path, kind, mode, uid, gid, capability } in files {
            let kind = match kind {
                ImageKind::Dir => Kind::Dir,
                ImageKind::File(content) => Kind::File(content),
                ImageKind::Symlink(target) => Kind::Symlink(target),
                ImageKind::Link(target) => {
                    links.push((path, target));
                    continue;
                }
            };
            let path = path.trim_start_matches('/').to_owned();
            let body = Arc::new(Body { kind, mode, uid, gid, capability });
            if path.is_empty() {
                tree.root = body;
            } else {
                tree.below.insert(path, body);
            }
        }
        for (path, target) in links {
            let body = tree.share(target.trim_start_matches('/'));
            let body = body.ok_or_else(|| format!("{path} is a link to {target}, which is not there"))?;
            tree.below.insert(path.trim_start_matches('/').to_owned(), body);
        }
        Ok(tree)
    }

    /// What it is called by: the same tree has the same name.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        let mut word = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for ImageFile { path, kind, mode, uid, gid, capability } in self.files() {
            word(path.as_bytes());
            match &kind {
                ImageKind::Dir => word(b"dir"),
                ImageKind::File(content) => {
                    word(b"file");
                    word(content);
                }
                ImageKind::Symlink(target) | ImageKind::Link(target) => {
                    word(if matches!(kind, ImageKind::Link(_)) { b"link" } else { b"symlink" });
                    word(target.as_bytes());
                }
            }
            for number in [mode, uid, gid] {
                word(&number.to_le_bytes());
            }
            word(capability.as_deref().unwrap_or_default());
        }
        hex(&hash.finalize())
    }
}

fn file(path: String, body: &Body, kind: ImageKind) -> ImageFile {
    ImageFile { path, kind, mode: body.mode, uid: body.uid, gid: body.gid, capability: body.capability.clone() }
}
