//! What measuring may cost: a token bucket of CPU time.

use std::time::Duration;

use crate::sys::clock;

/// Time over which the share is averaged: a bucket holds what accrues in it.
const WINDOW: Duration = Duration::from_secs(600);

/// Share of a full bucket by which it begins below empty: what a round costs is known only afterwards, and the last one of
/// the first ten minutes is not to be over.
const RESERVE: f64 = 0.02;

/// Share of a full bucket that may be borrowed beyond that for what is urgent: enough for a first round of everything.
const CREDIT: f64 = 0.05;

/// Share of what is earned that answering scrapes may take: a scrape every 15 s costs a tenth, and more where an idle CPU
/// wakes up slowly.
const MOST_FOR_ANSWERS: f64 = 0.25;

/// CPU time that measuring has earned and not yet spent.
///
/// It begins with nothing, or the first ten minutes could cost twice the share: the first round is on credit. Earned at a
/// fixed share of elapsed time, up to ten minutes' worth; spent by the measuring thread's own CPU clock.
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
        let mut budget = Self { share, balance: 0.0 };
        budget.balance = -RESERVE * budget.full();
        budget
    }

    /// What a full bucket holds.
    fn full(&self) -> f64 {
        self.share * WINDOW.as_secs_f64()
    }

    /// Whether there is anything left to spend.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.balance > 0.0
    }

    /// Whether what cannot wait may be done on credit, which later rounds pay back.
    #[must_use]
    pub fn is_open_on_credit(&self) -> bool {
        self.balance > -(RESERVE + CREDIT) * self.full()
    }

    /// Earns for `elapsed` time.
    pub fn earn(&mut self, elapsed: Duration) {
        self.balance = (self.balance + self.share * elapsed.as_secs_f64()).min(self.full());
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
    /// What of it is still to be paid for.
    owed: Duration,
}

impl Account {
    /// An account for everything that the calling thread does from now on, at `share` CPU seconds a second.
    #[must_use]
    pub fn new(share: f64) -> Self {
        let now = clock::monotonic_nanos();
        let answered = (Duration::ZERO, now);
        Self {
            budget: Budget::new(share),
            paid: clock::thread_cpu(),
            earned: now,
            answered,
            owed: Duration::ZERO,
        }
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
    /// too often does not stop the measuring. The rest is paid for later, as far as ten minutes can.
    pub fn pay_for_answers(&mut self, total: Duration) {
        let now = clock::monotonic_nanos();
        let (before, then) = std::mem::replace(&mut self.answered, (total, now));
        let most = |time: Duration| time.mul_f64(self.budget.share * MOST_FOR_ANSWERS);
        let owed = (self.owed + total.saturating_sub(before)).min(most(WINDOW));
        let paid = owed.min(most(Duration::from_nanos(now.saturating_sub(then))));
        self.owed = owed - paid;
        self.budget.spend(paid);
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
    fn answers_are_paid_for_up_to_a_quarter_of_what_was_earned_and_the_rest_later() {
        let mut account = Account::new(0.5);
        let start = account.budget.balance;
        let paid = |account: &Account| start - account.budget.balance;
        let most = |account: &Account| {
            0.125 * Duration::from_nanos(clock::monotonic_nanos() - account.earned).as_secs_f64()
        };
        std::thread::sleep(Duration::from_millis(20));
        account.pay_for_answers(Duration::from_micros(300));
        assert!((paid(&account) - 300e-6).abs() < 1e-9, "{}", paid(&account));
        let second = Duration::from_secs(1);
        account.pay_for_answers(second);
        let first = paid(&account);
        assert!(first > 300e-6 && first <= most(&account), "{first}");
        // Nobody asks any more.
        std::thread::sleep(Duration::from_millis(20));
        account.pay_for_answers(second);
        let later = paid(&account);
        assert!(later >= first + 0.125 * 0.02 && later <= most(&account), "{later}");
        let owed = account.owed.as_secs_f64();
        assert!((owed + later - 1.0).abs() < 1e-6, "{owed} owed, {later} paid");
    }
}
