//! The thread at the other end of a round trip, over whatever the two have between them.

use std::io::Result;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::ProbeError;
use crate::sys::clock;
use crate::sys::thread::{self, Cpu};

/// Stack of the thread: it holds one message.
const STACK_BYTES: usize = 64 << 10;

/// Answers until the other side ends it.
type Answer = Box<dyn FnOnce() -> Result<()> + Send>;

/// An answering thread. It sleeps between sessions; with the value it ends.
#[derive(Debug)]
pub(super) struct Partner {
    sessions: Option<SyncSender<(Cpu, Answer)>>,
    /// One message when a session begins and one when it has ended, with the CPU time that it cost.
    steps: Receiver<Duration>,
    /// CPU time of sessions since it was last asked for.
    cpu: Duration,
    thread: Option<JoinHandle<()>>,
}

impl Partner {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system said.
    fn start() -> Result<Self> {
        let (sessions, requests) = sync_channel::<(Cpu, Answer)>(0);
        let (step, steps) = sync_channel(2);
        let thread = std::thread::Builder::new().name("partner".to_owned()).stack_size(STACK_BYTES).spawn(
            move || {
                while let Ok((cpu, answer)) = requests.recv() {
                    // Where it may not run, the round trip still works; the round is marked as migrated
                    // by whoever measures, who has the same CPUs.
                    let _pinned = thread::pin(&[cpu]);
                    let before = clock::thread_cpu();
                    if step.send(Duration::ZERO).is_err() {
                        return;
                    }
                    // An end that came too early shows at the other side.
                    let _ended = answer();
                    if step.send(clock::thread_cpu().saturating_sub(before)).is_err() {
                        return;
                    }
                }
            },
        )?;
        Ok(Self { sessions: Some(sessions), steps, cpu: Duration::ZERO, thread: Some(thread) })
    }

    /// The thread in `place`, started where there is none yet.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(super) fn in_place(place: &mut Option<Self>) -> std::result::Result<&mut Self, ProbeError> {
        match place {
            Some(partner) => Ok(partner),
            none => {
                Ok(none.insert(Self::start().map_err(|error| ProbeError::failed("answering thread", error))?))
            }
        }
    }

    /// Has the thread, pinned to `cpu`, run `answer` while `measure` runs, which must end it.
    ///
    /// # Errors
    ///
    /// Those of `measure`, and of a thread that has died.
    pub(super) fn play<T>(
        &mut self,
        cpu: Cpu,
        answer: impl FnOnce() -> Result<()> + Send + 'static,
        measure: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let died = || std::io::Error::other("the answering thread has died");
        let sessions = self.sessions.as_ref().ok_or_else(died)?;
        sessions.send((cpu, Box::new(answer))).map_err(|_| died())?;
        self.steps.recv().map_err(|_| died())?;
        let measured = measure();
        self.cpu += self.steps.recv().map_err(|_| died())?;
        measured
    }

    /// CPU time that sessions have cost since this was last asked.
    pub(super) const fn take_cpu(&mut self) -> Duration {
        std::mem::replace(&mut self.cpu, Duration::ZERO)
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.sessions = None;
        if let Some(thread) = self.thread.take() {
            let _panics_are_aborts = thread.join();
        }
    }
}
