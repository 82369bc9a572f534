//! Whether hosts fall into two camps.

/// The gap between two camps: the largest between neighbours, in order, where it is more than half of the range and
/// has two values or more on either side. `None` where there is no such gap.
#[must_use]
pub fn gap(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = (sorted.last()? - sorted.first()?) / 2.0;
    // More than half of the range is in one gap at most.
    let (at, gap) = sorted
        .windows(2)
        .filter_map(|pair| if let [low, high] = pair { Some(high - low) } else { None })
        .enumerate()
        .find(|(_, gap)| *gap > half)?;
    (at >= 1 && at + 3 <= sorted.len()).then_some(gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_camps_are_seen_whatever_the_order() {
        assert!(gap(&[2.0, 1.0, 1.1, 2.1]).is_some_and(|gap| (gap - 0.9).abs() < 1e-12));
        assert_eq!(gap(&[1.0, 1.2, 1.5, 1.8, 2.0]), None);
    }

    #[test]
    fn one_host_apart_is_an_outlier_and_no_camp() {
        assert_eq!(gap(&[1.0, 1.1, 1.2, 5.0]), None);
        assert_eq!(gap(&[1.0, 5.0]), None);
        assert_eq!(gap(&[1.0; 6]), None);
        assert_eq!(gap(&[]), None);
    }
}
