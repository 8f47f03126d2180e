//! What docker and podman cannot be asked for. Each reason is a row of docs/fidelity.md.

use std::fs;

use super::{command_line::Dialect, init};
use crate::{
    host::Machine,
    scenario::model::{Case, Container, OwnIpc, Owner, Preset, Volume},
};

/// Why a case cannot be put to this engine on this machine; `None` where it can.
pub(super) fn inexpressible(dialect: Dialect, case: &Case, machine: &Machine) -> Option<String> {
    if case.host.disk.is_some() {
        return Some(
            "the fixture host's disk is a loop device of the lab host's, which nothing but a lab host gives back"
                .to_owned(),
        );
    }
    if case.host.socket.is_some() {
        return Some("the daemon at the fixture host's socket is a process of the lab host's".to_owned());
    }
    let found = case.containers.iter().find_map(|container| {
        preset(dialect, container)
            .or_else(|| system_paths(dialect, container))
            .or_else(|| maps(dialect, container))
            .or_else(|| uts(dialect, container))
            .or_else(|| tmpfs(dialect, container))
            .or_else(|| processors(dialect, container))
            .or_else(|| shm(dialect, container))
            .or_else(|| covered_init(dialect, container))
            .or_else(|| grants(dialect, container, machine))
            .or_else(|| propagation(container))
    });
    found.map(str::to_owned)
}

fn preset(dialect: Dialect, container: &Container) -> Option<&'static str> {
    match (dialect, container.preset) {
        (Dialect::Docker, Preset::Docker) | (Dialect::Podman, Preset::Docker | Preset::Podman) => None,
        (_, Preset::Bare) => Some("it has no flags for a container without masks and a /dev of its own (preset bare)"),
        (_, Preset::Kubernetes) => Some("a pod's containers are a kubelet's (preset kubernetes)"),
        (_, Preset::Docker20_10_13) => Some("only docker before 20.10.14 fills the inheritable set"),
        (Dialect::Docker, Preset::Podman) => {
            Some("docker has no flags for podman's masked paths and ambient capabilities")
        }
    }
}

fn system_paths(dialect: Dialect, container: &Container) -> Option<&'static str> {
    let paths = &container.system_paths;
    let each = !(paths.mask.is_empty() && paths.unmask.is_empty());
    (each && dialect == Dialect::Docker).then_some("docker masks all of its paths or none: it has no mask= and unmask=")
}

fn maps(dialect: Dialect, container: &Container) -> Option<&'static str> {
    let own = !(container.uidmap.is_empty() && container.gidmap.is_empty());
    (own && dialect == Dialect::Docker)
        .then_some("docker has one user namespace for the whole daemon (userns-remap), none per container")
}

fn uts(dialect: Dialect, container: &Container) -> Option<&'static str> {
    let shared = matches!(container.sharing.uts, Owner::Container(_));
    (shared && dialect == Dialect::Docker).then_some("docker shares no UTS namespace between containers")
}

fn tmpfs(dialect: Dialect, container: &Container) -> Option<&'static str> {
    let unknown = ["uid=", "gid=", "nr_inodes=", "noatime", "strictatime"];
    let asked = container.tmpfs.iter().flat_map(|one| &one.options);
    let asks = asked.into_iter().any(|word| unknown.iter().any(|key| word.starts_with(key)));
    (asks && dialect == Dialect::Podman)
        .then_some("podman knows no uid=, gid=, nr_inodes=, noatime and strictatime of a tmpfs")
}

/// dockerd and conmon bind what lies on the real machine, and a mount that is shared there would show the container's.
fn propagation(container: &Container) -> Option<&'static str> {
    let beyond = container.volumes.iter().any(Volume::propagates);
    beyond.then_some(
        "it would take a mount of the real machine that is shared, and a container's mounts would appear there",
    )
}

fn shm(dialect: Dialect, container: &Container) -> Option<&'static str> {
    let none = container.sharing.own_ipc == OwnIpc::None && container.shm_size.is_some();
    (none && dialect == Dialect::Podman).then_some("podman refuses a shm_size where there is no /dev/shm (`ipc: none`)")
}

fn covered_init(dialect: Dialect, container: &Container) -> Option<&'static str> {
    let covered = container.init && init::is_covered(dialect, container);
    covered.then_some(
        "its init is a file of the container (`/sbin/docker-init`, `/run/podman-init`), and a mount lies there",
    )
}

fn processors(dialect: Dialect, container: &Container) -> Option<&'static str> {
    let asked = container.resources.nano_cpus.filter(|_| dialect == Dialect::Docker)?;
    // moby, daemon/daemon_unix.go verifyPlatformContainerResources.
    let online = fs::read_to_string("/proc/stat").ok()?;
    let online = online.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    (asked > online as u64 * 1_000_000_000).then_some("docker gives no more processors (`cpus`) than the machine has")
}

fn grants(dialect: Dialect, container: &Container, machine: &Machine) -> Option<&'static str> {
    let everything = container.privileged || container.cap_add.all;
    let missing = !machine.kernel_capabilities.difference(machine.bounding).is_empty();
    match dialect {
        Dialect::Docker if everything && missing => {
            Some("docker asks for every capability of the kernel, and this machine's root lacks some")
        }
        _ if !container.cap_add.named.difference(machine.bounding).is_empty() => {
            Some("no flag gives a capability that this machine's root lacks, not even in a user namespace")
        }
        Dialect::Podman
            if container.preset == Preset::Docker && container.may_be_a_user() && !container.cap_add.is_empty() =>
        {
            Some("podman gives an ordinary user what is added as ambient capabilities, docker does not")
        }
        Dialect::Podman if container.cap_add.all && container.cap_drop.all && !container.privileged => {
            Some("podman refuses ALL in `cap_add` and in `cap_drop`; docker adds last")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_podman_refuses_is_not_asked_of_it() {
        let machine = Machine::probe(false);
        let said = |container: &str| {
            let text = format!("title: A claim\ncontainer: {{{container}}}\nsteps:\n  - inspect: {{uid: 0}}\n");
            let scenario = crate::scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
            inexpressible(Dialect::Podman, &scenario.cases[0], &machine).unwrap_or_default()
        };
        for word in ["noatime", "strictatime", "uid="] {
            let asked = format!("tmpfs: [\"/x:{word}{}\"]", if word.ends_with('=') { "1" } else { "" });
            assert!(said(&asked).contains(word), "{word}");
        }
        assert_eq!(said("tmpfs: [\"/x:nosuid\"]"), "");
        assert!(said("cap_add: [ALL], user: \"1000\"").contains("ambient"));
        assert!(said("cap_add: [ALL], cap_drop: [ALL]").contains("refuses ALL"));
        assert_eq!(said("cap_add: [ALL], cap_drop: [KILL]"), "");
        assert_eq!(said("preset: podman, cap_add: [ALL], user: \"1000\""), "");
    }
}
