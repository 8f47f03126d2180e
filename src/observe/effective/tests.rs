//! Each way in which a container may not be what was asked for is seen.

use std::{path::Path, time::Duration};

use super::*;
use crate::{
    host::{CgroupVersion, Cgroups, Controllers, Machine},
    observe::{Cpu, Resources},
    scenario, spec,
};

/// What was asked for: a podman container with a uidmap, a read-only volume, limits, no-new-privileges.
fn asked() -> Spec {
    let text = "title: A claim\ncontainer:\n  preset: podman\n  uidmap: [\"0:2000:1000\"]\n  volumes: [\"/etc:/mnt:ro\"]\n  \
        ulimits: {nofile: 64}\n  pids_limit: 16\n  mem_limit: 64m\n  cpus: 0.5\n  security_opt: [no-new-privileges]\n  read_only: true\nsteps:\n  - inspect: {uid: 0}\n";
    let scenario = scenario::load("test", Path::new("test.yaml"), text).expect("valid");
    let machine = Machine {
        kernel: String::new(),
        uid: 0,
        kernel_capabilities: CapSet::KNOWN,
        bounding: CapSet::KNOWN,
        effective: CapSet::KNOWN,
        cgroups: Cgroups::Told(CgroupVersion::V1, Box::new(Controllers::all())),
        userns: true,
        trust_host: false,
        lab: crate::host::LabHost::machine(),
        obstacle: None,
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
            super_options: mount.options().clone().unwrap_or_default(),
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
        resources: Some(Resources {
            pids: Some(16),
            memory: Some(64 << 20),
            swap: Some(128 << 20),
            cpu: Some(Cpu { quota: 50_000, period: 100_000 }),
        }),
        namespaces: new
            .map(|one| (one, NamespaceState::New))
            .into_iter()
            .chain([(Namespace::Cgroup, NamespaceState::Host), (Namespace::Time, NamespaceState::Host)])
            .collect(),
        sysctls: Some(vec![("net.ipv4.ping_group_range".to_owned(), "2000\t2000".to_owned())]),
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

/// The same of the limits of control groups.
fn limited(change: impl Fn(&mut Resources)) -> String {
    said(|facts| change(facts.resources.as_mut().expect("limits")))
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
            "sysctl net.ipv4.ping_group_range=2000 2000, the kernel has \"1 0\"",
            said(|facts| facts.sysctls = Some(vec![("net.ipv4.ping_group_range".to_owned(), "1\t0".to_owned())])),
        ),
        ("sysctl net.ipv4.ping_group_range=2000 2000", said(|facts| facts.sysctls = Some(Vec::new()))),
        ("/mnt rprivate, the kernel has it shared", said(|facts| mount(facts, "/mnt").peers = Peers::Shared)),
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
        (
            "a pid namespace of its own, the process is in the host's pid namespace",
            said(|facts| facts.namespaces[3].1 = NamespaceState::Host),
        ),
        (
            "the host's cgroup namespace, the process is in a cgroup namespace of its own",
            said(|facts| facts.namespaces[6].1 = NamespaceState::New),
        ),
        (
            "an ipc namespace of its own, the process is in the ipc namespace of container a",
            said(|facts| facts.namespaces[0].1 = NamespaceState::Container("a".to_owned())),
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
        (
            "asked for 65536000 bytes at /dev/shm, the kernel gave 1048576",
            said(|facts| mount(facts, "/dev/shm").super_options = vec!["rw".into(), "size=1024k".into()]),
        ),
        ("/dev/shm, the kernel gave no limit", said(|facts| mount(facts, "/dev/shm").super_options.clear())),
        ("limit nofile 64:64, the kernel gave 64:128", said(|facts| facts.limits[0].hard = 128)),
        ("limit of processes 16, the kernel has none", said(|facts| facts.resources = None)),
        ("limit of processes 16, the kernel has none", limited(|limits| limits.pids = Some(u64::MAX))),
        ("limit of processes 16, the kernel has 17", limited(|limits| limits.pids = Some(17))),
        ("limit of memory 67108864, the kernel has 67000000", limited(|limits| limits.memory = Some(67_000_000))),
        ("memory and swap 134217728, the kernel has none", limited(|limits| limits.swap = Some(u64::MAX))),
        (
            "asked for 50000 of 100000 microseconds of processor time, the kernel has no limit",
            limited(|limits| limits.cpu = None),
        ),
    ] {
        assert!(said.contains(what), "{what:?} is not in {said:?}");
    }
}

#[test]
fn a_limit_that_was_not_asked_for_is_seen() {
    let mut spec = asked();
    let facts = given(&spec);
    let mut linux = spec.linux().clone().expect("linux");
    linux.set_resources(None);
    spec.set_linux(Some(linux));
    let said = deviations(&spec, &facts).join("; ");
    for what in [
        "no limit of processor time, the kernel has 50000",
        "processes none, the kernel has 16",
        "memory none, the kernel has",
    ] {
        assert!(said.contains(what), "{what:?} is not in {said:?}");
    }
}

#[test]
fn a_range_of_groups_is_as_the_host_numbers_it_and_an_empty_one_is_nobodys() {
    let map = [IdMap { inside: 0, outside: 2000, count: 1000 }];
    assert_eq!(group_range("0\t999", &map), ["2000 2999"]);
    assert_eq!(group_range("0 2147483647", &[]), ["0 2147483647"]);
    assert_eq!(group_range("1 0", &map), ["1 0", "65534 65534"]);
    // What the map does not have the kernel refuses to be told.
    assert_eq!(group_range("0 1000", &map), ["0 1000"]);
}
