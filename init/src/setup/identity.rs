//! Operations on the process itself: names, limits, credentials.

use caplab_init::wire::Op;

use crate::sys::{Fail, Result, credentials, system};

pub(super) fn perform(op: &Op) -> Result<()> {
    match op {
        Op::Hostname(name) => system::set_hostname(name),
        Op::LoopbackUp => system::loopback_up(),
        Op::Rlimit { resource, soft, hard } => system::set_limit(*resource, *soft, *hard),
        Op::Bounding(keep) => credentials::limit_bounding(*keep),
        Op::KeepCaps => credentials::keep_capabilities(),
        Op::Groups(groups) => credentials::set_groups(groups),
        Op::Gid(gid) => credentials::set_gid(*gid),
        Op::Uid(uid) => credentials::set_uid(*uid),
        Op::Capset { effective, permitted, inheritable } => {
            credentials::set_capabilities(*effective, *permitted, *inheritable)
        }
        Op::Ambient(capabilities) => credentials::set_ambient(*capabilities),
        Op::NoNewPrivs => credentials::set_no_new_privs(),
        Op::Seccomp(program) => credentials::filter_calls(program),
        Op::Umask(mask) => {
            system::set_umask(*mask);
            Ok(())
        }
        // Those of files and mounts are taken before this.
        _ => Err(Fail::new("caplab-init", libc::ENOSYS)),
    }
}
