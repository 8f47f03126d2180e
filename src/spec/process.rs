//! A process of the runtime-spec: the container's own, or one that `exec` puts into it.

use std::path::PathBuf;

use oci_spec::runtime::{PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process, User as SpecUser};

use super::{
    Unresolvable,
    accounts::{Accounts, Identity},
    capabilities,
    preset::{Facts, Groups},
};
use crate::{
    capability::CapSet,
    scenario::model::{Container, Owner, Preset, Ulimit},
};

/// What a container's processes have in common.
pub(super) struct Common<'a> {
    /// As written.
    pub(super) container: &'a Container,
    /// Of its preset.
    pub(super) facts: &'a Facts,
    /// Its accounts.
    pub(super) accounts: &'a Accounts,
    /// What it may have at most.
    pub(super) ceiling: CapSet,
    /// What the machine's root has.
    pub(super) machine: CapSet,
    /// Who its own process is.
    pub(super) own: &'a Identity,
    /// Groups that list that user before the engine names anybody: an image's accounts have some.
    pub(super) memberships: &'a [u32],
    /// Its host name.
    pub(super) hostname: &'a str,
}

/// For what a process is made.
#[derive(Clone, Copy)]
pub(super) enum Role<'a> {
    /// The container's own, its pid 1.
    Init,
    /// One that is executed in it, as this user where one is named.
    Exec(Option<&'a Identity>),
}

/// PATH of docker and podman, and of Debian's root.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The process.
pub(super) fn process(common: &Common<'_>, role: Role<'_>, args: Vec<String>) -> Result<Process, Unresolvable> {
    let Common { container, facts, own, .. } = common;
    let exec_as = match role {
        Role::Init => None,
        Role::Exec(who) => who,
    };
    let who = exec_as.unwrap_or(own);
    let mut user = SpecUser::default();
    user.set_uid(who.uid).set_gid(who.gid).set_umask(Some(0o022)).set_additional_gids(Some(groups(common, role)?));
    let exec_as = exec_as.map(|who| (who.uid, who.asked == container.user));
    let sets = capabilities::sets(container, facts, common.ceiling, common.machine, own.uid, exec_as);
    let mut process = Process::default();
    process
        .set_terminal(Some(false))
        .set_user(user)
        .set_args(Some(args))
        .set_env(Some(environment(common, who)))
        .set_cwd(PathBuf::from(container.working_dir.as_deref().unwrap_or("/")))
        .set_capabilities(Some(capabilities::in_spec(&sets)))
        .set_rlimits(Some(container.ulimits.iter().filter_map(limit).collect()))
        .set_no_new_privileges(Some(container.no_new_privs));
    Ok(process)
}

/// The primary group and those that list the user, each once.
fn with(gid: u32, memberships: &[u32]) -> Vec<u32> {
    let mut groups = vec![gid];
    for member in memberships {
        if !groups.contains(member) {
            groups.push(*member);
        }
    }
    groups
}

fn groups(common: &Common<'_>, role: Role<'_>) -> Result<Vec<u32>, Unresolvable> {
    let Common { container, own, .. } = common;
    let (mut groups, added) = match (common.facts.groups, role) {
        (Groups::PrimaryAndMemberships, Role::Exec(Some(who))) => (with(who.gid, &who.memberships), true),
        (Groups::PrimaryAndMemberships, _) => (with(own.gid, common.memberships), true),
        (Groups::PrimaryOfNamedUser, Role::Init) if container.user.is_some() => {
            (with(own.gid, common.memberships), true)
        }
        (Groups::PrimaryOfNamedUser, Role::Exec(who)) => {
            // libpod looks groups up in the root, also where the /etc/group that it has made lies over it (getUserOverrides looks for
            // /etc/passwd alone).
            let listed = if container.read_only { Vec::new() } else { who.unwrap_or(own).memberships.clone() };
            (listed, who.is_none())
        }
        (Groups::PrimaryOfNamedUser, Role::Init) => (common.memberships.to_vec(), true),
        (Groups::None, _) => (Vec::new(), true),
    };
    let added: &[_] = if added { &container.group_add } else { &[] };
    for group in added {
        let gid = common.accounts.group(group)?;
        if !groups.contains(&gid) {
            groups.push(gid);
        }
    }
    groups.retain(|gid| !common.container.altered.without_groups.contains(gid));
    Ok(groups)
}

fn environment(common: &Common<'_>, who: &Identity) -> Vec<String> {
    let home = if common.facts.home_of_name { &who.home } else { common.accounts.home(who.uid) };
    let own = [("PATH", PATH), ("HOSTNAME", common.hostname), ("HOME", home)];
    // podman names the container in it where the name is the container's own or the machine's (libpod, container_internal_common.go).
    let shared =
        common.container.preset == Preset::Podman && matches!(common.container.sharing.uts, Owner::Container(_));
    let own = own.into_iter().filter(|(name, _)| !(shared && *name == "HOSTNAME"));
    let mut variables: Vec<(&str, &str)> = own.chain(common.facts.environment.iter().copied()).collect();
    for (name, value) in &common.container.environment {
        match variables.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => variables.push((name, value)),
        }
    }
    variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn limit(ulimit: &Ulimit) -> Option<PosixRlimit> {
    let typ: PosixRlimitType = format!("RLIMIT_{}", ulimit.name.to_ascii_uppercase()).parse().ok()?;
    PosixRlimitBuilder::default().typ(typ).soft(ulimit.soft).hard(ulimit.hard).build().ok()
}
