//! How many readings all sources together may bring into memory.
//!
//! They are counted as they come, so that no more is ever held than is allowed. A comparison of the part that fits
//! would depend on who answers first: one reading too many ends it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Most readings unless the user says otherwise.
pub const READINGS_LIMIT: usize = 40_000_000;

/// The sources hold more than may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sources hold more than {limit} readings: ask for a shorter time (--for), for fewer sources, for a part of what \
     a store has (--store.match LABEL=VALUE), or raise --readings-limit; a million take some 12 MiB of memory"
)]
pub struct TooMuch {
    /// How many may be read.
    pub limit: usize,
}

/// What is left of what may be read.
#[derive(Debug)]
pub struct Quota {
    limit: usize,
    taken: AtomicUsize,
    is_exceeded: AtomicBool,
    exceeded: Notify,
}

impl Quota {
    /// So many readings.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (taken, is_exceeded) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { limit, taken, is_exceeded, exceeded: Notify::new() }
    }

    /// Takes so many.
    ///
    /// # Errors
    ///
    /// When there are not as many left, and ever after.
    pub fn take(&self, readings: usize) -> Result<(), TooMuch> {
        let before = self.taken.fetch_add(readings, Ordering::Relaxed);
        self.has_room(before, readings)
    }

    /// Whether there would be room for so many, which are not taken.
    ///
    /// # Errors
    ///
    /// As [`Quota::take`].
    pub fn look(&self, readings: usize) -> Result<(), TooMuch> {
        self.has_room(self.taken.load(Ordering::Relaxed), readings)
    }

    /// Whether all that was taken was there.
    ///
    /// # Errors
    ///
    /// When it was not.
    pub fn check(&self) -> Result<(), TooMuch> {
        if self.is_exceeded.load(Ordering::Relaxed) { Err(TooMuch { limit: self.limit }) } else { Ok(()) }
    }

    /// Returns when more was asked for than there is; for one that waits.
    pub(super) async fn exceeded(&self) {
        self.exceeded.notified().await;
    }

    fn has_room(&self, taken: usize, readings: usize) -> Result<(), TooMuch> {
        if taken.saturating_add(readings) > self.limit {
            self.is_exceeded.store(true, Ordering::Relaxed);
            self.exceeded.notify_one();
        }
        self.check()
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::new(READINGS_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_so_for_all() {
        let quota = Quota::new(10);
        assert_eq!((quota.take(6), quota.look(4), quota.take(4)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(quota.take(1), Err(TooMuch { limit: 10 }));
        assert_eq!((quota.take(0), quota.check()), (Err(TooMuch { limit: 10 }), Err(TooMuch { limit: 10 })));
        assert!(Quota::new(10).look(11).is_err());
    }
}
