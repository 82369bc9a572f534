//! One run of the lab: its name, its folder, and the list of what to take away.

use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::cleanup::Cleanup;
use super::guard::Guard;
use super::process_table::MARKER;
use super::progress::Progress;
use super::stop::Stop;
use super::undo::Undo;

/// What every name that the lab gives begins with.
pub(crate) const PREFIX: &str = "tierprobe-lab-";

/// One run of the lab.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its name, unlike that of any other run: `tierprobe-lab-<pid>-<number>`. All names start with it.
    pub(crate) name: String,
    /// Its own folder, for everything that has to be on a disk.
    pub(crate) folder: PathBuf,
    /// The agent's program, static.
    pub(crate) agent: PathBuf,
    /// Whether somebody wants it to end.
    pub(crate) stop: Stop,
    /// What has to be taken away.
    pub(crate) cleanup: Cleanup,
    /// Tells the user what happens.
    pub(crate) progress: Progress,
}

impl Session {
    /// Begins a run: from here on everything is cleaned up, however it ends.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, or the guard does not start.
    pub(crate) fn begin(agent: PathBuf, stop: Stop, progress: Progress) -> anyhow::Result<Self> {
        // Launchers start daemons of their own; what those leave must come to us to be reaped, not to init.
        nix::sys::prctl::set_child_subreaper(true).context("cannot become the parent of orphans")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{PREFIX}{}-{:x}", std::process::id(), now.as_millis() & 0xfff_ffff);
        let folder = std::env::temp_dir().join(&name);
        let guard = Guard::start()?;
        let session = Self { name, folder, agent, stop, cleanup: Cleanup::guarded(guard), progress };
        session.cleanup.push(Undo::Folder(session.folder.clone()));
        session.cleanup.push(Undo::Cgroups(session.name.clone()));
        session.cleanup.push(Undo::Marked(session.name.clone()));
        DirBuilder::new()
            .mode(0o711)
            .create(&session.folder)
            .with_context(|| format!("cannot make {}", session.folder.display()))?;
        Ok(session)
    }

    /// A folder of its own for one launcher.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub(crate) fn folder_for(&self, launcher: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(launcher);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// A copy of the agent at `path`: an inode of its own.
    ///
    /// Two instances that run the same inode share its pages, and the kernel divides shared pages among their
    /// users: each would look cheaper for the other's presence.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn copy_agent(&self, path: &Path) -> anyhow::Result<()> {
        // `fs::copy` may share the blocks on some file systems, but never the inode and its pages.
        fs::copy(&self.agent, path)
            .and_then(|_| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot copy the agent to {}", path.display()))
    }

    /// A program to start, with the run's marker, no input, and its words in `log`.
    ///
    /// # Errors
    ///
    /// When the log cannot be made.
    pub(crate) fn command(&self, program: &Path, log: &Path) -> anyhow::Result<Command> {
        let words = File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
        let mut command = Command::new(program);
        command
            .env(MARKER, &self.name)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(words.try_clone()?)
            .stderr(words);
        Ok(command)
    }
}

/// The end of a log, for the message that says why something failed.
#[must_use]
pub(crate) fn last_words(log: &Path) -> String {
    let mut text = String::new();
    let read = File::open(log).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    match read {
        Ok(_) => super::command::last_lines(&text, 3),
        Err(error) => format!("no log: {error}"),
    }
}
