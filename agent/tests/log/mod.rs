//! What a running agent says first: the ports that it was given.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::ChildStderr;

/// The agent's log from its beginning.
pub(crate) struct Log(BufReader<ChildStderr>);

impl Log {
    pub(crate) fn of(stderr: ChildStderr) -> Self {
        Self(BufReader::new(stderr))
    }

    /// The address in the next line that says this.
    ///
    /// Asking the kernel for a free port beforehand would leave a moment in which somebody else is given it.
    pub(crate) fn address(&mut self, said: &str) -> SocketAddr {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the agent ended before it said {said:?}");
            if line.contains(said) {
                let (_, rest) = line.split_once("address=").unwrap();
                return rest.split_whitespace().next().unwrap().parse().unwrap();
            }
        }
    }

    /// Passes on what it says from now on, so that it never waits for a reader.
    pub(crate) fn pass_on(mut self) {
        std::thread::spawn(move || std::io::copy(&mut self.0, &mut std::io::stderr()));
    }
}
