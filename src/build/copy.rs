//! COPY, and ADD of what lies in the context.

use std::cell::Cell;

use super::{Site, ignore::Ignored};
use crate::{
    image::{Body, Folder, Found, Kind, Laid, MAX_UNPACKED, config, contents},
    scenario::image::Copy,
    spec,
};

/// What docker unpacks where it is added, and a file begins with (moby, pkg archive DetectCompression); tar(5) has its word at 257.
const ARCHIVES: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];

impl Site<'_> {
    pub(super) fn copy(&mut self, copy: &Copy) -> Result<(), String> {
        let keyword = if copy.add { "ADD" } else { "COPY" };
        let context = self.build.context.as_ref().ok_or("there is nothing to copy from")?;
        let Found::Folder(context) = Folder::of(&context.folder)?.open(&context.name)? else {
            return Err(format!("the context {} is no folder", context.name));
        };
        let ignored = Ignored::of(&context)?;
        let owner = match &copy.owner {
            None => (0, 0),
            Some(text) => {
                spec::owner(&self.image, &self.expanded(text)?.parse()?).map_err(|error| error.to_string())?
            }
        };
        let written = self.expanded(&copy.target)?;
        let target = config::absolute(self.directory(), &written);
        let is_directory = self.image.tree.is_directory(&target);
        if copy.sources.len() > 1 && !written.ends_with('/') {
            return Err(format!(
                "{keyword} of several files to {written}: docker wants a `/` at the end of a directory"
            ));
        }
        let into = written.ends_with('/') || is_directory;
        let mut room = MAX_UNPACKED.saturating_sub(self.image.tree.bytes());
        for source in &copy.sources {
            let source = self.expanded(source)?;
            let told = |why: String| format!("{keyword} {source}: {why}");
            // docker's paths begin at the context, with or without a slash.
            let name = config::absolute("/", &source);
            if source.split('/').any(|part| part == "..") {
                return Err(told("it is in the context, and no `..` leads out".to_owned()));
            }
            let inside = match name.trim_start_matches('/') {
                "" => ".",
                name => name,
            };
            let is_ignored = inside != "." && ignored.has(inside);
            let left_out = || told("there is none: .dockerignore leaves it out".to_owned());
            match context.open(inside).map_err(told)? {
                Found::File(_) if is_ignored => return Err(left_out()),
                Found::File(file) => {
                    let mode = file.metadata().map_err(|error| told(error.to_string()))?;
                    let mode = copy.mode.unwrap_or(std::os::unix::fs::MetadataExt::mode(&mode) & 0o7777);
                    let content = contents(file, room).map_err(told)?;
                    if copy.add && is_archive(&content) {
                        return Err(told(
                            "docker would unpack this archive, which is not supported yet: COPY takes it as it is"
                                .to_owned(),
                        ));
                    }
                    room -= content.len() as u64;
                    let last = inside.rsplit('/').next().unwrap_or(inside);
                    let place = if into { format!("{target}/{last}") } else { target.clone() };
                    // docker gives what it has to make to the same owner.
                    let above = place.rsplit_once('/').map_or("", |(above, _)| above);
                    self.image.tree.make_directory(above, owner).map_err(told)?;
                    let body = Body { kind: Kind::File(content), mode, uid: owner.0, gid: owner.1, capability: None };
                    self.image.tree.put(&place, body).map_err(told)?;
                }
                Found::Folder(folder) => {
                    let at = self.image.tree.make_directory(&target, owner).map_err(told)?;
                    let laid = Laid { at: &format!("/{at}"), owner, mode: copy.mode };
                    let any = Cell::new(!is_ignored);
                    let kept = |path: &str| {
                        let kept = match inside {
                            "." => !ignored.has(path),
                            inside => !ignored.has(&format!("{}/{path}", inside.trim_end_matches('/'))),
                        };
                        any.set(any.get() || kept);
                        kept
                    };
                    folder.lay(&mut self.image, &laid, &mut room, &kept).map_err(told)?;
                    if !any.get() {
                        return Err(left_out());
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_archive(content: &[u8]) -> bool {
    ARCHIVES.iter().any(|magic| content.starts_with(magic)) || content.get(257..262) == Some(b"ustar")
}
