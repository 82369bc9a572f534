//! How each thing that the lab makes is taken away again.
//!
//! The list is data, not closures: the lab hands it to its [guard](super::guard), which carries it out when the
//! lab itself is killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use nix::mount::{MntFlags, umount2};
use serde::{Deserialize, Serialize};

use super::{cgroup, command, ending, process_table};

/// One step of the clean-up. Each may be carried out twice: the second time it finds nothing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Undo {
    /// Ends a process.
    Process {
        /// Which.
        pid: i32,
        /// Its start time, as [`process_table::Stat::started`]: a pid alone may name another process by then.
        started: u64,
        /// How long it gets between SIGTERM and SIGKILL, in milliseconds.
        grace_ms: u64,
    },
    /// Runs a program, such as a runtime's own command to remove a container.
    Command {
        /// Its path.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// Removes a file that was not there before.
    File(PathBuf),
    /// Removes a folder that was not there before, unless somebody put something into it.
    EmptyFolder(PathBuf),
    /// Unmounts what is mounted below a folder, and removes the folder with all it holds.
    Folder(PathBuf),
    /// Removes control groups by a part of their name.
    Cgroups(String),
    /// Ends every process that carries the run's marker in its environment.
    Marked(String),
}

/// How long a runtime may take to remove one thing.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// How often an unfinished removal is tried: a runtime may still be letting go of it.
const ATTEMPTS: u32 = 20;
const ATTEMPT_EVERY: Duration = Duration::from_millis(100);

impl Undo {
    /// Ends a process that was just started; `None` when it is gone already.
    #[must_use]
    pub(crate) fn process(pid: i32, grace: Duration) -> Option<Self> {
        let stat = process_table::stat(pid)?;
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        Some(Self::Process { pid, started: stat.started, grace_ms })
    }

    /// Carries it out.
    ///
    /// # Errors
    ///
    /// Says what is left behind.
    pub(crate) fn carry_out(&self) -> anyhow::Result<()> {
        match self {
            Self::Process { pid, started, grace_ms } => {
                ending::end(*pid, *started, Duration::from_millis(*grace_ms))
            }
            Self::Command { program, arguments } => {
                match command::run(Command::new(program).args(arguments), COMMAND_LIMIT, None) {
                    // What a runtime never made, it cannot remove.
                    Err(error) if is_missing(&error) => Ok(()),
                    other => other.map(drop),
                }
            }
            Self::File(path) => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("removing {}", path.display()))
                }
                _ => Ok(()),
            },
            Self::EmptyFolder(path) => {
                // Not empty means that it is in use by now, and no longer ours.
                let _ = fs::remove_dir(path);
                Ok(())
            }
            Self::Folder(path) => patiently(|| remove_folder(path)),
            Self::Cgroups(name) => patiently(|| cgroup::remove_named(name)),
            Self::Marked(run) => ending::end_marked(run, nix::unistd::getpid().as_raw()),
        }
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}").to_ascii_lowercase();
    ["no such container", "no such image", "does not exist"].iter().any(|words| text.contains(words))
}

fn patiently(mut attempt: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    for _ in 1..ATTEMPTS {
        if attempt().is_ok() {
            return Ok(());
        }
        std::thread::sleep(ATTEMPT_EVERY);
    }
    attempt()
}

fn remove_folder(path: &Path) -> anyhow::Result<()> {
    for mount_point in mounts_below(path) {
        // Removing files through a mount would delete what is mounted, so a failure here must end the removal.
        umount2(&mount_point, MntFlags::MNT_DETACH)
            .with_context(|| format!("unmounting {}", mount_point.display()))?;
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Mount points at or below a folder, the last mounted first.
#[must_use]
pub(crate) fn mounts_below(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = text.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    let mut below: Vec<PathBuf> = points.filter(|point| point.starts_with(path)).collect();
    below.reverse();
    below
}
