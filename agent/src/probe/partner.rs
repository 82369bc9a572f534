//! The thread at the other end of a round trip, over whatever the two have between them.

use std::io::Error;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;

use super::{Helpers, ProbeError};
use crate::host::HostFs;
use crate::sys::clock;
use crate::sys::thread::{self, Cpu};
use crate::waiting;

/// Stack of the thread: it holds one message.
const STACK_BYTES: usize = 64 << 10;

/// How long both CPUs are left alone before anything goes from one to the other. While the kernel frees what was closed
/// before, it keeps an idle CPU's timer ticking, and one that ticks wakes sooner: the round trip would be that of a
/// busy machine on an idle one.
pub(super) const IDLE: Duration = Duration::from_millis(60);

/// Answers until the other side ends it.
type Answer = Box<dyn FnOnce() -> std::io::Result<()> + Send>;

/// What is to be done on which CPU.
struct Session {
    cpu: Cpu,
    /// Whether that is another CPU than the measuring thread's.
    elsewhere: bool,
    answer: Answer,
}

/// What the thread says of a session.
enum Step {
    /// It begins, or cannot, as the thread may not run there.
    Begun(Result<(), Errno>),
    /// It has ended, and did this.
    Ended(Helpers),
}

/// An answering thread. It sleeps between sessions; with the value it ends.
#[derive(Debug)]
pub(super) struct Partner {
    sessions: Option<SyncSender<Session>>,
    steps: Receiver<Step>,
    /// What it did since it was last asked.
    done: Helpers,
    thread: Option<JoinHandle<()>>,
}

impl Partner {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the system said.
    fn start() -> std::io::Result<Self> {
        let (sessions, requests) = sync_channel::<Session>(0);
        let (step, steps) = sync_channel(2);
        let thread = std::thread::Builder::new().name("partner".to_owned()).stack_size(STACK_BYTES).spawn(
            move || {
                while let Ok(session) = requests.recv() {
                    if !play(session, &step) {
                        return;
                    }
                }
            },
        )?;
        Ok(Self { sessions: Some(sessions), steps, done: Helpers::default(), thread: Some(thread) })
    }

    /// The thread in `place`, started where there is none yet.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(super) fn in_place(place: &mut Option<Self>) -> Result<&mut Self, ProbeError> {
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
    /// Those of `measure`, of a thread that has died, and of one that may not run there: what it answered from anywhere
    /// else would be published under the wrong placement.
    pub(super) fn play<T>(
        &mut self,
        cpu: Cpu,
        answer: impl FnOnce() -> std::io::Result<()> + Send + 'static,
        measure: impl FnOnce() -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        let died = || Error::other("the answering thread has died");
        let sessions = self.sessions.as_ref().ok_or_else(died)?;
        let elsewhere = thread::current_cpu().is_ok_and(|current| current != cpu);
        sessions.send(Session { cpu, elsewhere, answer: Box::new(answer) }).map_err(|_| died())?;
        if let Step::Begun(Err(errno)) = self.steps.recv().map_err(|_| died())? {
            let message = format!("the answering thread cannot be pinned to CPU {cpu}: {}", errno.desc());
            return Err(Error::new(Error::from(errno).kind(), message));
        }
        let measured = measure();
        if let Step::Ended(did) = self.steps.recv().map_err(|_| died())? {
            self.done.here += did.here;
            self.done.elsewhere += did.elsewhere;
            self.done.waited += did.waited;
        }
        measured
    }

    /// What it has done since this was last asked.
    pub(super) fn take(&mut self) -> Helpers {
        std::mem::take(&mut self.done)
    }
}

/// One session on the answering thread. Whether there may be another one.
fn play(session: Session, step: &SyncSender<Step>) -> bool {
    let Session { cpu, elsewhere, answer } = session;
    if let Err(errno) = thread::pin(&[cpu]) {
        return step.send(Step::Begun(Err(errno))).is_ok();
    }
    // On the measuring thread's CPU each waits for the other: that is the method.
    let waited = || if elsewhere { waiting::of_this_thread(&HostFs::live()) } else { None };
    let (cpu_before, waited_before) = (clock::thread_cpu(), waited());
    if step.send(Step::Begun(Ok(()))).is_err() {
        return false;
    }
    // An end that came too early shows at the other side.
    let _ended = answer();
    let cpu = clock::thread_cpu().saturating_sub(cpu_before);
    let (here, elsewhere) = if elsewhere { (Duration::ZERO, cpu) } else { (cpu, Duration::ZERO) };
    let waited = waited().zip(waited_before).map_or(Duration::ZERO, |(now, then)| now.saturating_sub(then));
    let did = Helpers { here, elsewhere, waited };
    step.send(Step::Ended(did)).is_ok()
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.sessions = None;
        if let Some(thread) = self.thread.take() {
            let _panics_are_aborts = thread.join();
        }
    }
}
