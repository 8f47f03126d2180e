//! A server that binds one port and needs nothing else of the host: its container is told so, and tests/isolation.rs holds it
//! to that.

use std::{io, net::TcpListener};

/// The port that it serves on, in a container that may bind it.
pub const PORT: u16 = 80;

/// Binds it on every address.
///
/// # Errors
/// EACCES where the process has neither CAP_NET_BIND_SERVICE nor a port that needs none.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("0.0.0.0", port))
}

#[cfg(test)]
mod tests {
    use super::listen;

    #[test]
    fn a_free_port_can_be_bound() {
        let listener = listen(0).expect("a port that the kernel chooses");
        assert!(listener.local_addr().expect("bound").port() > 0);
    }
}
