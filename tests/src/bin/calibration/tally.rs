//! What many draws of one fleet came to.

use tierprobe_collector::compare::{Options, Row};
use tierprobe_collector::verdict::Verdict;
use tierprobe_tests::fleet::{Fleet, Random, Shape};

/// Rounds a host where nothing else is said: few, so that thousands of fleets can be drawn. With spreads of some per cent
/// the host's median is then as uncertain as hosts differ; [`crate::cells::hour`] has more.
pub(crate) const ROUNDS: usize = 20;

/// Shares of draws, 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    draws: u32,
    covered: u32,
    decided: u32,
    wrong: u32,
    none: u32,
}

impl Tally {
    /// Counts one row whose true ratio is `truth`.
    pub(crate) fn count(&mut self, row: &Row, truth: f64) {
        let low = row.ratio_low.is_none_or(|low| low <= truth);
        let high = row.ratio_high.is_none_or(|high| truth <= high);
        self.draws += 1;
        self.covered += u32::from(row.basis.is_some() && low && high);
        self.decided += u32::from(matches!(row.verdict, Verdict::Slower | Verdict::Faster));
        self.none += u32::from(row.verdict == Verdict::NoDifference);
        self.wrong += u32::from(row.verdict == if truth > 1.0 { Verdict::Faster } else { Verdict::Slower });
    }

    /// How often the interval held the truth.
    pub(crate) fn coverage(&self) -> f64 {
        self.share(self.covered)
    }

    /// How often the verdict was slower or faster.
    pub(crate) fn decided(&self) -> f64 {
        self.share(self.decided)
    }

    /// How often the verdict was no difference.
    pub(crate) fn none(&self) -> f64 {
        self.share(self.none)
    }

    /// How often it was faster where slower is true.
    pub(crate) fn wrong(&self) -> f64 {
        self.share(self.wrong)
    }

    fn share(&self, count: u32) -> f64 {
        f64::from(count) / f64::from(self.draws.max(1))
    }
}

/// Draws fleets of a shape and compares each at every ratio: one tally a ratio.
pub(crate) fn run<const N: usize>(
    shape: &Shape,
    ratios: [f64; N],
    runs: u32,
    options: &Options,
) -> [Tally; N] {
    run_rounds(shape, ROUNDS, ratios, runs, options)
}

/// The same with so many rounds a host.
pub(crate) fn run_rounds<const N: usize>(
    shape: &Shape,
    rounds: usize,
    ratios: [f64; N],
    runs: u32,
    options: &Options,
) -> [Tally; N] {
    let mut random = Random::new(seed(shape));
    let mut tallies = [Tally::default(); N];
    for _ in 0..runs {
        let fleet = Fleet::draw(shape, rounds, &mut random);
        for (tally, ratio) in tallies.iter_mut().zip(ratios) {
            if let Some(row) = fleet.row(ratio, options) {
                tally.count(&row, ratio);
            }
        }
    }
    tallies
}

/// A seed of its own for each shape, so that a cell does not depend on which cells ran before it (FNV-1a).
pub(crate) fn seed(shape: &Shape) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{shape:?}").bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A share as per cent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}
