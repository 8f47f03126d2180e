//! Users and groups of a container: its /etc/passwd and /etc/group.

use super::Unresolvable;
use crate::scenario::model::{IdOrName, User};

/// A line of /etc/passwd.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Name.
    pub(super) name: String,
    /// uid.
    pub(super) uid: u32,
    /// gid.
    pub(super) gid: u32,
    /// Home directory.
    pub(super) home: String,
}

/// Who a process is.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// uid.
    pub(super) uid: u32,
    /// gid.
    pub(super) gid: u32,
    /// Home directory; `/` where there is no account.
    pub(super) home: String,
}

/// The accounts of a container.
#[derive(Debug)]
pub(super) struct Accounts {
    users: Vec<Account>,
    groups: &'static [(&'static str, u32)],
}

/// What every container has: those that base images agree on (Debian's base-passwd).
const USERS: [(&str, u32, u32, &str); 3] =
    [("root", 0, 0, "/root"), ("daemon", 1, 1, "/usr/sbin"), ("nobody", 65534, 65534, "/nonexistent")];
const GROUPS: &[(&str, u32)] = &[("root", 0), ("daemon", 1), ("tty", 5), ("disk", 6), ("nogroup", 65534)];

impl Accounts {
    /// A base image's.
    pub(super) fn new() -> Self {
        let users = USERS.map(|(name, uid, gid, home)| Account { name: name.into(), uid, gid, home: home.into() });
        Self { users: users.into(), groups: GROUPS }
    }

    /// Adds an account for a number that has none, its name the number.
    pub(super) fn name_unknown(&mut self, who: &Identity) {
        if !self.users.iter().any(|user| user.uid == who.uid) {
            let home = who.home.clone();
            self.users.push(Account { name: who.uid.to_string(), uid: who.uid, gid: who.gid, home });
        }
    }

    /// Looks a user up, as docker's `-u` is looked up (moby, pkg user GetExecUser): a number without an account is
    /// group 0 unless said otherwise.
    pub(super) fn resolve(&self, user: Option<&User>) -> Result<Identity, Unresolvable> {
        let Some(user) = user else { return Ok(Identity { uid: 0, gid: 0, home: "/root".into() }) };
        let account = match &user.user {
            IdOrName::Id(uid) => self.users.iter().find(|account| account.uid == *uid),
            IdOrName::Name(name) => Some(self.users.iter().find(|account| account.name == *name).ok_or_else(|| {
                Unresolvable(format!(
                    "the container's /etc/passwd has no user `{name}`; it has {}: write a number",
                    self.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", ")
                ))
            })?),
        };
        let uid = match (&user.user, account) {
            (IdOrName::Id(uid), _) => *uid,
            (IdOrName::Name(_), account) => account.map_or(0, |account| account.uid),
        };
        let gid = match &user.group {
            Some(group) => self.group(group)?,
            None => account.map_or(0, |account| account.gid),
        };
        Ok(Identity { uid, gid, home: account.map_or_else(|| "/".to_owned(), |account| account.home.clone()) })
    }

    /// Looks a group up.
    pub(super) fn group(&self, group: &IdOrName) -> Result<u32, Unresolvable> {
        match group {
            IdOrName::Id(gid) => Ok(*gid),
            IdOrName::Name(name) => {
                self.groups.iter().find(|(known, _)| known == name).map(|(_, gid)| *gid).ok_or_else(|| {
                    Unresolvable(format!(
                        "the container's /etc/group has no group `{name}`; it has {}: write a number",
                        self.groups.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
                    ))
                })
            }
        }
    }

    /// /etc/passwd.
    pub(super) fn passwd(&self) -> String {
        self.users
            .iter()
            .map(|user| format!("{0}:x:{1}:{2}:{0}:{3}:/bin/sh\n", user.name, user.uid, user.gid, user.home))
            .collect()
    }

    /// /etc/group.
    pub(super) fn group_file(&self) -> String {
        self.groups.iter().map(|(name, gid)| format!("{name}:x:{gid}:\n")).collect()
    }
}
