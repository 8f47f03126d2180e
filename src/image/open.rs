//! An image beside a scenario, whichever of the three it is.

use std::path::Path;

use super::{Config, Folder, Image, Laid, MAX_UNPACKED, archive::Saved, folder::Found, layout};

/// Reads the image at a path of a folder: an OCI layout, an archive of `docker save`, or a folder that is a root file system.
///
/// # Errors
/// What is wrong with it.
pub fn open(beside: &Folder, name: &str) -> Result<Image, String> {
    match beside.open(name)? {
        Found::File(file) => layout::image(&Saved::open(file)?),
        Found::Folder(folder) if folder.has("oci-layout") => layout::image(&folder),
        Found::Folder(folder) => {
            let mut image = Image::default();
            folder
                .lay(&mut image, &Laid { at: "", owner: (0, 0), mode: None }, &mut MAX_UNPACKED.clone(), &|_| true)?;
            image.finished(Config::default())
        }
    }
}

/// The same of the folder that a scenario lies in.
///
/// # Errors
/// What is wrong with it.
pub fn beside(folder: &Path, name: &str) -> Result<Image, String> {
    let opened = Folder::of(folder).and_then(|folder| open(&folder, name));
    opened.map_err(|why| format!("the image {name}: {why}"))
}
