//! The calls that probes make: each asks for one permission. Whether it may harm is the probe's business.

use alloc::{string::String, vec::Vec};
use core::{mem, ptr};

use syscalls::{Sysno, syscall};

use super::{Result, c_string, check, fd::OwnedFd, file};

/// open(2). Never waits for the other end of a FIFO, and the descriptor is closed at once.
pub(crate) fn open(path: &str, flags: i32) -> Result<()> {
    file::open(path, flags | libc::O_NONBLOCK | libc::O_NOCTTY).map(drop)
}

/// mount(2) at `/` that asks for a shared and a private mount in one.
pub(crate) fn mount_contradiction() -> Result<()> {
    let flags = libc::MS_SHARED | libc::MS_PRIVATE;
    // SAFETY: C strings and numbers only.
    check("mount", unsafe {
        syscall!(Sysno::mount, c"tmpfs".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr(), flags, ptr::null::<u8>())
    })?;
    Ok(())
}

/// mknod(2) of a character or block device.
pub(crate) fn make_device(path: &str, block: bool, major: u32, minor: u32) -> Result<()> {
    let kind = if block { libc::S_IFBLK } else { libc::S_IFCHR };
    let path = c_string("mknod", path)?;
    // SAFETY: the path is a C string that lives until the call returns.
    check("mknod", unsafe {
        syscall!(Sysno::mknodat, libc::AT_FDCWD, path.as_ptr(), kind | 0o600, libc::makedev(major, minor))
    })?;
    Ok(())
}

/// chroot(2).
pub(crate) fn change_root(path: &str) -> Result<()> {
    let path = c_string("chroot", path)?;
    // SAFETY: the path is a C string that lives until the call returns.
    check("chroot", unsafe { syscall!(Sysno::chroot, path.as_ptr()) })?;
    Ok(())
}

/// ptrace(2) PTRACE_SEIZE. The kernel lets go when this process ends, and has not stopped the other.
pub(crate) fn seize(pid: i32) -> Result<()> {
    // SAFETY: PTRACE_SEIZE reads nothing of this process's memory.
    check("ptrace", unsafe { syscall!(Sysno::ptrace, libc::PTRACE_SEIZE, pid, 0, 0) })?;
    Ok(())
}

/// kill(2) with signal 0.
pub(crate) fn may_signal(pid: i32) -> Result<()> {
    // SAFETY: only numbers.
    check("kill", unsafe { syscall!(Sysno::kill, pid, 0) })?;
    Ok(())
}

/// socket(2).
pub(crate) fn socket(domain: i32, kind: i32, protocol: i32) -> Result<OwnedFd> {
    // SAFETY: only numbers.
    OwnedFd::made("socket", unsafe { syscall!(Sysno::socket, domain, kind | libc::SOCK_CLOEXEC, protocol) })
}

/// bind(2) to a port of every IPv4 address.
pub(crate) fn bind_any(socket: &OwnedFd, port: u16) -> Result<()> {
    let address = address([0, 0, 0, 0], port);
    let length = size_of_val(&address);
    // SAFETY: the address is as long as is said, and lives until the call returns.
    check("bind", unsafe { syscall!(Sysno::bind, socket.as_fd().number(), &raw const address, length) })?;
    Ok(())
}

/// connect(2) of a socket without ports to 127.0.0.1.
pub(crate) fn connect_loopback(socket: &OwnedFd) -> Result<()> {
    let address = address([127, 0, 0, 1], 0);
    let length = size_of_val(&address);
    // SAFETY: the address is as long as is said, and lives until the call returns.
    check("connect", unsafe { syscall!(Sysno::connect, socket.as_fd().number(), &raw const address, length) })?;
    Ok(())
}

fn address(host: [u8; 4], port: u16) -> libc::sockaddr_in {
    // SAFETY: sockaddr_in is numbers only, for which zeroes are a value.
    let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
    address.sin_family = libc::AF_INET as u16;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from_ne_bytes(host);
    address
}

/// send(2) of one message, then recv(2) of one; waits at most two seconds.
pub(crate) fn exchange(socket: &OwnedFd, message: &[u8], answer: &mut [u8]) -> Result<usize> {
    let wait = libc::timeval { tv_sec: 2, tv_usec: 0 };
    let (fd, length) = (socket.as_fd().number(), size_of_val(&wait));
    // SAFETY: the option's value is as long as is said, and lives until the call returns.
    check("setsockopt", unsafe {
        syscall!(Sysno::setsockopt, fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &raw const wait, length)
    })?;
    // SAFETY: the buffer is as long as is said, and lives until the call returns.
    check("send", unsafe { syscall!(Sysno::sendto, fd, message.as_ptr(), message.len(), 0, 0, 0) })?;
    // SAFETY: as above, and nobody else has it.
    check("recv", unsafe { syscall!(Sysno::recvfrom, fd, answer.as_mut_ptr(), answer.len(), 0, 0, 0) })
}

/// getsockopt(2) of this many bytes, which are thrown away.
pub(crate) fn get_option(socket: &OwnedFd, level: i32, option: i32, value: &mut [u8]) -> Result<()> {
    let mut length = value.len() as libc::socklen_t;
    // SAFETY: the buffer is as long as is said, and lives until the call returns.
    check("getsockopt", unsafe {
        syscall!(Sysno::getsockopt, socket.as_fd().number(), level, option, value.as_mut_ptr(), &raw mut length)
    })?;
    Ok(())
}

/// settimeofday(2) with no time and this time zone, in minutes west of Greenwich.
pub(crate) fn set_time_zone(minutes: i32) -> Result<()> {
    // struct timezone: tz_minuteswest, tz_dsttime.
    let zone: [i32; 2] = [minutes, 0];
    // SAFETY: the kernel reads the zone, which lives until the call returns, and no time.
    check("settimeofday", unsafe { syscall!(Sysno::settimeofday, ptr::null::<libc::timeval>(), &raw const zone) })?;
    Ok(())
}

/// syslog(2) with an action that takes no buffer.
pub(crate) fn kernel_log(action: i32) -> Result<()> {
    // SAFETY: these actions touch no memory.
    check("syslog", unsafe { syscall!(Sysno::syslog, action, 0, 0) })?;
    Ok(())
}

/// init_module(2) of no bytes.
pub(crate) fn load_empty_module() -> Result<()> {
    // SAFETY: an image of no bytes is not read; the parameters are an empty C string.
    check("init_module", unsafe { syscall!(Sysno::init_module, ptr::null::<u8>(), 0, c"".as_ptr()) })?;
    Ok(())
}

/// The host name, uname(2).
pub(crate) fn hostname() -> Result<String> {
    // SAFETY: utsname is bytes only, for which zeroes are a value.
    let mut name: libc::utsname = unsafe { mem::zeroed() };
    // SAFETY: the kernel fills it, and nobody else has it.
    check("uname", unsafe { syscall!(Sysno::uname, &raw mut name) })?;
    let bytes: Vec<u8> = name.nodename.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// bpf(2) BPF_PROG_GET_NEXT_ID after the id 0.
pub(crate) fn next_program() -> Result<()> {
    /// linux/bpf.h.
    const BPF_PROG_GET_NEXT_ID: u32 = 11;
    // start_id, next_id, open_flags.
    let mut attributes = [0u32; 3];
    // SAFETY: the kernel reads and writes as many bytes as is said of an array that lives until the call returns.
    check("bpf", unsafe {
        syscall!(Sysno::bpf, BPF_PROG_GET_NEXT_ID, attributes.as_mut_ptr(), size_of_val(&attributes))
    })
    .map(drop)
}

/// perf_event_open(2), PERF_COUNT_SW_DUMMY of this process on every processor, kernel included. Closed at once.
pub(crate) fn count_nothing() -> Result<()> {
    /// linux/perf_event.h: PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, PERF_FLAG_FD_CLOEXEC.
    const SOFTWARE: u64 = 1;
    const DUMMY: u64 = 9;
    const CLOEXEC: u64 = 8;
    // struct perf_event_attr, first version: type and size in one word, config, …
    let mut attributes = [0u64; 8];
    attributes[0] = SOFTWARE | (size_of_val(&attributes) as u64) << 32;
    attributes[1] = DUMMY;
    // SAFETY: the kernel reads as many bytes as the array says it has, which lives until the call returns.
    OwnedFd::made("perf_event_open", unsafe {
        syscall!(Sysno::perf_event_open, attributes.as_ptr(), 0, -1i32, -1i32, CLOEXEC)
    })
    .map(drop)
}

/// keyctl(2) KEYCTL_GET_KEYRING_ID of KEY_SPEC_PROCESS_KEYRING, not to be made.
pub(crate) fn process_keyring() -> Result<()> {
    /// linux/keyctl.h.
    const GET_KEYRING_ID: u32 = 0;
    const PROCESS_KEYRING: i32 = -2;
    // SAFETY: only numbers.
    check("keyctl", unsafe { syscall!(Sysno::keyctl, GET_KEYRING_ID, PROCESS_KEYRING, 0) }).map(drop)
}

/// mmap(2) of anonymous memory, a write to each page of it, and munmap(2).
pub(crate) fn touch_memory(bytes: u64) -> Result<()> {
    /// No kernel has smaller pages.
    const PAGE: usize = 4096;
    let (length, flags) = (bytes as usize, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, at no given address.
    let address = check("mmap", unsafe { syscall!(Sysno::mmap, 0, length, protection, flags, -1i32, 0) })?;
    let memory: *mut u8 = ptr::with_exposed_provenance_mut(address);
    for offset in (0..length).step_by(PAGE) {
        // SAFETY: inside the mapping, which nobody else has. Volatile, or nothing would be written to what is not read.
        unsafe { memory.add(offset).write_volatile(1) };
    }
    // SAFETY: the whole mapping, and nothing points into it.
    check("munmap", unsafe { syscall!(Sysno::munmap, memory, length) }).map(drop)
}

/// inotify_init1(2).
pub(crate) fn inotify() -> Result<OwnedFd> {
    // SAFETY: only a number.
    OwnedFd::made("inotify_init1", unsafe { syscall!(Sysno::inotify_init1, libc::O_CLOEXEC) })
}

/// userfaultfd(2), for faults of user space only. Closed at once.
pub(crate) fn fault_handler() -> Result<()> {
    /// linux/userfaultfd.h.
    const USER_MODE_ONLY: i32 = 1;
    // SAFETY: only numbers.
    OwnedFd::made("userfaultfd", unsafe { syscall!(Sysno::userfaultfd, libc::O_CLOEXEC | USER_MODE_ONLY) }).map(drop)
}
