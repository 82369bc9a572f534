//! Whether hosts fall into two camps.

/// Whether the largest gap between neighbours, in order, is more than half of the range, with two values or more
/// on either side of it.
#[must_use]
pub fn is_bimodal(values: &[f64]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return false };
    let half = (last - first) / 2.0;
    // More than half of the range is in one gap at most.
    let wide = sorted.windows(2).position(|pair| matches!(pair, [low, high] if high - low > half));
    wide.is_some_and(|at| at + 1 >= 2 && sorted.len() - (at + 1) >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_camps_are_seen_whatever_the_order() {
        assert!(is_bimodal(&[2.0, 1.0, 1.1, 2.1]));
        assert!(!is_bimodal(&[1.0, 1.2, 1.5, 1.8, 2.0]));
    }

    #[test]
    fn one_host_apart_is_an_outlier_and_no_camp() {
        assert!(!is_bimodal(&[1.0, 1.1, 1.2, 5.0]));
        assert!(!is_bimodal(&[1.0, 5.0]));
        assert!(!is_bimodal(&[1.0; 6]));
        assert!(!is_bimodal(&[]));
    }
}
