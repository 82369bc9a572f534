//! How much is answered: a token bucket.

/// Tokens that accrue over time, up to a second's worth.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Nanoseconds that one token takes.
    cost: u64,
    most: u64,
    /// What has accrued, in nanoseconds.
    credit: u64,
    last: u64,
}

impl Bucket {
    /// A full bucket at the instant `now`, in nanoseconds.
    pub(super) fn new(tokens_a_second: u32, now: u64) -> Self {
        let second = 1_000_000_000;
        Self { cost: second / u64::from(tokens_a_second.max(1)), most: second, credit: second, last: now }
    }

    /// Takes a token at the instant `now`. Whether there was one.
    pub(super) fn take(&mut self, now: u64) -> bool {
        self.credit = self.credit.saturating_add(now.saturating_sub(self.last)).min(self.most);
        self.last = self.last.max(now);
        let left = self.credit.checked_sub(self.cost);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_accrues() {
        let mut bucket = Bucket::new(1000, 0);
        let taken = |bucket: &mut Bucket, now| (0..5000).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, 0), 1000, "a second's worth at once");
        assert_eq!(taken(&mut bucket, 50_000_000), 50);
        assert_eq!(taken(&mut bucket, 3_600_000_000_000), 1000, "an hour's pause gives a second's worth");
        assert_eq!(taken(&mut bucket, 1), 0, "a clock that goes back gives nothing");
    }
}
