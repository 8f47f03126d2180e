use super::*;

const OLD: &str = r#"containers:
  box:
    uid: 1000, gid: 0, groups: [4], as the host numbers them
    uid_map: "0 100000 65536"
    gid_map: "0 100000 65536"
    permitted, effective: CAP_CHOWN
    no_new_privs: true
    seccomp: filter
    seccomp profile: 0123456789ab (default errno, 2 rules)
    namespaces: cgroup new, ipc container:side, pid new, user host
    limit nofile: 10 20
    limit pids: 32
    limit memory: 1048576
    limit memory and swap: 1048576
    limit cpu time: 50000 of 100000 microseconds
    mounts:
      / ro
      /tmp tmpfs rw,nosuid,nodev,noexec size=1024k,mode=700
      /mnt fixture:/srv/a: b rw,nosuid, slave
      /mnt/key tmpfs ro
      /etc/x fixture:/etc ro
    read-only, where the kernel has it: /proc/bus /proc/sys
    masked, where the kernel has it: /proc/kcore /sys/firmware
    device list: the runtime's own, c 1:3 rw, not b 7:0 w
    sysctl net.ipv4.ip_unprivileged_port_start: 1024
    sysctl net.ipv4.ping_group_range: 1 0
  side:
    no_new_privs: false
steps:
  1 in box, mount: denied(EPERM)
    because of capability:CAP_SYS_ADMIN
  2 in box, true: allowed
    because of user
  3, host: file /srv/x: observed
    mode: 0600, owner: 0:0, changed: false
  4, host: file /srv/y: observed
    not there
  5 in box as 7:7, inspect: observed
    uid: 7, gid: 7, groups: []
    effective: none
  6 in box, host: process of box: observed
    uid: 100000, gid: 100000, uid_map: "0 100000 65536"
  7 in box, id: allowed
    stdout:
      | uid: 7
  try in box, sh -c 'exit 1': failed(exit 1)
"#;

/// What is named where this is that.
fn lost(changes: &[(&str, &str)]) -> Vec<String> {
    let new = changes.iter().fold(OLD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?}");
        text.replace(from, to)
    });
    weaker(OLD, &new)
}

#[track_caller]
fn names(from: &str, to: &str, wanted: &[&str]) {
    assert_eq!(lost(&[(from, to)]), wanted, "{from:?} to {to:?}");
}

#[test]
fn a_process_that_is_more_is_named() {
    names("uid: 1000,", "uid: 0,", &["box ids: uid was 1000, is 0"]);
    names("uid: 1000,", "uid: 1001,", &["box ids: uid was 1000, is 1001"]);
    names("[4]", "[4, 6]", &["box ids: gains the groups 6"]);
    names(
        "effective: CAP_CHOWN",
        "effective: CAP_CHOWN, CAP_KILL",
        &["box effective: gains CAP_KILL", "box permitted: gains CAP_KILL"],
    );
    names("privs: true", "privs: false", &["box no_new_privs: was true, is false"]);
    names(
        "uid: 7, gid: 7, groups: []",
        "uid: 7, gid: 7, groups: [0]",
        &["5 in box as 7:7, inspect: ids: gains the groups 0"],
    );
    names("effective: none", "effective: CAP_KILL", &["5 in box as 7:7, inspect: effective: gains CAP_KILL"]);
    names("uid: 100000, gid", "uid: 0, gid", &["6 in box, host: process of box: ids: uid was 100000, is 0"]);
    names("| uid: 7", "| uid: 0", &["7 in box, id: stdout: the captured text is another"]);
}

#[test]
fn an_id_map_that_reaches_others_is_named() {
    let host = r#"uid_map: "0 0 4294967295""#;
    names(
        r#"    uid_map: "0 100000 65536""#,
        &format!("    {host}"),
        &[r#"box uid_map: was "0 100000 65536", is "0 0 4294967295""#],
    );
    names(
        r#"gid_map: "0 100000 65536""#,
        r#"gid_map: "0 100000 65536", "65536 0 1""#,
        &[r#"box gid_map: was "0 100000 65536", is "0 100000 65536", "65536 0 1""#],
    );
    assert_eq!(lost(&[("0 100000 65536", "0 100000 1000")]), Vec::<String>::new());
    let mapped = OLD.replace("0 100000 65536", "0 0 4294967295");
    assert_eq!(weaker(&mapped, OLD), Vec::<String>::new());
}

#[test]
fn a_filter_that_is_another_is_named() {
    names("seccomp: filter", "seccomp: disabled", &["box seccomp: was filter, is disabled"]);
    let profile = "0123456789ab (default errno, 2 rules)";
    names(
        profile,
        "f (default allow, 1 rule)",
        &[&format!("box seccomp profile: was {profile}, is f (default allow, 1 rule)")],
    );
    let line = format!("    seccomp profile: {profile}\n");
    names(&line, "", &[&format!("box seccomp profile: was {profile}, is gone")]);
    assert_eq!(weaker(&OLD.replace(&line, ""), OLD), [format!("box seccomp profile: was not said, is {profile}")]);
}

#[test]
fn a_namespace_that_is_shared_protects_less_than_an_own_one_and_more_than_the_hosts() {
    let shared = OLD.replace("pid new", "pid container:side");
    let hosts = OLD.replace("pid new", "pid host");
    assert_eq!(weaker(OLD, &shared), ["box namespaces: pid was new, is container:side"]);
    assert_eq!(weaker(&shared, &hosts), ["box namespaces: pid was container:side, is host"]);
    assert_eq!(weaker(&hosts, &shared), Vec::<String>::new());
    names("cgroup new, ", "", &["box namespaces: cgroup was new, is not said"]);
    names("pid new, ", "pid new, uts host, ", &["box namespaces: uts was not said, is host"]);
    names("container:side", "container:other", &["box namespaces: ipc was container:side, is container:other"]);
}

#[test]
fn a_limit_that_is_higher_or_gone_is_named() {
    names("    limit pids: 32\n", "", &["box limit pids: was 32, is gone"]);
    names("pids: 32", "pids: unlimited", &["box limit pids: was 32, is unlimited"]);
    names("    limit memory: 1048576\n", "", &["box limit memory: was 1048576, is gone"]);
    names("swap: 1048576", "swap: 1048577", &["box limit memory and swap: was 1048576, is 1048577"]);
    names("nofile: 10 20", "nofile: 10 21", &["box limit nofile: was 10 20, is 10 21"]);
    names("    limit nofile: 10 20\n", "", &["box limit nofile: was 10 20, is gone"]);
    names(
        "50000 of 100000",
        "50000 of 50000",
        &["box limit cpu time: was 50000 of 100000 microseconds, is 50000 of 50000 microseconds"],
    );
    names(
        "limit nofile: 10 20",
        "limit nofile: 10 20\n    limit core: unlimited unlimited",
        &["box limit core: was not said, is unlimited unlimited"],
    );
    for (from, to) in [("pids: 32", "pids: 16"), ("50000 of", "10000 of"), ("10 20", "10 20\n    limit core: 0 0")] {
        names(from, to, &[]);
    }
}

#[test]
fn a_sysctl_that_is_another_is_named() {
    let port = "box sysctl net.ipv4.ip_unprivileged_port_start";
    names("start: 1024", "start: 0", &[&format!("{port}: was 1024, is 0")]);
    names("    sysctl net.ipv4.ip_unprivileged_port_start: 1024\n", "", &[&format!("{port}: was 1024, is gone")]);
    names("start: 1024", "start: 2048", &[]);
    names("range: 1 0", "range: 0 9", &["box sysctl net.ipv4.ping_group_range: was 1 0, is 0 9"]);
    names(
        "    sysctl net.ipv4.ping",
        "    sysctl kernel.msgmax: 9\n    sysctl net.ipv4.ping",
        &["box sysctl kernel.msgmax: was not said, is 9"],
    );
}

#[test]
fn a_device_that_is_added_is_named() {
    let list = "box device list";
    names("c 1:3 rw,", "c 1:3 rwm,", &[&format!("{list}: gains c 1:3 rwm")]);
    names("c 1:3 rw,", "c 1:3 rw, /dev/sda r,", &[&format!("{list}: gains /dev/sda r")]);
    names(", not b 7:0 w", "", &[&format!("{list}: loses not b 7:0 w")]);
    let was = "the runtime's own, c 1:3 rw, not b 7:0 w";
    names(
        "c 1:3 rw, not b 7:0 w",
        "not b 7:0 w, c 1:3 rw",
        &[&format!("{list}: was {was}, is the runtime's own, not b 7:0 w, c 1:3 rw")],
    );
    names(was, "every device", &[&format!("{list}: was {was}, is every device")]);
    names("c 1:3 rw,", "c 1:3 r,", &[]);
}

#[test]
fn a_path_of_the_kernels_that_is_uncovered_is_named() {
    names("/proc/kcore ", "", &["box masked: no longer /proc/kcore"]);
    names(
        "    masked, where the kernel has it: /proc/kcore /sys/firmware\n",
        "",
        &["box masked: no longer /proc/kcore /sys/firmware"],
    );
    names("/proc/bus ", "", &["box read-only: no longer /proc/bus"]);
    // What is masked is read-only as well, and not the other way round.
    assert_eq!(lost(&[("/proc/bus ", ""), ("/proc/kcore", "/proc/kcore /proc/bus")]), Vec::<String>::new());
    assert_eq!(
        lost(&[("/proc/kcore ", ""), ("/proc/bus", "/proc/bus /proc/kcore")]),
        ["box masked: no longer /proc/kcore"]
    );
}

#[test]
fn a_mount_that_gives_more_is_named() {
    names("/ ro", "/ rw", &["box /: was ro, is rw"]);
    names("      / ro\n", "      / ro\n      /n /dev/sda ro\n", &["box /n: was not mounted, is /dev/sda ro"]);
    names("fixture:/etc ro", "fixture:/etc rw", &["box /etc/x: was fixture:/etc ro, is fixture:/etc rw"]);
    names("fixture:/etc ro", "fixture:/ ro", &["box /etc/x: was fixture:/etc ro, is fixture:/ ro"]);
    let (mnt, tmp) = ("fixture:/srv/a: b rw,nosuid, slave", "tmpfs rw,nosuid,nodev,noexec size=1024k,mode=700");
    for after in ["fixture:/srv/a: b rw, slave", "fixture:/srv/a: b rw,nosuid, shared"] {
        names(mnt, after, &[&format!("box /mnt: was {mnt}, is {after}")]);
    }
    names(mnt, "fixture:/srv/a: b ro,nosuid", &[]);
    for after in [
        "tmpfs rw,nosuid,nodev,noexec size=1024k",
        "tmpfs rw,nosuid,nodev,noexec size=1024k,mode=1777",
        "tmpfs rw,nosuid,nodev,noexec mode=700",
        "tmpfs rw,nosuid,nodev,noexec size=2m,mode=700",
        "tmpfs rw,nosuid,nodev size=1024k,mode=700",
    ] {
        names(tmp, after, &[&format!("box /tmp: was {tmp}, is {after}")]);
    }
    names(tmp, "tmpfs ro,nosuid,nodev,noexec size=1m,mode=500", &[]);
    names("      /mnt/key tmpfs ro\n", "", &["box /mnt/key: was tmpfs ro, is gone from a volume that it covered"]);
    names("      /etc/x fixture:/etc ro\n", "", &[]);
}

#[test]
fn a_denial_that_is_allowed_or_gone_is_named() {
    let step = "  1 in box, mount: denied(EPERM)\n    because of capability:CAP_SYS_ADMIN\n";
    for after in ["allowed", "failed(exit 1)", "unavailable", "observed"] {
        names("denied(EPERM)", after, &[&format!("1 in box, mount: was denied(EPERM), is {after}")]);
    }
    for after in ["denied(EACCES)", "killed(SIGSYS)"] {
        names("denied(EPERM)", after, &[]);
    }
    names(step, "", &["1 in box, mount: was denied(EPERM), the step is gone"]);
    names("  2 in box, true: allowed\n    because of user\n", "", &[]);
    names(
        "  4, host: file /srv/y: observed\n    not there\n",
        "",
        &["4, host: file /srv/y: was observed, the step is gone"],
    );
    names("failed(exit 1)", "allowed", &["try in box, sh -c 'exit 1': was failed(exit 1), is allowed"]);
    // With a step before them all have another number.
    let moved = [
        ("  2 in", "  3 in"),
        ("  1 in box, mount: denied(EPERM)", "  1 in box, true: allowed\n  2 in box, mount: allowed"),
    ];
    assert_eq!(lost(&moved), ["1 in box, mount: was denied(EPERM), is allowed"]);
    let unchanged = [moved[0], (moved[1].0, "  1 in box, true: allowed\n  2 in box, mount: denied(EPERM)")];
    assert_eq!(lost(&unchanged), Vec::<String>::new());
    // Of two failures it is not known which says more.
    for after in ["failed(exit 127): command not found", "timed out"] {
        names("failed(exit 1)", after, &[&format!("try in box, sh -c 'exit 1': was failed(exit 1), is {after}")]);
    }
    names("failed(exit 1)", "denied(EPERM)", &[]);
    // A filter kills, and so does a mistake of the program.
    let filtered = OLD.replace("denied(EPERM)", "killed(SIGSYS)");
    let crashed = OLD.replace("denied(EPERM)", "killed(SIGSEGV)");
    assert_eq!(weaker(&filtered, &crashed), ["1 in box, mount: was killed(SIGSYS), is killed(SIGSEGV)"]);
    assert_eq!(weaker(&filtered, OLD), Vec::<String>::new());
}

#[test]
fn a_step_that_has_a_name_is_known_by_it_and_does_the_same() {
    let named = OLD.replace("  6 in box, host", "  looks in box, host");
    let renamed =
        named.replace("  box:", "  cage:").replace("in box", "in cage").replace("process of box", "process of cage");
    assert_eq!(weaker(&named, &renamed), Vec::<String>::new());
    names("sh -c 'exit 1'", "sh -c 'exit 2'", &["try in box, sh -c 'exit 1': does sh -c 'exit 2' now"]);
    let weak = [("sh -c 'exit 1'", "true"), ("failed(exit 1)", "allowed")];
    let step = "try in box, sh -c 'exit 1'";
    assert_eq!(lost(&weak), [format!("{step}: does true now"), format!("{step}: was failed(exit 1), is allowed")]);
    // What was allowed is no protection, and that its container has another name makes it no other step.
    let allowed = OLD.replace("failed(exit 1)", "allowed");
    assert_eq!(weaker(&allowed, &allowed.replace("sh -c 'exit 1'", "true")), Vec::<String>::new());
}

#[test]
fn a_cause_that_is_gone_or_another_is_named() {
    let cause = "because of capability:CAP_SYS_ADMIN";
    names(&format!("    {cause}\n"), "", &[&format!("1 in box, mount: because: was {cause}, is gone")]);
    names(cause, "because of seccomp", &[&format!("1 in box, mount: because: was {cause}, is because of seccomp")]);
    names(cause, &format!("not {cause}"), &[&format!("1 in box, mount: because: was {cause}, is not {cause}")]);
    // Why something is allowed is no protection.
    names("    because of user\n", "", &[]);
}

#[test]
fn a_file_of_the_host_that_is_touched_is_named() {
    let (step, file) = ("3, host: file /srv/x: file", "mode: 0600, owner: 0:0, changed: false");
    for after in [
        "mode: 0600, owner: 0:0, changed: true",
        "mode: 0604, owner: 0:0, changed: false",
        "mode: 0600, owner: 5:0, changed: false",
        "mode: 0600, owner: 0:0, changed: false, mounted over",
        "not there",
    ] {
        names(file, after, &[&format!("{step}: was {file}, is {after}")]);
    }
    names(file, "mode: 0400, owner: 0:0, changed: false", &[]);
    names(
        "    not there",
        "    mode: 0600, owner: 0:0, changed: true",
        &["4, host: file /srv/y: file: was not there, is mode: 0600, owner: 0:0, changed: true"],
    );
    let touched = OLD.replace("changed: false", "changed: true");
    assert_eq!(weaker(&touched, OLD), Vec::<String>::new());
}

#[test]
fn a_container_is_known_by_its_name_or_as_the_only_other_one() {
    let renamed = [("  box:", "  cage:"), ("in box", "in cage"), ("process of box", "process of cage")];
    assert_eq!(lost(&renamed), Vec::<String>::new());
    let weak = [renamed[0], renamed[1], renamed[2], ("privs: true", "privs: false"), ("denied(EPERM)", "allowed")];
    assert_eq!(lost(&weak), ["box no_new_privs: was true, is false", "1 in box, mount: was denied(EPERM), is allowed"]);
    let side = "  side:\n    no_new_privs: false\n";
    assert_eq!(lost(&[("  side:", "  aside:"), ("container:side", "container:aside")]), Vec::<String>::new());
    names(side, "", &["side: the container is gone"]);
    // Of two it is not known which is which.
    let two = [("  box:", "  cage:"), ("in box", "in cage"), (side, "  another:\n    no_new_privs: false\n")];
    let found = lost(&two);
    assert!(found.contains(&"box: the container is gone".to_owned()), "{found:?}");
    assert!(found.contains(&"1 in box, mount: was denied(EPERM), the step is gone".to_owned()), "{found:?}");
}

#[test]
fn a_new_container_in_the_namespaces_of_an_old_one_is_named() {
    let new = |namespaces: &str| {
        lost(&[("steps:\n", &format!("  new:\n    seccomp: disabled\n    namespaces: {namespaces}\nsteps:\n"))])
    };
    assert_eq!(new("ipc new, pid new, user host"), Vec::<String>::new());
    assert_eq!(
        new("ipc container:box, pid container:box, user host"),
        [
            "box namespaces: ipc is shared with new, which is new",
            "box namespaces: pid is shared with new, which is new"
        ]
    );
}

#[test]
fn a_container_that_was_refused_and_starts_is_named() {
    let refused = OLD.replace("    no_new_privs: false\n", "    refused(start)\n");
    assert_eq!(weaker(&refused, OLD), ["side: was refused(start), is started"]);
    assert_eq!(weaker(OLD, &refused), Vec::<String>::new());
}

#[test]
fn what_is_not_known_counts_where_it_is_another() {
    let known = OLD.replace("    no_new_privs: false\n", "    apparmor: strict\n");
    assert_eq!(weaker(&known, &known.replace("strict", "loose")), ["side apparmor: was strict, is loose"]);
    assert_eq!(weaker(&known, &known), Vec::<String>::new());
}
