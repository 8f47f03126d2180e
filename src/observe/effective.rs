//! What the kernel gave, against what the spec asked for.

use caplab_init::wire::IdMap;
use oci_spec::runtime::{Capabilities, Linux, LinuxIdMapping, LinuxNamespaceType, Process, Spec};

use super::{CapSets, Mount, Namespace, NamespaceState, Peers, ProcessFacts, Seccomp, map_words};
use crate::{capability::CapSet, engine::namespace_owner, scenario::sysctl::words};

/// Every point in which the kernel gave a container's pid 1 something else than its Spec asked for, each a sentence:
/// "asked for CAP_NET_ADMIN in the effective set, the kernel did not give it". The facts are those seen from outside,
/// after execve(2).
#[must_use]
pub fn deviations(spec: &Spec, effective: &ProcessFacts) -> Vec<String> {
    let default = Linux::default();
    let linux = spec.linux().as_ref().unwrap_or(&default);
    let mut found = Vec::new();
    if let Some(process) = spec.process() {
        credentials(process, linux, effective, &mut found);
        limits(process, effective, &mut found);
        found.extend(other_umask(process, effective));
    }
    resources(linux, effective, &mut found);
    namespaces(linux, effective, &mut found);
    sysctls(linux, effective, &mut found);
    mounts(spec, linux, effective, &mut found);
    found
}

fn credentials(process: &Process, linux: &Linux, effective: &ProcessFacts, found: &mut Vec<String>) {
    let user = process.user();
    let (uids, gids) = (lines(linux.uid_mappings()), lines(linux.gid_mappings()));
    let mut id = |what: &str, inside: u32, map: &[IdMap], got: u32| match outside(map, inside) {
        Some(wanted) if wanted == got => {}
        Some(wanted) => {
            found.push(format!("asked for {what} {inside} (the host's {wanted}), the kernel gave the host's {got}"))
        }
        None => found.push(format!("asked for {what} {inside}, which the id map does not have")),
    };
    id("uid", user.uid(), &uids, effective.uid);
    id("gid", user.gid(), &gids, effective.gid);
    let mut wanted: Vec<u32> =
        user.additional_gids().iter().flatten().map(|gid| outside(&gids, *gid).unwrap_or(u32::MAX)).collect();
    let mut got = effective.groups.clone();
    wanted.sort_unstable();
    got.sort_unstable();
    if wanted != got {
        found.push(format!(
            "asked for the supplementary groups {wanted:?} (as the host numbers them), the kernel gave {got:?}"
        ));
    }
    for (what, map, got) in [("uid_map", &uids, &effective.uid_map), ("gid_map", &gids, &effective.gid_map)] {
        let whole = [IdMap { inside: 0, outside: 0, count: u32::MAX }];
        let wanted = if map.is_empty() { &whole[..] } else { map };
        if wanted != got.as_slice() {
            found.push(format!("asked for the {what} {}, the kernel gave {}", map_words(wanted), map_words(got)));
        }
    }
    let no_new_privs = process.no_new_privileges().unwrap_or(false);
    if no_new_privs != effective.no_new_privs {
        found.push(format!("asked for no_new_privs {no_new_privs}, the kernel gave {}", effective.no_new_privs));
    }
    let wanted = if linux.seccomp().is_some() { Seccomp::Filter } else { Seccomp::Disabled };
    if wanted != effective.seccomp {
        found.push(format!("asked for seccomp {}, the kernel gave {}", wanted.name(), effective.seccomp.name()));
    }
    let wanted = after_execve(process);
    for ((name, wanted), (_, got)) in wanted.named().into_iter().zip(effective.capabilities.named()) {
        let (missing, beyond) = (wanted.difference(got), got.difference(wanted));
        if !missing.is_empty() {
            found.push(format!("asked for {missing} in the {name} set, the kernel did not give it"));
        }
        if !beyond.is_empty() {
            found.push(format!("the kernel gave {beyond} in the {name} set, which was not asked for"));
        }
    }
}

/// The sets that execve(2) makes of those that were asked for, capabilities(7) "Transformation of capabilities
/// during execve()", for a file without capabilities of its own.
#[must_use]
pub fn after_execve(process: &Process) -> CapSets {
    let asked = process.capabilities().clone().unwrap_or_default();
    let set = |names: &Option<Capabilities>| names.iter().flatten().collect::<CapSet>();
    let (inheritable, bounding, ambient) = (set(asked.inheritable()), set(asked.bounding()), set(asked.ambient()));
    let permitted = if process.user().uid() == 0 { inheritable.union(bounding) } else { ambient };
    CapSets { inheritable, permitted, effective: permitted, bounding, ambient }
}

/// The umask that a process is to have; where nothing is said runc's, which every engine has.
#[must_use]
pub fn umask(process: &Process) -> u32 {
    process.user().umask().unwrap_or(0o022)
}

/// Whether a process has another umask than it was to have, in a sentence.
#[must_use]
pub fn other_umask(process: &Process, effective: &ProcessFacts) -> Option<String> {
    let (wanted, got) = (umask(process), effective.umask?);
    (wanted != got).then(|| format!("asked for the umask {wanted:04o}, the kernel has {got:04o}"))
}

fn limits(process: &Process, effective: &ProcessFacts, found: &mut Vec<String>) {
    for wanted in process.rlimits().iter().flatten() {
        let name = wanted.typ().to_string().to_ascii_lowercase().replace("rlimit_", "");
        let got = effective.limits.iter().find(|limit| limit.name == name);
        if got.is_none_or(|got| (got.soft, got.hard) != (wanted.soft(), wanted.hard())) {
            let got = got.map_or_else(|| "nothing".to_owned(), |got| format!("{}:{}", got.soft, got.hard));
            found.push(format!(
                "asked for the limit {name} {}:{}, the kernel gave {got}",
                wanted.soft(),
                wanted.hard()
            ));
        }
    }
}

/// The kernel counts memory in pages, of at most so many bytes.
const PAGE: u64 = 64 << 10;

/// Limits of control groups. What was not asked for must not be there either: it would decide in the place of what was.
fn resources(linux: &Linux, effective: &ProcessFacts, found: &mut Vec<String>) {
    let asked = linux.resources().clone().unwrap_or_default();
    let positive =
        |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
    let memory = asked.memory().unwrap_or_default();
    let cpu = asked.cpu().clone().unwrap_or_default();
    let got = effective.resources.unwrap_or_default();
    let wanted_cpu = positive(cpu.quota()).zip(cpu.period());
    let got_cpu = got.cpu.filter(|cpu| cpu.quota != u64::MAX).map(|cpu| (cpu.quota, cpu.period));
    if wanted_cpu != got_cpu {
        let words = |cpu: Option<(u64, u64)>| {
            cpu.map_or_else(|| "no limit".to_owned(), |(quota, period)| format!("{quota} of {period} microseconds"))
        };
        found.push(format!("asked for {} of processor time, the kernel has {}", words(wanted_cpu), words(got_cpu)));
    }
    let swap = positive(memory.swap());
    let limits = [
        ("processes", positive(asked.pids().map(|pids| pids.limit())), got.pids, 1),
        ("memory", positive(memory.limit()), got.memory, PAGE),
        ("memory and swap", swap, got.swap.filter(|_| swap.is_some()), PAGE),
    ];
    for (what, wanted, got, unit) in limits {
        let got = got.filter(|got| *got != u64::MAX);
        let same = match (wanted, got) {
            (Some(wanted), Some(got)) => got <= wanted && wanted - got < unit,
            (wanted, got) => wanted == got,
        };
        if !same {
            let words = |limit: Option<u64>| limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
            found.push(format!("asked for the limit of {what} {}, the kernel has {}", words(wanted), words(got)));
        }
    }
}

fn namespaces(linux: &Linux, effective: &ProcessFacts, found: &mut Vec<String>) {
    let known = [
        (Namespace::Cgroup, LinuxNamespaceType::Cgroup),
        (Namespace::Ipc, LinuxNamespaceType::Ipc),
        (Namespace::Mount, LinuxNamespaceType::Mount),
        (Namespace::Network, LinuxNamespaceType::Network),
        (Namespace::Pid, LinuxNamespaceType::Pid),
        (Namespace::Time, LinuxNamespaceType::Time),
        (Namespace::User, LinuxNamespaceType::User),
        (Namespace::Uts, LinuxNamespaceType::Uts),
    ];
    let listed = linux.namespaces().as_deref().unwrap_or_default();
    for (namespace, typ) in known {
        let asked = match listed.iter().find(|one| one.typ() == typ) {
            None => NamespaceState::Host,
            Some(one) => match one.path().as_ref().and_then(|path| namespace_owner(path)) {
                None => NamespaceState::New,
                Some(name) => NamespaceState::Container(name.to_owned()),
            },
        };
        let state = effective.namespaces.iter().find(|(one, _)| *one == namespace).map(|(_, state)| state);
        let word = |state: &NamespaceState| match state {
            NamespaceState::New if typ == LinuxNamespaceType::Ipc => format!("an {typ} namespace of its own"),
            NamespaceState::New => format!("a {typ} namespace of its own"),
            NamespaceState::Host => format!("the host's {typ} namespace"),
            NamespaceState::Container(name) => format!("the {typ} namespace of container {name}"),
        };
        match state {
            Some(got) if *got == asked => {}
            // A kernel without it.
            None if asked == NamespaceState::Host => {}
            Some(got) => found.push(format!("asked for {}, the process is in {}", word(&asked), word(got))),
            None => found.push(format!("asked for {}, which this kernel does not have", word(&asked))),
        }
    }
}

fn sysctls(linux: &Linux, effective: &ProcessFacts, found: &mut Vec<String>) {
    let Some(got) = &effective.sysctls else { return };
    let gids = lines(linux.gid_mappings());
    let mut asked: Vec<_> = linux.sysctl().iter().flatten().collect();
    asked.sort();
    for (name, value) in asked {
        let wanted = match name.as_str() {
            "net.ipv4.ping_group_range" => group_range(value, &gids),
            _ => vec![words(value)],
        };
        let given = got.iter().find(|(own, _)| own == name).map(|(_, value)| words(value)).unwrap_or_default();
        if !wanted.contains(&given) {
            found.push(format!("asked for sysctl {name}={}, the kernel has {given:?}", wanted.join(" or ")));
        }
    }
}

/// A range of groups as whoever looks may be shown it: numbered outside of the container. One with nobody in it the kernel keeps as "1 0" of
/// the first user namespace (net/ipv4/sysctl_net_ipv4.c ipv4_ping_group_range), which has no number in a lab host: 65534 stands for that.
fn group_range(value: &str, gids: &[IdMap]) -> Vec<String> {
    let numbers: Option<Vec<u32>> = value.split_whitespace().map(|word| word.parse().ok()).collect();
    match numbers.as_deref() {
        Some([first, last]) if first > last => vec!["1 0".to_owned(), "65534 65534".to_owned()],
        Some([first, last]) => match (outside(gids, *first), outside(gids, *last)) {
            (Some(first), Some(last)) => vec![format!("{first} {last}")],
            _ => vec![words(value)],
        },
        _ => vec![words(value)],
    }
}

fn mounts(spec: &Spec, linux: &Linux, effective: &ProcessFacts, found: &mut Vec<String>) {
    // The last mount at a target is the one that is seen.
    let at = |target: &str| effective.mounts.iter().rev().find(|mount| mount.target == target);
    let read_only = |mount: &Mount| mount.options.iter().any(|word| word == "ro");
    for wanted in spec.mounts().iter().flatten() {
        let target = wanted.destination().to_string_lossy();
        let Some(got) = at(&target) else {
            found.push(format!("asked for a mount at {target}, there is none"));
            continue;
        };
        let bind = wanted.typ().as_deref() == Some("bind");
        if let Some(fstype) = wanted.typ().as_ref().filter(|fstype| !bind && **fstype != got.fstype) {
            found.push(format!("asked for {fstype} at {target}, there is {}", got.fstype));
        }
        if let Some(size) = size(wanted.options()).filter(|_| !bind) {
            let given = size_of(&got.super_options);
            // The kernel has whole pages.
            if given.is_none_or(|given| given < size || given - size >= PAGE) {
                found.push(format!(
                    "asked for {size} bytes at {target}, the kernel gave {}",
                    given.map_or_else(|| "no limit".to_owned(), |given| format!("{given}"))
                ));
            }
        }
        let asked = |word: &str| wanted.options().iter().flatten().any(|option| option == word);
        if let Some((word, _)) = propagation(wanted.options()).filter(|(_, peers)| !peers.contains(&got.peers)) {
            found.push(format!("asked for {target} {word}, the kernel has it {}", got.peers.name()));
        }
        for word in ["ro", "nosuid", "nodev", "noexec"] {
            let given = got.options.iter().any(|option| option == word);
            if asked(word) && !given {
                found.push(format!("asked for {target} {word}, the kernel gave {}", got.options.join(",")));
            }
            // A bind keeps what its source has and a user namespace may not clear.
            if !asked(word) && given && !bind {
                found.push(format!("the kernel gave {target} {word}, which was not asked for"));
            }
        }
    }
    let wanted = spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false);
    match at("/") {
        Some(root) if read_only(root) == wanted => {}
        Some(root) => found.push(format!(
            "asked for a root that is {}, the kernel gave {}",
            if wanted { "read-only" } else { "writable" },
            root.options.join(",")
        )),
        None => found.push("the process has no root mount".to_owned()),
    }
    // /proc and /sys of a container are views of this machine's kernel: what they have here they have there. A path of
    // the lists that this kernel does not have needs no cover.
    let there = |path: &&String| std::fs::symlink_metadata(path.as_str()).is_ok();
    for path in linux.readonly_paths().iter().flatten().filter(there) {
        match at(path) {
            Some(mount) if read_only(mount) => {}
            Some(_) => found.push(format!("asked for {path} read-only, the kernel gave it writable")),
            None => found.push(format!("asked for {path} read-only, it is as the kernel has it")),
        }
    }
    for path in linux.masked_paths().iter().flatten().filter(there) {
        if at(path).is_none_or(|mount| mount.root != "/null" && !(mount.fstype == "tmpfs" && read_only(mount))) {
            found.push(format!("asked for {path} to be masked, it is seen"));
        }
    }
}

/// The propagation that is asked for, and what may come of it: a mount namespace of another user namespace than its source's is nobody's
/// peer (mount_namespaces(7), "Restrictions on mount namespaces").
fn propagation(options: &Option<Vec<String>>) -> Option<(&str, &'static [Peers])> {
    options.iter().flatten().find_map(|word| {
        let peers: &[Peers] = match word.as_str() {
            "private" | "rprivate" => &[Peers::Private],
            "slave" | "rslave" => &[Peers::Slave],
            "shared" | "rshared" => &[Peers::Shared, Peers::SlaveAndShared],
            _ => return None,
        };
        Some((word.as_str(), peers))
    })
}

/// What a tmpfs may hold, in bytes.
fn size(options: &Option<Vec<String>>) -> Option<u64> {
    size_of(options.as_deref().unwrap_or_default())
}

fn size_of(options: &[String]) -> Option<u64> {
    let text = options.iter().find_map(|word| word.strip_prefix("size="))?;
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn lines(mappings: &Option<Vec<LinuxIdMapping>>) -> Vec<IdMap> {
    mappings
        .iter()
        .flatten()
        .map(|line| IdMap { inside: line.container_id(), outside: line.host_id(), count: line.size() })
        .collect()
}

/// What an id of the container is on the host; `None` where the map does not have it.
#[must_use]
pub fn outside(map: &[IdMap], inside: u32) -> Option<u32> {
    if map.is_empty() {
        return Some(inside);
    }
    map.iter().find_map(|line| line.outside(inside))
}

#[cfg(test)]
mod tests;
