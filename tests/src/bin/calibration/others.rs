//! What methods that take rounds for independent make of the same fleets.

use tierprobe_collector::compare::Options;
use tierprobe_collector::stats::student::upper_tail;
use tierprobe_collector::stats::summary::{mean, variance};
use tierprobe_collector::stats::welch::welch;
use tierprobe_collector::verdict::Verdict;
use tierprobe_tests::fleet::{Fleet, Random, Shape};

use crate::tally::{percent, seed};
use crate::{Checks, table};

/// Equal tiers, and how often each method calls them different.
pub(crate) fn cry_wolf(runs: u32, checks: &mut Checks) -> String {
    let mut lines = Vec::new();
    for (hosts, spread, rounds) in [
        (4, 0.02, 20),
        (4, 0.05, 20),
        (4, 0.05, 120),
        (4, 0.15, 20),
        (10, 0.02, 20),
        (10, 0.05, 20),
        (10, 0.05, 120),
        (10, 0.15, 20),
        (50, 0.05, 20),
    ] {
        let shape = Shape::Plain { hosts: [hosts, hosts], spread };
        let mut random = Random::new(seed(&shape));
        let mut alarms = [0_u32; 4];
        for _ in 0..runs {
            let fleet = Fleet::draw(&shape, rounds, &mut random);
            let ours = fleet.row(1.0, &Options::default());
            let decided = ours.is_some_and(|row| matches!(row.verdict, Verdict::Slower | Verdict::Faster));
            let (a, b) = (fleet.pooled(true, 1.0), fleet.pooled(false, 1.0));
            let cries = [decided, mann_whitney(&a, &b) <= 0.05, welch_test(&a, &b), relative_speed(&a, &b)];
            for (alarm, cry) in alarms.iter_mut().zip(cries) {
                *alarm += u32::from(cry);
            }
        }
        let shares = alarms.map(|alarms| f64::from(alarms) / f64::from(runs));
        let name = format!("{hosts} v {hosts}, {} %, {rounds} rounds", spread * 100.0);
        checks.false_verdicts(&name, shares[0]);
        let mut line = vec![name];
        line.extend(shares.map(percent));
        lines.push(line);
    }
    format!(
        "### Beside other methods\n\nHow often two equal tiers are called different, per cent of {runs} fleets. benchstat \
         tests all rounds of a side by Mann and Whitney at 5 %; hyperfine's `welch_ttest.py` by Welch's t at 5 %; \
         hyperfine itself prints `1.05 ± 0.07 times faster`, counted where the one is not within the ±, which is the \
         spread of single runs and does not shrink however much is measured.\n\n{}",
        table(
            &[
                "hosts, spread, rounds a host",
                "tierprobe",
                "benchstat",
                "hyperfine, its t test",
                "hyperfine, its ±"
            ],
            &lines
        )
    )
}

/// Two-sided p value by the normal approximation, which benchstat too uses for so many values.
fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        a.iter().map(|value| (*value, true)).chain(b.iter().map(|value| (*value, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    // Values of the second sample below each of the first.
    let (mut below, mut u) = (0.0, 0.0);
    for (_, is_first) in all {
        if is_first {
            u += below;
        } else {
            below += 1.0;
        }
    }
    let (m, n) = (a.len() as f64, b.len() as f64);
    let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
    2.0 * upper_tail((u - m * n / 2.0).abs() / deviation, 1e6)
}

fn welch_test(a: &[f64], b: &[f64]) -> bool {
    welch(a, b, (0.0, 0.0)).and_then(|estimate| estimate.p_difference()).is_some_and(|p| p <= 0.05)
}

/// Whether 1 is outside of the ratio of the means, slower to faster, with its propagated deviation.
fn relative_speed(a: &[f64], b: &[f64]) -> bool {
    let (Some(mean_a), Some(mean_b), Some(var_a), Some(var_b)) = (mean(a), mean(b), variance(a), variance(b))
    else {
        return false;
    };
    let ratio = (mean_a / mean_b).max(mean_b / mean_a);
    let deviation = ratio * (var_a / mean_a.powi(2) + var_b / mean_b.powi(2)).sqrt();
    ratio - deviation > 1.0
}
