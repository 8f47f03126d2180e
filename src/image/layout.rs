//! Which layers an image has: an OCI layout (image-spec image-layout.md) or the manifest.json of `docker save`. Every document and every
//! layer is what its digest says, or the image is refused.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    Image, MAX_BYTES, MAX_UNPACKED,
    archive::Store,
    config::{Document, architecture},
    layer,
};
use crate::text::hex;

/// A larger document is none of an image's, in bytes.
const MAX_DOCUMENT: u64 = 4 << 20;
/// overlayfs has no more, and docker takes at most 127.
const MAX_LAYERS: usize = 128;
/// An index may name a further index, as docker's does.
const MAX_INDEXES: usize = 3;

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// An entry of docker's manifest.json.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    layers: Vec<String>,
}

/// The image in a store.
pub(super) fn image(store: &dyn Store) -> Result<Image, String> {
    if let Some(bytes) = store.read("index.json", MAX_DOCUMENT).map_err(|why| format!("index.json: {why}"))? {
        return of_layout(store, &bytes);
    }
    match store.read("manifest.json", MAX_DOCUMENT).map_err(|why| format!("manifest.json: {why}"))? {
        Some(bytes) => of_docker(store, &bytes),
        None => Err("it has neither an index.json nor a manifest.json: no image that was saved".to_owned()),
    }
}

fn of_layout(store: &dyn Store, index: &[u8]) -> Result<Image, String> {
    let manifest = blob(store, &manifest(store, index, 0)?, MAX_DOCUMENT)?;
    let manifest: Manifest =
        serde_json::from_slice(&manifest).map_err(|error| format!("the image's manifest: {error}"))?;
    let document = Document::read(&blob(store, &manifest.config, MAX_DOCUMENT)?)?;
    unpack(document, manifest.layers.len(), |number| blob(store, &manifest.layers[number], MAX_BYTES))
}

/// The one manifest for this machine.
fn manifest(store: &dyn Store, index: &[u8], depth: usize) -> Result<Descriptor, String> {
    if depth == MAX_INDEXES {
        return Err("an index of indexes without an end".to_owned());
    }
    let index: Index = serde_json::from_slice(index).map_err(|error| format!("index.json: {error}"))?;
    let own = architecture();
    let fits = |one: &&Descriptor| match &one.platform {
        None => true,
        Some(platform) => platform.os == "linux" && platform.architecture == own,
    };
    let mut fitting = index.manifests.iter().filter(fits);
    let found = fitting.next().ok_or_else(|| format!("it has no image for linux/{own}"))?;
    if fitting.next().is_some() {
        return Err(format!("it has several images for linux/{own}: save one alone"));
    }
    if found.media_type.contains("index") || found.media_type.contains("manifest.list") {
        return manifest(store, &blob(store, found, MAX_DOCUMENT)?, depth + 1);
    }
    Ok(found.clone())
}

fn of_docker(store: &dyn Store, manifest: &[u8]) -> Result<Image, String> {
    let images: Vec<SavedImage> =
        serde_json::from_slice(manifest).map_err(|error| format!("manifest.json: {error}"))?;
    let [image] = images.as_slice() else {
        return Err(format!("it has {} images: save one alone", images.len()));
    };
    let read = |name: &str, most| {
        let found = store.read(name, most).map_err(|why| format!("{name}: {why}"))?;
        found.ok_or_else(|| format!("{name}, which its manifest.json names, is not there"))
    };
    let config = read(&image.config, MAX_DOCUMENT)?;
    // Its name is its digest: HEX.json, or blobs/sha256/HEX.
    let name = image.config.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
    if digest(&config) != name {
        return Err(format!("{}: its content is not what its name says", image.config));
    }
    unpack(Document::read(&config)?, image.layers.len(), |number| read(&image.layers[number], MAX_BYTES))
}

/// The content of a blob, which is what its descriptor says.
fn blob(store: &dyn Store, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, String> {
    let Some(hex) = descriptor.digest.strip_prefix("sha256:").filter(|hex| is_hex(hex)) else {
        return Err(format!("the digest {:?} is none of sha256", descriptor.digest));
    };
    let name = format!("blobs/sha256/{hex}");
    let content = store.read(&name, most).map_err(|why| format!("{name}: {why}"))?;
    let content = content.ok_or_else(|| format!("{name} is not there"))?;
    if content.len() as u64 != descriptor.size {
        return Err(format!("{name}: {} bytes, not the {} that are said of it", content.len(), descriptor.size));
    }
    if digest(&content) != hex {
        return Err(format!("{name}: its content is not what its digest says"));
    }
    Ok(content)
}

/// One layer over the other.
fn unpack(document: Document, count: usize, layer: impl Fn(usize) -> Result<Vec<u8>, String>) -> Result<Image, String> {
    if count > MAX_LAYERS {
        return Err(format!("{count} layers: an image may have {MAX_LAYERS}"));
    }
    if document.layers().len() != count {
        return Err(format!("its config has the digests of {} layers, and there are {count}", document.layers().len()));
    }
    let mut image = Image::default();
    let mut room = MAX_UNPACKED;
    // Of the archives themselves too: what is in them besides files costs time.
    let mut left = 2 * MAX_UNPACKED;
    for (number, expected) in document.layers().iter().enumerate() {
        let told = |why: String| format!("layer {}: {why}", number + 1);
        let archive = unpacked(layer(number)?, left.min(MAX_UNPACKED)).map_err(told)?;
        left = left.saturating_sub(archive.len() as u64);
        if expected.strip_prefix("sha256:") != Some(&digest(&archive)) {
            return Err(told("its content is not what the image's config says".to_owned()));
        }
        layer::apply(&mut image, archive.as_slice(), &mut room).map_err(told)?;
    }
    image.finished(document.config()?)
}

/// What is compressed; at most so many bytes of it.
pub(super) fn unpacked(layer: Vec<u8>, most: u64) -> Result<Vec<u8>, String> {
    if layer.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(
            "it is compressed with zstd, which caplab does not read: `skopeo copy --dest-compress-format gzip`"
                .to_owned(),
        );
    }
    if !layer.starts_with(&[0x1f, 0x8b]) {
        return Ok(layer);
    }
    let mut archive = Vec::new();
    // A layer that is small may be large when it is unpacked: no further than an image may be.
    let mut decoder = MultiGzDecoder::new(layer.as_slice()).take(most + 1);
    decoder.read_to_end(&mut archive).map_err(|error| format!("gzip: {error}"))?;
    if archive.len() as u64 > most {
        return Err(format!("unpacked it is larger than {} MiB", most >> 20));
    }
    Ok(archive)
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}
