use std::{collections::BTreeSet, path::Path};

use super::*;
use crate::{
    capability::CapSet,
    host::{CgroupVersion, Cgroups, lab::LabHost},
    scenario,
};

/// An ordinary user with the ids that adduser(8) gives him.
fn user() -> Machine {
    let map =
        |own| vec![IdMap { inside: 0, outside: own, count: 1 }, IdMap { inside: 1, outside: 100_000, count: 65_536 }];
    let tools = crate::host::subids::MapTools { uids: "/usr/bin/newuidmap".into(), gids: "/usr/bin/newgidmap".into() };
    Machine {
        kernel: "6.18.0".to_owned(),
        uid: 1000,
        kernel_capabilities: CapSet::KNOWN,
        bounding: CapSet::KNOWN,
        effective: CapSet::EMPTY,
        cgroups: Cgroups::Told(CgroupVersion::V2, Box::default()),
        userns: true,
        trust_host: true,
        lab: LabHost {
            root: LabRoot::Mapped(tools),
            uids: map(1000),
            gids: map(1000),
            initial: false,
            set_groups: true,
        },
        obstacle: None,
    }
}

/// The name of what is beyond; `-` for nothing.
fn asks(machine: &Machine, container: &str, steps: &str) -> String {
    let text = format!("title: A claim\ncontainer: {{{container}}}\nsteps:\n{steps}");
    let scenario = scenario::load("test", Path::new("test.yaml"), &text).unwrap_or_else(|error| panic!("{error}"));
    let skip = with_counterfactuals(&scenario.cases[0], machine);
    skip.map_or_else(
        || "-".to_owned(),
        |skip| {
            let name = skip.reason.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
            name.expect("a name").0.to_owned()
        },
    )
}

fn probe(container: &str, probe: &str) -> String {
    asks(&user(), container, &format!("  - probe: {probe}\n    expect: allowed\n"))
}

#[test]
fn a_capability_over_the_whole_machine_is_beyond_it_and_its_absence_is_not() {
    for (call, capability, name) in [
        ("mknod", "MKNOD", "device-nodes"),
        ("{open_device: fuse}", "MKNOD", "device-nodes"),
        ("set_time", "SYS_TIME", "clock"),
        ("read_kernel_log", "SYSLOG", "kernel-log"),
        ("load_module", "SYS_MODULE", "modules"),
        ("bpf", "BPF", "bpf"),
        ("perf_event_open", "PERFMON", "perf"),
    ] {
        let bare = "preset: podman, cap_drop: [ALL]";
        assert_eq!(probe(bare, call), "-", "{call} without {capability}");
        assert_eq!(probe(&format!("{bare}, cap_add: [{capability}]"), call), name, "{call}");
        let mapped = format!("{bare}, cap_add: [{capability}], uidmap: [\"0:2000:1000\"]");
        assert_eq!(probe(&mapped, call), "-", "{call} in a user namespace is refused on a host too");
    }
}

#[test]
fn root_that_is_executed_has_what_the_bounding_set_has() {
    let steps = "  - probe: mknod\n    as: root\n    expect: {denied: EPERM}\n";
    assert_eq!(asks(&user(), "preset: docker, user: \"6667\"", steps), "device-nodes");
    assert_eq!(probe("preset: docker, user: \"6667\"", "mknod"), "-");
}

#[test]
fn a_counterfactual_counts() {
    let denied = "  - probe: set_time\n    expect: {denied: EPERM}\n";
    assert_eq!(asks(&user(), "preset: docker", denied), "-");
    assert_eq!(asks(&user(), "preset: docker", &format!("{denied}    because: {{capability: SYS_TIME}}\n")), "clock");
    let mapped = "preset: docker, uidmap: [\"0:2000:1000\"]";
    let denied = "  - probe: mknod\n    expect: {denied: EPERM}\n    because: uidmap\n";
    assert_eq!(asks(&user(), mapped, denied), "device-nodes");
}

#[test]
fn files_of_the_machines_root_are_beyond_it() {
    let root = "preset: docker";
    assert_eq!(probe(root, "{write_sysctl: kernel.domainname}"), "sysctls");
    assert_eq!(probe("preset: docker, user: \"6667:6667\"", "{write_sysctl: kernel.domainname}"), "-");
    assert_eq!(probe(root, "{open: {path: /proc/sysrq-trigger, mode: write}}"), "machine-files");
    assert_eq!(probe(root, "{open: /proc/self/status}"), "-");
    assert_eq!(probe(root, "{open: /proc/kcore}"), "-", "it is hidden by the preset's own mask");
    assert_eq!(probe("preset: docker, privileged: true", "{open: /proc/kcore}"), "machine-files");
    assert_eq!(probe(root, "{chmod: /dev/null}"), "machine-files");
    assert_eq!(probe(root, "{open: /dev/null}"), "-");
    assert_eq!(probe("rootfs: host", "{open: {path: /usr/bin/id, mode: write}}"), "machine-files");
    let real = "volumes: [{type: bind, source: /etc, target: /mnt, real_host: true}]";
    assert_eq!(probe(real, "chroot"), "real-files");
}

#[test]
fn programs_count_by_name_where_who_runs_them_could_be_heard() {
    let run =
        |container: &str, text: &str| asks(&user(), container, &format!("  - run: {text}\n    expect: allowed\n"));
    assert_eq!(run("rootfs: host", "iptables -L; id"), "-");
    assert_eq!(run("rootfs: host", "echo x; mknod /tmp/d c 1 3"), "device-nodes");
    assert_eq!(run("rootfs: host, cap_drop: [ALL]", "mknod /tmp/d c 1 3"), "-");
    assert_eq!(run("rootfs: host, privileged: true", "chattr +i /tmp"), "whole-machine");
    assert_eq!(run("rootfs: host", "cat /proc/self/uid_map"), "maps");
    assert_eq!(run("rootfs: host, uidmap: [\"0:2000:1000\"]", "cat /proc/self/uid_map"), "-");
    assert_eq!(run("rootfs: host", "cat /proc/sys/kernel/panic"), "sysctls");
    assert_eq!(run("rootfs: host", "\"echo b >/proc/sysrq-trigger\""), "machine-files");
    assert_eq!(run("rootfs: host", "cat /proc/self/status"), "-");
    assert_eq!(run("rootfs: host", "cat /proc/net/dev /proc/version"), "-");
    assert_eq!(run("rootfs: host", "\"echo x > /proc/version\""), "machine-files");
    assert_eq!(run("rootfs: host, user: \"6667\"", "su -c id"), "set-uid");
    assert_eq!(run("rootfs: host", "su -c id"), "-");
    assert_eq!(run("rootfs: host, privileged: true", "mount /dev/sda1 /mnt"), "whole-machine");
    assert_eq!(run("rootfs: host, privileged: true", "mount -t tmpfs none /mnt"), "-");
    assert_eq!(run("rootfs: host, cap_add: [SYS_RESOURCE]", "ulimit -n 10000000"), "limits");
    assert_eq!(run("rootfs: host, ulimits: {nproc: 5}", "id"), "limits");
    assert_eq!(run("rootfs: host, ulimits: {nproc: 5}, user: \"6667\"", "id"), "-");
}

#[test]
fn ids_that_the_user_has_not_are_named() {
    assert_eq!(probe("user: \"65536\"", "chroot"), "-");
    assert_eq!(probe("user: \"65537\"", "chroot"), "ids");
    assert_eq!(probe("uidmap: [\"0:100000:65536\"]", "chroot"), "ids");
    // It begins with the user's own id, and goes on with subordinate ones.
    assert_eq!(probe("uidmap: [\"0:0:1000\"]", "chroot"), "ids");
    assert_eq!(probe("cap_add: [ALL]", "{setuid: 4000000}"), "ids");
    let mut single = user();
    single.lab.root = LabRoot::Single(crate::host::subids::NoSubids::NoTool("newuidmap"));
    single.lab.set_groups = false;
    for map in [&mut single.lab.uids, &mut single.lab.gids] {
        map.truncate(1);
    }
    assert_eq!(asks(&single, "user: \"6667\"", "  - probe: mount\n    expect: {denied: EPERM}\n"), "ids");
    let scenario = "title: A claim\ncontainer: {uidmap: [\"0:2000:1000\"]}\nsteps:\n  - inspect: {uid: 0}\n";
    let scenario = scenario::load("test", Path::new("test.yaml"), scenario).unwrap_or_else(|error| panic!("{error}"));
    let skip = beyond(&scenario.cases[0], &single).expect("more than one id");
    assert_eq!(skip.remedy.as_deref(), Some("apt-get install uidmap"));
}

#[test]
fn the_machines_own_root_is_never_asked() {
    let machine = Machine { lab: LabHost::machine(), ..user() };
    assert_eq!(asks(&machine, "cap_add: [ALL]", "  - probe: set_time\n    expect: allowed\n"), "-");
}

#[test]
fn the_page_has_a_row_for_each_and_no_other() {
    let page = include_str!("../../../docs/rootless.md");
    let begin = page.find("<!-- beyond -->").expect("where the table begins");
    let end = page.find("<!-- end -->").expect("where it ends");
    let rows: BTreeSet<_> = page[begin..end]
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, rest)| (name, rest.split(" | ").next().unwrap_or_default()))
        .collect();
    let known: BTreeSet<_> = Beyond::ALL.iter().map(|one| one.words()).collect();
    assert_eq!(rows, known);
}
