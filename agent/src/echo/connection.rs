//! One connection of the echo service.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use super::message::{LONGEST, SHORTEST, answer, requested_length};
use super::{LONGEST_LIFE, LONGEST_SILENCE, Messages, count};
use crate::sys::thread;

/// A connection, and the part of a message that has come so far.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    message: Vec<u8>,
    filled: usize,
    /// When its life ends, and when it has been silent for too long.
    end: u64,
    silent: u64,
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Stays,
    /// It ends.
    Ends,
}

impl Connection {
    /// One that was taken at the instant `now`.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(super) fn new(stream: TcpStream, now: u64) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            message: vec![0; SHORTEST],
            filled: 0,
            end: now + nanos(LONGEST_LIFE),
            silent: now + nanos(LONGEST_SILENCE),
        })
    }

    /// The instant at which it ends by itself.
    pub(super) fn deadline(&self) -> u64 {
        self.end.min(self.silent)
    }

    /// Reads what has come, and answers if that is a whole message and `may_answer` says so.
    pub(super) fn serve(
        &mut self,
        boot_id: &str,
        now: u64,
        counts: &Messages,
        may_answer: impl FnOnce() -> bool,
    ) -> Fate {
        let free = self.message.get_mut(self.filled..).unwrap_or_default();
        match self.stream.read(free) {
            Ok(0) => return Fate::Ends,
            Ok(read) => self.filled += read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Fate::Stays;
            }
            Err(_) => return Fate::Ends,
        }
        if self.filled < SHORTEST {
            return Fate::Stays;
        }
        let Some(length) = requested_length(&self.message) else {
            count(&counts.malformed);
            return Fate::Ends;
        };
        debug_assert!(length <= LONGEST, "checked by whoever gave the length");
        self.message.resize(length, 0);
        if self.filled < length {
            return Fate::Stays;
        }
        if !may_answer() {
            count(&counts.over_rate);
            return Fate::Ends;
        }
        let cpu = thread::current_cpu().ok().and_then(|cpu| u32::try_from(cpu).ok());
        if answer(&mut self.message, cpu, boot_id).is_none() {
            return Fate::Ends;
        }
        // Whoever does not read its answers gets no more of them: what does not fit now ends the connection.
        if !matches!(self.stream.write(&self.message), Ok(written) if written == length) {
            return Fate::Ends;
        }
        count(&counts.answered);
        self.filled = 0;
        self.message.truncate(SHORTEST);
        self.silent = now + nanos(LONGEST_SILENCE);
        Fate::Stays
    }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
