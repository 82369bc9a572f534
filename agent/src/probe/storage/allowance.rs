//! How many bytes may be written.

use crate::measure::{real, seconds};

/// Parts of a day's bytes that may be written at once.
const AT_ONCE: f64 = 1.0 / 24.0;

const SECONDS_A_DAY: f64 = 86_400.0;

/// Bytes that may be written now. In no 24 hours are more written than a day's: an hour's worth may be written at once,
/// from the start, and the rest of the day's is earned evenly.
#[derive(Debug)]
pub(super) struct Allowance {
    /// What there is when nothing was written for long.
    most: f64,
    bytes_per_second: f64,
    bytes: f64,
    last_nanos: u64,
}

impl Allowance {
    pub(super) fn new(daily_bytes: u64, now_nanos: u64) -> Self {
        let daily = real(daily_bytes);
        let most = daily * AT_ONCE;
        Self { most, bytes_per_second: (daily - most) / SECONDS_A_DAY, bytes: most, last_nanos: now_nanos }
    }

    /// Whether `bytes` may be written at `now_nanos`; if so, they are paid for.
    pub(super) fn take(&mut self, bytes: u64, now_nanos: u64) -> bool {
        self.earn(now_nanos);
        let affordable = self.bytes >= real(bytes);
        if affordable {
            self.bytes -= real(bytes);
        }
        affordable
    }

    /// Pays for `bytes` that are written at `now_nanos` whether there is enough or not.
    pub(super) fn owe(&mut self, bytes: u64, now_nanos: u64) {
        self.earn(now_nanos);
        self.bytes -= real(bytes);
    }

    fn earn(&mut self, now_nanos: u64) {
        let elapsed = seconds(now_nanos.saturating_sub(self.last_nanos));
        self.bytes = (self.bytes + self.bytes_per_second * elapsed).min(self.most);
        self.last_nanos = now_nanos;
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::{BYTES_A_ROUND, BYTES_TO_OPEN};
    use super::super::settings::Settings;
    use super::super::turns::Turns;
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 86_400;

    /// What each directory writes, by second, in so many days of rounds.
    fn written(daily_bytes: u64, directories: usize, interval: u64, days: u64) -> Vec<(u64, usize, u64)> {
        let mut allowance = Allowance::new(daily_bytes, 0);
        let mut turns = Turns::default();
        let mut written = Vec::new();
        for directory in 0..directories {
            allowance.owe(BYTES_TO_OPEN, 0);
            written.push((0, directory, BYTES_TO_OPEN));
        }
        for second in (0..days * DAY).step_by(usize::try_from(interval).unwrap()) {
            for directory in turns.order(0..directories) {
                if allowance.take(BYTES_A_ROUND, second * SECOND) {
                    turns.done(directory);
                    written.push((second, directory, BYTES_A_ROUND));
                }
            }
        }
        written
    }

    #[test]
    fn in_no_day_is_more_written_than_a_day_allows() {
        for (daily, directories) in [(128 << 20, 1), (16 << 20, 1), (128 << 20, 8)] {
            let written = written(daily, directories, 5, 3);
            let (mut first, mut sum) = (0, 0);
            for (last, (second, _, bytes)) in written.iter().enumerate() {
                sum += bytes;
                while written[first].0 + DAY <= *second {
                    sum -= written[first].2;
                    first += 1;
                }
                assert!(sum <= daily, "{sum} bytes of {daily} in the day before {second} ({last})");
            }
            let all: u64 = written.iter().map(|(_, _, bytes)| bytes).sum();
            assert!(all > 3 * daily * 9 / 10, "{all}: what was allowed was not used");
        }
    }

    #[test]
    fn one_directory_writes_in_each_round_at_defaults() {
        let rounds = written(Settings::default().daily_bytes, 1, 20, 1).len() - 1;
        assert_eq!(rounds, 4320);
    }

    #[test]
    fn directories_share_what_there_is() {
        for directories in 2..=8 {
            for interval in [7, 20, 60] {
                let written = written(Settings::default().daily_bytes, directories, interval, 2);
                let rounds = |wanted: usize| written.iter().filter(|(_, one, _)| *one == wanted).count();
                let rounds: Vec<usize> = (0..directories).map(rounds).collect();
                let (least, most) = (rounds.iter().min().unwrap(), rounds.iter().max().unwrap());
                assert!(*least > 1 && most - least <= 1, "every {interval} s: {rounds:?}");
            }
        }
    }
}
