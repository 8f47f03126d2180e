//! The lab host: what stands for the host in every case. Its root is the machine's, or, for an ordinary user, that of a user
//! namespace of its own.

use std::{env, fs, path::Path, sync::OnceLock};

use caplab_init::wire::IdMap;

use super::subids::{self, MapTools, NoSubids};
use crate::engine::LabRefused;

/// What stands for the host.
#[derive(Debug, Clone)]
pub struct LabHost {
    /// Who its root is.
    pub root: LabRoot,
    /// Its uids: those it has, and what the machine calls them.
    pub uids: Vec<IdMap>,
    /// The same of its gids.
    pub gids: Vec<IdMap>,
    /// Its user namespace is the machine's first one, whose root the kernel asks for in what belongs to the whole machine.
    pub initial: bool,
    /// setgroups(2) is not denied in its user namespace.
    pub set_groups: bool,
}

/// Who the lab host's root is.
#[derive(Debug, Clone)]
pub enum LabRoot {
    /// This process's own user, who is root with CAP_SYS_ADMIN.
    Own,
    /// The root of a user namespace that is made for it, with subordinate ids.
    Mapped(MapTools),
    /// The root of a user namespace that has this one id, and why it has no more.
    Single(NoSubids),
    /// The root of a user namespace that is made for it by root, and has every id that this one has: what the kernel counts for a user
    /// is counted there apart ([`LabHost::apart`], docs/adr/0017).
    Apart,
}

/// Every id.
const WHOLE: IdMap = IdMap { inside: 0, outside: 0, count: u32::MAX };

impl LabHost {
    /// The machine's root.
    #[must_use]
    pub fn machine() -> Self {
        Self { root: LabRoot::Own, uids: vec![WHOLE], gids: vec![WHOLE], initial: true, set_groups: true }
    }

    /// The one that this process can make; looked for once.
    #[must_use]
    pub fn of_this_process() -> &'static Self {
        static FOUND: OnceLock<LabHost> = OnceLock::new();
        FOUND.get_or_init(Self::find)
    }

    fn find() -> Self {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        if uid == 0 && is_admin() {
            let own = |file| lines(&fs::read_to_string(file).unwrap_or_default());
            let (uids, gids) = (own("/proc/self/uid_map"), own("/proc/self/gid_map"));
            let initial = uids.is_empty() || uids == [WHOLE];
            if initial {
                return Self::machine();
            }
            let set_groups = fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "allow");
            return Self { root: LabRoot::Own, uids, gids, initial, set_groups };
        }
        let path = env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        match subids::find(&path, uid, gid) {
            Ok((tools, [uids, gids])) => {
                Self { root: LabRoot::Mapped(tools), uids, gids, initial: false, set_groups: true }
            }
            Err(why) => {
                let one = |outside| vec![IdMap { inside: 0, outside, count: 1 }];
                Self { root: LabRoot::Single(why), uids: one(uid), gids: one(gid), initial: false, set_groups: false }
            }
        }
    }

    /// The same, as a user namespace of its own: what the kernel counts for a user (processes, inotify instances) it counts for a user
    /// of a user namespace (`struct ucounts`). An ordinary user's is one anyway.
    #[must_use]
    pub fn apart(&self) -> Self {
        let same = |map: &[IdMap]| map.iter().map(|line| IdMap { outside: line.inside, ..*line }).collect();
        match self.root {
            LabRoot::Own => Self {
                root: LabRoot::Apart,
                uids: same(&self.uids),
                gids: same(&self.gids),
                initial: false,
                set_groups: self.set_groups,
            },
            LabRoot::Mapped(_) | LabRoot::Single(_) | LabRoot::Apart => self.clone(),
        }
    }

    /// The one of this process for a case that asks for one apart, or does not; made out once.
    #[must_use]
    pub fn for_case(apart: bool) -> &'static Self {
        static APART: OnceLock<LabHost> = OnceLock::new();
        let own = Self::of_this_process();
        if apart { APART.get_or_init(|| own.apart()) } else { own }
    }

    /// A user namespace is made for it.
    #[must_use]
    pub fn is_made(&self) -> bool {
        !matches!(self.root, LabRoot::Own)
    }
}

/// What an id of a map is outside of it.
#[must_use]
pub fn outside(map: &[IdMap], id: u32) -> Option<u32> {
    map.iter().find_map(|line| line.outside(id))
}

/// Whether a map has these ids in one line: the kernel maps a range of a further user namespace only so (`map_id_range_down`).
#[must_use]
pub fn has_range(map: &[IdMap], first: u32, count: u32) -> bool {
    let end = u64::from(first) + u64::from(count);
    map.iter().any(|line| first >= line.inside && end <= u64::from(line.inside) + u64::from(line.count))
}

/// Whether this process has CAP_SYS_ADMIN.
fn is_admin() -> bool {
    caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_ADMIN).unwrap_or(false)
}

fn lines(text: &str) -> Vec<IdMap> {
    let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (inside, outside, count) = (number(words.next())?, number(words.next())?, number(words.next())?);
            Some(IdMap { inside, outside, count })
        })
        .collect()
}

/// Why there is no lab host for an ordinary user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The kernel was built without user namespaces.
    Kernel,
    /// user.max_user_namespaces is 0.
    Limit,
    /// Debian's and Arch's switch, kernel.unprivileged_userns_clone, is off.
    Switch,
    /// Ubuntu's, kernel.apparmor_restrict_unprivileged_userns, is on, and AppArmor has no profile that allows it to caplab.
    AppArmor,
    /// An outer container's seccomp profile or masked /proc; the call that was refused.
    OuterContainer(String),
    /// newuidmap or newgidmap refused; its words.
    Maps(String),
    /// Something else.
    Other(String),
}

impl Obstacle {
    /// What it is.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Kernel => "this kernel has no user namespaces".to_owned(),
            Self::Limit => "user namespaces are switched off: user.max_user_namespaces is 0".to_owned(),
            Self::Switch => {
                "user namespaces are switched off for ordinary users: kernel.unprivileged_userns_clone is 0".to_owned()
            }
            Self::AppArmor => "AppArmor keeps the user namespaces of ordinary users from having any capability: \
                 kernel.apparmor_restrict_unprivileged_userns is 1"
                .to_owned(),
            Self::OuterContainer(call) => format!("this is a container that may not make user namespaces ({call})"),
            Self::Maps(words) => format!("the ids of a user namespace could not be written: {words}"),
            Self::Other(words) => format!("a user namespace could not be made: {words}"),
        }
    }

    /// What to type; `None` where that is not known.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        Some(
            match self {
                Self::Kernel => "a kernel built with CONFIG_USER_NS, or sudo -E caplab run",
                Self::Limit => "sysctl -w user.max_user_namespaces=15000",
                Self::Switch => "sysctl -w kernel.unprivileged_userns_clone=1",
                Self::AppArmor => "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
                Self::OuterContainer(_) => {
                    "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined …, \
                     or --privileged"
                }
                Self::Maps(_) => "grep \"^$USER:\" /etc/subuid /etc/subgid: each range must be the user's own",
                Self::Other(_) => return None,
            }
            .to_owned(),
        )
    }
}

/// What the machine shows of why it would refuse.
#[derive(Debug, Clone, Default)]
pub(super) struct Signs {
    /// /proc/self/ns/user is there.
    pub(super) kernel: bool,
    /// user.max_user_namespaces.
    pub(super) most: Option<String>,
    /// kernel.unprivileged_userns_clone, where the kernel has it.
    pub(super) switch: Option<String>,
    /// kernel.apparmor_restrict_unprivileged_userns, where the kernel has it.
    pub(super) apparmor: Option<String>,
    /// A seccomp filter is on this process, paths of /proc are masked, or an engine's mark of a container is there.
    pub(super) container: bool,
}

impl Signs {
    pub(super) fn read() -> Self {
        let number = super::machine::number;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            kernel: Path::new("/proc/self/ns/user").exists(),
            most: number("/proc/sys/user/max_user_namespaces"),
            switch: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            container: status.lines().any(|line| line == "Seccomp:\t2")
                || has_masks(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
                || ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists()),
        }
    }

    /// What is plain without an attempt.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        if !self.kernel {
            return Some(Obstacle::Kernel);
        }
        if self.most.as_deref() == Some("0") {
            return Some(Obstacle::Limit);
        }
        (self.switch.as_deref() == Some("0")).then_some(Obstacle::Switch)
    }

    /// What a refusal, in words, comes of.
    pub(super) fn explain(&self, words: String) -> Obstacle {
        if self.apparmor.as_deref() == Some("1") {
            Obstacle::AppArmor
        } else if self.container {
            Obstacle::OuterContainer(words)
        } else {
            Obstacle::Other(words)
        }
    }
}

/// Whether something lies over a path of /proc, but for what a machine itself mounts there.
fn has_masks(mountinfo: &str) -> bool {
    let over = |line: &str| line.split(' ').nth(4).is_some_and(|target| target.starts_with("/proc/"));
    mountinfo.lines().any(|line| over(line) && !line.contains(" - binfmt_misc ") && !line.contains(" - autofs "))
}

/// Why an ordinary user's lab host cannot be made here; `None` where it can. It is tried, once.
pub(super) fn obstacle() -> Option<Obstacle> {
    static FOUND: OnceLock<Option<Obstacle>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let signs = Signs::read();
            signs.obstacle().or_else(|| match crate::engine::try_lab_host() {
                Ok(()) => None,
                Err(LabRefused::Maps(words)) if matches!(LabHost::of_this_process().root, LabRoot::Mapped(_)) => {
                    Some(Obstacle::Maps(words))
                }
                Err(LabRefused::Maps(words) | LabRefused::Kernel(words)) => Some(signs.explain(words)),
                Err(LabRefused::Other(words)) => Some(Obstacle::Other(words)),
            })
        })
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordinary() -> Signs {
        Signs { kernel: true, most: Some("15000".to_owned()), ..Signs::default() }
    }

    #[test]
    fn each_switch_is_told_from_the_others() {
        let off = Some("0".to_owned());
        assert_eq!(ordinary().obstacle(), None);
        assert_eq!(Signs { kernel: false, ..ordinary() }.obstacle(), Some(Obstacle::Kernel));
        assert_eq!(Signs { most: off.clone(), ..ordinary() }.obstacle(), Some(Obstacle::Limit));
        assert_eq!(Signs { switch: off, ..ordinary() }.obstacle(), Some(Obstacle::Switch));
        let refused = || "clone3: EPERM".to_owned();
        let ubuntu = Signs { apparmor: Some("1".to_owned()), ..ordinary() };
        assert_eq!(ubuntu.explain(refused()), Obstacle::AppArmor);
        let inside = Signs { container: true, apparmor: Some("0".to_owned()), ..ordinary() };
        assert_eq!(inside.explain(refused()), Obstacle::OuterContainer(refused()));
        assert_eq!(ordinary().explain(refused()), Obstacle::Other(refused()));
    }

    #[test]
    fn masks_of_proc_are_told_from_what_a_machine_has_there() {
        let machine =
            "22 27 0:21 / /proc rw - proc proc rw\n30 22 0:28 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n";
        assert!(!has_masks(machine));
        assert!(has_masks(&format!("{machine}31 22 0:5 /null /proc/kcore rw - tmpfs tmpfs rw\n")));
    }

    #[test]
    fn a_range_must_lie_in_one_line() {
        let map = lines("0 1000 1\n1 100000 65536\n");
        assert!(has_range(&map, 0, 1));
        assert!(has_range(&map, 2000, 1000));
        assert!(!has_range(&map, 0, 1000), "it begins in one line and ends in the other");
        assert!(!has_range(&map, 65_000, 1000), "it ends beyond");
        assert!(has_range(&[WHOLE], 100_000, 65_536));
        assert_eq!((outside(&map, 0), outside(&map, 6667), outside(&map, 65_537)), (Some(1000), Some(106_666), None));
    }
}
