//! What a probe step executes: one attempt, in a process of its own that ends with it.
//!
//! Every probe says of each errno what it means: permission was refused, there was nothing to ask, or the permission
//! check was passed and only the useless argument refused. An errno that it does not know is unclear, never a denial.
//! docs/probes.md has the kernel's order of checks for each.

pub(crate) mod batch;
mod files;
mod firewall;
pub(crate) mod inspect;
mod limits;
mod network;
mod process;
mod system;

use alloc::borrow::ToOwned;

use caplab_init::wire::{Answer, Probe};

use crate::sys::{Fail, Result};

/// Makes the attempt.
pub(crate) fn run(probe: &Probe) -> Answer {
    match probe {
        Probe::Open { path, mode } => files::open(path, *mode),
        Probe::ListFirewall { api } => firewall::list(*api),
        Probe::Mount => system::mount(),
        Probe::Mknod { dir } => files::mknod(dir),
        Probe::OpenDevice { device } => files::open_device(*device),
        Probe::Chown { path, uid, gid } => files::chown(path, *uid, *gid),
        Probe::Chmod { path, mode } => files::chmod(path, *mode),
        Probe::Setuid { uid } => process::setuid(*uid),
        Probe::Setgroups { groups } => process::setgroups(groups),
        Probe::Chroot { path } => files::chroot(path),
        Probe::Unshare { namespace } => process::unshare(*namespace),
        Probe::Setns { pid, namespace } => process::setns(*pid, *namespace),
        Probe::Ptrace { pid } => process::ptrace(*pid),
        Probe::Kill { pid } => process::kill(*pid),
        Probe::BindPort { port, protocol } => network::bind_port(*port, *protocol),
        Probe::Connect { path } => network::connect(path),
        Probe::RawSocket => network::raw_socket(),
        Probe::Ping => network::ping(),
        Probe::Sethostname => system::sethostname(),
        Probe::SetTime => system::set_time(),
        Probe::ReadKernelLog => system::read_kernel_log(),
        Probe::LoadModule => system::load_module(),
        Probe::WriteSysctl { name } => files::write_sysctl(name),
        Probe::Bpf => system::bpf(),
        Probe::PerfEventOpen => system::perf_event_open(),
        Probe::Keyctl => system::keyctl(),
        Probe::Fork { count } => limits::fork(*count),
        Probe::OpenFiles { count } => limits::open_files(*count),
        Probe::Allocate { bytes } => limits::allocate(*bytes),
        Probe::Inotify { count } => limits::inotify(*count),
        Probe::Userfaultfd => system::userfaultfd(),
    }
}

/// What the errnos of a call mean. EPERM and EACCES are denials everywhere: seccomp and security modules give them too.
#[derive(Default)]
struct Meaning<'a> {
    /// Further errnos with which permission is refused.
    denied: &'a [i32],
    /// After the permission check: on the useless argument.
    allowed: &'a [i32],
    /// There is nothing to ask for permission.
    unavailable: &'a [i32],
}

impl Meaning<'_> {
    /// The answer that the result of a call is; `call` as a reader knows it, `socket(AF_INET, SOCK_RAW)`.
    fn of<T>(&self, call: &str, result: Result<T>) -> Answer {
        let errno = match result {
            Ok(_) => return Answer::Allowed { errno: 0 },
            Err(Fail { errno, .. }) => errno,
        };
        let call = call.to_owned();
        if self.allowed.contains(&errno) {
            Answer::Allowed { errno }
        } else if matches!(errno, libc::EPERM | libc::EACCES) || self.denied.contains(&errno) {
            Answer::Denied { errno, call }
        } else if self.unavailable.contains(&errno) {
            Answer::Unavailable { errno, call }
        } else {
            Answer::Unclear { errno, call }
        }
    }
}
