//! Runs a program with a limit, and looks for what a run left behind.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Pause between two looks at something that is awaited.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// What a program said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// What went wrong, in the program's last words.
    pub(crate) fn complaint(&self) -> String {
        let said = self.stderr.trim().lines().last().unwrap_or("nothing").to_owned();
        format!("{}: {said}", self.status)
    }
}

/// A started program in a process group of its own; both end when this does.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    /// How long it may take to end by itself.
    grace: Duration,
}

impl Running {
    /// Starts it.
    pub(crate) fn start(command: &mut Command, grace: Duration) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        Ok(Self { child: child.map_err(|error| format!("{name}: {error}"))?, grace })
    }

    /// How it ended, if it did within the limit.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let Ok(pid) = i32::try_from(self.child.id()) else { return };
        if !self.grace.is_zero() {
            let _may_have_ended = kill(Pid::from_raw(pid), Signal::SIGTERM);
            if self.wait(self.grace).is_some() {
                return;
            }
        }
        let _may_have_ended = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        let _nothing_left_to_do = self.child.wait();
    }
}

/// What the command says until it ends; it is killed at the limit.
pub(crate) fn output(command: &mut Command, limit: Duration) -> Result<Output, String> {
    let file = || tempfile::tempfile().map_err(|error| error.to_string());
    let (stdout, stderr) = (file()?, file()?);
    let copy = |file: &File| file.try_clone().map_err(|error| error.to_string());
    command.stdout(copy(&stdout)?).stderr(copy(&stderr)?);
    let mut running = Running::start(command, Duration::ZERO)?;
    let status = running.wait(limit);
    let name = command.get_program().to_string_lossy();
    let (stdout, stderr) = (text(stdout), text(stderr));
    match status {
        Some(status) => Ok(Output { status, stdout, stderr }),
        None => Err(format!("{name} did not end within {} s: {stdout}{stderr}", limit.as_secs())),
    }
}

fn text(mut file: File) -> String {
    let mut bytes = Vec::new();
    let _empty_if_unreadable = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folders of all control groups, each before what is in it.
fn control_groups() -> Vec<PathBuf> {
    let mut groups = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut next = 0;
    while let Some(folder) = groups.get(next).cloned() {
        next += 1;
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        groups.extend(entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
    }
    groups
}

/// Removes the empty control groups whose path names the run: runtimes leave the parents that they made.
pub(crate) fn remove_control_groups(run: &str) {
    for group in control_groups().iter().rev().filter(|group| group.display().to_string().contains(run)) {
        let _shown_by_the_residue = fs::remove_dir(group);
    }
}

/// What a run could leave behind: mounts, network links, control groups, the state of runtimes.
pub(crate) fn traces() -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().map(|line| format!("mount {line}"));
    let groups = control_groups().into_iter().map(|group| format!("control group {}", group.display()));
    let folders = [
        "/sys/class/net",
        "/run",
        "/run/runc",
        "/run/docker",
        "/run/netns",
        "/var/lib/docker",
        "/etc/docker",
        "/var/run/runsc",
    ];
    let files = folders.into_iter().flat_map(|folder| {
        let entries = fs::read_dir(Path::new(folder)).into_iter().flatten().flatten();
        entries.map(|entry| format!("file {}", entry.path().display()))
    });
    mounts.chain(groups).chain(files).collect()
}

/// The processes whose command line names the run.
pub(crate) fn processes(run: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let pid = entry.file_name().into_string().ok()?;
            (pid != own && line.contains(run)).then(|| format!("process {pid}: {line}"))
        })
        .collect()
}
