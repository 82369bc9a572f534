//! What measuring may cost: a token bucket of CPU time.

use std::time::Duration;

use crate::sys::clock;

/// Time over which the share is averaged: a bucket holds what accrues in it.
const WINDOW: Duration = Duration::from_secs(600);

/// Share of a full bucket that there is at the start: enough for a first round of everything.
const AT_START: f64 = 0.05;

/// CPU time that measuring has earned and not yet spent.
///
/// It begins nearly empty, or the first ten minutes could cost twice the share. Earned at a fixed share of elapsed time, up to ten minutes' worth; spent by the measuring thread's own CPU clock.
/// It may go below zero by one round, whose cost is known only afterwards: the next rounds wait for it.
#[derive(Debug, Clone)]
pub struct Budget {
    share: f64,
    /// Seconds of CPU time.
    balance: f64,
}

impl Budget {
    /// A bucket that fills at `share` CPU seconds a second.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self { share, balance: AT_START * share * WINDOW.as_secs_f64() }
    }

    /// Whether there is anything left to spend.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.balance > 0.0
    }

    /// Whether what cannot wait may be done on credit: as much as there is at the start, which later rounds pay back.
    #[must_use]
    pub fn is_open_on_credit(&self) -> bool {
        self.balance > -AT_START * self.share * WINDOW.as_secs_f64()
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

/// The budget of the calling thread, whose CPU clock pays for everything it does, and for its helpers when told.
#[derive(Debug)]
pub struct Account {
    budget: Budget,
    /// Up to where the thread's CPU clock is paid for.
    paid: Duration,
    /// Up to when the share is earned, by the monotonic clock.
    earned: u64,
}

impl Account {
    /// An account for everything that the calling thread does from now on, at `share` CPU seconds a second.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self { budget: Budget::new(share), paid: clock::thread_cpu(), earned: clock::monotonic_nanos() }
    }

    /// Whether there is anything left to spend now or, for what is urgent, to borrow.
    pub fn is_open(&mut self, is_urgent: bool) -> bool {
        let (cpu, now) = (clock::thread_cpu(), clock::monotonic_nanos());
        self.budget.earn(Duration::from_nanos(now.saturating_sub(self.earned)));
        self.budget.spend(cpu.saturating_sub(self.paid));
        (self.paid, self.earned) = (cpu, now);
        if is_urgent { self.budget.is_open_on_credit() } else { self.budget.is_open() }
    }

    /// Pays for what other threads and processes `spent`.
    pub fn pay(&mut self, spent: Duration) {
        self.budget.spend(spent);
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
        // 6000 s at 0.1 %, what there was at the start, and one round over.
        assert!(spent <= Duration::from_millis(6_000 + 30 + 40), "{spent:?}");
        assert!(spent >= Duration::from_millis(5_960), "{spent:?}: what was earned was not used");
    }

    #[test]
    fn an_hour_of_calm_is_worth_ten_minutes() {
        let mut budget = Budget::new(0.001);
        budget.earn(Duration::from_secs(3600));
        budget.spend(Duration::from_millis(599));
        assert!(budget.is_open());
        budget.spend(Duration::from_millis(2));
        assert!(!budget.is_open());
    }

    #[test]
    fn what_is_urgent_is_done_on_a_little_credit() {
        let mut budget = Budget::new(0.001);
        budget.spend(Duration::from_millis(31));
        assert!(!budget.is_open() && budget.is_open_on_credit());
        budget.spend(Duration::from_millis(30));
        assert!(!budget.is_open_on_credit());
        budget.earn(Duration::from_secs(2));
        assert!(budget.is_open_on_credit());
    }
}
