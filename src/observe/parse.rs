//! /proc's files about a process, understood.

use caplab_init::wire::{IdMap, ProcessText};

use super::{CapSets, Limit, Mount, Namespace, NamespaceState, Peers, Process, ProcessFacts, Resources, Seccomp};
use crate::capability::CapSet;

/// A container that was made before: its name, and name and identity of its namespaces in /proc/PID/ns.
pub type Elder<'a> = (&'a str, &'a [(String, String)]);

/// Understands what the launcher or an inspect step read. A namespace that is not the host's and has the identity of an elder's
/// is that one's.
///
/// # Errors
/// A text says which line of which file was not understood.
pub fn parse_process(text: &ProcessText, elders: &[Elder<'_>]) -> Result<ProcessFacts, String> {
    let status = Status(&text.status);
    let set = |name| status.mask(name);
    let namespaces = namespaces(text, elders)?;
    // Who is in the host's own user namespace has the host's ids, each as itself. The kernel shows the map of an ordinary user's
    // lab host as that is seen from outside.
    let is_hosts = namespaces.contains(&(Namespace::User, NamespaceState::Host));
    let map = |name, text| if is_hosts { Ok(vec![WHOLE]) } else { id_map(name, text) };
    Ok(ProcessFacts {
        uid: status.id("Uid")?,
        real_uid: None,
        gid: status.id("Gid")?,
        groups: numbers("status: Groups", status.field("Groups")?)?,
        capabilities: CapSets {
            inheritable: set("CapInh")?,
            permitted: set("CapPrm")?,
            effective: set("CapEff")?,
            bounding: set("CapBnd")?,
            ambient: set("CapAmb")?,
        },
        no_new_privs: status.field("NoNewPrivs")? == "1",
        umask: status.field("Umask").ok().and_then(|octal| u32::from_str_radix(octal, 8).ok()),
        seccomp: match status.field("Seccomp")? {
            "0" => Seccomp::Disabled,
            "1" => Seccomp::Strict,
            "2" => Seccomp::Filter,
            other => return Err(format!("status: Seccomp: {other}")),
        },
        uid_map: map("uid_map", &text.uid_map)?,
        gid_map: map("gid_map", &text.gid_map)?,
        namespaces,
        sysctls: text.sysctls.clone(),
        mounts: text.mountinfo.lines().map(mount).collect::<Result<_, _>>()?,
        limits: limits(&text.limits)?,
        resources: Resources::read(&text.resources)?,
        command: command(&text.cmdline),
        hostname: text.hostname.clone(),
        processes: text.processes.iter().map(process).collect::<Result<_, _>>()?,
    })
}

/// The map of a user namespace seen from itself.
const WHOLE: IdMap = IdMap { inside: 0, outside: 0, count: u32::MAX };

/// Understands an ancestor of a container's process, of which no more is told than its command: into the machine's first process
/// not every root may look.
#[must_use]
pub fn parse_ancestor(text: &ProcessText) -> ProcessFacts {
    ProcessFacts { command: command(&text.cmdline), ..ProcessFacts::default() }
}

/// /proc/PID/status, proc_pid_status(5).
struct Status<'a>(&'a str);

impl<'a> Status<'a> {
    fn field(&self, name: &str) -> Result<&'a str, String> {
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .ok_or_else(|| format!("status: no line {name}"))
    }

    /// The effective one of real, effective, saved, file system.
    fn id(&self, name: &str) -> Result<u32, String> {
        let field = self.field(name)?;
        numbers(&format!("status: {name}"), field)?.get(1).copied().ok_or_else(|| format!("status: {name}: {field}"))
    }

    fn mask(&self, name: &str) -> Result<CapSet, String> {
        let field = self.field(name)?;
        u64::from_str_radix(field, 16).map(CapSet).map_err(|_| format!("status: {name}: {field}"))
    }
}

fn numbers(what: &str, text: &str) -> Result<Vec<u32>, String> {
    text.split_whitespace().map(|word| word.parse().map_err(|_| format!("{what}: {text}"))).collect()
}

fn id_map(what: &str, text: &str) -> Result<Vec<IdMap>, String> {
    text.lines()
        .map(|line| match numbers(what, line)?.as_slice() {
            &[inside, outside, count] => Ok(IdMap { inside, outside, count }),
            _ => Err(format!("{what}: {line}")),
        })
        .collect()
}

/// The kernel's name of each namespace in /proc/PID/ns.
const NAMESPACES: [(Namespace, &str); 8] = [
    (Namespace::Cgroup, "cgroup"),
    (Namespace::Ipc, "ipc"),
    (Namespace::Mount, "mnt"),
    (Namespace::Network, "net"),
    (Namespace::Pid, "pid"),
    (Namespace::Time, "time"),
    (Namespace::User, "user"),
    (Namespace::Uts, "uts"),
];

fn namespaces(text: &ProcessText, elders: &[Elder<'_>]) -> Result<Vec<(Namespace, NamespaceState)>, String> {
    let find = |list: &[(String, String)], name: &str| {
        list.iter().find(|(known, _)| known == name).map(|(_, identity)| identity.clone())
    };
    let mut states = Vec::new();
    for (namespace, name) in NAMESPACES {
        let state = match (find(&text.namespaces, name), find(&text.host_namespaces, name)) {
            (Some(own), Some(host)) if own == host => NamespaceState::Host,
            (Some(own), Some(_)) => {
                let owner = elders.iter().find(|(_, theirs)| find(theirs, name).as_ref() == Some(&own));
                owner.map_or(NamespaceState::New, |(name, _)| NamespaceState::Container((*name).to_owned()))
            }
            // A kernel without it.
            (None, None) => continue,
            _ => return Err(format!("ns/{name} can be read of one of container and host only")),
        };
        states.push((namespace, state));
    }
    if states.is_empty() {
        return Err("no namespace could be read".to_owned());
    }
    Ok(states)
}

/// A line of mountinfo: `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
fn mount(line: &str) -> Result<Mount, String> {
    let wrong = || format!("mountinfo: {line}");
    let (fixed, rest) = line.split_once(" - ").ok_or_else(wrong)?;
    let mut fields = fixed.split(' ').skip(3);
    let mut next = || fields.next().ok_or_else(wrong);
    let (root, target, options) = (next()?, next()?, next()?);
    let tags: Vec<&str> = fields.collect();
    let has = |name: &str| tags.iter().any(|tag| tag.split(':').next() == Some(name));
    let peers = match (has("shared"), has("master")) {
        (false, false) => Peers::Private,
        (false, true) => Peers::Slave,
        (true, false) => Peers::Shared,
        (true, true) => Peers::SlaveAndShared,
    };
    let mut rest = rest.split(' ');
    let mut next = || rest.next().ok_or_else(wrong);
    let (fstype, source, super_options) = (next()?, next()?, next()?);
    let words = |text: &str| text.split(',').map(unescape).collect();
    Ok(Mount {
        root: unescape(root),
        target: unescape(target),
        options: words(options),
        fstype: unescape(fstype),
        source: unescape(source),
        super_options: words(super_options),
        peers,
    })
}

/// The kernel writes space, tab, newline, backslash and # as `\040`.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match octal {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The kernel's words in /proc/PID/limits and docker's names for them.
const LIMITS: [(&str, &str); 15] = [
    ("Max cpu time", "cpu"),
    ("Max file size", "fsize"),
    ("Max data size", "data"),
    ("Max stack size", "stack"),
    ("Max core file size", "core"),
    ("Max resident set", "rss"),
    ("Max processes", "nproc"),
    ("Max open files", "nofile"),
    ("Max locked memory", "memlock"),
    ("Max file locks", "locks"),
    ("Max pending signals", "sigpending"),
    ("Max msgqueue size", "msgqueue"),
    ("Max nice priority", "nice"),
    ("Max realtime priority", "rtprio"),
    ("Max realtime timeout", "rttime"),
];

fn limits(text: &str) -> Result<Vec<Limit>, String> {
    let mut limits = Vec::new();
    for line in text.lines().skip(1) {
        let Some((words, name)) = LIMITS.iter().find(|(words, _)| line.starts_with(words)) else { continue };
        let mut values = line[words.len()..].split_whitespace().map(|value| match value {
            "unlimited" => Some(u64::MAX),
            digits => digits.parse().ok(),
        });
        match (values.next().flatten(), values.next().flatten()) {
            (Some(soft), Some(hard)) => limits.push(Limit { name, soft, hard }),
            _ => return Err(format!("limits: {line}")),
        }
    }
    Ok(limits)
}

fn process((status, cmdline): &(String, Vec<u8>)) -> Result<Process, String> {
    let status = Status(status);
    let pid = status.field("Pid")?;
    let command = command(cmdline);
    Ok(Process {
        pid: pid.parse().map_err(|_| format!("status: Pid: {pid}"))?,
        uid: status.id("Uid")?,
        command: if command.is_empty() { status.field("Name")?.to_owned() } else { command },
    })
}

fn command(cmdline: &[u8]) -> String {
    let words: Vec<_> =
        cmdline.strip_suffix(b"\0").unwrap_or(cmdline).split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tpause\nPid:\t1\nUid:\t1\t2000\t3\t4\nGid:\t0\t7\t0\t0\nGroups:\t6667 20 \n\
        CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n\
        CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n";

    fn text() -> ProcessText {
        ProcessText {
            status: STATUS.to_owned(),
            uid_map: "         0       2000       1000\n".to_owned(),
            namespaces: vec![("pid".into(), "pid:[2]".into()), ("user".into(), "user:[2]".into())],
            host_namespaces: vec![("pid".into(), "pid:[1]".into()), ("user".into(), "user:[1]".into())],
            mountinfo: "36 35 98:0 /a\\040b /mnt rw,nosuid master:1 - ext4 /dev/vda ro,size=5\n".to_owned(),
            limits: "Limit   Soft Limit  Hard Limit  Units\nMax open files            64    unlimited    files\n"
                .to_owned(),
            cmdline: b"sleep\0 60\0".to_vec(),
            ..ProcessText::default()
        }
    }

    #[test]
    fn a_process_is_understood() {
        let facts = parse_process(&text(), &[]).expect("understood");
        assert_eq!((facts.uid, facts.gid, facts.groups), (2000, 7, vec![6667, 20]));
        assert_eq!(facts.capabilities.bounding, CapSet(0xa804_25fb));
        assert_eq!(facts.seccomp, Seccomp::Filter);
        assert_eq!(facts.uid_map, [IdMap { inside: 0, outside: 2000, count: 1000 }]);
        assert_eq!(facts.namespaces, [(Namespace::Pid, NamespaceState::New), (Namespace::User, NamespaceState::New)]);
        assert_eq!(facts.mounts[0].root, "/a b");
        assert_eq!(facts.mounts[0].options, ["rw", "nosuid"]);
        assert_eq!(facts.mounts[0].super_options, ["ro", "size=5"]);
        assert_eq!(facts.mounts[0].peers, Peers::Slave);
        assert_eq!(facts.limits, [Limit { name: "nofile", soft: 64, hard: u64::MAX }]);
        assert_eq!(facts.command, "sleep  60");
    }

    #[test]
    fn a_mount_says_who_its_peers_are() {
        let tags = ["", "master:1 propagate_from:2 ", "shared:5 ", "shared:5 master:1 "];
        let peers =
            tags.map(|tags| mount(&format!("36 35 98:0 / /mnt rw {tags}- ext4 /dev/vda rw")).map(|one| one.peers));
        assert_eq!(peers, Peers::ALL.map(Ok));
    }

    #[test]
    fn who_is_in_the_hosts_user_namespace_has_its_ids() {
        let mut text = text();
        text.namespaces.clone_from(&text.host_namespaces);
        assert_eq!(parse_process(&text, &[]).expect("understood").uid_map, [WHOLE]);
    }

    #[test]
    fn a_namespace_with_an_elders_identity_is_the_elders() {
        let mut text = text();
        let users = text.host_namespaces.iter().find(|(name, _)| name == "user").expect("the host's").clone();
        text.namespaces.retain(|(name, _)| name != "user");
        text.namespaces.push(users.clone());
        let theirs = [("pid".to_owned(), "pid:[2]".to_owned()), users];
        let facts = parse_process(&text, &[("a", &theirs)]).expect("understood");
        let shared = NamespaceState::Container("a".to_owned());
        // What both have of the host is the host's.
        assert_eq!(facts.namespaces, [(Namespace::Pid, shared), (Namespace::User, NamespaceState::Host)]);
    }

    #[test]
    fn a_line_that_is_missing_is_named() {
        let mut text = text();
        text.status = text.status.replace("CapBnd", "CapBound");
        assert_eq!(parse_process(&text, &[]), Err("status: no line CapBnd".to_owned()));
    }
}
