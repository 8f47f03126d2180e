//! The facts that inspect and host steps expect.

use super::{
    Fields, capabilities,
    container::ulimits,
    expect::matcher,
    idmap, list, list_of_text, probe, resources,
    scalar::{boolean, choice, filled, id, mode, owner, path_text},
    text,
};
use crate::{
    observe::{Namespace, NamespaceState, Peers, Seccomp},
    scenario::{
        diagnostic::{Fault, Place},
        format::{self, words},
        model::{CapabilitiesExpect, FactsExpect, HostFileExpect, HostProcessExpect, MountExpect},
        problems::Problems,
        tree::{Key, Node, Value},
    },
};

/// `inspect:`.
pub(super) fn inspect(node: &Node, problems: &Problems) -> Result<FactsExpect, Fault> {
    let fields = Fields::of(node, &format::step::INSPECT, problems)?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "an inspect that asks for nothing").help("`inspect: {uid: 0}`"));
    }
    Ok(FactsExpect {
        uid: fields.read("uid", id),
        gid: fields.read("gid", id),
        groups: fields.read("groups", |node| Ok(problems.each(list(node)?, id))),
        capabilities: fields.read("capabilities", |node| sets(node, problems)).unwrap_or_default(),
        uid_map: fields.read("uid_map", |node| idmap::kernel(node, problems)),
        gid_map: fields.read("gid_map", |node| idmap::kernel(node, problems)),
        no_new_privs: fields.read("no_new_privs", boolean),
        seccomp: fields.read("seccomp", seccomp),
        namespaces: namespaces(&fields),
        mounts: mounts(&fields),
        limits: fields.read("limits", |node| ulimits(node, problems)).unwrap_or_default(),
        resources: fields.read("resources", |node| resources::seen(node, problems)).unwrap_or_default(),
        processes: fields.read("processes", |node| matcher(node, problems)),
        hostname: fields.read("hostname", filled),
    })
}

fn sets(node: &Node, problems: &Problems) -> Result<CapabilitiesExpect, Fault> {
    let fields = Fields::of(node, &format::step::SETS, problems)?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "no set is named").help("`capabilities: {effective: [CAP_CHOWN]}`"));
    }
    let set = |name: &str| fields.read(name, |node| capabilities::set(node, problems));
    Ok(CapabilitiesExpect {
        inheritable: set("inheritable"),
        permitted: set("permitted"),
        effective: set("effective"),
        bounding: set("bounding"),
        ambient: set("ambient"),
    })
}

fn seccomp(node: &Node) -> Result<Seccomp, Fault> {
    choice(node, "seccomp mode", &words::SECCOMP, &[])
}

fn namespaces(fields: &Fields<'_>) -> Vec<(Namespace, NamespaceState)> {
    let one = |(key, value): &(Key, Node)| {
        let namespace = fields.problems.told(probe::namespace_word(key.at, &key.text));
        let state = fields.problems.told(state(value));
        Ok((namespace?, state?))
    };
    fields.entries("namespaces").iter().filter_map(|entry| fields.problems.ok(one(entry))).collect()
}

fn state(node: &Node) -> Result<NamespaceState, Fault> {
    match text(node)? {
        "new" => Ok(NamespaceState::New),
        "host" => Ok(NamespaceState::Host),
        other => match other.strip_prefix("container:").filter(|name| !name.is_empty()) {
            Some(name) => Ok(NamespaceState::Container(name.to_owned())),
            None => Err(Fault::new(node.at, format!("`{other}` is no state of a namespace"))
                .help("`new`, `host` or `container:NAME`")),
        },
    }
}

fn mounts(fields: &Fields<'_>) -> Vec<MountExpect> {
    let problems = fields.problems;
    let one = |(key, value): &(Key, Node)| {
        let target = problems.told(path_text(key.at, &key.text));
        let mount = problems.told(mount(value, problems));
        Ok(MountExpect { target: target?, ..mount? })
    };
    fields.entries("mounts").iter().filter_map(|entry| problems.ok(one(entry))).collect()
}

/// What is said of a mount, wherever it is.
fn mount(node: &Node, problems: &Problems) -> Result<MountExpect, Fault> {
    let target = String::new();
    if let Value::Map(_) = node.value {
        let fields = Fields::of(node, &format::step::MOUNT, problems)?;
        return Ok(MountExpect {
            target,
            absent: fields.read("absent", boolean).unwrap_or(false),
            fstype: fields.read("type", filled),
            options: fields.read("options", options).unwrap_or_default(),
            propagation: fields.read("propagation", peers),
        });
    }
    let absent = matches!(&node.value, Value::Scalar { text, .. } if text == "absent");
    let options = if absent { Vec::new() } else { options(node)? };
    Ok(MountExpect { target, absent, fstype: None, options, propagation: None })
}

fn peers(node: &Node) -> Result<Peers, Fault> {
    let word = text(node)?;
    Peers::ALL.into_iter().find(|one| one.name() == word).ok_or_else(|| {
        Fault::new(node.at, format!("no propagation `{word}`")).help(Peers::ALL.map(Peers::name).join(", "))
    })
}

fn options(node: &Node) -> Result<Vec<String>, Fault> {
    let known = |(word, at): (String, Place)| {
        if words::MOUNT_OPTIONS.contains(&word.as_str()) {
            return Ok(word);
        }
        Err(Fault::new(at, format!("no mount option `{word}`")).help(words::MOUNT_OPTIONS.join(", ")))
    };
    list_of_text(node)?.into_iter().map(known).collect()
}

/// `expect:` of `host: {process: …}`.
pub(super) fn process(node: &Node, problems: &Problems) -> Result<HostProcessExpect, Fault> {
    let fields = Fields::of(node, &format::step::EXPECT_OF_PROCESS, problems)?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "an empty expect").help("`expect: {uid: 0, user: root}`"));
    }
    Ok(HostProcessExpect {
        uid: fields.read("uid", id),
        gid: fields.read("gid", id),
        user: fields.read("user", filled),
        command: fields.read("command", |node| matcher(node, problems)),
        uid_map: fields.read("uid_map", |node| idmap::kernel(node, problems)),
        parents: fields.read("parents", |node| matcher(node, problems)),
    })
}

/// `expect:` of `host: {file: …}`.
pub(super) fn file(node: &Node, problems: &Problems) -> Result<HostFileExpect, Fault> {
    let fields = Fields::of(node, &format::step::EXPECT_OF_FILE, problems)?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "an empty expect").help("`expect: {changed: false}`"));
    }
    Ok(HostFileExpect {
        changed: fields.read("changed", boolean),
        mode: fields.read("mode", mode),
        owner: fields.read("owner", owner),
        content: fields.read("content", |node| matcher(node, problems)),
        exists: fields.read("exists", boolean),
        mounted: fields.read("mounted", boolean),
    })
}
