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
    scenario::model::{Container, Ulimit},
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
    /// Who its own process is.
    pub(super) own: &'a Identity,
    /// Its host name.
    pub(super) hostname: &'a str,
}

/// PATH of docker and podman, and of Debian's root.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The process; `exec_as` where it is one that is executed in the running container as this user.
pub(super) fn process(
    common: &Common<'_>,
    exec_as: Option<&Identity>,
    args: Vec<String>,
) -> Result<Process, Unresolvable> {
    let Common { container, facts, own, .. } = common;
    let who = exec_as.unwrap_or(own);
    let mut user = SpecUser::default();
    user.set_uid(who.uid).set_gid(who.gid).set_umask(Some(0o022)).set_additional_gids(Some(groups(common, who)?));
    let sets = capabilities::sets(container, facts, common.ceiling, own.uid, exec_as.map(|who| who.uid));
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

fn groups(common: &Common<'_>, who: &Identity) -> Result<Vec<u32>, Unresolvable> {
    // No account of these containers is listed as a member of a further group.
    let mut groups = match common.facts.groups {
        Groups::PrimaryAndMemberships => vec![who.gid],
        Groups::NoneForRoot if who.uid != 0 => vec![who.gid],
        Groups::NoneForRoot | Groups::None => Vec::new(),
    };
    for group in &common.container.group_add {
        let gid = common.accounts.group(group)?;
        if !groups.contains(&gid) {
            groups.push(gid);
        }
    }
    Ok(groups)
}

fn environment(common: &Common<'_>, who: &Identity) -> Vec<String> {
    let own = [("PATH", PATH), ("HOSTNAME", common.hostname), ("HOME", &who.home)];
    let mut variables: Vec<(&str, &str)> = own.into_iter().chain(common.facts.environment.iter().copied()).collect();
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
