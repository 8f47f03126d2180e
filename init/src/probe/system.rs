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

/// A kernel that was built without the call.
const NO_CALL: [i32; 1] = [libc::ENOSYS];

pub(super) fn bpf() -> Answer {
    // No program is loaded: said once the permission was given.
    let meaning = Meaning { allowed: &[libc::ENOENT], unavailable: &NO_CALL, ..Meaning::default() };
    meaning.of("bpf(BPF_PROG_GET_NEXT_ID)", attempt::next_program())
}

pub(super) fn perf_event_open() -> Answer {
    let unavailable = [libc::ENOSYS, libc::ENOENT, libc::ENODEV, libc::EOPNOTSUPP];
    let meaning = Meaning { unavailable: &unavailable, ..Meaning::default() };
    meaning.of("perf_event_open(PERF_COUNT_SW_DUMMY)", attempt::count_nothing())
}

pub(super) fn keyctl() -> Answer {
    // There is no such keyring yet.
    let meaning = Meaning { allowed: &[libc::ENOKEY], unavailable: &NO_CALL, ..Meaning::default() };
    meaning.of("keyctl(KEYCTL_GET_KEYRING_ID)", attempt::process_keyring())
}

pub(super) fn userfaultfd() -> Answer {
    let meaning = Meaning { unavailable: &NO_CALL, ..Meaning::default() };
    meaning.of("userfaultfd(UFFD_USER_MODE_ONLY)", attempt::fault_handler())
}
