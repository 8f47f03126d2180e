//! Each way in which a container may not be what was asked for is seen.

use std::{path::Path, time::Duration};

use super::*;
use crate::{
    host::{CgroupVersion, Machine},
    scenario, spec,
};

/// What was asked for: a podman container with a uidmap, a read-only volume, a limit, no-new-privileges.
fn asked() -> Spec {
    let text = "title: A claim\ncontainer:\n  preset: podman\n  uidmap: [\"0:2000:1000\"]\n  volumes: [\"/etc:/mnt:ro\"]\n  \
        ulimits: {nofile: 64}\n  security_opt: [no-new-privileges]\n  read_only: true\nsteps:\n  - inspect: {uid: 0}\n";
    let scenario = scenario::load("test", Path::new("test.yaml"), text).expect("valid");
    let machine = Machine {
        kernel: String::new(),
        uid: 0,
        kernel_capabilities: CapSet::KNOWN,
        bounding: CapSet::KNOWN,
        effective: CapSet::KNOWN,
        cgroup: CgroupVersion::V1,
        userns: true,
        trust_host: false,
    };
    spec::job(&scenario.cases[0], &machine, Duration::from_secs(1)).expect("resolved").containers.remove(0).spec
}

/// What a kernel gives who gives all of it.
fn given(spec: &Spec) -> ProcessFacts {
    let set = CapSet(0x8004_05fb);
    let map = vec![IdMap { inside: 0, outside: 2000, count: 1000 }];
    let new = [Namespace::Ipc, Namespace::Mount, Namespace::Network, Namespace::Pid, Namespace::User, Namespace::Uts];
    let mut mounts = vec![Mount { target: "/".into(), options: vec!["ro".into()], ..Mount::default() }];
    for mount in spec.mounts().iter().flatten() {
        mounts.push(Mount {
            target: mount.destination().display().to_string(),
            options: mount.options().clone().unwrap_or_default(),
            fstype: mount.typ().clone().unwrap_or_default(),
            root: "/".into(),
            ..Mount::default()
        });
    }
    let linux = spec.linux().clone().expect("linux");
    for path in linux.readonly_paths().iter().chain(linux.masked_paths()).flatten() {
        mounts.push(Mount {
            target: path.clone(),
            options: vec!["ro".into()],
            fstype: "tmpfs".into(),
            ..Mount::default()
        });
    }
    ProcessFacts {
        uid: 2000,
        gid: 2000,
        groups: Vec::new(),
        capabilities: CapSets { permitted: set, effective: set, bounding: set, ..CapSets::default() },
        no_new_privs: true,
        seccomp: Seccomp::Filter,
        uid_map: map.clone(),
        gid_map: map,
        namespaces: new
            .map(|one| (one, NamespaceState::New))
            .into_iter()
            .chain([(Namespace::Cgroup, NamespaceState::Host), (Namespace::Time, NamespaceState::Host)])
            .collect(),
        mounts,
        limits: vec![super::super::Limit { name: "nofile", soft: 64, hard: 64 }],
        ..ProcessFacts::default()
    }
}

#[test]
fn what_is_as_asked_for_has_no_deviation() {
    let spec = asked();
    assert_eq!(deviations(&spec, &given(&spec)), Vec::<String>::new());
}

/// What one change of the facts makes the comparison say.
fn said(change: impl Fn(&mut ProcessFacts)) -> String {
    let spec = asked();
    let mut facts = given(&spec);
    change(&mut facts);
    deviations(&spec, &facts).join("; ")
}

fn mount<'a>(facts: &'a mut ProcessFacts, target: &str) -> &'a mut Mount {
    facts.mounts.iter_mut().find(|mount| mount.target == target).expect("a mount")
}

#[test]
fn each_deviation_is_seen() {
    let net_admin = CapSet(1 << 12);
    for (what, said) in [
        ("uid 0 (the host's 2000), the kernel gave the host's 0", said(|facts| facts.uid = 0)),
        ("gid 0 (the host's 2000), the kernel gave the host's 5", said(|facts| facts.gid = 5)),
        ("supplementary groups", said(|facts| facts.groups = vec![0])),
        (
            "CAP_NET_ADMIN in the bounding set, which was not asked for",
            said(|facts| {
                facts.capabilities.bounding = facts.capabilities.bounding.union(net_admin);
            }),
        ),
        (
            "CAP_KILL in the effective set, the kernel did not give it",
            said(|facts| {
                facts.capabilities.effective = facts.capabilities.effective.difference(CapSet(1 << 5));
            }),
        ),
        ("inheritable set", said(|facts| facts.capabilities.inheritable = net_admin)),
        ("ambient set", said(|facts| facts.capabilities.ambient = net_admin)),
        ("no_new_privs true, the kernel gave false", said(|facts| facts.no_new_privs = false)),
        ("seccomp filter, the kernel gave disabled", said(|facts| facts.seccomp = Seccomp::Disabled)),
        ("uid_map \"0 2000 1000\", the kernel gave \"0 2000 1001\"", said(|facts| facts.uid_map[0].count = 1001)),
        ("gid_map", said(|facts| facts.gid_map[0].outside = 0)),
        ("pid namespace, the process is in the host's", said(|facts| facts.namespaces[3].1 = NamespaceState::Host)),
        (
            "cgroup namespace of its own, which was not asked for",
            said(|facts| facts.namespaces[6].1 = NamespaceState::New),
        ),
        (
            "/mnt ro, the kernel gave rbind,rw",
            said(|facts| mount(facts, "/mnt").options = vec!["rbind".into(), "rw".into()]),
        ),
        ("mount at /mnt, there is none", said(|facts| facts.mounts.retain(|mount| mount.target != "/mnt"))),
        ("/proc nosuid", said(|facts| mount(facts, "/proc").options.retain(|word| word != "nosuid"))),
        ("root that is read-only", said(|facts| mount(facts, "/").options = vec!["rw".into()])),
        (
            "/proc/sys read-only, it is as the kernel has it",
            said(|facts| facts.mounts.retain(|mount| mount.target != "/proc/sys")),
        ),
        ("limit nofile 64:64, the kernel gave 64:128", said(|facts| facts.limits[0].hard = 128)),
    ] {
        assert!(said.contains(what), "{what:?} is not in {said:?}");
    }
}
