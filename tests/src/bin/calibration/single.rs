//! One host a side, and changes in time.

use tierprobe_collector::compare::Options;
use tierprobe_collector::stats::change::likeliest;
use tierprobe_collector::verdict::Verdict;
use tierprobe_tests::fleet::{Fleet, LIKENESS, Random, Shape, noise};

use crate::tally::{percent, seed};
use crate::{Checks, table};

/// What one host can say: of itself, of its tier never.
pub(crate) fn hosts(runs: u32, checks: &mut Checks) -> String {
    let mut lines = Vec::new();
    for (rounds, likeness) in [
        (40, LIKENESS),
        (120, LIKENESS),
        (240, LIKENESS),
        (120, 0.9),
        (240, 0.9),
        (960, 0.9),
        (240, 0.99),
        (960, 0.99),
    ] {
        let (shape, mut held, mut silent, mut verdicts) =
            (Shape::Plain { hosts: [1, 1], spread: 0.05 }, 0, 0, 0);
        let mut random = Random::new(seed(&shape));
        for _ in 0..runs {
            let fleet = Fleet::draw_alike(&shape, rounds, likeness, &mut random);
            let Some(row) = fleet.row(1.2, &Options::default()) else { continue };
            let truth = 1.2 * fleet.difference_of_hosts().exp();
            verdicts += u32::from(row.verdict != Verdict::Inconclusive);
            match row.here {
                Some(here) => {
                    let low = here.ratio_low.is_none_or(|low| low <= truth);
                    held += u32::from(low && here.ratio_high.is_none_or(|high| truth <= high));
                }
                None => silent += 1,
            }
        }
        let share = |count: u32, of: u32| f64::from(count) / f64::from(of.max(1));
        let is_usual = likeness.total_cmp(&LIKENESS).is_eq();
        let drift =
            if is_usual { String::new() } else { format!(" that resemble their neighbours by {likeness}") };
        let name = format!("1 v 1, {rounds} rounds{drift}: these two instances");
        if is_usual {
            checks.band(&name, share(held, runs - silent), 0.92, 0.98);
        }
        checks.band(&format!("{name}: tier verdicts"), share(verdicts, runs), 0.0, 0.0);
        lines.push(vec![
            name,
            percent(share(held, runs - silent)),
            percent(share(silent, runs)),
            "0.0".to_owned(),
        ]);
    }
    for several in [4, 10, 20] {
        let shape = Shape::Plain { hosts: [1, several], spread: 0.05 };
        let (mut random, mut held, mut verdicts) = (Random::new(seed(&shape)), 0, 0);
        for _ in 0..runs {
            let fleet = Fleet::draw(&shape, crate::tally::ROUNDS, &mut random);
            let Some(row) = fleet.row(1.2, &Options::default()) else { continue };
            verdicts += u32::from(row.verdict != Verdict::Inconclusive);
            held += u32::from(
                row.against_several.is_some_and(|one| one.ratio_low <= 1.2 && 1.2 <= one.ratio_high),
            );
        }
        let name = format!("1 v {several}, if both tiers spread alike");
        let share = f64::from(held) / f64::from(runs);
        checks.band(&name, share, 0.93, 0.97);
        checks.band(&format!("{name}: tier verdicts"), f64::from(verdicts), 0.0, 0.0);
        lines.push(vec![name, percent(share), "0.0".to_owned(), "0.0".to_owned()]);
    }
    format!(
        "### One host a side\n\nHow often the interval holds the truth (of the two instances, or of the tiers where it \
         says so), how often none is given as the halves of the window contradict one another, and how often there is \
         a verdict on the tiers; per cent of {runs} fleets.\n\n{}",
        table(&["statement", "held", "drifting", "tier verdicts"], &lines)
    )
}

/// How often a change is seen where there is none, and where there is one.
pub(crate) fn changes(runs: u32, checks: &mut Checks) -> String {
    let mut lines = Vec::new();
    for rounds in [60, 120, 240, 1000] {
        let mut line = vec![rounds.to_string()];
        for (likeness, step) in
            [(LIKENESS, 0.0), (0.9, 0.0), (LIKENESS, 0.05), (LIKENESS, 0.10), (LIKENESS, 0.20)]
        {
            let mut random = Random::new(rounds as u64);
            let mut found = 0;
            for _ in 0..runs {
                let mut values = noise(rounds, likeness, &mut random);
                values.iter_mut().skip(rounds / 3).for_each(|value| *value += step);
                found += u32::from(likeliest(&values).is_some_and(|change| change.p_value <= 0.05));
            }
            let share = f64::from(found) / f64::from(runs);
            if step.total_cmp(&0.0).is_eq() && likeness.total_cmp(&LIKENESS).is_eq() {
                checks.band(&format!("false changes, {rounds} rounds"), share, 0.0, 0.08);
            }
            line.push(percent(share));
        }
        lines.push(line);
    }
    format!(
        "### Changes in time\n\nHow often one series of one host is called changed at 5 %, before the correction for \
         many series and without the threshold, by which both a report is stricter; after a third of the rounds the \
         costs rise by the step. Per cent of {runs} hosts.\n\n{}",
        table(&["rounds", "no step, likeness 0.6", "no step, likeness 0.9", "5 %", "10 %", "20 %"], &lines)
    )
}
