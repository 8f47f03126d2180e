//! The init that docker and podman put before a command (`--init`): a program of the machine, which each looks for in its own places.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{client::Client, command_line::Dialect};
use crate::{
    engine::{ContainerJob, RootTree},
    host::requirement::program,
    scenario::model::{Container, Rootfs},
};

/// Where docker's is in the container.
pub(super) const OF_DOCKER: &str = "/sbin/docker-init";
/// Where podman's is.
pub(super) const OF_PODMAN: &str = "/run/podman-init";

/// Where both look beside the PATH: docker's daemon/config LookupInitPath from 25 on, podman's helper_binaries_dir.
const DOCKERS: [&str; 4] =
    ["/usr/local/libexec/docker", "/usr/libexec/docker", "/usr/local/lib/docker", "/usr/lib/docker"];
const PODMANS: [&str; 4] =
    ["/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman"];

/// The init that one of them has; asked once.
pub(super) fn find(dialect: Dialect, client: &Client) -> Option<&'static Path> {
    static DOCKER: OnceLock<Option<PathBuf>> = OnceLock::new();
    static PODMAN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = match dialect {
        // Its daemon may have been told another.
        Dialect::Docker => DOCKER.get_or_init(|| {
            let told = client.must(&["info", "--format={{.InitBinary}}"]).ok()?;
            look_for(if told.is_empty() { "docker-init" } else { &told }, &DOCKERS)
        }),
        Dialect::Podman => PODMAN.get_or_init(|| look_for("catatonit", &PODMANS)),
    };
    found.as_deref()
}

fn look_for(name: &str, places: &[&str]) -> Option<PathBuf> {
    places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists()).or_else(|| program(name))
}

/// The root in which docker's init is seen. It is mounted before anything that its user asks for, so that what lies over /usr hides it
/// where /sbin is a link into that, as on the machine whose programs `rootfs: host` binds. There /sbin is a directory of links, with
/// every name that it has on the machine.
pub(super) fn visible(dialect: Dialect, job: &ContainerJob) -> Option<RootTree> {
    let mut root = job.root.clone();
    let at = root.symlinks.iter().position(|(path, _)| path == "/sbin")?;
    if dialect != Dialect::Docker || !job.init {
        return None;
    }
    let (_, target) = root.symlinks.remove(at);
    root.dirs.push(("/sbin".to_owned(), 0o755));
    let mut names: Vec<String> = fs::read_dir("/sbin")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name != "docker-init")
        .collect();
    names.sort();
    let to = |name: &String| format!("{}{target}/{name}", if target.starts_with('/') { "" } else { "../" });
    root.symlinks.extend(names.iter().map(|name| (format!("/sbin/{name}"), to(name))));
    Some(root)
}

/// Whether what a container mounts hides it, or would have it in a volume.
pub(super) fn is_covered(dialect: Dialect, container: &Container) -> bool {
    let places: &[&str] = match dialect {
        Dialect::Docker => &["/sbin", "/usr", OF_DOCKER],
        Dialect::Podman => &["/run", OF_PODMAN],
    };
    let volumes = container.volumes.iter().map(|one| &one.target);
    // docker mounts its own before these, podman in the order of paths.
    let tmpfs = container.tmpfs.iter().map(|one| &one.target).filter(|_| dialect == Dialect::Docker);
    let of_the_machine = container.image.is_some() && container.rootfs == Rootfs::Host;
    volumes.chain(tmpfs).any(|target| places.contains(&target.as_str())) || dialect == Dialect::Docker && of_the_machine
}

/// Why a container with an init cannot be had where there is none, and the command that brings it.
pub(super) fn missing(dialect: Dialect) -> (String, String) {
    let (engine, init, package) = match dialect {
        Dialect::Docker => ("docker", "docker-init", "docker.io, or tini and a link docker-init to it"),
        Dialect::Podman => ("podman", "catatonit", "catatonit"),
    };
    (
        format!("{engine} has no {init} here, which it puts before a command (`init`)"),
        format!("apt-get install {package}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_for_where_the_engine_looks() {
        let made = tempfile::tempdir().expect("a folder");
        let places = [made.path().to_str().expect("a name")];
        assert_eq!(look_for("caplab-no-such-init", &places), None);
        fs::write(made.path().join("caplab-no-such-init"), "").expect("a file");
        assert_eq!(look_for("caplab-no-such-init", &places), Some(made.path().join("caplab-no-such-init")));
        assert_eq!(look_for("/bin/sh", &places), Some("/bin/sh".into()), "a whole path is that file");
    }
}
