//! Seccomp profiles that somebody asked for by the name of a file. What stands in the place of one that is not here would be another
//! filter, and as a fact in `inspect` a weaker one than was asked for: nothing is asserted then.

use std::path::{Path, absolute};

use super::{Part, Unconvertible, yaml};
use crate::scenario::plain::Plain;

/// What a container that has one starts from where nobody says otherwise: docker's word for its own profile.
const BUILTIN: &str = "builtin";

/// A part as a scenario can have it: without profiles that it cannot name, with what to do about each. `folder` is where its author
/// would have the files.
///
/// # Errors
/// A file that is not there, which docker and podman refuse too. A Pod's lies on the node.
pub(super) fn found(part: &Part, folder: &Path) -> Result<Part, Unconvertible> {
    let mut found = part.clone();
    let preset = part.keys.text("preset").unwrap_or("docker");
    let mut kept = Vec::new();
    for option in part.keys.items("security_opt") {
        let Some(file) = option.scalar().and_then(|option| file(option, preset)) else {
            kept.push(option.clone());
            continue;
        };
        if file == BUILTIN && preset == "docker" {
            found.notes.push(format!("seccomp={BUILTIN}: it is what docker takes where nobody says otherwise"));
            continue;
        }
        let path = folder.join(file);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let by_hand = format!(
            "`inspect` says nothing of seccomp until you copy it beside the scenario and add security_opt: [\"seccomp={name}\"]"
        );
        if !path.exists() && preset == "kubernetes" {
            found.notes.push(format!(
                "seccomp profile {file}: it lies on the node, in the kubelet's folder (/var/lib/kubelet/seccomp), and not here; {by_hand}"
            ));
        } else if !path.exists() {
            let shown = absolute(&path).unwrap_or(path);
            return Err(Unconvertible(format!(
                "no seccomp profile {file}: it was looked for as {}, and {preset} starts nothing without it; \
                 call caplab where the file is, or correct its name",
                shown.display()
            )));
        } else if let Err(why) = taken(option, folder) {
            found.notes.push(format!("seccomp profile {file}: {why}; {by_hand}"));
        } else {
            found.notes.push(format!(
                "seccomp profile {file}: it is looked for from this file's folder on: copy it there as {file}"
            ));
            kept.push(option.clone());
            continue;
        }
        found.unknown.push("seccomp");
    }
    if kept.is_empty() {
        found.keys.take("security_opt");
    } else {
        found.keys.set("security_opt", Plain::List(kept));
    }
    Ok(found)
}

/// The file that an option names; older words have a colon in place of `=`.
fn file<'a>(option: &'a str, preset: &str) -> Option<&'a str> {
    let file = option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:"))?;
    let is_word = file.is_empty() || file == "unconfined" || (file == "runtime/default" && preset == "kubernetes");
    (!is_word).then_some(file)
}

/// Whether a scenario in that folder may have it.
fn taken(option: &Plain, folder: &Path) -> Result<(), String> {
    let option = yaml::quoted(option.scalar().unwrap_or_default());
    let text = format!("title: asked\ncontainer:\n  security_opt: [{option}]\nsteps: [{{inspect: {{uid: 0}}}}]\n");
    super::scenario::check(&text, folder).map(drop)
}
