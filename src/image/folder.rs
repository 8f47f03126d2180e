//! A folder beside a scenario, and what lies in it: openat2(2) RESOLVE_BENEATH, so that no link and no `..` leads out.

use std::{fs::File, io::Read, os::fd::OwnedFd, path::Path};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat};

use super::{
    Image, MAX_BYTES, MAX_FILES,
    tree::{Body, Kind},
};

/// An open folder.
#[derive(Debug)]
pub struct Folder(OwnedFd);

/// What a name of it is.
#[derive(Debug)]
pub enum Found {
    /// A folder.
    Folder(Folder),
    /// A regular file.
    File(File),
}

/// How what lies in a folder becomes part of an image.
#[derive(Debug)]
pub struct Laid<'a> {
    /// The directory.
    pub at: &'a str,
    /// Whom it belongs to.
    pub owner: (u32, u32),
    /// Its mode, where that is not the files' own.
    pub mode: Option<u32>,
}

impl Folder {
    /// The folder that a scenario lies in.
    ///
    /// # Errors
    /// In words.
    pub fn of(path: &Path) -> Result<Self, String> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let opened = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        opened.map(Self).map_err(|errno| std::io::Error::from(errno).to_string())
    }

    /// What lies at a path of it.
    ///
    /// # Errors
    /// In words.
    pub fn open(&self, name: &str) -> Result<Found, String> {
        self.open_with(name, ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
    }

    fn open_with(&self, name: &str, resolve: ResolveFlags) -> Result<Found, String> {
        // A FIFO would be waited for.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened =
            openat2(&self.0, name, flags, Mode::empty(), resolve).map_err(|errno| match errno.raw_os_error() {
                18 => "it leads out of the folder".to_owned(),
                _ => std::io::Error::from(errno).to_string(),
            })?;
        let status = fstat(&opened).map_err(|errno| std::io::Error::from(errno).to_string())?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => Ok(Found::Folder(Self(opened))),
            FileType::RegularFile => Ok(Found::File(File::from(opened))),
            _ => Err("neither a folder nor a regular file".to_owned()),
        }
    }

    /// The content of a regular file; `None` where there is none.
    ///
    /// # Errors
    /// In words; also where it is larger than `most`.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        match self.open(name) {
            Ok(Found::File(file)) => contents(file, most).map(Some),
            Ok(Found::Folder(_)) => Err("a folder".to_owned()),
            Err(_) if !self.has(name) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Whether there is anything of this name.
    pub fn has(&self, name: &str) -> bool {
        rustix::fs::statat(&self.0, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Lays everything that is in it and kept, by its path in it, links as links, below a directory of an image. It is root's, as docker's COPY makes it: a checkout
    /// belongs to whoever made it.
    ///
    /// # Errors
    /// What cannot be read, or is too large.
    pub fn lay(
        &self,
        image: &mut Image,
        laid: &Laid<'_>,
        room: &mut u64,
        kept: &dyn Fn(&str) -> bool,
    ) -> Result<(), String> {
        let mut waiting = vec![String::new()];
        while let Some(below) = waiting.pop() {
            let here = if below.is_empty() { "." } else { &below };
            let told = |why: String| format!("{here}: {why}");
            let Found::Folder(folder) =
                self.open_with(here, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS).map_err(told)?
            else {
                return Err(told("it is a folder no longer".to_owned()));
            };
            let entries = Dir::read_from(&folder.0).map_err(|errno| told(errno.to_string()))?;
            for entry in entries {
                let entry = entry.map_err(|errno| told(errno.to_string()))?;
                let Ok(name) = entry.file_name().to_str() else {
                    return Err(told("a name that is not UTF-8".to_owned()));
                };
                if name == "." || name == ".." {
                    continue;
                }
                let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
                let place = format!("{}/{path}", laid.at);
                let status = rustix::fs::statat(&folder.0, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
                let status = status.map_err(|errno| format!("{path}: {errno}"))?;
                let found = FileType::from_raw_mode(status.st_mode);
                if !kept(&path) {
                    // Something in it may be.
                    waiting.extend((found == FileType::Directory).then_some(path));
                    continue;
                }
                let kind = match found {
                    FileType::Directory => {
                        waiting.push(path.clone());
                        Kind::Dir
                    }
                    FileType::Symlink => {
                        let target =
                            readlinkat(&folder.0, name, Vec::new()).map_err(|errno| format!("{path}: {errno}"))?;
                        Kind::Symlink(
                            target.into_string().map_err(|_| format!("{path}: a link to a name that is not UTF-8"))?,
                        )
                    }
                    FileType::RegularFile => {
                        let opened = folder.open_with(name, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS);
                        let Found::File(file) = opened.map_err(|why| format!("{path}: {why}"))? else {
                            return Err(format!("{path}: it is a regular file no longer"));
                        };
                        let content = contents(file, (*room).min(MAX_BYTES)).map_err(|why| format!("{path}: {why}"))?;
                        *room = room.saturating_sub(content.len() as u64);
                        Kind::File(content)
                    }
                    _ => {
                        image.left_out.push(format!("{place} is neither a file, a directory nor a link"));
                        continue;
                    }
                };
                let own = status.st_mode & 0o7777;
                let mode = laid.mode.filter(|_| !matches!(kind, Kind::Symlink(_))).unwrap_or(own);
                let body = Body { kind, mode, uid: laid.owner.0, gid: laid.owner.1, capability: None };
                // Where the folder around it is not kept itself.
                let above = place.rsplit_once('/').map_or("", |(above, _)| above);
                image.tree.make_directory(above, laid.owner).map_err(|why| format!("{path}: {why}"))?;
                image.tree.put(&place, body).map_err(|why| format!("{path}: {why}"))?;
                if image.tree.len() > MAX_FILES {
                    return Err(format!("more than {MAX_FILES} files"));
                }
            }
        }
        Ok(())
    }
}

/// What is in a file.
pub(crate) fn contents(file: File, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("larger than the {} MiB that it may have", most >> 20));
    }
    Ok(bytes)
}
