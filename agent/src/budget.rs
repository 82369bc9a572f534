//! What measuring may cost: a token bucket of CPU time.

use std::time::Duration;

/// Time over which the share is averaged: a bucket holds what accrues in it.
const WINDOW: Duration = Duration::from_secs(600);

/// CPU time that measuring has earned and not yet spent.
///
/// Earned at a fixed share of elapsed time, up to ten minutes' worth; spent by the measuring thread's own CPU clock.
/// It may go below zero by one round, whose cost is known only afterwards: the next rounds wait for it.
#[derive(Debug, Clone)]
pub struct Budget {
    share: f64,
    /// Seconds of CPU time.
    balance: f64,
}

impl Budget {
    /// A full bucket that fills at `share` CPU seconds a second.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self { share, balance: share * WINDOW.as_secs_f64() }
    }

    /// Whether there is anything left to spend.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.balance > 0.0
    }

    /// Earns for `elapsed` time.
    pub fn earn(&mut self, elapsed: Duration) {
        self.balance =
            (self.balance + self.share * elapsed.as_secs_f64()).min(self.share * WINDOW.as_secs_f64());
    }

    /// Pays for `spent` CPU time.
    pub fn spend(&mut self, spent: Duration) {
        self.balance -= spent.as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spending_stays_within_the_share_over_time() {
        let mut budget = Budget::new(0.001);
        let (round, interval) = (Duration::from_millis(40), Duration::from_secs(15));
        let mut spent = Duration::ZERO;
        for _ in 0..400 {
            budget.earn(interval);
            if budget.is_open() {
                budget.spend(round);
                spent += round;
            }
        }
        // 6000 s at 0.1 %, the full bucket of the start, and one round over.
        assert!(spent <= Duration::from_millis(6_000 + 600 + 40), "{spent:?}");
        assert!(spent >= Duration::from_millis(6_000), "{spent:?}: what was earned was not used");
    }
}
