//! What an image says about the containers that are made of it: image-spec config.md.

use serde::Deserialize;

use crate::scenario::model::User;

/// It, as far as a container is made by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `USER`.
    pub user: Option<User>,
    /// `ENV`.
    pub environment: Vec<(String, String)>,
    /// `WORKDIR`.
    pub working_dir: Option<String>,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub command: Vec<String>,
}

/// The document, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    architecture: String,
    os: String,
    config: Option<Process>,
    rootfs: Rootfs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rootfs {
    diff_ids: Vec<String>,
}

/// Its keys have Go's spelling; what docker leaves empty is null.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Process {
    user: Option<String>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
}

impl Document {
    /// Reads one.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| format!("the image's config: {error}"))
    }

    /// The digests of the layers, uncompressed.
    pub(super) fn layers(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    /// What it says, if this machine can run the image.
    pub(super) fn config(self) -> Result<Config, String> {
        let own = architecture();
        if !(self.os.is_empty() || self.os == "linux") || !(self.architecture.is_empty() || self.architecture == own) {
            return Err(format!("the image is for {}/{}, this machine is linux/{own}", self.os, self.architecture));
        }
        let said = self.config.unwrap_or_default();
        let environment = said.env.unwrap_or_default().into_iter().map(|entry| match entry.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (entry, String::new()),
        });
        Ok(Config {
            user: said.user.filter(|user| !user.is_empty()).map(|text| text.parse()).transpose()?,
            environment: environment.collect(),
            working_dir: said.working_dir.filter(|dir| !dir.is_empty()).map(|dir| absolute("/", &dir)),
            entrypoint: said.entrypoint.unwrap_or_default(),
            command: said.cmd.unwrap_or_default(),
        })
    }
}

/// This machine's architecture in Go's words, which the images have.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A path as it is from a directory, `.` and `..` taken out: it does not leave the root.
#[must_use]
pub fn absolute(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let from = if path.starts_with('/') { "" } else { from };
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
