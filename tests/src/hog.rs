//! A program that takes something from the others: `hog`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// It ends with the value.
#[derive(Debug)]
pub struct Hog(Child);

impl Hog {
    /// Starts `command`, which becomes `hog`, and waits until it has what it wants.
    ///
    /// # Panics
    ///
    /// If it does not run: nothing would be taken, and nobody would notice.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let hog = Self(child);
        assert_eq!(line, "ready\n", "{command:?} does not run");
        hog
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
