//! A small calibration: simulated fleets with known ratios, from a seed, through the collector's own library.
//!
//! `make calibration` does the same with more fleets. The limits here are those of the promise, wider by three
//! standard errors of a share of so few draws.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::cast_precision_loss, reason = "numbers of draws are far below 2^52")]

use tierprobe_collector::compare::{Options, Row};
use tierprobe_collector::stats::contrast::Basis;
use tierprobe_collector::verdict::{Reason, Verdict};
use tierprobe_tests::fleet::{Fleet, Random, Shape};

const DRAWS: u32 = 400;
const ROUNDS: usize = 12;

/// Draws fleets of a shape and compares each at a true ratio.
fn rows(shape: &Shape, ratio: f64) -> Vec<Row> {
    let mut random = Random::new(5);
    (0..DRAWS)
        .map(|_| Fleet::draw(shape, ROUNDS, &mut random).row(ratio, &Options::default()).unwrap())
        .collect()
}

fn share(rows: &[Row], is_true: impl Fn(&Row) -> bool) -> f64 {
    rows.iter().filter(|row| is_true(row)).count() as f64 / rows.len() as f64
}

fn is_different(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Slower | Verdict::Faster)
}

/// At ratio 1.00 and at 1.20: the interval holds the truth, equal tiers are not called different, and unlike ones
/// are, as often as promised; all by the method that the shape asks for.
fn holds(shape: &Shape, basis: Basis, found: f64) {
    for ratio in [1.0, 1.2] {
        let rows = rows(shape, ratio);
        assert!(rows.iter().all(|row| row.basis == Some(basis)), "{shape:?}");
        let held = share(&rows, |row| row.ratio_low.unwrap() <= ratio && ratio <= row.ratio_high.unwrap());
        assert!((0.90..=0.995).contains(&held), "{shape:?} at {ratio}: held {held}");
        let different = share(&rows, is_different);
        if ratio > 1.0 {
            assert!(different >= found, "{shape:?}: found {different}");
            assert!(rows.iter().all(|row| row.verdict != Verdict::NoDifference), "{shape:?}");
        } else {
            assert!(different <= 0.083, "{shape:?}: {different} false verdicts");
        }
    }
}

#[test]
fn hosts_hold_what_they_promise() {
    holds(&Shape::Plain { hosts: [4, 4], spread: 0.05 }, Basis::Welch, 0.90);
    holds(&Shape::Plain { hosts: [4, 12], spread: 0.05 }, Basis::Welch, 0.90);
}

#[test]
fn kernels_and_not_agents_are_counted() {
    holds(&Shape::Nested { kernels: 4, agents: 5, spread: 0.05 }, Basis::Welch, 0.90);
}

#[test]
fn pairs_hold_what_they_promise() {
    holds(&Shape::Pairs { pairs: 6, spread: 0.15, own: 0.03, outlier: 1.0 }, Basis::Paired, 0.99);
}

#[test]
fn strata_hold_what_they_promise() {
    const MODELS: &[[usize; 2]] = &[[3, 5], [5, 3]];
    holds(&Shape::Models { hosts: MODELS, spreads: [0.05; 2] }, Basis::Stratified, 0.95);
}

#[test]
fn an_outlier_does_not_move_the_verdict() {
    let rows = rows(&Shape::Outlier { hosts: [8, 8], spread: 0.05 }, 1.2);
    assert!(rows.iter().all(|row| row.basis == Some(Basis::Robust)));
    assert!(share(&rows, |row| row.verdict == Verdict::Slower) > 0.99);
    let pairs = Shape::Pairs { pairs: 8, spread: 0.15, own: 0.03, outlier: 3.0 };
    let rows = self::rows(&pairs, 1.2);
    assert!(rows.iter().all(|row| row.basis == Some(Basis::PairedRobust)));
    assert!(share(&rows, |row| row.verdict == Verdict::Slower) > 0.99);
}

#[test]
fn one_host_has_no_verdict_on_its_tier_however_large_the_difference_is() {
    let rows = rows(&Shape::Plain { hosts: [1, 8], spread: 0.05 }, 2.0);
    assert!(rows.iter().all(|row| row.reason == Some(Reason::OneHost) && row.against_several.is_some()));
}
