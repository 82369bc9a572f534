//! How rank statistics are distributed: exactly as far as that keeps its digits, normal beyond.

use std::cell::RefCell;
use std::sync::Arc;

use super::real;
use super::student::{MANY, upper_tail};

/// Up to so many differences or averages the distribution is exact. Beyond, rounding would show in the exact one
/// sooner than the error of the normal approximation does.
const EXACT: usize = 2500;

/// The distribution of a rank statistic of samples that do not differ and have no ties.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Distribution {
    /// `P(U <= u)` for each u.
    Exact(Arc<[f64]>),
    /// Mean and standard deviation of the normal approximation.
    Normal(f64, f64),
}

impl Distribution {
    /// Of the Mann-Whitney statistic of m and n values.
    pub(super) fn rank_sum(m: usize, n: usize) -> Self {
        if m * n <= EXACT {
            return Self::Exact(known_or((m, n), || cumulative(m, n)));
        }
        let pairs = real(m) * real(n);
        Self::Normal(pairs / 2.0, (pairs * (real(m + n) + 1.0) / 12.0).sqrt())
    }

    /// Of Wilcoxon's signed-rank statistic of n differences.
    pub(super) fn signed_rank(n: usize) -> Self {
        let sums = n * (n + 1) / 2;
        if sums <= EXACT {
            return Self::Exact(cumulative_signed(n).into());
        }
        Self::Normal(real(sums) / 2.0, (real(sums) * (2.0 * real(n) + 1.0) / 12.0).sqrt())
    }

    /// `P(U <= u)`.
    pub(super) fn up_to(&self, u: usize) -> f64 {
        match self {
            Self::Exact(cumulative) => cumulative.get(u).copied().unwrap_or(1.0).min(1.0),
            // Half a step more, as U only takes whole numbers.
            Self::Normal(mean, deviation) => upper_tail((mean - real(u) - 0.5) / deviation, MANY),
        }
    }
}

/// A distribution, and the sizes of the two samples that it is of.
struct Known {
    sizes: (usize, usize),
    cumulative: Arc<[f64]>,
}

thread_local! {
    /// The last one that was computed: the sides of most rows of a comparison are the same hosts.
    static LAST: RefCell<Option<Known>> = const { RefCell::new(None) };
}

fn known_or(sizes: (usize, usize), compute: impl FnOnce() -> Vec<f64>) -> Arc<[f64]> {
    LAST.with_borrow_mut(|last| match last {
        Some(known) if known.sizes == sizes => Arc::clone(&known.cumulative),
        Some(_) | None => {
            let cumulative: Arc<[f64]> = compute().into();
            *last = Some(Known { sizes, cumulative: Arc::clone(&cumulative) });
            cumulative
        }
    })
}

/// `P(U <= u)` for all u of the Mann-Whitney statistic of m and n values without ties.
///
/// The counts are the coefficients of the Gaussian binomial `prod_(i=1..m) (1 - z^(n+i)) / (1 - z^i)`. After each
/// factor they are divided by their sum, so that they stay probabilities.
fn cumulative(m: usize, n: usize) -> Vec<f64> {
    let mut shares = vec![0.0; m * n + 1];
    if let Some(first) = shares.first_mut() {
        *first = 1.0;
    }
    for i in 1..=m {
        subtract_shifted(&mut shares, n + i);
        add_shifted(&mut shares, i);
        let total = real(n + i) / real(i);
        shares.iter_mut().for_each(|share| *share /= total);
    }
    running_sums(&shares)
}

/// `P(W <= w)` for all w of the signed-rank statistic of n differences: the coefficients of
/// `prod_(i=1..n) (1 + z^i) / 2`.
fn cumulative_signed(n: usize) -> Vec<f64> {
    let mut shares = vec![0.0; n * (n + 1) / 2 + 1];
    if let Some(first) = shares.first_mut() {
        *first = 1.0;
    }
    for i in 1..=n {
        for at in (i..shares.len()).rev() {
            let shifted = shares.get(at - i).copied().unwrap_or(0.0);
            if let Some(share) = shares.get_mut(at) {
                *share += shifted;
            }
        }
        shares.iter_mut().for_each(|share| *share /= 2.0);
    }
    running_sums(&shares)
}

fn running_sums(shares: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    shares
        .iter()
        .map(|share| {
            sum += share;
            sum
        })
        .collect()
}

/// Multiplies the polynomial by `1 - z^by`.
fn subtract_shifted(coefficients: &mut [f64], by: usize) {
    for at in (by..coefficients.len()).rev() {
        let shifted = coefficients.get(at - by).copied().unwrap_or(0.0);
        if let Some(coefficient) = coefficients.get_mut(at) {
            *coefficient -= shifted;
        }
    }
}

/// Divides the polynomial by `1 - z^by`.
fn add_shifted(coefficients: &mut [f64], by: usize) {
    for at in by..coefficients.len() {
        let shifted = coefficients.get(at - by).copied().unwrap_or(0.0);
        if let Some(coefficient) = coefficients.get_mut(at) {
            *coefficient += shifted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distribution by the recurrence on the largest value, which only adds.
    fn by_recurrence(m: usize, n: usize) -> Vec<f64> {
        let mut shares = vec![vec![vec![]; n + 1]; m + 1];
        for i in 0..=m {
            for j in 0..=n {
                let mut row = vec![0.0; i * j + 1];
                if i * j == 0 {
                    row[0] = 1.0;
                } else {
                    let (from_first, from_second) = (real(i) / real(i + j), real(j) / real(i + j));
                    for (u, share) in row.iter_mut().enumerate() {
                        let first: &Vec<f64> = &shares[i - 1][j];
                        let second: &Vec<f64> = &shares[i][j - 1];
                        *share += from_first * u.checked_sub(j).and_then(|u| first.get(u)).unwrap_or(&0.0);
                        *share += from_second * second.get(u).unwrap_or(&0.0);
                    }
                }
                shares[i][j] = row;
            }
        }
        let mut sum = 0.0;
        shares[m][n]
            .iter()
            .map(|share| {
                sum += share;
                sum
            })
            .collect()
    }

    #[test]
    fn the_exact_distribution_keeps_its_digits() {
        for (m, n) in [(5, 6), (20, 30), (50, 50), (4, 60)] {
            let difference = |(a, b): (&f64, &f64)| (a - b).abs();
            let worst = cumulative(m, n).iter().zip(&by_recurrence(m, n)).map(difference).fold(0.0, f64::max);
            assert!(worst < 1e-9, "{m} x {n}: {worst}");
        }
    }

    #[test]
    fn the_approximation_continues_the_exact_distribution() {
        let exact = Distribution::rank_sum(50, 50);
        let pairs = 2500.0;
        let normal = Distribution::Normal(pairs / 2.0, (pairs * 101.0_f64 / 12.0).sqrt());
        for u in [900, 965, 1000, 1250, 1400] {
            assert!((exact.up_to(u) - normal.up_to(u)).abs() < 2e-3, "{u}: {}", exact.up_to(u));
        }
        assert!(Distribution::rank_sum(1000, 1000).up_to(1_000_000) > 0.999_999);
    }

    #[test]
    fn the_approximation_continues_the_exact_signed_ranks() {
        let exact = Distribution::signed_rank(70);
        let sums: f64 = 70.0 * 71.0 / 2.0;
        let normal = Distribution::Normal(sums / 2.0, (sums * 141.0 / 12.0).sqrt());
        for w in [700, 900, 1100, 1242, 1500] {
            assert!((exact.up_to(w) - normal.up_to(w)).abs() < 2e-3, "{w}: {}", exact.up_to(w));
        }
        assert!(Distribution::signed_rank(1000).up_to(500_500) > 0.999_999);
    }
}
