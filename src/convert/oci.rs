//! The OCI runtime-spec document of a container: what every engine is asked to do.

use super::Unconvertible;
use crate::engine::{ContainerJob, FIXTURE_ROOT};

/// The document, and what a bundle of it needs beside.
///
/// # Errors
/// Where it is no JSON, which would be caplab's own mistake.
pub fn write(job: &ContainerJob) -> Result<(String, Vec<String>), Unconvertible> {
    let text = serde_json::to_string_pretty(&job.spec).map_err(|error| Unconvertible(error.to_string()))?;
    let mut notes = vec!["root.path is `rootfs`: a bundle has that folder beside this file, config.json".to_owned()];
    if text.contains(FIXTURE_ROOT) {
        notes.push(format!("mounts below {FIXTURE_ROOT} are decoys of the fixture host, which only caplab makes"));
    }
    if job.pause {
        notes.push("process.args is empty: pid 1 waits, and a runtime wants a command there".to_owned());
    }
    if job.init {
        notes.push("an init is an engine's own: put one, `tini --`, before process.args".to_owned());
    }
    Ok((text, notes))
}
