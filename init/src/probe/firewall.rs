//! Probes of the firewall.

use alloc::vec::Vec;
use caplab_init::wire::{Answer, Firewall};

use super::Meaning;
use crate::sys::{Fail, Result, attempt};

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN`, linux/netfilter/nfnetlink.h and nf_tables.h.
const GET_GENERATION: u16 = 10 << 8 | 16;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `IPT_SO_GET_INFO`, linux/netfilter_ipv4/ip_tables.h.
const GET_INFO: i32 = 64;
/// Bytes of `struct ipt_getinfo`, which begins with the table's name.
const INFO: usize = 84;

pub(super) fn list(api: Firewall) -> Answer {
    match api {
        Firewall::NfTables => {
            // EINVAL is nfnetlink's for a subsystem that nobody registered.
            let meaning = Meaning {
                unavailable: &[libc::EPROTONOSUPPORT, libc::EAFNOSUPPORT, libc::EINVAL, libc::EOPNOTSUPP],
                ..Meaning::default()
            };
            meaning.of("NFT_MSG_GETGEN over netlink", generation())
        }
        Firewall::Legacy => {
            let meaning = Meaning {
                // A table that has never been used is asked for after the permission.
                allowed: &[libc::ENOENT],
                unavailable: &[libc::ENOPROTOOPT, libc::EAFNOSUPPORT],
                ..Meaning::default()
            };
            meaning.of("getsockopt(IPT_SO_GET_INFO)", info())
        }
    }
}

/// Asks for the rule set's generation, as iptables-nft does before all else.
fn generation() -> Result<()> {
    let socket = attempt::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)?;
    // struct nlmsghdr, then struct nfgenmsg: family, version and resource are zero.
    let mut message = Vec::with_capacity(20);
    message.extend_from_slice(&20u32.to_ne_bytes());
    message.extend_from_slice(&GET_GENERATION.to_ne_bytes());
    message.extend_from_slice(&REQUEST.to_ne_bytes());
    message.extend_from_slice(&[0; 12]);
    let mut answer = [0; 4096];
    let count = attempt::exchange(&socket, &message, &mut answer)?;
    let short = || Fail::new("recv", libc::EBADMSG);
    let kind = answer[..count].get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    match kind.ok_or_else(short)? {
        ERROR => {
            let code = answer[..count].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
            match code.ok_or_else(short)? {
                0 => Ok(()),
                code => Err(Fail::new("NFT_MSG_GETGEN", -code)),
            }
        }
        _ => Ok(()),
    }
}

/// Asks for the filter table, as iptables-legacy does. It takes a raw socket for that, which is another permission.
fn info() -> Result<()> {
    let socket = attempt::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut value = [0; INFO];
    value[..6].copy_from_slice(b"filter");
    attempt::get_option(&socket, libc::IPPROTO_IP, GET_INFO, &mut value)
}
