//! Presets against what real engines report: docker 20.10.24 and podman 4.3.1 with runc 1.1.5 on Debian 12.

use std::{path::Path, time::Duration};

use oci_spec::runtime::{Capabilities, LinuxNamespaceType, Process};

use super::*;
use crate::{
    capability::CapSet,
    host::{Cgroups, Controllers},
    observe::CapSets,
    scenario::{self, model::VolumeSource},
};

/// A machine whose root has all but CAP_SYS_RESOURCE, as the one that was recorded.
fn machine() -> Machine {
    Machine {
        kernel: "6.18.0".to_owned(),
        uid: 0,
        kernel_capabilities: CapSet::KNOWN,
        bounding: CapSet(0x1ff_feff_ffff),
        effective: CapSet(0x1ff_feff_ffff),
        cgroups: Cgroups::Told(CgroupVersion::V1, Box::default()),
        userns: true,
        trust_host: false,
        lab: crate::host::LabHost::machine(),
        obstacle: None,
    }
}

fn resolve(container: &str, steps: &str) -> Job {
    let text = format!("title: A claim\ncontainer: {{{container}}}\nsteps:\n{steps}");
    let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
    job(&scenario.cases[0], &machine(), Duration::from_secs(1)).expect("resolved")
}

fn container(keys: &str) -> ContainerJob {
    resolve(keys, "  - inspect: {uid: 0}\n").containers.remove(0)
}

fn sets(process: &Process) -> CapSets {
    let capabilities = process.capabilities().clone().expect("sets");
    let set = |names: &Option<Capabilities>| names.iter().flatten().collect::<CapSet>();
    CapSets {
        inheritable: set(capabilities.inheritable()),
        permitted: set(capabilities.permitted()),
        effective: set(capabilities.effective()),
        bounding: set(capabilities.bounding()),
        ambient: set(capabilities.ambient()),
    }
}

fn own(keys: &str) -> Process {
    container(keys).spec.process().clone().expect("a process")
}

fn masks(inheritable: u64, permitted: u64, bounding: u64, ambient: u64) -> CapSets {
    CapSets {
        inheritable: CapSet(inheritable),
        permitted: CapSet(permitted),
        effective: CapSet(permitted),
        bounding: CapSet(bounding),
        ambient: CapSet(ambient),
    }
}

#[test]
fn default_sets_are_the_recorded_ones() {
    assert_eq!(sets(&own("preset: docker")), masks(0, 0xa804_25fb, 0xa804_25fb, 0));
    assert_eq!(sets(&own("preset: podman")), masks(0, 0x8004_05fb, 0x8004_05fb, 0));
    assert_eq!(sets(&own("preset: docker-20.10.13")), masks(0xa804_25fb, 0xa804_25fb, 0xa804_25fb, 0));
    assert_eq!(sets(&own("preset: bare")), masks(0, 0x1ff_feff_ffff, 0x1ff_feff_ffff, 0));
}

#[test]
fn what_is_added_and_dropped_is_the_recorded() {
    assert_eq!(sets(&own("cap_add: [NET_ADMIN]")), masks(0, 0xa804_35fb, 0xa804_35fb, 0));
    assert_eq!(sets(&own("preset: podman, cap_add: [NET_ADMIN]")), masks(0, 0x8004_15fb, 0x8004_15fb, 0));
    assert_eq!(sets(&own("privileged: true")), masks(0, 0x1ff_feff_ffff, 0x1ff_feff_ffff, 0));
    assert_eq!(sets(&own("cap_drop: [ALL], cap_add: [KILL]")), masks(0, 1 << 5, 1 << 5, 0));
    assert_eq!(sets(&own("cap_add: [ALL], cap_drop: [KILL]")).bounding, CapSet(0x1ff_feff_ffff & !(1 << 5)));
}

#[test]
fn a_user_has_what_was_recorded() {
    let user = "user: \"6667:6667\"";
    assert_eq!(sets(&own(user)), masks(0, 0, 0xa804_25fb, 0));
    assert_eq!(sets(&own(&format!("{user}, cap_add: [NET_ADMIN]"))), masks(0, 0, 0xa804_35fb, 0));
    assert_eq!(
        sets(&own(&format!("preset: podman, {user}, cap_add: [NET_ADMIN]"))),
        masks(0x1000, 0x1000, 0x8004_15fb, 0x1000)
    );
    // ALL is what the machine has, and what was dropped stays among it: podman 4.3.1 with runc, "unable to apply caps".
    let all = |set: u64, bounding: u64| masks(set, set, bounding, set);
    let machine = 0x1ff_feff_ffff;
    assert_eq!(sets(&own(&format!("preset: podman, {user}, cap_add: [ALL]"))), all(machine, machine));
    assert_eq!(
        sets(&own(&format!("preset: podman, {user}, cap_add: [ALL], cap_drop: [SYS_ADMIN, SYS_RESOURCE]"))),
        all(machine, machine & !(1 << 21))
    );
    assert_eq!(sets(&own(&format!("preset: podman, {user}, cap_add: [ALL], privileged: true"))), all(machine, machine));
    assert_eq!(sets(&own(&format!("{user}, cap_add: [ALL]"))), masks(0, 0, machine, 0));
    assert_eq!(own(user).user().additional_gids(), &Some(vec![6667]));
    assert_eq!(own("preset: docker").user().additional_gids(), &Some(vec![0]));
    assert_eq!(own("preset: podman").user().additional_gids(), &Some(vec![]));
    assert_eq!(own("user: \"6667\"").user().gid(), 0);
    assert_eq!((own("user: nobody").user().uid(), own("user: nobody").user().gid()), (65534, 65534));
}

#[test]
fn exec_gives_what_each_engine_gives() {
    let exec = |keys: &str| {
        let job = resolve(keys, "  - inspect: {uid: 0}\n    as: \"7:7\"\n  - inspect: {uid: 0}\n    as: root\n");
        let process = |index: usize| match &job.steps[index].kind {
            StepJobKind::Exec { process, .. } => sets(process),
            other => panic!("{other:?}"),
        };
        (process(0), process(1))
    };
    // docker hands the container's sets on; the kernel clears them at setresuid(2) and execve(2).
    assert_eq!(exec("preset: docker"), (masks(0, 0xa804_25fb, 0xa804_25fb, 0), masks(0, 0xa804_25fb, 0xa804_25fb, 0)));
    assert_eq!(exec("user: \"9:9\"").1, masks(0, 0, 0xa804_25fb, 0));
    assert_eq!(
        exec("preset: podman, user: \"9:9\", cap_add: [NET_ADMIN]"),
        (masks(0, 0, 0x8004_15fb, 0), masks(0, 0x8004_15fb, 0x8004_15fb, 0))
    );
}

#[test]
fn mounts_are_in_the_recorded_order() {
    let targets = |keys: &str| -> Vec<String> {
        let spec = container(keys).spec;
        spec.mounts().iter().flatten().map(|mount| mount.destination().display().to_string()).collect()
    };
    assert_eq!(targets("preset: docker"), ["/proc", "/dev", "/dev/pts", "/sys", "/dev/mqueue", "/dev/shm"]);
    assert_eq!(targets("preset: podman"), ["/proc", "/dev", "/sys", "/dev/pts", "/dev/mqueue", "/dev/shm"]);
    assert_eq!(targets("volumes: [\"/etc:/mnt/a/b\", \"/srv:/mnt\"]")[6..], ["/mnt", "/mnt/a/b"]);
}

/// podman 4.3.1, pkg/util/mountOpts.go and pkg/specgenutil/volumes.go.
#[test]
fn podman_has_what_a_tmpfs_covers_copied() {
    let options = |keys: &str, target: &str| -> Vec<String> {
        let mounts = container(keys).spec.mounts().clone().unwrap_or_default();
        let found = mounts.into_iter().find(|mount| mount.destination() == Path::new(target)).expect("a mount");
        found.options().clone().unwrap_or_default()
    };
    let asked = "tmpfs: [\"/srv:size=1m,exec\"], read_only: true";
    let podman = format!("preset: podman, {asked}");
    assert_eq!(options(&podman, "/srv"), ["nosuid", "nodev", "tmpcopyup", "size=1m", "exec"]);
    assert_eq!(options(&podman, "/run"), ["nosuid", "nodev", "tmpcopyup"]);
    // It refuses a word that is there twice.
    assert_eq!(options("preset: podman, tmpfs: [\"/srv:nosuid\"]", "/srv"), ["nodev", "tmpcopyup", "nosuid"]);
    for preset in ["docker", "kubernetes", "bare"] {
        let options = options(&format!("preset: {preset}, {asked}"), "/srv");
        assert!(!options.contains(&"tmpcopyup".to_owned()), "{preset}: {options:?}");
    }
    // /dev and /dev/shm are the engine's own.
    assert!(!options("preset: podman", "/dev/shm").contains(&"tmpcopyup".to_owned()));
}

#[test]
fn a_privileged_container_has_no_covers() {
    let covers = |keys: &str| {
        let linux = container(keys).spec.linux().clone().expect("linux");
        (
            linux.readonly_paths().clone().unwrap_or_default().len(),
            linux.masked_paths().clone().unwrap_or_default().len(),
        )
    };
    assert_eq!(covers("preset: docker"), (5, 10));
    assert_eq!(covers("preset: podman"), (6, 11));
    assert_eq!(covers("privileged: true"), (0, 0));
    let sys = |keys: &str| {
        let spec = container(keys).spec;
        let mounts = spec.mounts().clone().unwrap_or_default();
        let sys = mounts.into_iter().find(|mount| mount.destination() == Path::new("/sys")).expect("/sys");
        sys.options().iter().flatten().any(|word| word == "ro")
    };
    assert!(sys("preset: docker") && !sys("privileged: true"));
}

#[test]
fn a_user_namespace_comes_with_its_maps() {
    let spec = container("preset: podman, uidmap: [\"0:2000:1000\"]").spec;
    let linux = spec.linux().clone().expect("linux");
    let line = |maps: &Option<Vec<LinuxIdMapping>>| {
        maps.iter().flatten().map(|line| (line.container_id(), line.host_id(), line.size())).collect::<Vec<_>>()
    };
    assert_eq!(line(linux.uid_mappings()), [(0, 2000, 1000)]);
    assert_eq!(line(linux.gid_mappings()), [(0, 2000, 1000)]);
    assert!(linux.namespaces().iter().flatten().any(|one| one.typ() == LinuxNamespaceType::User));
    assert!(
        !container("preset: podman")
            .spec
            .linux()
            .clone()
            .expect("linux")
            .namespaces()
            .iter()
            .flatten()
            .any(|one| { one.typ() == LinuxNamespaceType::User || one.typ() == LinuxNamespaceType::Cgroup })
    );
}

/// A file that names what it does not have is no scenario; a case that something else made is asked for all the same.
fn refused(keys: &str, change: impl FnOnce(&mut Case)) -> String {
    let text = format!(
        "title: A claim\nhost: {{disks: {{decoy: {{at: /srv}}}}}}\ncontainer: {{{keys}}}\nsteps: [{{inspect: {{uid: 0}}}}]\n"
    );
    let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
    let mut case = scenario.cases[0].clone();
    assert!(job(&case, &machine(), Duration::from_secs(1)).is_ok());
    change(&mut case);
    job(&case, &machine(), Duration::from_secs(1)).expect_err("refused").to_string()
}

#[test]
fn what_is_not_there_cannot_be_asked_for() {
    let alice = refused("", |case| case.containers[0].user = "alice".parse().ok());
    assert!(alice.contains("no user `alice`"), "{alice}");
    let source = refused("volumes: [\"/etc:/mnt\"]", |case| {
        case.containers[0].volumes[0].source = VolumeSource::Fixture("/no/such".to_owned());
    });
    assert!(source.contains("/no/such is not there"), "{source}");
}

#[test]
fn the_hosts_disk_is_not_bound_into_a_user_namespace() {
    let map = IdMap { inside: 0, outside: 100_000, count: 65_536 };
    let said = refused("devices: [/dev/decoy]", |case| case.containers[0].uidmap = vec![map]);
    assert!(said.contains("in a user namespace"), "{said}");
}

#[test]
fn the_environment_is_the_recorded_one() {
    let env = |keys: &str| own(keys).env().clone().unwrap_or_default();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(env("hostname: lab"), [path, "HOSTNAME=lab", "HOME=/root"]);
    assert_eq!(
        env("preset: podman, hostname: lab"),
        [path, "HOSTNAME=lab", "HOME=/root", "TERM=xterm", "container=podman"]
    );
    assert!(env("environment: {HOME: /x}").contains(&"HOME=/x".to_owned()));
}

#[test]
fn limits_are_the_recorded_ones() {
    // With every controller that there can be, and with none.
    let mut with = machine();
    with.cgroups = Cgroups::Told(CgroupVersion::V1, Box::new(Controllers::all()));
    let limits = |keys: &str, machine: &Machine| {
        let text = format!("title: A claim\ncontainer: {{{keys}}}\nsteps:\n  - inspect: {{uid: 0}}\n");
        let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
        let job = job(&scenario.cases[0], machine, Duration::from_secs(1)).expect("resolved");
        let linux = job.containers[0].spec.linux().clone().expect("linux");
        let mut resources = linux.resources().clone().expect("resources");
        resources.set_devices(None);
        serde_json::to_value(resources).expect("JSON")
    };
    let pids = |limit: i64| serde_json::json!({"pids": {"limit": limit}});
    let none = serde_json::json!({});
    assert_eq!(limits("preset: docker", &with), none);
    assert_eq!(limits("preset: bare", &with), none);
    assert_eq!(limits("pids_limit: 16", &with), pids(16));
    assert_eq!(limits("pids_limit: -1", &with), none);
    assert_eq!(limits("preset: podman", &with), pids(2048));
    assert_eq!(limits("preset: podman, privileged: true", &with), pids(2048));
    assert_eq!(limits("preset: podman, pids_limit: 16", &with), pids(16));
    assert_eq!(limits("preset: podman, pids_limit: -1", &with), pids(0));
    assert_eq!(limits("preset: podman", &machine()), none, "what the kernel does not have is no default");
    let memory = |limit: u64, swap: Option<u64>| match swap {
        Some(swap) => serde_json::json!({"memory": {"limit": limit, "swap": swap}}),
        None => serde_json::json!({"memory": {"limit": limit}}),
    };
    assert_eq!(limits("mem_limit: 64m", &with), memory(67_108_864, Some(134_217_728)));
    assert_eq!(limits("mem_limit: 64m, memswap_limit: 100m", &with), memory(67_108_864, Some(104_857_600)));
    assert_eq!(limits("mem_limit: 64m, memswap_limit: -1", &with), memory(67_108_864, None));
    assert_eq!(limits("mem_limit: 1.5g", &machine()), memory(1_610_612_736, None));
    let cpu = |quota: u64| serde_json::json!({"cpu": {"quota": quota, "period": 100_000}});
    assert_eq!(limits("cpus: 0.5", &with), cpu(50_000));
    assert_eq!(limits("cpus: 1.25", &with), cpu(125_000));
    assert_eq!(limits("cpus: 0.333", &with), cpu(33_300));
}

#[test]
fn a_rootless_container_has_the_user_and_his_subordinate_ids() {
    let text = |user: &str| {
        format!(
            "title: A claim\nhost: {{users: {{service: 999, ann: 1001, bob: 1002}}}}\ncontainer: {{rootless: {user}}}\nsteps:\n  \
             - inspect: {{uid: 0}}\n"
        )
    };
    let resolve = |user: &str| {
        let scenario = scenario::load("test", Path::new("test.yaml"), &text("ann")).expect("valid");
        let mut case = scenario.cases[0].clone();
        case.containers[0].rootless = Some(user.to_owned());
        job(&case, &machine(), Duration::from_secs(1))
    };
    let lines = |job: &Job| {
        let linux = job.containers[0].spec.linux().clone().expect("linux");
        let all = linux.uid_mappings().iter().flatten().map(|line| (line.container_id(), line.host_id(), line.size()));
        assert_eq!(linux.uid_mappings(), linux.gid_mappings());
        assert_eq!(linux.resources(), &None, "an ordinary user loads no device list");
        all.collect::<Vec<_>>()
    };
    assert_eq!(lines(&resolve("ann").expect("resolved")), [(0, 1001, 1), (1, 100_000, 65_536)]);
    assert_eq!(lines(&resolve("bob").expect("resolved")), [(0, 1002, 1), (1, 165_536, 65_536)]);
    for nobody in ["carol", "root", "service"] {
        let refused = resolve(nobody).expect_err("nobody");
        assert!(refused.0.contains("no ordinary user"), "{refused}");
        let invalid = scenario::load("test", Path::new("test.yaml"), &text(nobody)).expect_err("nobody");
        assert!(invalid.to_string().contains("no ordinary user"), "{invalid}");
    }
}

/// config.json of containerd 1.6.20's CRI plugin.
#[test]
fn a_pods_container_is_what_was_recorded() {
    let pod = container("preset: kubernetes");
    assert_eq!(sets(&own("preset: kubernetes")), masks(0, 0xa804_25fb, 0xa804_25fb, 0));
    assert_eq!(sets(&own("preset: kubernetes, cap_drop: [ALL], cap_add: [CHOWN]")), masks(0, 1, 1, 0));
    let process = pod.spec.process().clone().expect("a process");
    assert_eq!(process.user().additional_gids().as_deref(), Some(&[0][..]));
    assert_eq!(process.no_new_privileges(), Some(false));
    let linux = pod.spec.linux().clone().expect("linux");
    assert!(linux.seccomp().is_none() && linux.sysctl().is_none());
    let list = linux.resources().as_ref().and_then(|resources| resources.devices().clone()).expect("a list");
    assert!(matches!(list.as_slice(), [all] if !all.allow() && all.typ().is_none()));
    let targets: Vec<_> =
        pod.spec.mounts().iter().flatten().map(|one| one.destination().display().to_string()).collect();
    assert_eq!(targets, ["/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys", "/dev/shm"]);
    let default = container("preset: kubernetes, security_opt: ['seccomp=runtime/default']");
    let seccomp = default.spec.linux().as_ref().and_then(|linux| linux.seccomp().clone()).expect("a profile");
    // Ten rules without a capability; SYS_CHROOT is the only one of the fourteen that has one of its own.
    assert_eq!(seccomp.syscalls().as_ref().map(Vec::len), Some(11));
}
