//! Files that a scenario names. They lie beside it or below, and nowhere else: a scenario does not reach the machine's files.

use std::{io::Read, path::Path};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// A larger file is none that a scenario names, in bytes.
const MAX_FILE: usize = 1 << 20;

/// Where they are looked for.
#[derive(Clone, Copy)]
pub enum Beside<'a> {
    /// The folder that the scenario lies in.
    Folder(&'a Path),
    /// The binary, by path from that folder on.
    Embedded(&'a dyn Fn(&str) -> Option<&'static str>),
}

impl Beside<'_> {
    /// The folder; `None` where there is none but the binary.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Embedded(_) => None,
        }
    }

    /// The text of a file; what is wrong with it in the words of a message.
    pub(super) fn read(&self, name: &str) -> Result<String, String> {
        if name.is_empty() || name.starts_with('/') || name.split('/').any(|part| part == "..") {
            return Err("it lies beside the scenario or below: no `/` at its beginning, no `..`".to_owned());
        }
        match self {
            Self::Embedded(find) => find(name).map(str::to_owned).ok_or_else(|| "there is no such file".to_owned()),
            Self::Folder(folder) => {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                let bytes = contents(folder, name).map_err(|error| match error.raw_os_error() {
                    // EXDEV: a link that leads out of the folder.
                    Some(18) => "it leads out of the scenario's folder".to_owned(),
                    _ => error.to_string(),
                })?;
                if bytes.len() > MAX_FILE {
                    return Err("larger than 1 MiB".to_owned());
                }
                String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
            }
        }
    }
}

/// At most one byte more than is allowed.
fn contents(folder: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    let folder = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // A FIFO would be waited for.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = std::fs::File::from(openat2(&folder, name, flags, Mode::empty(), inside)?);
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("scenarios");
        fs::create_dir_all(folder.join("below")).expect("made");
        fs::write(above.path().join("secret"), "secret").expect("written");
        fs::write(folder.join("below/own"), "own").expect("written");
        symlink("../secret", folder.join("out")).expect("linked");
        symlink("below/own", folder.join("in")).expect("linked");
        symlink("/etc/passwd", folder.join("absolute")).expect("linked");
        let read = |name: &str| Beside::Folder(&folder).read(name);
        assert_eq!(read("below/own"), Ok("own".to_owned()));
        assert_eq!(read("in"), Ok("own".to_owned()));
        for (name, why) in [
            ("../secret", "no `..`"),
            ("below/../../secret", "no `..`"),
            ("/etc/passwd", "no `/` at its beginning"),
            ("", "beside the scenario"),
            ("out", "leads out"),
            ("absolute", "leads out"),
            ("none", "No such file"),
            ("below", "no regular file"),
        ] {
            let said = read(name).expect_err("refused");
            assert!(said.contains(why), "{name}: {said}");
        }
    }

    #[test]
    fn what_is_too_large_or_never_ends_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("large"), vec![b'x'; MAX_FILE + 1]).expect("written");
        fs::write(folder.path().join("bytes"), b"\xff").expect("written");
        rustix::fs::mknodat(CWD, folder.path().join("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).expect("made");
        let read = |name: &str| Beside::Folder(folder.path()).read(name).expect_err("refused");
        assert_eq!(read("large"), "larger than 1 MiB");
        assert_eq!(read("bytes"), "not UTF-8");
        assert_eq!(read("fifo"), "no regular file");
    }
}
