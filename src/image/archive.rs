//! A tar archive as a store of files: what `docker save`, `podman save` and `skopeo copy docker-archive:` write.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use tar::{Archive, EntryType};

use super::config::absolute;

/// More files than that no saved image has.
const MAX_ENTRIES: usize = 4096;

/// Where its files are.
#[derive(Debug)]
pub(super) struct Saved {
    file: File,
    index: HashMap<String, Member>,
}

#[derive(Debug)]
enum Member {
    /// Offset and size.
    File(u64, u64),
    /// docker before 25 links a layer that is there already.
    Link(String),
}

impl Saved {
    /// Reads where everything is.
    pub(super) fn open(file: File) -> Result<Self, String> {
        let mut first = [0; 6];
        let mut index = HashMap::new();
        let read = (&file).read(&mut first).map_err(|error| error.to_string())?;
        if first[..read].starts_with(&[0x1f, 0x8b])
            || first[..read].starts_with(b"\xfd7zXZ")
            || first[..read].starts_with(b"BZh")
        {
            return Err("it is compressed: unpack it first, `gzip -d`".to_owned());
        }
        (&file).seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
        let mut archive = Archive::new(&file);
        for entry in archive.entries_with_seek().map_err(|error| format!("no tar archive: {error}"))? {
            let entry = entry.map_err(|error| format!("no tar archive: {error}"))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = absolute("/", &name);
            let member = match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => Member::File(entry.raw_file_position(), entry.size()),
                EntryType::Symlink => {
                    let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
                    let above = name.rsplit_once('/').map_or("/", |(above, _)| above);
                    Member::Link(absolute(above, &target.unwrap_or_default()))
                }
                _ => continue,
            };
            index.insert(name, member);
            if index.len() > MAX_ENTRIES {
                return Err(format!("more than {MAX_ENTRIES} files: no saved image"));
            }
        }
        Ok(Self { file, index })
    }

    /// The content of one of its files; `None` where there is none.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        let mut name = absolute("/", name);
        for _ in 0..8 {
            match self.index.get(&name) {
                None => return Ok(None),
                Some(Member::Link(target)) => name.clone_from(target),
                Some(Member::File(offset, size)) if *size <= most => {
                    let mut file = self.file.try_clone().map_err(|error| error.to_string())?;
                    file.seek(SeekFrom::Start(*offset)).map_err(|error| error.to_string())?;
                    let mut bytes = Vec::new();
                    file.take(*size).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
                    return if bytes.len() as u64 == *size { Ok(Some(bytes)) } else { Err("it ends early".to_owned()) };
                }
                Some(Member::File(..)) => return Err(format!("larger than the {} MiB that it may have", most >> 20)),
            }
        }
        Err("a link without an end".to_owned())
    }
}

/// Both places in which an image's documents and layers lie.
pub(super) trait Store {
    /// The content of one of its files; `None` where there is none.
    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String>;
}

impl Store for Saved {
    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        Self::read(self, name, most)
    }
}

impl Store for super::Folder {
    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        // An absolute one would be refused for another reason than that it is not there.
        if !self.has(name) { Ok(None) } else { self.read(name, most) }
    }
}
