//! Control groups of this machine: in which hierarchy each controller that limits something is.

use std::{fs, path::Path, sync::OnceLock};

use caplab_init::wire::Hierarchy;
use rustix::fs::{Access, access};

/// A controller that limits something, by the kernel's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Processes and threads.
    Pids,
    /// Memory and swap.
    Memory,
    /// Processor time.
    Cpu,
}

impl Controller {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Pids, Self::Memory, Self::Cpu];

    /// `pids`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pids => "pids",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
        }
    }

    /// The files of a group in which its limits are, of version 1 and of version 2.
    fn files(self, version: Version) -> &'static [&'static str] {
        match (self, version) {
            (Self::Pids, _) => &["pids.max"],
            (Self::Memory, Version::V1) => &["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"],
            (Self::Memory, Version::V2) => &["memory.max", "memory.swap.max"],
            (Self::Cpu, Version::V1) => &["cpu.cfs_quota_us", "cpu.cfs_period_us"],
            (Self::Cpu, Version::V2) => &["cpu.max"],
        }
    }
}

/// Files of the limit of swap, which are not there where swap is not counted.
const SWAP: [&str; 2] = ["memory.memsw.limit_in_bytes", "memory.swap.max"];

/// Of a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Each controller may have a hierarchy of its own.
    V1,
    /// One hierarchy for all.
    V2,
}

/// Where a controller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Version of its hierarchy.
    pub version: Version,
    /// Where that is mounted.
    pub mount: String,
    /// What of it is mounted there.
    root: String,
}

/// Where the controllers are that can be used for new groups at the root of their hierarchy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controllers {
    homes: [Option<Home>; 3],
    /// Version 2 has it, and its root (here) does not hand it to the groups below.
    withheld: [Option<String>; 3],
    /// Swap is counted.
    pub swap: bool,
}

/// The control groups of a machine.
#[derive(Debug, Clone)]
pub enum Cgroups {
    /// Of this one, looked at once somebody asks: most cases limit nothing, and the kernel takes its time over the mounts.
    OfThisMachine,
    /// As told.
    Told(CgroupVersion, Box<Controllers>),
}

impl Cgroups {
    /// Which hierarchy docker would take.
    #[must_use]
    pub fn version(&self) -> CgroupVersion {
        match self {
            Self::OfThisMachine => of_this_machine().0,
            Self::Told(version, _) => *version,
        }
    }

    /// Where the controllers are.
    #[must_use]
    pub fn controllers(&self) -> &Controllers {
        match self {
            Self::OfThisMachine => controllers(),
            Self::Told(_, controllers) => controllers,
        }
    }
}

/// Those of this machine.
#[must_use]
pub fn controllers() -> &'static Controllers {
    &of_this_machine().1
}

fn of_this_machine() -> &'static (CgroupVersion, Controllers) {
    static FOUND: OnceLock<(CgroupVersion, Controllers)> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        (CgroupVersion::of(&mounts), Controllers::find(&mounts))
    })
}

/// Which cgroup hierarchy is mounted where engines look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// /sys/fs/cgroup is no cgroup2: v1 or hybrid.
    V1,
    /// /sys/fs/cgroup is cgroup2.
    V2,
    /// No cgroups are mounted.
    None,
}

impl CgroupVersion {
    /// Where docker and podman look: /sys/fs/cgroup itself. Hybrid counts as v1 there.
    fn of(mounts: &str) -> Self {
        let found = mounts.lines().rev().find_map(|line| {
            let (fixed, rest) = line.split_once(" - ")?;
            (fixed.split(' ').nth(4) == Some("/sys/fs/cgroup")).then(|| rest.split(' ').next().unwrap_or(""))
        });
        match found {
            Some("cgroup2") => Self::V2,
            Some(_) => Self::V1,
            None => Self::None,
        }
    }
}

impl Controllers {
    fn find(mounts: &str) -> Self {
        let mut found = Self::of(mounts, |file| fs::read_to_string(file).unwrap_or_default());
        for home in &mut found.homes {
            // In a container they are often mounted read-only.
            home.take_if(|home| access(home.mount.as_str(), Access::WRITE_OK).is_err());
        }
        found.swap = found.home(Controller::Memory).is_some_and(counts_swap);
        found
    }

    /// A machine that has every one.
    #[cfg(test)]
    pub(crate) fn all() -> Self {
        let home = |one: Controller| Home {
            version: Version::V1,
            mount: format!("/sys/fs/cgroup/{}", one.name()),
            root: "/".to_owned(),
        };
        Self { homes: Controller::ALL.map(|one| Some(home(one))), swap: true, ..Self::default() }
    }

    /// Of the text of mountinfo and of the files of the hierarchies' roots.
    fn of(mounts: &str, read: impl Fn(&str) -> String) -> Self {
        let mut found = Self::default();
        for line in mounts.lines() {
            let Some((fixed, rest)) = line.split_once(" - ") else { continue };
            let mut fields = fixed.split(' ').skip(3);
            let (Some(root), Some(mount)) = (fields.next(), fields.next()) else { continue };
            let mut rest = rest.split(' ');
            let (fstype, options) = (rest.next().unwrap_or_default(), rest.nth(1).unwrap_or_default());
            let home = |version| Home { version, mount: mount.to_owned(), root: root.to_owned() };
            let names = |file| {
                let text = if fstype == "cgroup2" { read(&format!("{mount}/{file}")) } else { String::new() };
                text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            };
            let (there, handed) = (names("cgroup.controllers"), names("cgroup.subtree_control"));
            for (at, controller) in Controller::ALL.into_iter().enumerate() {
                let is_it = |name: &String| name == controller.name();
                if fstype == "cgroup" && options.split(',').any(|option| option == controller.name()) {
                    found.homes[at].get_or_insert(home(Version::V1));
                } else if handed.iter().any(is_it) {
                    found.homes[at].get_or_insert(home(Version::V2));
                } else if there.iter().any(is_it) {
                    found.withheld[at] = Some(mount.to_owned());
                }
            }
        }
        found
    }

    /// Where a controller is; `None` where it cannot be used.
    #[must_use]
    pub fn home(&self, controller: Controller) -> Option<&Home> {
        self.homes[controller as usize].as_ref()
    }

    /// What brings a controller that cannot be used.
    #[must_use]
    pub fn remedy(&self, controller: Controller) -> String {
        let name = controller.name();
        match &self.withheld[controller as usize] {
            Some(mount) => format!("echo +{name} > {mount}/cgroup.subtree_control"),
            None => format!(
                "on the machine itself, not in a container: mkdir -p /sys/fs/cgroup/{name} && \
                 mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"
            ),
        }
    }

    /// Where limits of these controllers are read, of those that there are.
    #[must_use]
    pub fn hierarchies(&self, wanted: impl Fn(&Controller) -> bool) -> Vec<Hierarchy> {
        let mut found: Vec<Hierarchy> = Vec::new();
        for controller in Controller::ALL.into_iter().filter(wanted) {
            let Some(home) = self.home(controller) else { continue };
            let files = controller.files(home.version).iter();
            let files = files.filter(|file| self.swap || !SWAP.contains(file)).map(|file| (*file).to_owned());
            match found.iter_mut().find(|known| known.mount == home.mount) {
                Some(known) => known.files.extend(files),
                None => found.push(Hierarchy {
                    controller: if home.version == Version::V1 { controller.name() } else { "" }.to_owned(),
                    mount: home.mount.clone(),
                    root: home.root.clone(),
                    files: files.collect(),
                }),
            }
        }
        found
    }
}

/// Whether groups below the root have a limit of swap: not with `swapaccount=0` or a kernel without CONFIG_SWAP.
fn counts_swap(home: &Home) -> bool {
    let mount = Path::new(&home.mount);
    match home.version {
        Version::V1 => mount.join("memory.memsw.limit_in_bytes").exists(),
        // The root has no limits: any group below it tells. Where there is none yet, whether the kernel has swap at all.
        Version::V2 => {
            let entries = fs::read_dir(mount).into_iter().flatten().flatten();
            let mut groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let told = groups.next().map(|group| group.path().join("memory.swap.max").exists());
            told.unwrap_or_else(|| Path::new("/proc/swaps").exists())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
        26 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        27 26 0:23 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        28 26 0:24 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
        29 26 0:25 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
        30 26 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const UNIFIED: &str = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn a_controller_is_where_it_is_mounted() {
        let found = Controllers::of(HYBRID, |_| "memory\n".to_owned());
        let home = |controller| found.home(controller).map(|home| (home.version, home.mount.as_str()));
        assert_eq!(home(Controller::Pids), Some((Version::V1, "/sys/fs/cgroup/pids")));
        assert_eq!(home(Controller::Cpu), Some((Version::V1, "/sys/fs/cgroup/cpu,cpuacct")));
        assert_eq!(home(Controller::Memory), Some((Version::V2, "/sys/fs/cgroup/unified")));
        let hierarchies = found.hierarchies(|_| true);
        let names: Vec<_> = hierarchies.iter().map(|one| (one.controller.as_str(), one.files.len())).collect();
        assert_eq!(names, [("pids", 1), ("", 1), ("cpu", 2)]);
    }

    #[test]
    fn what_the_root_of_version_2_keeps_to_itself_cannot_be_used() {
        let found = Controllers::of(UNIFIED, |file| {
            if file.ends_with("controllers") { "cpuset cpu io memory pids\n" } else { "memory pids\n" }.to_owned()
        });
        assert!(found.home(Controller::Pids).is_some() && found.home(Controller::Cpu).is_none());
        assert_eq!(found.remedy(Controller::Cpu), "echo +cpu > /sys/fs/cgroup/cgroup.subtree_control");
        let hierarchies = found.hierarchies(|_| true);
        assert_eq!(hierarchies[0].files, ["pids.max", "memory.max"]);
        assert!(found.hierarchies(|one| *one == Controller::Cpu).is_empty());
    }

    #[test]
    fn a_machine_without_control_groups_has_none() {
        let found = Controllers::of("26 1 0:22 / / rw - ext4 /dev/vda rw\n", |_| String::new());
        assert!(Controller::ALL.iter().all(|one| found.home(*one).is_none()));
        assert!(found.remedy(Controller::Pids).contains("mount -t cgroup -o pids"));
    }
}
