//! What must hold for any values, and that the interval covers what it says.

use proptest::prelude::*;

use super::contrast::Contrast;
use super::equivalence::Threshold;
use super::stratified::Stratum;
use super::{LogInterval, finite};

fn hosts() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-18.0..3.0_f64, 2..12)
}

fn of(a: &[f64], b: &[f64]) -> Contrast {
    Contrast::of(a, b, (0.0, 0.0), Threshold::default()).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq() || (a - b).abs() <= 1e-8 * (1.0 + a.abs().max(b.abs()))
}

fn alike(a: LogInterval, b: LogInterval) -> bool {
    close(a.low, b.low) && close(a.high, b.high)
}

proptest! {
    #[test]
    fn swapping_the_sides_inverts_the_ratio(a in hosts(), b in hosts()) {
        let (there, back) = (of(&a, &b), of(&b, &a));
        prop_assert!(close(there.difference, -back.difference));
        let mirrored = LogInterval { low: -back.interval.high, high: -back.interval.low };
        prop_assert!(alike(there.interval, mirrored), "{:?} {:?}", there.interval, mirrored);
        prop_assert_eq!(there.basis, back.basis);
        prop_assert!(close(there.p_difference.unwrap_or(0.5), back.p_difference.unwrap_or(0.5)));
    }

    #[test]
    fn scaling_all_values_changes_nothing(a in hosts(), b in hosts(), factor in -5.0..5.0_f64) {
        let scaled = |values: &[f64]| values.iter().map(|value| value + factor).collect::<Vec<f64>>();
        let (plain, other) = (of(&a, &b), of(&scaled(&a), &scaled(&b)));
        prop_assert!(close(plain.difference, other.difference));
        prop_assert!(alike(plain.interval, other.interval), "{:?} {:?}", plain.interval, other.interval);
    }

    #[test]
    fn scaling_one_side_scales_the_ratio(a in hosts(), b in hosts(), factor in -5.0..5.0_f64) {
        let scaled: Vec<f64> = a.iter().map(|value| value + factor).collect();
        let (plain, other) = (of(&a, &b), of(&scaled, &b));
        prop_assert!((plain.difference + factor - other.difference).abs() < 1e-9);
    }

    #[test]
    fn the_order_of_hosts_does_not_matter(a in hosts(), b in hosts()) {
        let turned = |values: &[f64]| values.iter().rev().copied().collect::<Vec<f64>>();
        let (plain, other) = (of(&a, &b), of(&turned(&a), &turned(&b)));
        prop_assert_eq!(plain.difference.to_bits(), other.difference.to_bits());
        prop_assert_eq!(plain.interval, other.interval);
        prop_assert_eq!(plain.p_difference, other.p_difference);
    }

    #[test]
    fn a_group_does_not_differ_from_itself(a in hosts()) {
        let contrast = of(&a, &a);
        prop_assert!(contrast.interval.contains(0.0), "{:?}", contrast.interval);
        prop_assert!(contrast.p_difference.is_none_or(|p| p > 0.05));
    }

    #[test]
    fn p_values_are_shares_and_bounds_are_numbers(a in hosts(), b in hosts()) {
        let contrast = of(&a, &b);
        for p in [contrast.p_difference, contrast.p_equivalence].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&p), "{p}");
        }
        prop_assert!(finite(contrast.difference).is_some());
        prop_assert!(contrast.interval.low <= contrast.difference && contrast.difference <= contrast.interval.high);
    }
}

fn pairs() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-2.0..2.0_f64, 2..14)
}

fn within(differences: &[f64]) -> Contrast {
    Contrast::paired(differences, (0.0, 0.0), Threshold::default()).unwrap()
}

fn strata() -> impl Strategy<Value = Vec<Stratum>> {
    let hosts = || proptest::collection::vec(-3.0..3.0_f64, 2..6);
    let stratum = (hosts(), hosts()).prop_map(|(candidate, baseline)| Stratum { candidate, baseline });
    proptest::collection::vec(stratum, 1..4)
}

fn combined(strata: &[Stratum]) -> Contrast {
    Contrast::stratified(strata, (0.0, 0.0), Threshold::default()).unwrap()
}

proptest! {
    #[test]
    fn swapping_within_pairs_inverts_the_ratio(differences in pairs()) {
        let swapped: Vec<f64> = differences.iter().map(|difference| -difference).collect();
        let (there, back) = (within(&differences), within(&swapped));
        prop_assert!(close(there.difference, -back.difference));
        let mirrored = LogInterval { low: -back.interval.high, high: -back.interval.low };
        prop_assert!(alike(there.interval, mirrored), "{:?} {:?}", there.interval, mirrored);
        prop_assert_eq!(there.basis, back.basis);
        prop_assert!(there.interval.contains(there.difference));
    }

    #[test]
    fn the_order_of_pairs_does_not_matter(differences in pairs()) {
        let turned: Vec<f64> = differences.iter().rev().copied().collect();
        let (plain, other) = (within(&differences), within(&turned));
        prop_assert_eq!(plain.difference.to_bits(), other.difference.to_bits());
        prop_assert_eq!((plain.interval, plain.p_difference), (other.interval, other.p_difference));
    }

    #[test]
    fn swapping_the_sides_of_strata_inverts_the_ratio(strata in strata()) {
        let swapped: Vec<Stratum> = strata.iter()
            .map(|one| Stratum { candidate: one.baseline.clone(), baseline: one.candidate.clone() }).collect();
        let (there, back) = (combined(&strata), combined(&swapped));
        prop_assert!(close(there.difference, -back.difference));
        prop_assert!(close(there.p_difference.unwrap_or(0.5), back.p_difference.unwrap_or(0.5)));
    }

    #[test]
    fn moving_whole_strata_changes_nothing(strata in strata(), step in -5.0..5.0_f64) {
        let mut moved = strata.clone();
        for (at, stratum) in moved.iter_mut().enumerate() {
            let by = step * super::real(at + 1);
            stratum.candidate.iter_mut().chain(&mut stratum.baseline).for_each(|value| *value += by);
        }
        let (plain, other) = (combined(&strata), combined(&moved));
        prop_assert!(alike(plain.interval, other.interval), "{:?} {:?}", plain.interval, other.interval);
    }
}

/// A fixed sequence of normal deviates: splitmix64 and Box-Muller.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (f64::from((z >> 32) as u32) + 0.5) / 4_294_967_296.0
    }

    fn next(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    fn hosts(&mut self, n: usize, centre: f64, spread: f64) -> Vec<f64> {
        (0..n).map(|_| centre + spread * self.next()).collect()
    }
}

#[test]
fn the_interval_covers_the_true_ratio_as_often_as_it_says() {
    const DRAWS: u32 = 2000;
    let mut normal = Normal(7);
    let mut covered = 0;
    for _ in 0..DRAWS {
        let truth = 1.1_f64.ln();
        let contrast = of(&normal.hosts(4, truth, 0.05), &normal.hosts(4, 0.0, 0.05));
        covered += u32::from(contrast.interval.contains(truth));
    }
    let share = f64::from(covered) / f64::from(DRAWS);
    assert!((0.935..=0.975).contains(&share), "covered {share}");
}
