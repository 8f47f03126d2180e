//! Probes of sockets.

use alloc::format;

use caplab_init::wire::{Answer, Protocol};

use super::Meaning;
use crate::sys::{attempt, unix};

/// A kernel without IPv4 has nothing to ask.
const NO_IPV4: [i32; 2] = [libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT];

pub(super) fn raw_socket() -> Answer {
    let meaning = Meaning { unavailable: &NO_IPV4, ..Meaning::default() };
    let made = attempt::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP);
    meaning.of("socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", made)
}

pub(super) fn ping() -> Answer {
    let meaning = Meaning { unavailable: &NO_IPV4, ..Meaning::default() };
    match attempt::socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP) {
        // Without a loopback interface that is up there is no way there: that is no permission.
        Ok(socket) => {
            let meaning = Meaning { unavailable: &[libc::ENETUNREACH], ..Meaning::default() };
            meaning.of("connect(127.0.0.1)", attempt::connect_loopback(&socket))
        }
        Err(fail) => meaning.of::<()>("socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)", Err(fail)),
    }
}

pub(super) fn bind_port(port: u16, protocol: Protocol) -> Answer {
    let kind = match protocol {
        Protocol::Tcp => libc::SOCK_STREAM,
        Protocol::Udp => libc::SOCK_DGRAM,
    };
    // A port that is taken was asked for after the permission.
    let meaning = Meaning { allowed: &[libc::EADDRINUSE], unavailable: &NO_IPV4, ..Meaning::default() };
    let bound = attempt::socket(libc::AF_INET, kind, 0).and_then(|socket| attempt::bind_any(&socket, port));
    meaning.of(&format!("bind(port {port})"), bound)
}

pub(super) fn connect(path: &str) -> Answer {
    // Nothing there, nobody who listens, or no socket of this kind. EAGAIN is of one that has too many waiting: the permission is asked
    // for before (`unix_find_bsd`).
    let nobody = [libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::ECONNREFUSED, libc::EPROTOTYPE];
    let meaning = Meaning { allowed: &[libc::EAGAIN], unavailable: &nobody, ..Meaning::default() };
    meaning.of(&format!("connect({path})"), unix::connect(path))
}
