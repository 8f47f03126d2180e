//! Whose namespaces a container is in, and what comes with them: its host name, its /dev/shm, its network's sysctls.

use std::path::Path;

use caplab_init::wire::{IdMap, Namespace, SharedMemory};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Mount};

use super::{Unresolvable, maps, preset::Facts};
use crate::{
    engine::{CONTAINER_ROOT, SHARED_MEMORY_ROOT},
    scenario::model::{CgroupNamespace, Container, Host, OwnIpc, Owner, Preset},
};

/// The containers of a case, each after those whose namespaces it shares.
pub(super) type Siblings<'a> = &'a [Container];

/// Whose a namespace is in the end: of a container that shares that of one that shares it itself, the last one's.
pub(super) fn owner<'a>(container: &'a Container, which: Namespace, siblings: Siblings<'a>) -> &'a Owner {
    let direct = container.sharing.owner(which);
    match direct {
        Owner::Container(name) => match siblings.iter().find(|one| one.name == *name) {
            Some(next) if *next.sharing.owner(which) != Owner::Own => owner(next, which, siblings),
            _ => direct,
        },
        _ => direct,
    }
}

/// Those that are not the host's, one that is another container's by its path. `own_cgroup` is what the preset has.
pub(super) fn all(container: &Container, siblings: Siblings<'_>, own_cgroup: bool) -> Vec<LinuxNamespace> {
    let shared = [
        (LinuxNamespaceType::Network, Namespace::Network, "net"),
        (LinuxNamespaceType::Uts, Namespace::Uts, "uts"),
        (LinuxNamespaceType::Pid, Namespace::Pid, "pid"),
        (LinuxNamespaceType::Ipc, Namespace::Ipc, "ipc"),
    ];
    let mut found = vec![namespace(LinuxNamespaceType::Mount, None)];
    for (typ, which, link) in shared {
        match owner(container, which, siblings) {
            Owner::Own => found.push(namespace(typ, None)),
            Owner::Container(name) => found.push(namespace(typ, Some(format!("{CONTAINER_ROOT}/{name}/ns/{link}")))),
            Owner::Host => {}
        }
    }
    if container.has_user_namespace() {
        found.push(namespace(LinuxNamespaceType::User, None));
    }
    let own_cgroup = match container.sharing.cgroup {
        Some(CgroupNamespace::Private) => true,
        Some(CgroupNamespace::Host) => false,
        None => own_cgroup,
    };
    if own_cgroup {
        found.push(namespace(LinuxNamespaceType::Cgroup, None));
    }
    found
}

fn namespace(typ: LinuxNamespaceType, path: Option<String>) -> LinuxNamespace {
    let mut namespace = LinuxNamespace::default();
    namespace.set_typ(typ).set_path(path.map(Into::into));
    namespace
}

/// Its host name: what $HOSTNAME says. In docker's network of another container it is that one's, in the host's network the
/// host's (moby, daemon/container_operations.go initializeNetworking; measured); podman has the latter only.
pub(super) fn hostname(container: &Container, siblings: Siblings<'_>) -> String {
    if let Some(name) = &container.hostname {
        return name.clone();
    }
    let is_docker = matches!(container.preset, Preset::Docker | Preset::Docker20_10_13);
    match &container.sharing.network {
        Owner::Container(name) if is_docker => match siblings.iter().find(|one| one.name == *name) {
            Some(owner) => hostname(owner, siblings),
            None => container.name.clone(),
        },
        Owner::Host if container.sharing.uts == Owner::Own => {
            std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim_end().to_owned()
        }
        _ => container.name.clone(),
    }
}

/// Whether a sysctl may be set: one of a network that is not the container's own is not (measured in config.json).
pub(super) fn may_set(container: &Container, sysctl: &str) -> bool {
    container.sharing.network == Owner::Own || !sysctl.starts_with("net.")
}

/// Its /dev/shm where that is not the preset's alone.
pub(super) fn shm(container: &Container, mounts: &mut Vec<Mount>, siblings: Siblings<'_>) {
    let at = |mount: &Mount| mount.destination() == Path::new("/dev/shm") && mount.typ().as_deref() == Some("tmpfs");
    let Some(place) = mounts.iter().position(at) else { return };
    let source = match owner(container, Namespace::Ipc, siblings) {
        Owner::Own if container.sharing.own_ipc == OwnIpc::None => {
            mounts.remove(place);
            return;
        }
        Owner::Own if !is_joined(container, siblings) => return,
        Owner::Own => format!("{SHARED_MEMORY_ROOT}/{}", container.name),
        Owner::Container(name) => format!("{SHARED_MEMORY_ROOT}/{name}"),
        Owner::Host => "/dev/shm".to_owned(),
    };
    let mut options = vec!["rbind", "rw"];
    // Of the host's docker takes what the host has; podman hardens it (measured).
    if source != "/dev/shm" || container.preset == Preset::Podman {
        options.extend(["nosuid", "noexec", "nodev"]);
    }
    let mut mount = Mount::default();
    mount
        .set_destination("/dev/shm".into())
        .set_typ(Some("bind".to_owned()))
        .set_source(Some(source.into()))
        .set_options(Some(options.into_iter().map(str::to_owned).collect()));
    mounts[place] = mount;
}

/// What other containers of the case have as their /dev/shm too: with the options of its owner's preset.
pub(super) fn shared_memory(
    container: &Container,
    host: &Host,
    facts: &Facts,
    siblings: Siblings<'_>,
) -> Result<Option<SharedMemory>, Unresolvable> {
    let Some(fact) = facts.mounts.iter().find(|fact| fact.target == "/dev/shm") else { return Ok(None) };
    if container.sharing.ipc != Owner::Own || !is_joined(container, siblings) {
        return Ok(None);
    }
    let options = fact.options.iter().filter(|word| word.contains('=')).map(|word| match container.shm_size {
        Some(bytes) if word.starts_with("size=") => format!("size={bytes}"),
        _ => (*word).to_owned(),
    });
    let options: Vec<String> = options.collect();
    let (uids, gids) = maps(container, host)?;
    let root = |map: &[IdMap]| map.iter().find(|line| line.inside == 0).map_or(0, |line| line.outside);
    Ok(Some(SharedMemory {
        name: container.name.clone(),
        options: options.join(","),
        owner: (root(&uids), root(&gids)),
    }))
}

/// Whether another container is in its IPC namespace.
fn is_joined(container: &Container, siblings: Siblings<'_>) -> bool {
    siblings.iter().any(|one| *owner(one, Namespace::Ipc, siblings) == Owner::Container(container.name.clone()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        capability::CapSet,
        engine::Job,
        host::{CgroupVersion, Cgroups, Machine},
        scenario,
    };

    fn job(containers: &str) -> Job {
        let text = format!("title: A claim\ncontainers:\n{containers}steps:\n  - in: b\n    inspect: {{uid: 0}}\n");
        let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
        let machine = Machine {
            kernel: "6.18.0".to_owned(),
            uid: 0,
            kernel_capabilities: CapSet::KNOWN,
            bounding: CapSet::KNOWN,
            effective: CapSet::KNOWN,
            cgroups: Cgroups::Told(CgroupVersion::V1, Box::default()),
            lab: crate::host::LabHost::machine(),
            obstacle: None,
            userns: true,
            trust_host: false,
        };
        crate::spec::job(&scenario.cases[0], &machine, Duration::from_secs(1)).expect("resolved")
    }

    /// Its namespaces with a path, host name and sysctls of the network.
    fn of(job: &Job, name: &str) -> (Vec<String>, Option<String>, usize) {
        let spec = &job.containers.iter().find(|one| one.name == name).expect("there").spec;
        let linux = spec.linux().clone().expect("linux");
        let paths = linux.namespaces().iter().flatten().filter_map(|one| one.path().clone());
        let sysctls = linux.sysctl().iter().flatten().filter(|(name, _)| name.starts_with("net.")).count();
        (paths.map(|path| path.display().to_string()).collect(), spec.hostname().clone(), sysctls)
    }

    fn shm(job: &Job, name: &str) -> Option<String> {
        let spec = &job.containers.iter().find(|one| one.name == name).expect("there").spec;
        let found = spec.mounts().iter().flatten().find(|mount| mount.destination() == Path::new("/dev/shm"))?;
        Some(found.source().as_ref().expect("a source").display().to_string())
    }

    #[test]
    fn the_owner_is_named_whoever_was_asked() {
        let job = job("  c: {pid: \"container:b\"}\n  b: {pid: \"container:a\"}\n  a: {}\n");
        let names: Vec<_> = job.containers.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        for name in ["b", "c"] {
            assert_eq!(of(&job, name).0, ["/run/caplab/containers/a/ns/pid"]);
        }
    }

    #[test]
    fn in_anothers_network_docker_gives_its_name_and_sets_no_sysctl() {
        let docker = job("  a: {hostname: app}\n  b: {network_mode: \"container:a\"}\n");
        assert_eq!(of(&docker, "b"), (vec!["/run/caplab/containers/a/ns/net".to_owned()], Some("app".to_owned()), 0));
        assert_eq!(of(&docker, "a").2, 2);
        let podman =
            job("  a: {preset: podman, hostname: app}\n  b: {preset: podman, network_mode: \"container:a\"}\n");
        assert_eq!(of(&podman, "b").1.as_deref(), Some("b"));
    }

    #[test]
    fn in_anothers_uts_namespace_there_is_no_name_to_set() {
        let job = job("  a: {}\n  b: {uts: \"container:a\"}\n");
        assert_eq!(of(&job, "b"), (vec!["/run/caplab/containers/a/ns/uts".to_owned()], None, 2));
    }

    #[test]
    fn shared_memory_is_the_owners() {
        let shared = job(
            "  a: {preset: podman, uidmap: [\"0:2000:9\"]}\n  b: {preset: podman, ipc: \"container:a\"}\n  c: {preset: podman}\n",
        );
        for name in ["a", "b"] {
            assert_eq!(shm(&shared, name).as_deref(), Some("/run/caplab/shm/a"));
        }
        assert_eq!(shm(&shared, "c").as_deref(), Some("shm"));
        let [memory] = &shared.shared_memory[..] else { panic!("{:?}", shared.shared_memory) };
        assert_eq!((memory.name.as_str(), memory.owner), ("a", (2000, 2000)));
        assert!(memory.options.contains("mode=1777") && memory.options.contains("size="), "{}", memory.options);
        let own = job("  a: {ipc: none}\n  b: {ipc: host}\n");
        assert_eq!((shm(&own, "a"), shm(&own, "b").as_deref(), own.shared_memory.len()), (None, Some("/dev/shm"), 0));
    }
}
