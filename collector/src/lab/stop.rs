//! Signals become a flag that every wait of the lab looks at.
//!
//! A lab that a signal kills at once would leave containers and virtual machines behind. So SIGINT, SIGTERM and
//! SIGHUP only set a flag; the wait that sees it returns an error, and errors lead through the clean-up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How late a wait may notice the flag.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether somebody asked the lab to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

/// The user, or the system, asked the lab to stop.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("stopped by a signal; what was started has been ended")]
pub(crate) struct Interrupted;

impl Stop {
    /// A flag that SIGINT, SIGTERM and SIGHUP set from now on.
    ///
    /// # Errors
    ///
    /// When the kernel refuses a handler.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Fails once a signal has come.
    ///
    /// # Errors
    ///
    /// [`Interrupted`].
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        if self.0.load(Ordering::SeqCst) { Err(Interrupted) } else { Ok(()) }
    }

    /// Sleeps, and returns early when a signal comes.
    ///
    /// # Errors
    ///
    /// [`Interrupted`].
    pub(crate) fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        let end = Instant::now() + duration;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }
}
