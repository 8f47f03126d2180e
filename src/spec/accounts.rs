//! Users and groups of a container: its /etc/passwd and /etc/group.

use super::Unresolvable;
use crate::{
    image::Image,
    scenario::{
        model::{IdOrName, User},
        there::{GROUPS, USERS},
    },
};

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
    /// The password and the comment; the image's accounts have `x` and their own name.
    pub(super) said: Option<(&'static str, &'static str)>,
}

/// Who a process is.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// As it was asked for.
    pub(super) asked: Option<User>,
    /// uid.
    pub(super) uid: u32,
    /// gid.
    pub(super) gid: u32,
    /// Home directory; `/` where there is no account.
    pub(super) home: String,
    /// Groups that list the account as a member; none where a group was asked for (moby, pkg user GetExecUser).
    pub(super) memberships: Vec<u32>,
}

/// A line of /etc/group.
#[derive(Debug, Clone)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// The accounts of a container.
#[derive(Debug)]
pub(super) struct Accounts {
    users: Vec<Account>,
    groups: Vec<Group>,
    /// An image's own files, and how many of the accounts and groups are theirs: they are left as they are.
    image: Option<Files>,
}

/// /etc/passwd and /etc/group of an image.
#[derive(Debug)]
struct Files {
    passwd: String,
    group: String,
    users: usize,
    groups: usize,
}

impl Accounts {
    /// A base image's.
    pub(super) fn new() -> Self {
        let users =
            USERS.map(|(name, uid, gid, home)| Account { name: name.into(), uid, gid, home: home.into(), said: None });
        let groups = GROUPS.map(|(name, gid)| Group { name: name.into(), gid, members: Vec::new() });
        Self { users: users.into(), groups: groups.into(), image: None }
    }

    /// An image's: what its /etc/passwd and /etc/group have. A line that is none is passed over, as docker does (moby/sys/user).
    pub(super) fn of_image(image: &Image) -> Self {
        let text =
            |path| image.tree.read(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let (passwd, group) = (text("/etc/passwd"), text("/etc/group"));
        let users: Vec<Account> = passwd.lines().filter_map(account).collect();
        let groups: Vec<Group> = group.lines().filter_map(self::group).collect();
        let files = Files { users: users.len(), groups: groups.len(), passwd, group };
        Self { users, groups, image: Some(files) }
    }

    /// Adds an account for a number that has none, its name the number, and likewise a group (libpod, container_internal_common.go
    /// generateUserPasswdEntry and generateUserGroupEntry: the group that was named, else one of the user's own number). His home is the
    /// working directory.
    pub(super) fn name_unknown(&mut self, user: Option<&User>, who: &Identity, working_dir: Option<&str>) {
        let Some(user) = user else { return };
        if let IdOrName::Id(gid) = user.group.as_ref().unwrap_or(&user.user)
            && !self.groups.iter().any(|group| group.gid == *gid)
        {
            let member = match &user.user {
                IdOrName::Id(uid) => uid.to_string(),
                IdOrName::Name(name) => name.clone(),
            };
            self.groups.push(Group { name: gid.to_string(), gid: *gid, members: vec![member] });
        }
        if !self.users.iter().any(|user| user.uid == who.uid) {
            let home = working_dir.unwrap_or("/").to_owned();
            let said = Some(("*", "container user"));
            self.users.push(Account { name: who.uid.to_string(), uid: who.uid, gid: who.gid, home, said });
        }
    }

    /// Looks a user up, as docker's `-u` is looked up (moby, pkg user GetExecUser): a number without an account is
    /// group 0 unless said otherwise.
    pub(super) fn resolve(&self, user: Option<&User>) -> Result<Identity, Unresolvable> {
        let Some(user) = user else {
            // Of an image's root what its /etc/passwd says (moby, GetExecUser with the defaults 0, 0 and `/`).
            let root = User { user: IdOrName::Id(0), group: None };
            let found = if self.image.is_some() { Some(self.resolve(Some(&root))?) } else { None };
            return Ok(match found {
                Some(found) => Identity { asked: None, ..found },
                None => Identity { asked: None, uid: 0, gid: 0, home: "/root".into(), memberships: Vec::new() },
            });
        };
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
        let lists = |group: &&Group| account.is_some_and(|account| group.members.contains(&account.name));
        let memberships = match user.group {
            Some(_) => Vec::new(),
            None => self.groups.iter().filter(lists).map(|group| group.gid).collect(),
        };
        let home = account.map_or_else(|| "/".to_owned(), |account| account.home.clone());
        Ok(Identity { asked: Some(user.clone()), uid, gid, home, memberships })
    }

    /// The home of a number: its first account's, whatever name the user was asked for by (runc, libcontainer/init_linux.go setupUser).
    pub(super) fn home(&self, uid: u32) -> &str {
        self.users.iter().find(|account| account.uid == uid).map_or("/", |account| &account.home)
    }

    /// Looks a group up.
    pub(super) fn group(&self, group: &IdOrName) -> Result<u32, Unresolvable> {
        match group {
            IdOrName::Id(gid) => Ok(*gid),
            IdOrName::Name(name) => {
                self.groups.iter().find(|group| group.name == *name).map(|group| group.gid).ok_or_else(|| {
                    Unresolvable(format!(
                        "the container's /etc/group has no group `{name}`; it has {}: write a number",
                        self.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(", ")
                    ))
                })
            }
        }
    }

    /// /etc/passwd.
    pub(super) fn passwd(&self) -> String {
        let line = |user: &Account| {
            let (password, comment) = user.said.unwrap_or(("x", &user.name));
            format!("{}:{password}:{}:{}:{comment}:{}:/bin/sh\n", user.name, user.uid, user.gid, user.home)
        };
        let (own, known) = self.image.as_ref().map_or(("", 0), |files| (&files.passwd, files.users));
        ended(own) + &self.users.iter().skip(known).map(line).collect::<String>()
    }

    /// /etc/group.
    pub(super) fn group_file(&self) -> String {
        let line = |group: &Group| format!("{}:x:{}:{}\n", group.name, group.gid, group.members.join(","));
        let (own, known) = self.image.as_ref().map_or(("", 0), |files| (&files.group, files.groups));
        ended(own) + &self.groups.iter().skip(known).map(line).collect::<String>()
    }
}

/// A file to which lines are added.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn account(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.trim().split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
    let home = if home.is_empty() { "/" } else { home };
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    Some(Account { name: (*name).to_owned(), uid, gid, home: home.to_owned(), said: None })
}

fn group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.trim().split(':').collect();
    let [name, _, gid, members @ ..] = fields.as_slice() else { return None };
    let members = members.first().into_iter().flat_map(|list| list.split(',')).filter(|name| !name.is_empty());
    Some(Group { name: (*name).to_owned(), gid: gid.parse().ok()?, members: members.map(str::to_owned).collect() })
}
