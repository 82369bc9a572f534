//! A program that a test started.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Pause between two looks at something that is awaited.
const LOOK: Duration = Duration::from_millis(50);

/// Time that a program gets to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// A running program. It ends when this does.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    /// Holds the log, and whatever else the program wants to write.
    folder: TempDir,
}

impl Program {
    /// Starts `command`, which may write into `folder`; its output becomes the log.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    #[expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn start(command: &mut Command, folder: TempDir) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name, child, folder }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        let _may_be_gone = self.child.kill();
        let _reaped = self.child.wait();
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The folder that it may write into.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The first value after `key` in its log, once there is one.
    ///
    /// # Panics
    ///
    /// As [`Program::wait_for`].
    pub fn wait_for_log(&mut self, line: &str, key: &str) -> String {
        self.wait_for(&format!("{line:?} in the log"), |program| {
            let log = program.log();
            // A line without its end may still grow.
            let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
            let found = complete.lines().find(|text| text.contains(line)).ok_or("not there")?;
            let value = found.split_once(key).ok_or("without its key")?.1;
            Ok(value.split_whitespace().next().unwrap_or_default().to_owned())
        })
    }

    /// Looks until `look` finds something.
    ///
    /// # Panics
    ///
    /// With the log, if the program ends or the patience does.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn wait_for<T>(&mut self, what: &str, look: impl Fn(&Self) -> Result<T, String>) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let missing = match look(self) {
                Ok(found) => return found,
                Err(missing) => missing,
            };
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > deadline {
                let how = ended.map_or_else(|| "runs".to_owned(), |status| format!("ended: {status}"));
                panic!("{} {how}, without {what}: {missing}\n{}", self.name, self.log());
            }
            sleep(LOOK);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _has_ended_already = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(LOOK);
        }
        let _has_ended_already = self.child.kill();
        let _nothing_left_to_do = self.child.wait();
    }
}
