//! The fixture host.

use super::{
    Fields,
    scalar::{id, mode, owner, path_text},
    text,
};
use crate::scenario::{
    diagnostic::Fault,
    model::{Host, HostFile},
    tree::Node,
};

/// `host:`.
pub(in crate::scenario) fn host(node: &Node) -> Result<Host, Fault> {
    let fields = Fields::planned(node, "host", &["users", "files"], &["disks", "runtimes", "sysctls"])?;
    let mut host = Host::default();
    if let Some(users) = fields.get("users") {
        for (key, uid) in Fields::any(users, "users")?.all() {
            if key.text.is_empty() || key.text.contains([':', '\n', '/', ' ']) {
                return Err(
                    Fault::new(key.at, format!("`{}` is no user name", key.text)).help("letters, digits, _ and -")
                );
            }
            host.users.insert(key.text.clone(), id(uid)?);
        }
    }
    if let Some(files) = fields.get("files") {
        for (key, node) in Fields::any(files, "files")?.all() {
            let path = path_text(key.at, &key.text)?;
            if path == "/" {
                return Err(Fault::new(key.at, "the root is no file"));
            }
            let file = file(node)?;
            if host.files.insert(path.clone(), file).is_some() {
                return Err(Fault::new(key.at, format!("{path} is there twice")));
            }
        }
        for path in host.files.keys() {
            if let Some(parent) = host.files.keys().find(|other| path.starts_with(&format!("{other}/"))) {
                return Err(Fault::new(files.at, format!("{path} lies below {parent}, which is a file"))
                    .help("directories come by themselves: only files are named"));
            }
        }
    }
    Ok(host)
}

fn file(node: &Node) -> Result<HostFile, Fault> {
    let fields = Fields::of(node, "a file of the host", &["mode", "owner", "content"])?;
    let (uid, gid) = fields.get("owner").map(owner).transpose()?.unwrap_or((0, 0));
    Ok(HostFile {
        mode: fields.get("mode").map(mode).transpose()?.unwrap_or(0o644),
        uid,
        gid,
        content: fields.get("content").map(text).transpose()?.unwrap_or_default().to_owned(),
    })
}
