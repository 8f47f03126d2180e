//! What the containers of a Pod have of its sandbox.

use crate::{
    convert::{Part, draft::texts},
    scenario::plain::Plain,
};

/// Those of its namespaces that are the host's or mapped.
pub(super) fn namespaces(pod: &Plain, part: &mut Part) {
    let is = |field: &str, word: &str| pod.get(field).and_then(Plain::scalar) == Some(word);
    for (field, key) in [("hostPID", "pid"), ("hostIPC", "ipc"), ("hostNetwork", "network_mode")] {
        if is(field, "true") {
            part.keys.set(key, Plain::text("host"));
        }
    }
    if is("hostUsers", "false") {
        // kubelet's ranges are 65536 long and begin at a multiple of that (KEP-127).
        part.keys.set("uidmap", texts(["0:65536:65536"]));
        part.notes
            .push("hostUsers: the kubelet picks the range of ids; 65536 and what follows stands for it".to_owned());
    }
    if let Some(name) = pod.get("hostname") {
        part.keys.set("hostname", name.clone());
    }
}

/// What a sandbox has once for all containers of a Pod; the first of them stands for the sandbox.
pub(super) fn share(pod: &Plain, parts: &mut [Part]) {
    let is_pid = pod.get("shareProcessNamespace").and_then(Plain::scalar) == Some("true");
    let Some((first, others)) = parts.split_first_mut() else { return };
    if is_pid && first.keys.get("pid").is_none() {
        first.notes.push(
            "shareProcessNamespace: in the Pod pid 1 is the sandbox's pause, here what this container runs".to_owned(),
        );
    }
    // The sandbox of a Pod in the host's network has the host's name too.
    let is_hosts = first.keys.text("network_mode") == Some("host");
    let shared = [("network_mode", true), ("ipc", true), ("uts", !is_hosts), ("pid", is_pid)];
    let shared: Vec<&str> = shared.into_iter().filter(|(_, is_shared)| *is_shared).map(|(key, _)| key).collect();
    for part in others {
        // Of the host's each has said so.
        let keys = || shared.iter().copied().filter(|key| first.keys.get(key).is_none());
        if part.keys.get("uidmap").is_some() {
            part.notes.push(format!(
                "not carried over: {}: in the Pod they are those of {}, here its own, as its user namespace is, \
                 which two containers of a scenario do not share",
                keys().collect::<Vec<_>>().join(", "),
                first.name
            ));
            continue;
        }
        for key in keys() {
            part.keys.set(key, Plain::text(format!("container:{}", first.name)));
        }
        // They are the namespaces', which the first one's are.
        if !is_hosts {
            part.keys.take("hostname");
        }
        part.keys.take("sysctls");
    }
}
