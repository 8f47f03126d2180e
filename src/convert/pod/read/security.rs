//! A securityContext.

use crate::{
    convert::{Part, Unconvertible, draft::texts, unknown},
    scenario::plain::Plain,
};

const SECURITY: [&str; 17] = [
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "privileged",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
    "capabilities",
    "seccompProfile",
    "procMount",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "seLinuxOptions",
    "appArmorProfile",
    "windowsOptions",
];

/// The Pod's securityContext, and the container's, which wins.
pub(super) fn security(pod: Option<&Plain>, own: Option<&Plain>, part: &mut Part) -> Result<(), Unconvertible> {
    let fields = || [own, pod].into_iter().flatten();
    for (field, _) in fields().flat_map(Plain::entries) {
        match field.as_str() {
            known if !SECURITY.contains(&known) => {
                return Err(unknown("field of a securityContext", known, SECURITY));
            }
            "fsGroup" => part.notes.push(
                "fsGroup: its processes have that group; that the kubelet gives it the files of volumes is not carried over".to_owned(),
            ),
            "fsGroupChangePolicy"
            | "supplementalGroupsPolicy"
            | "seLinuxOptions"
            | "appArmorProfile"
            | "windowsOptions" => {
                part.notes.push(format!("{field}: the format has no key for it"));
            }
            _ => {}
        }
    }
    let find = |field: &str| fields().find_map(|context| context.get(field));
    let text = |field: &str| find(field).and_then(Plain::scalar);
    let (user, group) = (text("runAsUser"), text("runAsGroup"));
    match (text("runAsNonRoot") == Some("true"), user) {
        (true, Some(user)) if user.parse() == Ok(0u32) => {
            return Err(Unconvertible(format!(
                "container {}: runAsUser 0 beside runAsNonRoot, with which the kubelet starts no root: \
                 there is no such container; take one of the two away",
                part.name
            )));
        }
        (true, Some(_)) => part
            .notes
            .push("runAsNonRoot: the kubelet refuses a root, no kernel does; `inspect: {uid: …}` tests it".to_owned()),
        // Who it is decides what execve leaves of its capabilities.
        (true, None) => {
            part.notes.push(
                "runAsNonRoot: the kubelet refuses a root, and who its image runs as is not known here: write that user as `user:`. \
                 Until then it is root, and `inspect` says nothing of it"
                    .to_owned(),
            );
            part.unknown.push("uid");
            part.unknown.extend(group.is_none().then_some("gid"));
        }
        (false, None) => part.notes.push("runAsUser is not said: the image decides, here it is root".to_owned()),
        (false, Some(_)) => {}
    }
    match (user, group) {
        (Some(user), Some(group)) => part.keys.set("user", Plain::text(format!("{user}:{group}"))),
        (Some(user), None) => part.keys.set("user", Plain::text(user)),
        (None, Some(group)) => part.keys.set("user", Plain::text(format!("0:{group}"))),
        (None, None) => {}
    }
    if text("privileged") == Some("true") {
        part.keys.set("privileged", Plain::truth(true));
    }
    if text("readOnlyRootFilesystem") == Some("true") {
        part.keys.set("read_only", Plain::truth(true));
    }
    if text("allowPrivilegeEscalation") == Some("false") {
        part.keys.add("security_opt", Plain::text("no-new-privileges"));
    }
    let profile = find("seccompProfile");
    match profile.and_then(|profile| profile.get("type")).and_then(Plain::scalar) {
        Some("RuntimeDefault") => part.keys.add("security_opt", Plain::text("seccomp=runtime/default")),
        Some("Localhost") => {
            let file = profile.and_then(|one| one.get("localhostProfile")).and_then(Plain::scalar).unwrap_or_default();
            part.keys.add("security_opt", Plain::text(format!("seccomp={file}")));
        }
        said => {
            if said.is_none() && text("privileged") != Some("true") {
                part.notes.push("seccompProfile is not said: Kubernetes then filters nothing, unless the kubelet has seccompDefault".to_owned());
            }
            part.keys.add("security_opt", Plain::text("seccomp=unconfined"));
        }
    }
    if text("procMount") == Some("Unmasked") {
        part.keys.add("security_opt", Plain::text("systempaths=unconfined"));
    }
    for (field, key) in [("add", "cap_add"), ("drop", "cap_drop")] {
        if let Some(list) = find("capabilities").and_then(|sets| sets.get(field)) {
            part.keys.set(key, Plain::List(list.items().to_vec()));
        }
    }
    let groups = find("supplementalGroups").map_or(&[][..], Plain::items).iter().filter_map(Plain::scalar);
    let mut groups: Vec<&str> = groups.collect();
    groups.extend(text("fsGroup").filter(|group| !groups.contains(group)));
    if !groups.is_empty() {
        part.keys.set("group_add", texts(groups));
    }
    for sysctl in find("sysctls").map_or(&[][..], Plain::items) {
        let field = |name: &str| sysctl.get(name).and_then(Plain::scalar).unwrap_or_default();
        part.keys.enter("sysctls", field("name"), Plain::text(field("value")));
    }
    Ok(())
}
