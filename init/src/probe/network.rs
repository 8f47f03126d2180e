//! Probes of sockets.

use alloc::format;

use caplab_init::wire::{Answer, Protocol};

use super::Meaning;
use crate::sys::attempt;

/// A kernel without IPv4 has nothing to ask.
const NO_IPV4: [i32; 2] = [libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT];

pub(super) fn raw_socket() -> Answer {
    let meaning = Meaning { unavailable: &NO_IPV4, ..Meaning::default() };
    let made = attempt::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP);
    meaning.of("socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", made)
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
