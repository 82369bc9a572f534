//! What measuring may cost: a token bucket of CPU time.

use std::time::Duration;

use crate::sys::clock;

/// Time over which the share is averaged: a bucket holds what accrues in it.
const WINDOW: Duration = Duration::from_secs(600);

/// Share of a full bucket that may be borrowed for what is urgent: enough for a first round of everything.
const CREDIT: f64 = 0.05;

/// Share of what is earned that answering scrapes may take.
const MOST_FOR_ANSWERS: f64 = 0.1;

/// CPU time that measuring has earned and not yet spent.
///
/// It begins empty, or the first ten minutes could cost twice the share: the first round is on credit. Earned at a fixed share of elapsed time, up to ten minutes' worth; spent by the measuring thread's own CPU clock.
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
        Self { share, balance: 0.0 }
    }

    /// Whether there is anything left to spend.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.balance > 0.0
    }

    /// Whether what cannot wait may be done on credit, which later rounds pay back.
    #[must_use]
    pub fn is_open_on_credit(&self) -> bool {
        self.balance > -CREDIT * self.share * WINDOW.as_secs_f64()
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

/// The budget of the calling thread, whose CPU clock pays for everything it does, and for its helpers and for answering
/// when told.
#[derive(Debug)]
pub struct Account {
    budget: Budget,
    /// Up to where the thread's CPU clock is paid for.
    paid: Duration,
    /// Up to when the share is earned, by the monotonic clock.
    earned: u64,
    /// What answering had cost when it was last paid for, and when that was.
    answered: (Duration, u64),
}

impl Account {
    /// An account for everything that the calling thread does from now on, at `share` CPU seconds a second.
    #[must_use]
    pub fn new(share: f64) -> Self {
        let now = clock::monotonic_nanos();
        let answered = (Duration::ZERO, now);
        Self { budget: Budget::new(share), paid: clock::thread_cpu(), earned: now, answered }
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

    /// Pays for answering, which has cost `total` so far: a part of what was earned meanwhile at most, so that whoever asks
    /// too often does not stop the measuring.
    pub fn pay_for_answers(&mut self, total: Duration) {
        let now = clock::monotonic_nanos();
        let (before, then) = std::mem::replace(&mut self.answered, (total, now));
        let earned = Duration::from_nanos(now.saturating_sub(then)).mul_f64(self.budget.share);
        self.budget.spend(total.saturating_sub(before).min(earned.mul_f64(MOST_FOR_ANSWERS)));
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
        // 6000 s at 0.1 %, and one round over.
        assert!(spent <= Duration::from_millis(6_000 + 40), "{spent:?}");
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
        assert!(!budget.is_open() && budget.is_open_on_credit());
        budget.spend(Duration::from_millis(29));
        assert!(budget.is_open_on_credit());
        budget.spend(Duration::from_millis(2));
        assert!(!budget.is_open_on_credit());
        budget.earn(Duration::from_secs(2));
        assert!(budget.is_open_on_credit());
    }

    #[test]
    fn answers_are_paid_for_up_to_a_tenth_of_what_was_earned() {
        let mut account = Account::new(0.5);
        std::thread::sleep(Duration::from_millis(20));
        let before = account.budget.balance;
        account.pay_for_answers(Duration::from_micros(300));
        let paid = before - account.budget.balance;
        assert!((paid - 300e-6).abs() < 1e-9, "{paid}");
        account.pay_for_answers(Duration::from_secs(3600));
        let (elapsed, more) =
            (clock::monotonic_nanos() - account.earned, before - account.budget.balance - paid);
        assert!(more > 0.0 && more <= 0.05 * Duration::from_nanos(elapsed).as_secs_f64(), "{more}");
    }
}
