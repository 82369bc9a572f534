//! The collector as it is shipped, serving.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::binary;
use crate::http::get;
use crate::program::Program;

/// A collector that answers.
#[derive(Debug)]
pub struct Collector {
    program: Program,
    address: String,
}

impl Collector {
    /// Starts `serve` with this store and these flags and sources, on a free port of the loopback interface.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    #[must_use]
    pub fn start(store: &Path, flags: &[&str]) -> Self {
        Self::start_as(command(store, flags))
    }

    /// The same, by a command of one's own, such as one that makes a namespace first.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start_as(mut command: Command) -> Self {
        let mut program = Program::start(&mut command, tempfile::tempdir().unwrap());
        let address = program.wait_for_log("message=listening", "address=");
        Self { program, address }
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    ///
    /// With the log, if it is not after a minute.
    pub fn wait_until_ready(&mut self) {
        let url = self.url("/-/ready");
        self.program.wait_for("/-/ready", |_| get(&url, &[]));
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// Host and port that it answers on.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// An address of its own.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it answers at a path, as soon as it is `wanted`.
    ///
    /// # Panics
    ///
    /// With the log, if it is not after a minute.
    pub fn wait_for(&mut self, path: &str, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let url = self.url(path);
        self.program.wait_for(what, |_| {
            let text = get(&url, &[])?;
            if wanted(&text) { Ok(text) } else { Err(format!("not there:\n{text}")) }
        })
    }

    /// The value of a metric without labels.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = get(&self.url("/metrics"), &[]).ok()?;
        let line = text.lines().find(|line| line.split(' ').next() == Some(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.program.kill();
    }
}

/// `serve` with this store, these flags and sources.
#[must_use]
pub fn command(store: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(binary::collector());
    command.args(["serve", "--web.listen-address=127.0.0.1:0"]);
    command.arg(format!("--storage.path={}", store.display())).args(flags);
    command
}

/// What `serve` says where it ends by itself.
///
/// # Panics
///
/// If it does not end within twenty seconds.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn refused(store: &Path, flags: &[&str]) -> Output {
    let mut command = command(store, flags);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            let _has_ended_now = child.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}
