//! The guard: a second process that cleans up when the lab is killed before it can.
//!
//! SIGKILL, a crash or an out-of-memory kill cannot be caught. The guard is this program again, waiting at the end
//! of a pipe from which it reads the lab's clean-up list. When the pipe closes with steps left, the lab is gone,
//! and the guard carries them out. It has a process group of its own, so the terminal's Ctrl-C does not reach it.

use std::collections::BTreeMap;
use std::io::{BufRead, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::command;
use super::stop::Stop;
use super::undo::Undo;

/// How long the guard may take to end once it has nothing left to do.
const END_LIMIT: Duration = Duration::from_secs(5);

/// What the lab tells its guard, one JSON document a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    Push { id: u64, undo: Undo },
    Done { id: u64 },
}

/// The lab's end of the guard.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard: this very program, as `lab --guard`.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .args(["lab", "--guard"])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the guard that cleans up after a killed lab")?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Tells of a new step.
    pub(crate) fn push(&mut self, id: u64, undo: &Undo) {
        self.send(&Message::Push { id, undo: undo.clone() });
    }

    /// Tells that a step has been carried out.
    pub(crate) fn done(&mut self, id: u64) {
        self.send(&Message::Done { id });
    }

    fn send(&mut self, message: &Message) {
        let Some(pipe) = &mut self.pipe else { return };
        let sent = serde_json::to_vec(message).map_err(std::io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            pipe.write_all(&line)
        });
        if sent.is_err() {
            // Without its guard the lab still cleans up itself; it only no longer survives its own SIGKILL.
            self.pipe = None;
        }
    }

    /// Lets the guard end.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.pipe = None;
        command::wait(&mut self.child, END_LIMIT, None).map(drop).context("ending the guard").inspect_err(
            |_| {
                let _ = self.child.kill();
                let _ = self.child.wait();
            },
        )
    }
}

/// The guard's own work: reads the list until the lab is gone, then carries out what is left.
///
/// # Errors
///
/// Says what is left behind.
pub(crate) fn guard(input: impl BufRead) -> anyhow::Result<()> {
    // The signals that end the lab must not end the one who cleans up after it.
    let _ignored = Stop::on_signals()?;
    let mut steps = BTreeMap::new();
    // A line that was cut off by the lab's death is the last one.
    for message in input.lines().map_while(|line| serde_json::from_str(&line.ok()?).ok()) {
        match message {
            Message::Push { id, undo } => drop(steps.insert(id, undo)),
            Message::Done { id } => drop(steps.remove(&id)),
        }
    }
    let errors: Vec<String> = steps
        .values()
        .rev()
        .filter_map(|undo: &Undo| undo.carry_out().err())
        .map(|error| format!("{error:#}"))
        .collect();
    if errors.is_empty() { Ok(()) } else { anyhow::bail!("left behind: {}", errors.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_does_what_the_lab_left_undone() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, left) = (folder.path().join("kept"), folder.path().join("left"));
        std::fs::write(&kept, "").unwrap();
        std::fs::write(&left, "").unwrap();
        let lines: String = [
            Message::Push { id: 0, undo: Undo::File(left.clone()) },
            Message::Push { id: 1, undo: Undo::File(kept.clone()) },
            Message::Done { id: 1 },
        ]
        .iter()
        .map(|message| serde_json::to_string(message).unwrap() + "\n")
        .collect();

        guard((lines + "{\"push\":{\"id\":2,").as_bytes()).unwrap();
        assert!(kept.exists() && !left.exists());
    }
}
