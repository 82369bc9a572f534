//! One question over D-Bus, and no more of it than that takes.
//!
//! A connection begins with a few lines of text by which the server learns who we are, which it knows from the socket
//! anyway (`AUTH EXTERNAL`); then messages go to and fro. See the D-Bus specification,
//! <https://dbus.freedesktop.org/doc/dbus-specification.html>. Nothing that comes is trusted: what is read, how much
//! of it and for how long is bounded.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::message::{self, Answer, Call};
use crate::printable::printable;
use crate::sys::clock;

/// Most bytes that are read in all; an answer has 5 KiB.
const MOST_BYTES: usize = 1 << 20;

/// Longest line of the first part.
const LONGEST_LINE: usize = 512;

/// Most messages that are read: a bus says other things in between.
const MOST_MESSAGES: usize = 64;

/// The bus wants to be greeted before anything else.
const HELLO: Call<'_> = Call {
    serial: 1,
    destination: Some("org.freedesktop.DBus"),
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
    argument: None,
};

/// All properties of systemd's manager.
const GET_ALL: Call<'_> = Call {
    serial: 2,
    destination: Some("org.freedesktop.systemd1"),
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.DBus.Properties",
    member: "GetAll",
    argument: Some("org.freedesktop.systemd1.Manager"),
};

/// Who is at the other end.
#[derive(Debug)]
pub(super) enum Peer {
    /// systemd.
    Itself(UnixStream),
    /// A bus that knows it.
    Bus(UnixStream),
}

/// The numbers among the properties of systemd's manager.
///
/// # Errors
///
/// When there is no answer within `patience`, or none that is understood.
pub(super) fn properties(peer: Peer, patience: Duration) -> Result<Vec<(String, u64)>, String> {
    let (stream, calls) = match peer {
        Peer::Itself(stream) => (stream, vec![Call { destination: None, ..GET_ALL }]),
        Peer::Bus(stream) => (stream, vec![HELLO, GET_ALL]),
    };
    let patience_nanos = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
    let deadline = clock::monotonic_nanos().saturating_add(patience_nanos);
    let mut talk = Talk { stream, deadline, left: MOST_BYTES };
    talk.introduce()?;
    let mut messages = Vec::new();
    for call in calls {
        call.write(&mut messages);
    }
    talk.say(&messages)?;
    for _ in 0..MOST_MESSAGES {
        match talk.message()? {
            Answer::Numbers { to, numbers } if to == GET_ALL.serial => return Ok(numbers),
            Answer::Refusal { why, .. } => return Err(format!("refused: {}", printable(&why))),
            Answer::Numbers { .. } | Answer::Other => {}
        }
    }
    Err(format!("no answer among {MOST_MESSAGES} messages"))
}

struct Talk {
    stream: UnixStream,
    /// On the monotonic clock, in nanoseconds.
    deadline: u64,
    /// Bytes that may still be read.
    left: usize,
}

impl Talk {
    /// Time until the deadline.
    fn patience(&self) -> Result<Duration, String> {
        match self.deadline.saturating_sub(clock::monotonic_nanos()) {
            0 => Err("no answer in time".to_owned()),
            nanos => Ok(Duration::from_nanos(nanos)),
        }
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), String> {
        let patience = self.patience()?;
        self.stream.set_write_timeout(Some(patience)).map_err(|error| error.to_string())?;
        self.stream.write_all(bytes).map_err(|error| error.to_string())
    }

    /// Fills `bytes`.
    fn hear(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes.len()).ok_or("too long an answer")?;
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let patience = self.patience()?;
            self.stream.set_read_timeout(Some(patience)).map_err(|error| error.to_string())?;
            match self.stream.read(rest) {
                Ok(0) => return Err("the connection was closed".to_owned()),
                Ok(read) => filled += read,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Says who we are, which the server has to believe.
    fn introduce(&mut self) -> Result<(), String> {
        // The user's number in decimal, and that in hexadecimal; the zero byte carries the credentials.
        let user: String =
            nix::unistd::geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        // Begun before it is allowed, as systemd's own clients do: systemd takes what comes in one piece with the
        // beginning for a part of the introduction, and looks at it again only when more comes.
        self.say(format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").as_bytes())?;
        let line = self.line()?;
        if line.starts_with("OK ") { Ok(()) } else { Err(format!("not let in: {}", printable(&line))) }
    }

    /// A line of text, byte by byte: what follows it is none.
    fn line(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() == LONGEST_LINE {
                return Err("too long a line".to_owned());
            }
            let mut byte = [0];
            self.hear(&mut byte)?;
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn message(&mut self) -> Result<Answer, String> {
        let mut message = vec![0; message::FIXED_BYTES];
        self.hear(&mut message)?;
        let length = message::length(&message).ok_or("what came is no message")?;
        if length > self.left.saturating_add(message::FIXED_BYTES) {
            return Err("too long an answer".to_owned());
        }
        message.resize(length, 0);
        if let Some(rest) = message.get_mut(message::FIXED_BYTES..) {
            self.hear(rest)?;
        }
        message::read(&message).ok_or_else(|| "what came is no answer".to_owned())
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
