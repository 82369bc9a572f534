//! Echoing on a socket.

use std::io::{Read, Result, Write};
use std::net::{TcpStream, UdpSocket};

/// Sends every datagram of up to `bytes` back until an empty one comes.
pub(in crate::probe) fn udp(socket: &UdpSocket, bytes: usize) -> Result<()> {
    let mut message = vec![0; bytes];
    loop {
        match socket.recv(&mut message)? {
            0 => return Ok(()),
            length => socket.send(message.get(..length).unwrap_or_default())?,
        };
    }
}

/// Sends every message of `bytes` back until the connection is closed, which is an error like any other.
pub(super) fn tcp(mut stream: TcpStream, bytes: usize) -> Result<()> {
    let mut message = vec![0; bytes];
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}
