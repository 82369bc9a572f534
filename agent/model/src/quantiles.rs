//! The five numbers that describe a round.

use serde::{Deserialize, Serialize};

/// Order statistics of the samples of one round.
///
/// Never a mean: means mix the cost of the tier with the noise of the neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The smallest sample.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest sample.
    pub max: f64,
}

impl Quantiles {
    /// Quantiles by nearest rank: the smallest sample that at least a share `q` of all samples do not exceed.
    ///
    /// Each is a sample that really occurred; nothing is interpolated. Sorts `samples`. `None` when there are
    /// none, or when one of them is not a number.
    #[must_use]
    pub fn of(samples: &mut [f64]) -> Option<Self> {
        if samples.iter().any(|sample| sample.is_nan()) {
            return None;
        }
        samples.sort_by(f64::total_cmp);
        let last = samples.len().checked_sub(1)?;
        // Hundredths keep the rank exact: 0.9 * 10 in floating point would round up to rank 10.
        let at = |hundredths: usize| {
            let rank = (samples.len() * hundredths).div_ceil(100);
            samples.get(rank.saturating_sub(1).min(last)).copied()
        };
        Some(Self { min: at(0)?, p50: at(50)?, p90: at(90)?, p99: at(99)?, max: at(100)? })
    }

    /// The same value five times: what one sample looks like.
    #[must_use]
    pub const fn single(value: f64) -> Self {
        Self { min: value, p50: value, p90: value, p99: value, max: value }
    }

    /// The numbers beside the `quantile` label they are published under.
    #[must_use]
    pub const fn by_quantile(&self) -> [(f64, f64); 5] {
        [(0.0, self.min), (0.5, self.p50), (0.9, self.p90), (0.99, self.p99), (1.0, self.max)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples_at_the_nearest_rank() {
        let mut ten: Vec<f64> = (1..=10).rev().map(f64::from).collect();
        assert_eq!(
            Quantiles::of(&mut ten),
            Some(Quantiles { min: 1.0, p50: 5.0, p90: 9.0, p99: 10.0, max: 10.0 })
        );
        assert_eq!(Quantiles::of(&mut [7.0]), Some(Quantiles::single(7.0)));
    }

    #[test]
    fn no_samples_and_no_numbers_have_no_quantiles() {
        assert_eq!(Quantiles::of(&mut []), None);
        assert_eq!(Quantiles::of(&mut [1.0, f64::NAN]), None);
    }
}
