//! When a host's costs changed, if they did.
//!
//! Rounds are cut into consecutive batches of ten or more, whose medians are nearly independent and have no tails.
//! Every place with two batches or more on either side is tried with Student's pooled t; the one with the largest
//! t is where the change is, and its p value is multiplied by the number of places tried (Bonferroni; Worsley 1982
//! gives it as the bound for the largest t). Hunter (Fleming et al. 2023) tests change points by t for the same
//! reason: permutations would make the verdict depend on luck.

use super::student::upper_tail;
use super::summary::{mean, median_log_of, median_of, variance};
use super::{finite, real};

/// Fewest rounds of a batch.
pub const MIN_BATCH: usize = 10;
/// Most batches.
pub const MAX_BATCHES: usize = 24;
/// Fewest batches in which a change can be found.
pub const MIN_BATCHES: usize = 6;
/// Fewest batches on either side of a change.
const MIN_SIDE: usize = 2;

/// The likeliest change within one sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Place of the first value after it.
    pub at: usize,
    /// Mean of the batches after it minus mean of those before it.
    pub step: f64,
    /// p value of "there is none", for all places together.
    pub p_value: f64,
}

/// The likeliest change of log values in time order, significant or not.
///
/// `None` for fewer than 60 values and when nothing varies.
#[must_use]
pub fn likeliest(values: &[f64]) -> Option<Change> {
    likeliest_by(&mut values.to_vec(), median_of)
}

/// The same of the logarithms of values above zero; within its batch, their order is lost.
///
/// `None` as above.
#[must_use]
pub fn likeliest_ratio(values: &mut [f64]) -> Option<Change> {
    likeliest_by(values, median_log_of)
}

fn likeliest_by(values: &mut [f64], median: fn(&mut [f64]) -> Option<f64>) -> Option<Change> {
    let batches = (values.len() / MIN_BATCH).min(MAX_BATCHES);
    if batches < MIN_BATCHES {
        return None;
    }
    let all = values.len();
    let begin = |batch: usize| batch * all / batches;
    let medians: Vec<f64> =
        (0..batches).filter_map(|batch| median(values.get_mut(begin(batch)..begin(batch + 1))?)).collect();
    let places = MIN_SIDE..=batches - MIN_SIDE;
    let tried = real(places.clone().count());
    let (place, step, t) = places
        .filter_map(|place| {
            let (step, t) = step(medians.get(..place)?, medians.get(place..)?)?;
            Some((place, step, t))
        })
        .max_by(|a, b| a.2.total_cmp(&b.2))?;
    let p_value = (2.0 * upper_tail(t, real(batches) - 2.0) * tried).min(1.0);
    Some(Change { at: begin(place), step, p_value })
}

/// The step between two parts, and its absolute t with a common spread.
fn step(before: &[f64], after: &[f64]) -> Option<(f64, f64)> {
    let (m, n) = (real(before.len()), real(after.len()));
    let step = mean(after)? - mean(before)?;
    let pooled = ((m - 1.0) * variance(before)? + (n - 1.0) * variance(after)?) / (m + n - 2.0);
    let t = step.abs() / (pooled * (1.0 / m + 1.0 / n)).sqrt();
    // Two levels without any spread are a change all the same; one level is none.
    if t.is_nan() { None } else { Some((step, finite(t).unwrap_or(f64::MAX))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that go up and down without a trend, `step` higher from `at` on.
    fn stepped(n: usize, at: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| 0.01 * (real(i * 7 % 11) - 5.0) + if i >= at { step } else { 0.0 }).collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let change = likeliest(&stepped(240, 150, 0.1)).unwrap();
        assert!(change.p_value < 1e-6, "{change:?}");
        assert!((140..=160).contains(&change.at), "{change:?}");
        assert!((change.step - 0.1).abs() < 0.01, "{change:?}");
    }

    #[test]
    fn without_a_step_there_is_none() {
        assert!(likeliest(&stepped(240, 0, 0.1)).unwrap().p_value > 0.05);
    }

    #[test]
    fn an_hours_rounds_are_not_too_few_and_fifteen_minutes_are_the_least() {
        assert!(likeliest(&stepped(60, 30, 0.2)).is_some_and(|change| change.p_value < 0.01));
        assert_eq!(likeliest(&stepped(59, 30, 0.2)), None);
    }

    #[test]
    fn two_levels_without_spread_are_a_change_and_one_is_none() {
        let mut values = vec![1.0; 60];
        assert_eq!(likeliest(&values), None);
        values.extend([2.0; 60]);
        let change = likeliest(&values).unwrap();
        assert_eq!((change.at, change.p_value), (60, 0.0));
    }
}
