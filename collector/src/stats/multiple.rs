//! Many rows at once: the false discovery rate of Benjamini and Hochberg (1995).
//!
//! Rows share hosts and are positively correlated, which the method tolerates (Benjamini and Yekutieli 2001).

use super::{ALPHA, real};

/// The q value of each p value, in the same order: `q_(i) = min_(j >= i) (M p_(j) / j)`.
#[must_use]
pub fn q_values(p_values: &[f64]) -> Vec<f64> {
    q_values_of_smallest(p_values, p_values.len())
}

/// The same of the p values up to a level, where there are `of` in all: each q value up to that level is the one that
/// it has among all, as none of the others brings one below it.
#[must_use]
pub fn q_values_of_smallest(p_values: &[f64], of: usize) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let total = real(of);
    let mut smallest: f64 = 1.0;
    let mut by_place: Vec<(usize, f64)> = order
        .into_iter()
        .zip((1..=p_values.len()).rev())
        .map(|((place, p), rank)| {
            smallest = smallest.min(total * p / real(rank));
            (place, smallest)
        })
        .collect();
    by_place.sort_by_key(|(place, _)| *place);
    by_place.into_iter().map(|(_, q)| q).collect()
}

/// The confidence at which one row decides where so many are rejected, `of` all that were tested.
///
/// At this confidence intervals may be quoted of rows because these were rejected: the false coverage rate of Benjamini
/// and Yekutieli (2005), by which 5 % of all that are quoted miss the truth and no more.
#[must_use]
pub fn confidence(rejected: usize, of: usize) -> f64 {
    let of = of.max(1);
    1.0 - ALPHA * real(rejected.clamp(1, of)) / real(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_values_are_those_of_the_paper() {
        // Benjamini and Hochberg 1995, section 3.2: at 5 % the first four are rejected.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let q = q_values(&p);
        assert_eq!(q.iter().filter(|q| **q <= 0.05).count(), 4);
        assert!((q[0] - 0.0015).abs() < 1e-12);
        assert!((q[3] - 0.035_625).abs() < 1e-12);
        assert!((q[14] - 1.0).abs() < 1e-12);
    }

    proptest::proptest! {
        #[test]
        fn what_is_not_small_does_not_matter(
            p in proptest::collection::vec(proptest::prop_oneof![0.0..0.01_f64, 0.0..0.06_f64, 0.0..1.0_f64], 0..60),
        ) {
            let small: Vec<f64> = p.iter().copied().filter(|p| *p <= ALPHA).collect();
            let all = p.iter().zip(q_values(&p)).filter(|(p, _)| **p <= ALPHA).map(|(_, q)| q);
            for (all, small) in all.zip(q_values_of_smallest(&small, p.len())) {
                proptest::prop_assert_eq!(all <= ALPHA, small <= ALPHA);
                proptest::prop_assert!(all > ALPHA || all.to_bits() == small.to_bits());
            }
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter() {
        let q = q_values(&[0.04, 0.01]);
        assert_eq!(q, [0.04, 0.02]);
        assert!(q_values(&[]).is_empty());
    }

    #[test]
    fn the_fewer_rows_are_rejected_the_surer_an_interval_must_be() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        close(confidence(1, 1), 0.95);
        close(confidence(0, 0), 0.95);
        close(confidence(60, 60), 0.95);
        close(confidence(6, 60), 0.995);
        close(confidence(0, 60), confidence(1, 60));
    }
}
