//! What of two words of one container counts, where both are said: its engine decides, and what it does not take is a note.

use super::{Part, Unconvertible};
use crate::scenario::plain::Plain;

/// A part in which nothing is said twice.
///
/// # Errors
/// What its engine refuses.
pub(super) fn settled(part: &Part) -> Result<Part, Unconvertible> {
    let mut settled = part.clone();
    capabilities(&mut settled)?;
    options(&mut settled);
    Ok(settled)
}

/// Without a prefix, as both lists may have it.
pub(super) fn bare(name: &Plain) -> String {
    let name = name.scalar().unwrap_or_default().to_ascii_uppercase();
    name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)
}

/// A capability that is added and dropped: docker adds last (moby oci/caps TweakCapabilities), containerd and CRI-O drop last
/// (WithCapabilities, setupCapabilities), podman refuses it (containers/common MergeCapabilities).
fn capabilities(part: &mut Part) -> Result<(), Unconvertible> {
    if part.keys.is("privileged") {
        return Ok(());
    }
    let preset = part.keys.text("preset").unwrap_or("docker").to_owned();
    let added: Vec<String> = part.keys.items("cap_add").iter().map(bare).collect();
    let dropped = part.keys.items("cap_drop").iter().map(bare);
    let both: Vec<String> = dropped.filter(|name| added.contains(name)).collect();
    let Some(first) = both.first() else { return Ok(()) };
    let (loser, why) = match preset.as_str() {
        "podman" => {
            return Err(Unconvertible(format!(
                "{first} is added and dropped, which podman refuses: there is no such container; take one of the two away"
            )));
        }
        "kubernetes" => {
            ("cap_add", "it is dropped too, and containerd and CRI-O drop last: the container does not have it")
        }
        // Every one is added behind it, whatever was dropped.
        _ if first == "ALL" => ("cap_drop", "every one is added too, and docker adds last: the container has them"),
        _ => ("cap_drop", "it is added too, and docker adds last: the container has it"),
    };
    for name in &both {
        part.notes.push(format!("{loser} {name}: {why}"));
    }
    let mut kept = part.keys.items(loser).to_vec();
    kept.retain(|name| !both.contains(&bare(name)));
    match kept.is_empty() {
        true => drop(part.keys.take(loser)),
        false => part.keys.set(loser, Plain::List(kept)),
    }
    Ok(())
}

/// An option that is given again: the last counts.
fn options(part: &mut Part) {
    let name = |option: &Plain| {
        let option = option.scalar().unwrap_or_default();
        ["no-new-privileges", "seccomp"]
            .into_iter()
            .find(|name| option.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '='])))
    };
    let all = part.keys.items("security_opt").to_vec();
    let is_last = |at: usize| {
        let own = name(&all[at]);
        own.is_none() || !all[at + 1..].iter().any(|later| name(later) == own)
    };
    let (last, before): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|at| is_last(*at));
    for option in before.into_iter().filter_map(|at| all[at].scalar()) {
        part.notes.push(format!("security_opt {option}: it is said again, and the last counts"));
    }
    if last.len() < all.len() {
        part.keys.set("security_opt", Plain::List(last.into_iter().map(|at| all[at].clone()).collect()));
    }
}
