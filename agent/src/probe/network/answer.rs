//! Echoing on a socket.

use std::io::{Read, Result, Write};
use std::net::{TcpStream, UdpSocket};

use super::MESSAGE_BYTES;

/// Sends every datagram back until an empty one comes.
pub(super) fn udp(socket: &UdpSocket) -> Result<()> {
    let mut message = [0; MESSAGE_BYTES];
    loop {
        match socket.recv(&mut message)? {
            0 => return Ok(()),
            length => socket.send(message.get(..length).unwrap_or_default())?,
        };
    }
}

/// Sends every message back until the connection is closed, which is an error like any other.
pub(super) fn tcp(mut stream: TcpStream) -> Result<()> {
    let mut message = [0; MESSAGE_BYTES];
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}
