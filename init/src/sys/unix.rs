//! Sockets with a path, unix(7).

use core::mem;

use syscalls::{Sysno, syscall};

use super::{
    Fail, Result, attempt, check,
    fd::{BorrowedFd, OwnedFd},
};

/// Who waits while the daemon answers another.
const BACKLOG: i32 = 16;

fn address(path: &str) -> Result<libc::sockaddr_un> {
    // SAFETY: sockaddr_un is numbers only, for which zeroes are a value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    // One zero stays behind it.
    if path.len() >= address.sun_path.len() {
        return Err(Fail::new("sockaddr_un", libc::ENAMETOOLONG));
    }
    for (place, byte) in address.sun_path.iter_mut().zip(path.bytes()) {
        *place = byte as libc::c_char;
    }
    Ok(address)
}

/// A socket at a path, listening.
pub(crate) fn listen(path: &str) -> Result<OwnedFd> {
    let address = address(path)?;
    let socket = attempt::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    let number = socket.as_fd().number();
    // SAFETY: the address is as long as is said, and lives until the call returns.
    check("bind", unsafe { syscall!(Sysno::bind, number, &raw const address, size_of_val(&address)) })?;
    // SAFETY: only numbers.
    check("listen", unsafe { syscall!(Sysno::listen, number, BACKLOG) })?;
    Ok(socket)
}

/// The next one who has connected.
pub(crate) fn accept(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: no address is asked for.
    OwnedFd::made("accept", unsafe { syscall!(Sysno::accept4, socket.number(), 0, 0, libc::SOCK_CLOEXEC) })
}

/// connect(2) to a path.
pub(crate) fn connect(path: &str) -> Result<()> {
    let address = address(path)?;
    let socket = attempt::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
    // SAFETY: the address is as long as is said, and lives until the call returns.
    check("connect", unsafe {
        syscall!(Sysno::connect, socket.as_fd().number(), &raw const address, size_of_val(&address))
    })
    .map(drop)
}

/// A pair of connected sockets.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors into an array of two.
    check("socketpair", unsafe { syscall!(Sysno::socketpair, libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    Ok((OwnedFd::known(ends[0]), OwnedFd::known(ends[1])))
}

/// Descriptors as a control message carries them, cmsg(3): room for this many, aligned as `CMSG_SPACE` has it.
#[repr(C)]
struct Rights<const N: usize> {
    header: libc::cmsghdr,
    descriptors: [i32; N],
}

impl<const N: usize> Rights<N> {
    /// `CMSG_LEN` of so many descriptors.
    const LENGTH: usize = size_of::<libc::cmsghdr>() + N * size_of::<i32>();

    fn new(descriptors: [i32; N]) -> Self {
        // SAFETY: cmsghdr is numbers only, for which zeroes are a value.
        let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
        header.cmsg_len = Self::LENGTH as _;
        header.cmsg_level = libc::SOL_SOCKET;
        header.cmsg_type = libc::SCM_RIGHTS;
        Self { header, descriptors }
    }

    /// One byte, and these descriptors with it. What it points to must live as long as it is used.
    fn message(&mut self, data: &mut libc::iovec) -> libc::msghdr {
        // SAFETY: msghdr is numbers and pointers only, for which zeroes are a value.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = data;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut *self).cast();
        message.msg_controllen = size_of::<Self>() as _;
        message
    }
}

/// Sends descriptors with one byte of zero, to which they are attached.
pub(crate) fn send_descriptors<const N: usize>(socket: BorrowedFd<'_>, descriptors: [BorrowedFd<'_>; N]) -> Result<()> {
    let mut byte = 0u8;
    let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut rights = Rights::new(descriptors.map(BorrowedFd::number));
    let message = rights.message(&mut data);
    // SAFETY: the kernel reads the message, the byte and the descriptors, which live through the call.
    check("sendmsg", unsafe { syscall!(Sysno::sendmsg, socket.number(), &raw const message, libc::MSG_NOSIGNAL) })
        .map(drop)
}

/// The descriptor that the other side has sent; none where it has closed the socket before.
pub(crate) fn receive_descriptor(socket: BorrowedFd<'_>) -> Result<Option<OwnedFd>> {
    let mut byte = 0u8;
    let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut rights = Rights::new([-1]);
    let mut message = rights.message(&mut data);
    let flags = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel reads the message and writes the byte and one control message, which live through the call.
    let count = check("recvmsg", unsafe { syscall!(Sysno::recvmsg, socket.number(), &raw mut message, flags) })?;
    let came = rights.header.cmsg_type == libc::SCM_RIGHTS && message.msg_controllen != 0;
    let [number] = rights.descriptors;
    Ok((count == 1 && came && number >= 0).then(|| OwnedFd::known(number)))
}
