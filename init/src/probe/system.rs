//! Probes of what belongs to the whole machine or namespace.

use caplab_init::wire::Answer;

use super::Meaning;
use crate::sys::{attempt, system};

/// `SYSLOG_ACTION_SIZE_UNREAD`, syslog(2): asks for the permission whatever kernel.dmesg_restrict says.
const SIZE_UNREAD: i32 = 9;

/// More minutes west of Greenwich than there are: the kernel takes at most 15 hours.
const NO_ZONE: i32 = 16 * 60;

pub(super) fn mount() -> Answer {
    let meaning = Meaning { allowed: &[libc::EINVAL], ..Meaning::default() };
    // Refused once the permission was given (path_mount, then do_change_type), so that nothing is mounted. A bad option of
    // a file system would do as well, but the kernel writes those into its log.
    meaning.of("mount()", attempt::mount_contradiction())
}

pub(super) fn sethostname() -> Answer {
    let set = attempt::hostname().and_then(|name| system::set_hostname(&name));
    Meaning::default().of("sethostname()", set)
}

pub(super) fn set_time() -> Answer {
    let meaning = Meaning { allowed: &[libc::EINVAL], ..Meaning::default() };
    meaning.of("settimeofday()", attempt::set_time_zone(NO_ZONE))
}

pub(super) fn read_kernel_log() -> Answer {
    let meaning = Meaning { unavailable: &[libc::ENOSYS], ..Meaning::default() };
    meaning.of("syslog(SYSLOG_ACTION_SIZE_UNREAD)", attempt::kernel_log(SIZE_UNREAD))
}

pub(super) fn load_module() -> Answer {
    // No bytes are no module: said once the permission was given.
    let meaning = Meaning { allowed: &[libc::ENOEXEC], unavailable: &[libc::ENOSYS], ..Meaning::default() };
    meaning.of("init_module()", attempt::load_empty_module())
}
