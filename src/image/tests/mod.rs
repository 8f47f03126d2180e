//! Images made by hand, as nobody's tool would make them.

mod layers;
mod stores;

use std::io::Write;

use tar::{Builder, EntryType, Header};

use super::{Image, Kind, MAX_UNPACKED, layer};

/// An entry whose name may be any bytes.
pub(super) struct Entry {
    name: &'static str,
    kind: EntryType,
    link: &'static str,
    content: &'static [u8],
    mode: u32,
    owner: (u64, u64),
    pax: Vec<(&'static str, &'static [u8])>,
}

pub(super) fn file(name: &'static str, content: &'static str) -> Entry {
    let (kind, content) = (EntryType::Regular, content.as_bytes());
    Entry { name, kind, link: "", content, mode: 0o644, owner: (0, 0), pax: Vec::new() }
}

pub(super) fn dir(name: &'static str) -> Entry {
    Entry { kind: EntryType::Directory, mode: 0o755, ..file(name, "") }
}

pub(super) fn symlink(name: &'static str, link: &'static str) -> Entry {
    Entry { kind: EntryType::Symlink, link, ..file(name, "") }
}

pub(super) fn hard(name: &'static str, link: &'static str) -> Entry {
    Entry { kind: EntryType::Link, link, ..file(name, "") }
}

fn header(entry: &Entry) -> Header {
    let mut header = Header::new_gnu();
    // Not set_path: it refuses what is to be refused here.
    header.as_gnu_mut().expect("a GNU header").name[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
    header.as_gnu_mut().expect("a GNU header").linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
    header.set_entry_type(entry.kind);
    header.set_mode(entry.mode);
    header.set_uid(entry.owner.0);
    header.set_gid(entry.owner.1);
    header.set_mtime(0);
    header.set_size(entry.content.len() as u64);
    if matches!(entry.kind, EntryType::Char | EntryType::Block) {
        header.set_device_major(8).expect("a major number");
        header.set_device_minor(0).expect("a minor number");
    }
    header.set_cksum();
    header
}

pub(super) fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        let pax = entry.pax.iter().map(|(key, value)| (*key, *value));
        archive.append_pax_extensions(pax).expect("appended");
        archive.append(&header(entry), entry.content).expect("appended");
    }
    archive.into_inner().expect("finished")
}

/// An image of these layers.
pub(super) fn image(layers: &[&[Entry]]) -> Result<Image, String> {
    let mut image = Image::default();
    let mut room = MAX_UNPACKED;
    for entries in layers {
        layer::apply(&mut image, archive(entries).as_slice(), &mut room)?;
    }
    super::check(&image.tree)?;
    Ok(image)
}

/// Everything in it: a directory ends with a slash, a link says where to, a file what it holds.
pub(super) fn listed(image: &Image) -> Vec<String> {
    let one = |(path, body): (&str, &super::Body)| match &body.kind {
        Kind::Dir => format!("{path}/"),
        Kind::File(content) => format!("{path}={}", String::from_utf8_lossy(content)),
        Kind::Symlink(target) => format!("{path}->{target}"),
    };
    image.tree.iter().map(one).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("finished")
}
