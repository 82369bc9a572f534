//! The agent as it is shipped: one static binary.

use std::process::Command;

use crate::binary;
use crate::http::get;
use crate::program::Program;

/// What the agent prints when called with `arguments`.
///
/// # Panics
///
/// If it fails.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn output(arguments: &[&str]) -> String {
    let output = Command::new(binary::agent()).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "tierprobe-agent {}: {}\n{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// An agent that answers.
#[derive(Debug)]
pub struct Agent {
    program: Program,
    address: String,
}

impl Agent {
    /// Starts `serve` with these flags more, on a free port of the loopback interface, and waits for its first round.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    pub fn start(flags: &[&str]) -> Self {
        Self::start_as(Command::new(binary::agent()), flags)
    }

    /// The same with an agent that is confined: `command` is it, without arguments.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start_as(mut command: Command, flags: &[&str]) -> Self {
        command.args(["serve", "--web.listen-address=127.0.0.1:0"]).args(flags);
        let mut program = Program::start(&mut command, tempfile::tempdir().unwrap());
        let address = program.wait_for_log("message=listening", "address=");
        program.wait_for("/-/ready", |_| get(&format!("http://{address}/-/ready"), &[]));
        Self { program, address }
    }

    /// Host and port that it answers on.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What a scrape finds.
    ///
    /// # Panics
    ///
    /// With the log, if there is no answer.
    #[must_use]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn metrics(&self) -> String {
        get(&format!("http://{}/metrics", self.address), &[])
            .unwrap_or_else(|error| panic!("{error}\n{}", self.program.log()))
    }

    /// What a scrape finds as soon as it is `wanted`.
    ///
    /// # Panics
    ///
    /// With the log, if it is not after a minute.
    pub fn wait_for_metrics(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let url = format!("http://{}/metrics", self.address);
        self.program.wait_for(what, |_| {
            let text = get(&url, &[])?;
            if wanted(&text) { Ok(text) } else { Err("not there".to_owned()) }
        })
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }
}
