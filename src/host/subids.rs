//! Subordinate ids: which ids an ordinary user may give to the processes of his user namespaces, and the two programs that do it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use caplab_init::wire::IdMap;

/// The programs of the package uidmap that write maps of subordinate ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapTools {
    /// newuidmap(1).
    pub uids: PathBuf,
    /// newgidmap(1).
    pub gids: PathBuf,
}

/// Why there are no subordinate ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSubids {
    /// A program is not in PATH.
    NoTool(&'static str),
    /// A program is there, and has neither the set-uid bit nor a file capability that would let it write a map.
    NotPrivileged(PathBuf),
    /// This process or the programs' mount has what makes the kernel pass over set-uid bits.
    SetuidIgnored(&'static str),
    /// A file has no line for the user.
    NoRange {
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
        /// The user's name, or uid where there is none.
        user: String,
    },
}

impl NoSubids {
    /// What is missing.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::NoTool(name) => format!("{name} is not installed"),
            Self::NotPrivileged(path) => format!("{} has lost its set-uid bit", path.display()),
            Self::SetuidIgnored(why) => format!("newuidmap cannot work: {why}"),
            Self::NoRange { file, user } => format!("{file} has no ids for {user}"),
        }
    }

    /// The command that brings it; `None` where that is not one command.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::NoTool(_) => "apt-get install uidmap".to_owned(),
            Self::NotPrivileged(path) => format!("chmod u+s {}", path.display()),
            Self::SetuidIgnored(_) => return None,
            Self::NoRange { user, .. } => {
                format!("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}")
            }
        })
    }
}

/// The maps of a user namespace whose root is this user and whose further ids are the subordinate ones, as rootless podman
/// makes it; and who writes them.
///
/// # Errors
/// What is missing.
pub(super) fn find(path: &str, uid: u32, gid: u32) -> Result<(MapTools, [Vec<IdMap>; 2]), NoSubids> {
    let tools = MapTools { uids: tool(path, "newuidmap")?, gids: tool(path, "newgidmap")? };
    if rustix::thread::no_new_privs().is_ok_and(|set| set) {
        return Err(NoSubids::SetuidIgnored("this process runs with no_new_privs, as in a sandbox"));
    }
    let user = name_of(uid);
    let map = |file: &'static str, own: u32| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let ranges = ranges(&text, &user, uid);
        if ranges.is_empty() { Err(NoSubids::NoRange { file, user: user.clone() }) } else { Ok(with_own(own, &ranges)) }
    };
    Ok((tools, [map("/etc/subuid", uid)?, map("/etc/subgid", gid)?]))
}

/// The user's name, the uid where nobody knows one. getpwuid(3) is not for a program that is linked statically: it loads libraries
/// of the machine's. getent(1) asks it in a program of the machine's, for who is not in /etc/passwd (LDAP, systemd-homed).
pub(crate) fn name_of(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let getent = || {
        let found = Command::new("getent").arg("passwd").arg(uid.to_string()).stderr(Stdio::null()).output().ok()?;
        name_in(&String::from_utf8_lossy(&found.stdout), uid)
    };
    name_in(&passwd, uid).or_else(getent).unwrap_or_else(|| uid.to_string())
}

/// passwd(5): `name:password:uid:…`.
fn name_in(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

fn tool(path: &str, name: &'static str) -> Result<PathBuf, NoSubids> {
    let found = path.split(':').map(|dir| Path::new(dir).join(name)).find(|path| path.is_file());
    let found = found.ok_or(NoSubids::NoTool(name))?;
    let mode = fs::metadata(&found).map(|data| data.permissions().mode()).unwrap_or_default();
    // Fedora's has file capabilities in place of the bit.
    let privileged = mode & 0o4000 != 0 || rustix::fs::getxattr(&found, "security.capability", &mut [0; 64]).is_ok();
    if !privileged {
        return Err(NoSubids::NotPrivileged(found));
    }
    let nosuid = rustix::fs::statvfs(&found).is_ok_and(|on| on.f_flag.contains(rustix::fs::StatVfsMountFlags::NOSUID));
    if nosuid { Err(NoSubids::SetuidIgnored("it is on a mount with nosuid")) } else { Ok(found) }
}

/// The ranges of a user, subuid(5): lines `name:first:amount`, or with the uid for the name.
fn ranges(text: &str, user: &str, uid: u32) -> Vec<(u32, u32)> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            fields.next().filter(|name| *name == user || *name == number)?;
            let (first, amount) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (amount > 0).then_some((first, amount))
        })
        .collect()
}

/// 0 is the user, 1 and on are the ranges, one after the other.
fn with_own(own: u32, ranges: &[(u32, u32)]) -> Vec<IdMap> {
    let mut map = vec![IdMap { inside: 0, outside: own, count: 1 }];
    for (first, amount) in ranges {
        let inside = map.iter().fold(0u32, |sum, line| sum.saturating_add(line.count));
        // The last id, 4294967295, is nobody's.
        let count = (*amount).min(u32::MAX - inside);
        if count > 0 {
            map.push(IdMap { inside, outside: *first, count });
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_lines_are_found_by_name_and_by_number() {
        let text = "root:1:1\nann:100000:65536\nannabel:5:5\n1000:300000:10\nann:bad:1\nann:7:0\n";
        assert_eq!(ranges(text, "ann", 1000), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(ranges(text, "bob", 1001), []);
    }

    #[test]
    fn a_name_is_the_first_that_the_file_has_for_the_uid() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:100::/home/ann:/bin/sh\nann2:x:1000:100::/:/bin/sh\n";
        assert_eq!(name_in(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(name_in(passwd, 100), None);
    }

    #[test]
    fn the_user_is_root_and_the_ranges_follow() {
        let map = with_own(1001, &[(100_000, 65_536), (300_000, 10)]);
        let lines: Vec<_> = map.iter().map(|line| (line.inside, line.outside, line.count)).collect();
        assert_eq!(lines, [(0, 1001, 1), (1, 100_000, 65_536), (65_537, 300_000, 10)]);
    }

    #[test]
    fn a_path_without_the_tools_names_the_package() {
        let missing = find("/nonexistent", 1000, 1000).expect_err("nothing there");
        assert_eq!(missing, NoSubids::NoTool("newuidmap"));
        assert_eq!(missing.remedy().as_deref(), Some("apt-get install uidmap"));
    }

    #[test]
    fn a_tool_without_its_bit_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("newuidmap");
        fs::write(&path, "").expect("a file");
        let missing = find(&folder.path().display().to_string(), 1000, 1000).expect_err("not privileged");
        assert_eq!(missing.remedy(), Some(format!("chmod u+s {}", path.display())));
    }
}
