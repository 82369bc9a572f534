//! Says on standard error what a long run is doing: a bar on a terminal, lines elsewhere.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::printable::printable;

/// How often a wait says where it is, where there is no bar to show it.
const TICK: Duration = Duration::from_secs(15);

/// Where the run is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    ticked: Cell<Instant>,
}

impl Progress {
    /// A bar where standard error is a terminal, lines where it is not.
    #[must_use]
    pub(crate) fn new() -> Self {
        if !io::stderr().is_terminal() {
            return Self { bar: None, ticked: Cell::new(Instant::now()) };
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar: Some(bar), ticked: Cell::new(Instant::now()) }
    }

    /// How many steps there will be; the count starts anew.
    pub(crate) fn expect(&self, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(u64::try_from(steps).unwrap_or(u64::MAX));
            bar.set_position(0);
        }
    }

    /// What happens now.
    pub(crate) fn say(&self, message: &str) {
        self.ticked.set(Instant::now());
        match &self.bar {
            Some(bar) => bar.set_message(printable(message).into_owned()),
            None => line(message),
        }
    }

    /// Says where a long wait is, from time to time.
    pub(crate) fn tick(&self, message: impl FnOnce() -> String) {
        if self.bar.is_some() || self.ticked.get().elapsed() >= TICK {
            self.say(&message());
        }
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Something that has to stay readable above the bar.
    pub(crate) fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.println(printable(message)),
            None => line(message),
        }
    }

    /// The run is over.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(message: &str) {
    // A closed standard error must not end a run that has things to clean up.
    let _ = writeln!(io::stderr().lock(), "lab: {}", printable(message));
}
