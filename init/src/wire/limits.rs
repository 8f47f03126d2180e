//! Limits of control groups: where they are put, and where they are read.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// A control group that is made for one container, in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitGroup {
    /// Where the hierarchy is mounted where it is one of version 1, `/sys/fs/cgroup/pids`; `None` is version 2's.
    pub hierarchy: Option<String>,
    /// Controllers that the group is to have.
    pub controllers: Vec<String>,
    /// What is written, in order: name of the file and content.
    pub settings: Vec<(String, String)>,
}

/// A hierarchy, and the files in which its controllers keep their limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// A controller of it, as /proc/PID/cgroup names it; empty for version 2.
    pub controller: String,
    /// Where it is mounted.
    pub mount: String,
    /// What of it is mounted there; `/` is all.
    pub root: String,
    /// Names of the files.
    pub files: Vec<String>,
}

impl Hierarchy {
    /// The directory of the group that a process is in, by its /proc/PID/cgroup; `None` where that cannot be seen here.
    #[must_use]
    pub fn directory(&self, cgroup: &str) -> Option<String> {
        let path = path(cgroup, &self.controller)?;
        let below = if self.root == "/" { path } else { path.strip_prefix(&self.root)? };
        (!below.split('/').any(|name| name == "..")).then(|| format!("{}{below}", self.mount))
    }

    /// /proc/PID/cgroup of a process as the host sees it, made of what it sees of itself, of its pid 1, and of what the host
    /// sees of that: in a control group namespace the paths begin elsewhere. One line; `None` where it cannot be told.
    #[must_use]
    pub fn as_the_host(&self, inside: &str, init_inside: &str, init_outside: &str) -> Option<String> {
        let find = |text| path(text, &self.controller);
        let (inside, init, outside) = (find(inside)?, find(init_inside)?, find(init_outside)?);
        let seen = if inside == init {
            outside.to_owned()
        } else {
            format!("{}{inside}", outside.strip_suffix(init.trim_end_matches('/'))?)
        };
        Some(format!("0:{}:{seen}\n", self.controller))
    }
}

/// The path in the line of a controller: `8:pids:/docker/12`, `0::/` of version 2.
fn path<'a>(cgroup: &'a str, controller: &str) -> Option<&'a str> {
    cgroup.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|one| one == controller).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CGROUP: &str = "8:pids:/docker/1\n2:cpu,cpuacct:/docker/1\n0::/docker/1\n";

    fn hierarchy(controller: &str, root: &str) -> Hierarchy {
        Hierarchy {
            controller: controller.to_owned(),
            mount: "/c".to_owned(),
            root: root.to_owned(),
            files: Vec::new(),
        }
    }

    #[test]
    fn a_directory_is_found() {
        let find = |controller, root, text| hierarchy(controller, root).directory(text);
        assert_eq!(find("pids", "/", CGROUP).as_deref(), Some("/c/docker/1"));
        assert_eq!(find("cpu", "/docker", CGROUP).as_deref(), Some("/c/1"));
        assert_eq!(find("", "/docker/1", CGROUP).as_deref(), Some("/c"));
        assert_eq!(find("pids", "/other", CGROUP), None);
        assert_eq!(find("memory", "/", CGROUP), None);
        assert_eq!(find("pids", "/", "8:pids:/../1\n"), None);
    }

    #[test]
    fn a_namespace_is_seen_through() {
        let seen = |inside, init, outside| {
            let pids = hierarchy("pids", "/");
            let line = |path| format!("8:pids:{path}\n");
            pids.as_the_host(&line(inside), &line(init), &line(outside)).and_then(|line| pids.directory(&line))
        };
        assert_eq!(seen("/a", "/a", "/a").as_deref(), Some("/c/a"));
        assert_eq!(seen("/", "/", "/a").as_deref(), Some("/c/a"));
        assert_eq!(seen("/b", "/", "/a").as_deref(), Some("/c/a/b"));
        assert_eq!(seen("/../a", "/../a", "/a").as_deref(), Some("/c/a"));
        assert_eq!(seen("/../b", "/", "/a"), None);
        assert_eq!(seen("/b", "/x", "/a"), None);
    }
}
