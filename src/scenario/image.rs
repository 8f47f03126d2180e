//! What a container is made of beside caplab's own roots: an image, or a Dockerfile.

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use super::dockerfile::{Base, Command, Copy, Dockerfile, Instruction, Line, Piece, RUN_TIMEOUT, SHELL, expand};
use crate::image::Image;

/// `image:` or `build:`, and what came of it.
#[derive(Debug, Clone)]
pub struct FromImage {
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// Its author gave an entry point: the image's command is none of it then, as with docker.
    pub own_entrypoint: bool,
    /// The image; there from `build::prepared` on.
    pub made: Option<Arc<Image>>,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// One that was saved.
    Image(Location),
    /// One that is built.
    Build(Build),
}

/// A path of the folder that a scenario lies in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// That folder.
    pub folder: PathBuf,
    /// The path in it; it does not lead out.
    pub name: String,
}

/// `build:`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Build {
    /// What COPY and ADD take their files from.
    pub context: Option<Location>,
    /// The folder that the scenario lies in, for FROM; `None` where it came with the binary.
    pub folder: Option<PathBuf>,
    /// What is done.
    pub dockerfile: Dockerfile,
    /// `args`: those of ARG that are not as the Dockerfile has them.
    pub args: Vec<(String, String)>,
    /// `timeout`: as long may each RUN take, whoever builds.
    pub timeout: Duration,
}

impl FromImage {
    /// It is a build, and whose.
    #[must_use]
    pub fn build(&self) -> Option<&Build> {
        match &*self.origin {
            Origin::Build(build) => Some(build),
            Origin::Image(_) => None,
        }
    }
}

impl PartialEq for FromImage {
    fn eq(&self, other: &Self) -> bool {
        self.origin == other.origin && self.own_entrypoint == other.own_entrypoint
    }
}

impl Build {
    /// Programs of the machine that its RUN lines execute, where it has them.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.dockerfile.lines.iter().filter_map(|line| match &line.what {
            Instruction::Run(command) => Some(command),
            _ => None,
        })
    }
}
