//! What caplab has in an engine's store: containers by their label, images by their repository, and folders beside it.

use std::fs;

use super::{
    client::Client,
    command_line::Dialect,
    image::REPOSITORY,
    place::{self, LABEL},
};
use crate::engine::EngineError;

/// A container of caplab's.
pub(super) struct Container {
    /// The engine's.
    id: String,
    /// The run that made it still goes on.
    pub(super) in_use: bool,
}

/// The containers that carry caplab's label.
pub(super) fn containers(client: &Client, dialect: Dialect) -> Result<Vec<Container>, EngineError> {
    let format = match dialect {
        Dialect::Docker => format!("{{{{.ID}}}} {{{{.Label \"{LABEL}\"}}}}"),
        Dialect::Podman => format!("{{{{.ID}}}} {{{{index .Labels \"{LABEL}\"}}}}"),
    };
    let listed =
        client.must(&["ps", "--all", "--no-trunc", "--filter", &format!("label={LABEL}"), "--format", &format])?;
    let read = |line: &str| {
        let (id, owner) = line.split_once(' ')?;
        Some(Container { id: id.to_owned(), in_use: place::is_alive(owner) })
    };
    Ok(listed.lines().filter_map(read).collect())
}

/// The images of caplab's.
pub(super) fn images(client: &Client) -> Result<Vec<String>, EngineError> {
    let reference = format!("reference={REPOSITORY}");
    let listed = client.must(&["images", "--filter", &reference, "--format", "{{.Repository}}:{{.Tag}}"])?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// Removes what runs that are no more have left: containers, then folders. How many containers.
pub(super) fn sweep(client: &Client, dialect: Dialect) -> Result<usize, EngineError> {
    let left: Vec<String> =
        containers(client, dialect)?.into_iter().filter(|one| !one.in_use).map(|one| one.id).collect();
    if !left.is_empty() {
        let mut arguments = vec!["rm", "--force", "--volumes"];
        arguments.extend(dialect.hurry());
        arguments.extend(left.iter().map(String::as_str));
        client.must(&arguments)?;
    }
    for folder in place::abandoned() {
        // Another run may be at the same.
        fs::remove_dir_all(folder).ok();
    }
    Ok(left.len())
}

/// Removes the images; one that a container is made of stays. How many.
pub(super) fn remove_images(client: &Client) -> Result<usize, EngineError> {
    let images = images(client)?;
    let removed = images.iter().filter(|image| client.must(&["rmi", image]).is_ok());
    Ok(removed.count())
}
