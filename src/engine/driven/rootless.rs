//! podman that an ordinary user runs: of which cases it is what they ask for.

use caplab_init::wire::IdMap;

use crate::{
    host::{Machine, fixture, subids},
    result::Skip,
    scenario::model::{Action, Case, Resources},
};

/// Why the user who runs caplab is not who the case's containers ask for, or cannot make what it asks for; `None` where he is and can.
pub(in crate::engine) fn lacking(case: &Case, machine: &Machine) -> Option<Skip> {
    let users: Vec<&str> = case.containers.iter().filter_map(|container| container.rootless.as_deref()).collect();
    let user = *users.first()?;
    if users.iter().any(|other| *other != user) {
        return Some(Skip {
            reason: "several users run the engines of this case, and caplab is one".to_owned(),
            remedy: None,
        });
    }
    let map = fixture::map_of(&case.host, user)?;
    // The lab host of an ordinary user is made of the ids that podman would give a container of his.
    if machine.lab.uids != map || machine.lab.gids != map || subids::name_of(map[0].outside) != user {
        let [IdMap { outside: uid, .. }, IdMap { outside: first, count, .. }] = map;
        let range = format!("{first}-{}", first + count - 1);
        return Some(Skip {
            reason: format!(
                "the case asks for a podman that {user} runs, who is {uid} and has the ids from {first} on"
            ),
            remedy: Some(format!(
                "as root: useradd --create-home --uid {uid} {user}; usermod --add-subuids {range} --add-subgids {range} {user}; \
                 runuser -u {user} -- caplab run --engine podman"
            )),
        });
    }
    let sees = case.containers.iter().any(|container| !container.volumes.is_empty())
        || case.steps.iter().any(|step| matches!(step.action, Action::HostFile { .. }));
    if sees {
        let reason = format!("the fixture host's files are root's, and {user} can make none that is");
        return Some(Skip { reason, remedy: None });
    }
    let limited = case.containers.iter().any(|one| one.resources != Resources::default());
    if limited {
        let reason = format!("{user} has no control groups to set limits in");
        return Some(Skip { reason, remedy: None });
    }
    let mapped = case.containers.iter().any(|one| !(one.uidmap.is_empty() && one.gidmap.is_empty()));
    mapped.then(|| Skip {
        reason: "what a rootless podman's --uidmap names are ids of the user's own map, not the host's".to_owned(),
        remedy: None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn reason(containers: &str, steps: &str) -> Option<String> {
        let text =
            format!("title: A claim\nhost: {{users: {{redhat: 1001, fedora: 1002}}}}\n{containers}\nsteps:\n{steps}");
        let scenario = crate::scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
        lacking(&scenario.cases[0], &Machine::probe(false))
            .map(|skip| format!("{}; {}", skip.reason, skip.remedy.unwrap_or_default()))
    }

    const LOOK: &str = "  - {in: box, inspect: {uid: 0}}\n";

    #[test]
    fn who_is_another_is_told_how_to_become_the_one() {
        let said =
            reason("containers: {box: {preset: podman, rootless: fedora}}", LOOK).expect("nobody here is fedora");
        assert!(said.contains("fedora runs, who is 1002 and has the ids from 165536 on"), "{said}");
        assert!(
            said.contains("useradd --create-home --uid 1002 fedora; usermod --add-subuids 165536-231071"),
            "{said}"
        );
    }

    #[test]
    fn two_users_are_two() {
        let two = "containers: {box: {preset: podman, rootless: redhat}, b: {preset: podman, rootless: fedora}}";
        assert!(reason(two, LOOK).expect("two").starts_with("several users"));
    }
}
