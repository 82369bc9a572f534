//! Which hosts stand apart from their own group.
//!
//! A flagged host is named and never removed; it decides which method is used. The floor of half again as much
//! keeps the flag from being data-snooping: without a true outlier it fires in at most 2 % of normal samples.

use super::summary::{median, spread};

/// Fewest hosts of a group for telling which of them stands apart.
const MIN_HOSTS: usize = 4;

/// Places of the log values that are outliers, by MAD (after Iglewicz and Hoaglin 1993): further from the median
/// than five robust standard deviations and than a factor of 1.5.
#[must_use]
pub fn outliers(values: &[f64]) -> Vec<usize> {
    let (Some(centre), Some(spread)) = (median(values), spread(values)) else { return Vec::new() };
    if values.len() < MIN_HOSTS {
        return Vec::new();
    }
    let limit = (5.0 * spread).max(1.5_f64.ln());
    values
        .iter()
        .enumerate()
        .filter(|(_, value)| (**value - centre).abs() > limit)
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_three_times_as_slow_stands_apart() {
        let values: Vec<f64> = [100.0, 103.0, 98.0, 300.0, 101.0].map(f64::ln).to_vec();
        assert_eq!(outliers(&values), [3]);
    }

    #[test]
    fn a_third_more_is_no_outlier_however_quiet_the_others_are() {
        assert!(outliers(&[100.0, 100.0, 100.0, 133.0].map(f64::ln)).is_empty());
    }

    #[test]
    fn three_hosts_have_no_outlier() {
        assert!(outliers(&[0.0, 0.0, 9.0]).is_empty());
    }
}
