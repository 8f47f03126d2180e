//! What caplab has in an engine's store: containers by their label, images by their repository, and folders beside it.

use std::{fs, thread, time::Duration};

use super::{
    build::BUILT,
    client::{Client, HELLO},
    command_line::Dialect,
    hung,
    image::{REPOSITORY, ROOT_LABEL},
    place::{self, LABEL},
};
use crate::engine::EngineError;

/// How long a container that a run has left may take to be removed.
const SHORTLY: Duration = Duration::from_secs(5);
/// How many of them are removed at once.
const AT_ONCE: usize = 8;

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
    let own = format!("label={LABEL}");
    let call = ["ps", "--all", "--no-trunc", "--filter", &own, "--format", &format];
    let listed = client.must_within(HELLO, &call)?;
    let read = |line: &str| {
        let (id, owner) = line.split_once(' ')?;
        Some(Container { id: id.to_owned(), in_use: place::is_alive(owner) })
    };
    Ok(listed.lines().filter_map(read).collect())
}

/// The images of caplab's: roots that were imported, and what was built.
pub(super) fn images(client: &Client) -> Result<Vec<String>, EngineError> {
    Ok([of(client, REPOSITORY)?, of(client, BUILT)?].concat())
}

/// Those of a repository.
fn of(client: &Client, repository: &str) -> Result<Vec<String>, EngineError> {
    let reference = format!("reference={repository}");
    listed(client, &["--filter", &reference, "--format", "{{.Repository}}:{{.Tag}}"])
}

/// A line for each image. podman 4.3 fails where somebody removes one while it lists them, and a run removes what it has built.
fn listed(client: &Client, arguments: &[&str]) -> Result<Vec<String>, EngineError> {
    let call = [&["images"], arguments].concat();
    let mut tries = (0..5).map(|_| client.must(&call));
    let listed = tries.find(|tried| !matches!(tried, Err(error) if error.0.contains("image not known")));
    Ok(listed.unwrap_or_else(|| client.must(&call))?.lines().map(str::to_owned).collect())
}

/// Whether an image was built by a run that still goes on, which removes it itself.
fn is_in_use(image: &str) -> bool {
    let tag = image.strip_prefix(BUILT).and_then(|rest| rest.strip_prefix(':'));
    tag.is_some_and(place::is_alive)
}

/// Removes what builds have left whose runs are no more: what podman has while it builds, images, and what has no name yet.
fn sweep_builds(client: &Client, dialect: Dialect) -> Result<(), EngineError> {
    if dialect == Dialect::Podman {
        let listed = client.must(&["ps", "--all", "--external", "--format", "{{.ID}} {{.Image}}"])?;
        let left = listed.lines().filter_map(|line| line.split_once(' '));
        for (id, _) in left.filter(|(_, image)| image.starts_with(BUILT) && !is_in_use(image)) {
            // Another run may be at the same.
            client.must(&["rm", "--force", id]).ok();
        }
    }
    let mut left: Vec<String> = of(client, BUILT)?.into_iter().filter(|image| !is_in_use(image)).collect();
    let format = format!("{{{{.Id}}}} {{{{index .Config.Labels \"{LABEL}\"}}}}");
    for id in listed(client, &["--quiet", "--filter", "dangling=true", "--filter", &format!("label={LABEL}")])? {
        let said = client.must(&["image", "inspect", "--format", &format, &id]).unwrap_or_default();
        left.extend(said.split_once(' ').filter(|(_, owner)| !place::is_alive(owner)).map(|(id, _)| id.to_owned()));
    }
    for image in left {
        client.must(&["rmi", "--force", &image]).ok();
    }
    Ok(())
}

/// What came of a sweep.
pub(super) struct Swept {
    /// Containers that are gone.
    pub(super) removed: usize,
    /// Those that cannot be removed: what was said of one of them.
    pub(super) stuck: Option<EngineError>,
}

/// Removes what runs that are no more have left: containers, then folders. One that cannot be removed is in nobody's way: it is tried for a short
/// time, and the others are removed beside it.
pub(super) fn sweep(client: &Client, dialect: Dialect) -> Result<Swept, EngineError> {
    // podman shows nothing as long as one of its containers is being made.
    hung::end_abandoned();
    let left: Vec<String> =
        containers(client, dialect)?.into_iter().filter(|one| !one.in_use).map(|one| one.id).collect();
    let remove = |client: &Client, id: &str| {
        let flags = ["rm", "--force", "--volumes"].iter().chain(dialect.hurry());
        client.must_within(SHORTLY, &flags.copied().chain([id]).collect::<Vec<_>>()).map(drop)
    };
    let mut removals = Vec::new();
    for some in left.chunks(AT_ONCE) {
        removals.extend(thread::scope(|scope| {
            let begun: Vec<_> = some
                .iter()
                .map(|id| {
                    let client = client.clone();
                    scope.spawn(move || remove(&client, id))
                })
                .collect();
            begun.into_iter().filter_map(|one| one.join().ok()).collect::<Vec<_>>()
        }));
    }
    let failed = removals.iter().find_map(|one| one.as_ref().err());
    // Another run may have been at the same.
    let still = |failed: &EngineError| {
        let now = containers(client, dialect).ok()?;
        let stuck = now.iter().filter(|one| !one.in_use && left.contains(&one.id)).count();
        (stuck > 0).then(|| EngineError(format!("{stuck} of a run that is over cannot be removed: {failed}")))
    };
    let stuck = failed.and_then(still);
    sweep_builds(client, dialect)?;
    for folder in place::abandoned() {
        // Another run may be at the same.
        fs::remove_dir_all(folder).ok();
    }
    Ok(Swept { removed: removals.iter().filter(|one| one.is_ok()).count(), stuck })
}

/// The images of roots that have no name any more: two runs at once imported the same root, and the later one has it.
fn nameless(client: &Client) -> Result<Vec<String>, EngineError> {
    let label = format!("label={ROOT_LABEL}");
    listed(client, &["--quiet", "--no-trunc", "--filter", "dangling=true", "--filter", &label])
}

/// Removes the images; one that a container is made of stays, and what a run has built that goes on. How many.
pub(super) fn remove_images(client: &Client) -> Result<usize, EngineError> {
    let images = [images(client)?, nameless(client)?].concat();
    let removed = images.iter().filter(|image| !is_in_use(image)).filter(|image| client.must(&["rmi", image]).is_ok());
    Ok(removed.count())
}
