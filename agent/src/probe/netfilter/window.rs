//! When there is a burst, and which. Pure.

/// What a burst is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// The time after a rewrite.
    Rewrite,
    /// A time without one: the control.
    Quiet,
}

impl Window {
    pub(super) const ALL: [Self; 2] = [Self::Rewrite, Self::Quiet];

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Quiet => "quiet",
        }
    }
}

const SECOND: u64 = 1_000_000_000;

/// Shortest time between two bursts after rewrites.
const PAUSE: u64 = 300 * SECOND;

/// Time without a rewrite after which it is quiet.
const QUIET: u64 = 10 * SECOND;

/// Longest time after a rewrite in which a burst is still about it.
const FRESH: u64 = 3 * SECOND;

/// Which bursts there were and which are owed. Instants are nanoseconds of one clock.
#[derive(Debug, Default)]
pub(super) struct Windows {
    rewritten: Option<u64>,
    last_burst: Option<u64>,
    /// The one that is to come, and whether that has been said.
    next: Option<Window>,
    is_announced: bool,
    owes_control: bool,
    has_been: [bool; Window::ALL.len()],
}

impl Windows {
    /// Something was rewritten.
    pub(super) fn rewritten(&mut self, now: u64) {
        let is_first = self.since_rewrite(now) > FRESH;
        self.rewritten = Some(now);
        if self.last_burst.is_some_and(|last| now.saturating_sub(last) < PAUSE) {
            return;
        }
        // One that could not run in time is to come again.
        if is_first || self.next != Some(Window::Rewrite) {
            self.is_announced = false;
        }
        self.next = Some(Window::Rewrite);
    }

    /// Whether a burst has become due that was not before, so that nobody is called twice for it.
    pub(super) fn has_news(&mut self, now: u64) -> bool {
        if self.next.is_none() && self.owes_control && self.since_rewrite(now) >= QUIET {
            self.next = Some(Window::Quiet);
            self.is_announced = false;
        }
        let is_news = self.next.is_some() && !self.is_announced;
        self.is_announced |= is_news;
        is_news
    }

    fn since_rewrite(&self, now: u64) -> u64 {
        self.rewritten.map_or(u64::MAX, |then| now.saturating_sub(then))
    }

    /// The burst that is due, if it still is.
    pub(super) fn take(&mut self, now: u64) -> Option<Window> {
        let since = self.since_rewrite(now);
        match self.next.take()? {
            Window::Rewrite if since <= FRESH => Some(Window::Rewrite),
            Window::Quiet if since >= QUIET => Some(Window::Quiet),
            Window::Rewrite | Window::Quiet => None,
        }
    }

    /// There is to be none in this round. One after a rewrite would be too late in the next, and is dropped; a control is not.
    /// Whether something was put off or dropped.
    pub(super) fn give_way(&mut self) -> bool {
        let was_due = self.next.is_some();
        self.next = self.next.filter(|window| *window == Window::Quiet);
        was_due
    }

    /// A burst is over. Whether it was about what it was to be about: a control with a rewrite in it is owed again.
    pub(super) fn done(&mut self, window: Window, now: u64) -> bool {
        match window {
            Window::Rewrite => {
                self.last_burst = Some(now);
                self.owes_control = true;
                // One that came during the burst had its burst.
                self.next = None;
                true
            }
            Window::Quiet => {
                self.owes_control = self.since_rewrite(now) < QUIET;
                !self.owes_control
            }
        }
    }

    /// A burst has numbers.
    pub(super) fn measured(&mut self, window: Window) {
        if let Some(has_been) = self.has_been.get_mut(window as usize) {
            *has_been = true;
        }
    }

    /// Whether there was a burst of this kind that has numbers.
    pub(super) fn has_been(&self, window: Window) -> bool {
        self.has_been.get(window as usize).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewrite_has_one_burst_and_then_its_control() {
        let mut windows = Windows::default();
        let at = |seconds: u64| seconds * SECOND;
        assert!(!windows.has_news(at(1)));
        windows.rewritten(at(10));
        assert!(windows.has_news(at(10)));
        assert!(!windows.has_news(at(11)), "once is enough");
        assert_eq!(windows.take(at(11)), Some(Window::Rewrite));
        windows.rewritten(at(12));
        assert!(windows.done(Window::Rewrite, at(14)));
        assert!(!windows.has_news(at(21)), "not yet quiet");
        assert!(windows.has_news(at(22)));
        assert_eq!(windows.take(at(22)), Some(Window::Quiet));
        assert!(windows.done(Window::Quiet, at(25)));
        assert!(!windows.has_news(at(100)), "one control a burst");
        windows.rewritten(at(200));
        assert!(!windows.has_news(at(200)), "within five minutes");
        windows.rewritten(at(320));
        assert!(windows.has_news(at(320)));
    }

    #[test]
    fn a_control_with_a_rewrite_in_it_is_none() {
        let mut windows = Windows::default();
        windows.rewritten(0);
        assert_eq!(windows.take(0), Some(Window::Rewrite));
        windows.done(Window::Rewrite, 3 * SECOND);
        windows.measured(Window::Rewrite);
        assert!(windows.has_news(13 * SECOND));
        assert_eq!(windows.take(13 * SECOND), Some(Window::Quiet));
        windows.rewritten(15 * SECOND);
        assert!(!windows.done(Window::Quiet, 16 * SECOND));
        assert!(!windows.has_been(Window::Quiet) && windows.has_been(Window::Rewrite));
        assert!(windows.has_news(26 * SECOND), "it is owed again");
    }

    #[test]
    fn a_burst_that_gives_way_is_dropped_and_its_control_waits() {
        let mut windows = Windows::default();
        windows.rewritten(0);
        assert!(windows.give_way());
        assert_eq!(windows.take(0), None);
        windows.rewritten(SECOND);
        assert_eq!(windows.take(SECOND), Some(Window::Rewrite), "the next one has its burst");
        windows.done(Window::Rewrite, 4 * SECOND);
        assert!(windows.has_news(14 * SECOND));
        assert!(windows.give_way());
        assert!(!windows.has_news(15 * SECOND), "nobody is called again for it");
        assert_eq!(windows.take(29 * SECOND), Some(Window::Quiet));
        assert!(!windows.give_way());
    }

    #[test]
    fn what_comes_too_late_is_not_about_the_rewrite() {
        let mut windows = Windows::default();
        windows.rewritten(0);
        assert!(windows.has_news(0));
        assert_eq!(windows.take(4 * SECOND), None);
        windows.rewritten(5 * SECOND);
        assert!(windows.has_news(5 * SECOND), "the next one is news again");
    }
}
