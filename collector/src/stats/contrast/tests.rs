use super::*;

fn logs(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.ln()).collect()
}

const QUIET: [f64; 8] = [100.0, 102.0, 98.0, 101.0, 99.0, 103.0, 97.0, 100.5];

fn against_quiet(values: &[f64]) -> Contrast {
    Contrast::of(&logs(values), &logs(&QUIET), (0.0, 0.0), Threshold::default()).unwrap()
}

#[test]
fn welch_decides_as_long_as_no_host_stands_apart() {
    let contrast = against_quiet(&QUIET.map(|value| value * 1.2));
    assert_eq!(contrast.basis, Basis::Welch);
    assert!(contrast.interval.contains(1.2_f64.ln()));
    assert!(contrast.p_difference.unwrap() < 1e-6);
    assert!(!contrast.is_contradicted);
}

#[test]
fn ranks_decide_when_a_host_stands_apart() {
    let mut slower = QUIET.map(|value| value * 1.2);
    slower[2] = 400.0;
    let contrast = against_quiet(&slower);
    assert_eq!(contrast.basis, Basis::Robust);
    assert_eq!(contrast.outliers_candidate, [2]);
    assert!((contrast.difference.exp() - 1.2).abs() < 0.03, "{}", contrast.difference.exp());
    assert!(contrast.p_difference.unwrap() < 0.01);
}

#[test]
fn ranks_do_not_decide_between_sides_of_unlike_size_and_spread() {
    let apart: Vec<f64> =
        (0..20).map(|i| 100.0 * 1.1_f64.powi(i % 5) * if i == 7 { 30.0 } else { 1.0 }).collect();
    let contrast = against_quiet(&apart);
    assert_eq!(contrast.outliers_candidate, [7]);
    assert_eq!(contrast.basis, Basis::Welch);
}

#[test]
fn power_is_not_promised_below_four_hosts() {
    assert_eq!(against_quiet(&[100.0, 101.0, 102.0]).precision, None);
    assert!(against_quiet(&[100.0, 101.0, 102.0, 103.0]).precision.is_some());
}

#[test]
fn power_is_not_promised_where_one_host_is_the_end_of_the_interval() {
    let apart = |hosts: usize| {
        let mut slower = QUIET.map(|value| value * 1.2)[..hosts].to_vec();
        slower[2] = 400.0;
        Contrast::of(&logs(&slower), &logs(&QUIET), (0.0, 0.0), Threshold::default()).unwrap()
    };
    assert_eq!((apart(7).basis, apart(7).precision), (Basis::Robust, None));
    assert!(
        apart(8).precision.and_then(|one| one.smallest_ratio(CONFIDENCE)).is_some_and(|ratio| ratio < 1.2)
    );
}

#[test]
fn signed_ranks_decide_when_a_pair_stands_apart() {
    let within = [0.10, 0.11, 0.09, 0.10, 0.12, 0.08, 0.10];
    let plain = Contrast::paired(&within, (0.0, 0.0), Threshold::default()).unwrap();
    assert_eq!(plain.basis, Basis::Paired);
    let mut apart = within;
    apart[3] = 1.2;
    let contrast = Contrast::paired(&apart, (0.0, 0.0), Threshold::default()).unwrap();
    assert_eq!((contrast.basis, contrast.outlier_pairs.as_slice()), (Basis::PairedRobust, [3].as_slice()));
    assert!((contrast.difference - 0.1).abs() < 0.02, "{contrast:?}");
    assert!(contrast.p_difference.unwrap() < 0.05 && plain.p_difference.unwrap() < 0.05);
    let few = Contrast::paired(&apart[1..6], (0.0, 0.0), Threshold::default()).unwrap();
    assert_eq!(few.basis, Basis::Paired);
    assert_eq!(few.outlier_pairs, [2]);
}

#[test]
fn ranks_stand_beside_whichever_method_decides() {
    let candidate = logs(&[98.1, 101.7, 104.9, 99.3, 110.2]);
    let baseline = logs(&[92.4, 95.0, 90.1, 97.7, 93.3, 94.6]);
    let of =
        |candidate: &[f64]| Contrast::of(candidate, &baseline, (0.0, 0.0), Threshold::default()).unwrap();
    let by_ranks = |contrast: &Contrast| contrast.by_ranks(Threshold::default());
    let ranks = by_ranks(&of(&candidate)).unwrap();
    let close = |log: f64, ratio: f64| {
        assert!((log.exp() - ratio).abs() < 5e-10, "{} is not {ratio}", log.exp());
    };
    close(ranks.difference, 1.089_411_016_7);
    close(ranks.interval.low, 1.036_997_885_8);
    close(ranks.interval.high, 1.164_904_862_6);
    assert_eq!(by_ranks(&ranks), Some(ranks.clone()), "they are the same where they decide");
    assert_eq!(by_ranks(&of(&candidate[..3])), None, "four hosts a side");
    assert_eq!(by_ranks(&of(&candidate).reduced()), None);
    let pairs: Vec<f64> = candidate.iter().zip(&baseline).map(|(a, b)| a - b).collect();
    let paired = |within: &[f64]| Contrast::paired(within, (0.0, 0.0), Threshold::default()).unwrap();
    assert_eq!(by_ranks(&paired(&pairs)), None, "six pairs");
    assert!(by_ranks(&paired(&[pairs.as_slice(), &[0.1]].concat())).is_some());
}

#[test]
fn an_interval_can_be_had_at_any_confidence() {
    let mut slower = QUIET.map(|value| value * 1.2);
    for basis in [Basis::Welch, Basis::Robust] {
        let contrast = against_quiet(&slower);
        assert_eq!((contrast.basis, contrast.interval_at(CONFIDENCE)), (basis, contrast.interval));
        let wider = contrast.interval_at(0.999);
        assert!(wider.low < contrast.interval.low && wider.high > contrast.interval.high, "{wider:?}");
        assert_eq!(contrast.nu.is_some(), basis == Basis::Welch);
        slower[2] = 400.0;
    }
}

#[test]
fn hosts_that_stand_apart_are_counted_through_the_strata() {
    let stratum = |centre: f64| {
        let hosts = || (0..5).map(|i| centre + 0.01 * crate::stats::real(i)).collect::<Vec<f64>>();
        Stratum { candidate: hosts(), baseline: hosts() }
    };
    let mut strata = [stratum(0.0), stratum(4.0)];
    strata[1].baseline[2] += 1.0;
    let contrast = Contrast::stratified(&strata, (0.0, 0.0), Threshold::default()).unwrap();
    assert_eq!((contrast.basis, contrast.outliers_baseline.as_slice()), (Basis::Stratified, [7].as_slice()));
    assert!(contrast.outliers_candidate.is_empty() && contrast.precision.is_some());
}
