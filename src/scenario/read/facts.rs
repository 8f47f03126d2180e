//! The facts that inspect and host steps expect.

use super::{
    Fields, capabilities,
    container::ulimits,
    expect::matcher,
    idmap, list, list_of_text,
    probe::namespace_named,
    scalar::{boolean, filled, id, mode, owner, path_text},
    text,
};
use crate::{
    observe::Seccomp,
    scenario::{
        diagnostic::{Fault, Place},
        model::{CapabilitiesExpect, FactsExpect, HostFileExpect, HostProcessExpect, MountExpect},
        tree::{Node, Value},
    },
};

const INSPECT: [&str; 13] = [
    "uid",
    "gid",
    "groups",
    "capabilities",
    "uid_map",
    "gid_map",
    "no_new_privs",
    "seccomp",
    "namespaces",
    "mounts",
    "limits",
    "processes",
    "hostname",
];

/// `inspect:`.
pub(super) fn inspect(node: &Node) -> Result<FactsExpect, Fault> {
    let fields = Fields::of(node, "inspect", &INSPECT)?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "an inspect that asks for nothing").help("`inspect: {uid: 0}`"));
    }
    Ok(FactsExpect {
        uid: fields.get("uid").map(id).transpose()?,
        gid: fields.get("gid").map(id).transpose()?,
        groups: fields.get("groups").map(|node| list(node)?.iter().map(id).collect()).transpose()?,
        capabilities: fields.get("capabilities").map(sets).transpose()?.unwrap_or_default(),
        uid_map: fields.get("uid_map").map(idmap::kernel).transpose()?,
        gid_map: fields.get("gid_map").map(idmap::kernel).transpose()?,
        no_new_privs: fields.get("no_new_privs").map(boolean).transpose()?,
        seccomp: fields.get("seccomp").map(seccomp).transpose()?,
        namespaces: fields.get("namespaces").map(namespaces).transpose()?.unwrap_or_default(),
        mounts: fields.get("mounts").map(mounts).transpose()?.unwrap_or_default(),
        limits: fields.get("limits").map(ulimits).transpose()?.unwrap_or_default(),
        processes: fields.get("processes").map(matcher).transpose()?,
        hostname: fields.get("hostname").map(filled).transpose()?,
    })
}

fn sets(node: &Node) -> Result<CapabilitiesExpect, Fault> {
    let fields = Fields::of(node, "capabilities", &["inheritable", "permitted", "effective", "bounding", "ambient"])?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "no set is named").help("`capabilities: {effective: [CAP_CHOWN]}`"));
    }
    let set = |name: &str| fields.get(name).map(capabilities::set).transpose();
    Ok(CapabilitiesExpect {
        inheritable: set("inheritable")?,
        permitted: set("permitted")?,
        effective: set("effective")?,
        bounding: set("bounding")?,
        ambient: set("ambient")?,
    })
}

fn seccomp(node: &Node) -> Result<Seccomp, Fault> {
    match text(node)? {
        "disabled" => Ok(Seccomp::Disabled),
        "strict" => Ok(Seccomp::Strict),
        "filter" => Ok(Seccomp::Filter),
        other => Err(Fault::new(node.at, format!("no seccomp mode `{other}`")).help("disabled, strict, filter")),
    }
}

fn namespaces(node: &Node) -> Result<Vec<(crate::observe::Namespace, bool)>, Fault> {
    let one = |(key, value): &(crate::scenario::tree::Key, Node)| {
        let namespace = namespace_named(&key.text).ok_or_else(|| {
            Fault::new(key.at, format!("no namespace `{}`", key.text))
                .help("cgroup, ipc, mount, network, pid, time, user, uts")
        })?;
        match text(value)? {
            "new" => Ok((namespace, true)),
            "host" => Ok((namespace, false)),
            other => Err(Fault::new(value.at, format!("`{other}` is no state of a namespace")).help("`new` or `host`")),
        }
    };
    Fields::any(node, "namespaces")?.all().iter().map(one).collect()
}

fn mounts(node: &Node) -> Result<Vec<MountExpect>, Fault> {
    let one = |(key, value): &(crate::scenario::tree::Key, Node)| {
        let target = path_text(key.at, &key.text)?;
        if let Value::Map(_) = value.value {
            let fields = Fields::of(value, "a mount", &["type", "options", "absent"])?;
            return Ok(MountExpect {
                target,
                absent: fields.get("absent").map(boolean).transpose()?.unwrap_or(false),
                fstype: fields.get("type").map(filled).transpose()?,
                options: fields.get("options").map(options).transpose()?.unwrap_or_default(),
            });
        }
        let absent = matches!(&value.value, Value::Scalar { text, .. } if text == "absent");
        let options = if absent { Vec::new() } else { options(value)? };
        Ok(MountExpect { target, absent, fstype: None, options })
    };
    Fields::any(node, "mounts")?.all().iter().map(one).collect()
}

/// Options of mountinfo(5) that a mount can have or lack.
const OPTIONS: [&str; 8] = ["ro", "rw", "nosuid", "nodev", "noexec", "noatime", "relatime", "nosymfollow"];

fn options(node: &Node) -> Result<Vec<String>, Fault> {
    let known = |(word, at): (String, Place)| {
        if OPTIONS.contains(&word.as_str()) {
            return Ok(word);
        }
        Err(Fault::new(at, format!("no mount option `{word}`")).help(OPTIONS.join(", ")))
    };
    list_of_text(node)?.into_iter().map(known).collect()
}

/// `expect:` of `host: {process: …}`.
pub(super) fn process(node: &Node) -> Result<HostProcessExpect, Fault> {
    let fields = Fields::of(node, "expect of a process", &["uid", "gid", "user", "command", "uid_map", "parents"])?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "an empty expect").help("`expect: {uid: 0, user: root}`"));
    }
    Ok(HostProcessExpect {
        uid: fields.get("uid").map(id).transpose()?,
        gid: fields.get("gid").map(id).transpose()?,
        user: fields.get("user").map(filled).transpose()?,
        command: fields.get("command").map(matcher).transpose()?,
        uid_map: fields.get("uid_map").map(idmap::kernel).transpose()?,
        parents: fields.get("parents").map(matcher).transpose()?,
    })
}

/// `expect:` of `host: {file: …}`.
pub(super) fn file(node: &Node) -> Result<HostFileExpect, Fault> {
    let fields = Fields::of(node, "expect of a file", &["changed", "mode", "owner", "content", "exists"])?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "an empty expect").help("`expect: {changed: false}`"));
    }
    Ok(HostFileExpect {
        changed: fields.get("changed").map(boolean).transpose()?,
        mode: fields.get("mode").map(mode).transpose()?,
        owner: fields.get("owner").map(owner).transpose()?,
        content: fields.get("content").map(matcher).transpose()?,
        exists: fields.get("exists").map(boolean).transpose()?,
    })
}
