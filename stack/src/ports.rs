//! Loopback ports. Another process may take a port between the answer and its use, so every
//! caller either tries again or reports it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

/// A port nobody listens on at this moment.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether a listener could be bound there now.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind((address, port)).is_ok()
}
