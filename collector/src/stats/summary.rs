//! Median, mean, variance and MAD of a sample.

use super::real;

/// The median: the middle value, or the mean of the middle two. `None` for an empty sample.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    median_of(&mut values.to_vec())
}

/// The same of values whose order does not matter any more.
#[must_use]
pub fn median_of(values: &mut [f64]) -> Option<f64> {
    middle(values).map(|(lower, upper)| between(lower, upper))
}

/// The median of the logarithms, of values above zero whose order does not matter any more: only those in the middle
/// need a logarithm.
#[must_use]
pub fn median_log_of(values: &mut [f64]) -> Option<f64> {
    middle(values).map(|(lower, upper)| between(lower.ln(), upper.ln()))
}

/// The middle two values; the middle one twice where there is one.
fn middle(values: &mut [f64]) -> Option<(f64, f64)> {
    let half = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let is_odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    let lower = if is_odd { upper } else { below.iter().copied().max_by(f64::total_cmp)? };
    Some((lower, upper))
}

fn between(lower: f64, upper: f64) -> f64 {
    if lower.to_bits() == upper.to_bits() {
        return upper;
    }
    // Halved before adding, as the sum of two large values may not be finite.
    lower / 2.0 + upper / 2.0
}

/// The arithmetic mean. `None` for an empty sample.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    // Summed in sorted order, so that the result does not depend on the order of the hosts.
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| sorted.iter().sum::<f64>() / real(sorted.len()))
}

/// The variance with divisor n - 1. `None` below two values.
#[must_use]
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let mut squares: Vec<f64> = values.iter().map(|value| (value - mean).powi(2)).collect();
    squares.sort_unstable_by(f64::total_cmp);
    (values.len() > 1).then(|| squares.iter().sum::<f64>() / real(values.len() - 1))
}

/// The median absolute deviation from the median, times 1.4826 so that it estimates the standard deviation of a
/// normal sample. `None` for an empty sample.
#[must_use]
pub fn spread(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    median(&deviations).map(|mad| 1.4826 * mad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_variance_needs_two_values() {
        assert_eq!(variance(&[1.0]), None);
        assert_eq!(variance(&[1.0, 3.0]), Some(2.0));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn one_wild_value_does_not_move_the_spread() {
        assert_eq!(spread(&[1.0, 2.0, 3.0, 4.0, 1e9]), Some(1.4826));
    }
}
