//! The comparison's own cells: how often intervals hold the truth, and what the verdicts are.

use tierprobe_collector::compare::Options;
use tierprobe_tests::fleet::Shape;

use crate::tally::{Tally, percent, run, run_rounds};
use crate::{Checks, table};

const SPREADS: [f64; 3] = [0.02, 0.05, 0.15];
const RATIOS: [f64; 5] = [1.0, 1.02, 1.05, 1.2, 2.0];
const SIZES: [[usize; 2]; 9] =
    [[2, 2], [3, 3], [4, 4], [6, 6], [8, 8], [10, 10], [20, 20], [50, 50], [4, 20]];
/// Fewest hosts a side for what is promised.
const PROMISED: usize = 4;

/// Hosts of one kind, of every size and spread.
pub(crate) fn plain(runs: u32, checks: &mut Checks) -> String {
    let (mut coverage, mut power) = (Vec::new(), Vec::new());
    for hosts in SIZES {
        let name = format!("{} v {}", hosts[0], hosts[1]);
        let mut cells = vec![name.clone()];
        let mut wrong = Vec::new();
        for spread in SPREADS {
            let tallies = run(&Shape::Plain { hosts, spread }, RATIOS, runs, &Options::default());
            let [equal, others @ ..] = tallies;
            let cell = format!("{name}, spread {} %", spread * 100.0);
            if hosts[0].min(hosts[1]) >= PROMISED {
                checks.band(&cell, equal.coverage(), 0.93, 0.97);
            } else {
                checks.band(&cell, equal.coverage(), 0.93, 1.0);
            }
            checks.false_verdicts(&cell, equal.decided());
            checks.band(&format!("{cell}: no difference at 1.05"), others[1].none(), 0.0, 0.05);
            cells.push(percent(equal.coverage()));
            wrong.push(percent(equal.decided()));
            let mut line = vec![named(spread), name.clone()];
            line.extend(tallies.iter().map(outcome));
            power.push(line);
        }
        cells.extend(wrong);
        coverage.push(cells);
    }
    let place = |line: &Vec<String>| SPREADS.iter().position(|spread| line.first() == Some(&named(*spread)));
    power.sort_by_key(place);
    format!(
        "### Hosts of one kind\n\nHow often the 95 % interval holds the true ratio (it does not depend on which that \
         is), and how often equal tiers are called slower or faster; per cent of {runs} fleets.\n\n{}\n\
         What the verdict is, by true ratio: slower or faster / no difference / inconclusive, per cent.\n\n{}",
        table(&["hosts", "held, 2 %", "5 %", "15 %", "false verdicts, 2 %", "5 %", "15 %"], &coverage),
        table(&["spread", "hosts", "1.00", "1.02", "1.05", "1.20", "2.00"], &power)
    )
}

/// Rounds of an hour.
const HOUR: usize = 240;

/// What the method's own study found with as many rounds, before the correction for many rows: per cent called no
/// difference at 1.00, and slower at 1.02, 1.05 and 1.20.
const STUDY: [(f64, [usize; 2], [f64; 4]); 9] = [
    (0.02, [4, 4], [22.0, 19.0, 77.0, 100.0]),
    (0.02, [8, 8], [75.0, 42.0, 99.0, 100.0]),
    (0.02, [20, 20], [100.0, 55.0, 100.0, 100.0]),
    (0.05, [4, 4], [0.0, 7.0, 18.0, 98.0]),
    (0.05, [8, 8], [0.0, 11.0, 43.0, 100.0]),
    (0.05, [20, 20], [16.0, 23.0, 85.0, 100.0]),
    (0.15, [4, 4], [0.0, 4.0, 5.0, 27.0]),
    (0.15, [8, 8], [0.0, 5.0, 9.0, 61.0]),
    (0.15, [20, 20], [0.0, 7.0, 17.0, 96.0]),
];

/// How far a share may be from the study's: both come from draws, and the study's rounds are not drawn anew.
const STUDY_BAND: f64 = 0.05;

/// What an hour's rounds show that twenty do not.
pub(crate) fn hour(runs: u32, checks: &mut Checks) -> String {
    let runs = runs / 2;
    let line = |&(spread, hosts, study): &(f64, [usize; 2], [f64; 4])| {
        let shape = Shape::Plain { hosts, spread };
        let [equal, two, five, twenty] =
            run_rounds(&shape, HOUR, [1.0, 1.02, 1.05, 1.2], runs, &Options::default());
        let name = format!("{} v {}", hosts[0], hosts[1]);
        let cell = format!("{name}, spread {}, {HOUR} rounds", named(spread));
        checks.band(&cell, equal.coverage(), 0.93, 0.97);
        let shares = [equal.none(), two.decided(), five.decided(), twenty.decided()];
        let mut line = vec![named(spread), name, percent(equal.coverage())];
        for (share, study) in shares.into_iter().zip(study) {
            checks.band(
                &format!("{cell}, beside the study"),
                share,
                study / 100.0 - STUDY_BAND,
                study / 100.0 + STUDY_BAND,
            );
            line.push(format!("{:.0} ({study:.0})", share * 100.0));
        }
        line
    };
    let lines: Vec<Vec<String>> = STUDY.iter().map(line).collect();
    format!(
        "### With the rounds of an hour\n\nThe same with {HOUR} rounds a host, beside what the study that the method was \
         chosen by found (in brackets); per cent of {runs} fleets.\n\n{}",
        table(
            &[
                "spread",
                "hosts",
                "held",
                "no difference at 1.00",
                "found at 1.02",
                "found at 1.05",
                "found at 1.20"
            ],
            &lines
        )
    )
}

fn named(spread: f64) -> String {
    format!("{} %", spread * 100.0)
}

fn outcome(tally: &Tally) -> String {
    let whole = |share: f64| format!("{:.0}", share * 100.0);
    let open = 1.0 - tally.decided() - tally.none();
    format!("{}/{}/{}", whole(tally.decided()), whole(tally.none()), whole(open))
}

/// One kind of fleet, and what is promised of its coverage.
struct Case {
    name: &'static str,
    shape: Shape,
    promised: (f64, f64),
    options: Options,
}

fn case(name: &'static str, shape: Shape) -> Case {
    Case { name, shape, promised: (0.93, 0.97), options: Options::default() }
}

/// The same; what it says is only wider than it need be.
fn cautious(name: &'static str, shape: Shape) -> Case {
    Case { promised: (0.93, 1.0), ..case(name, shape) }
}

/// A case that is known to be short, to show by how much.
fn shown(name: &'static str, shape: Shape) -> Case {
    Case { promised: (0.0, 1.0), ..case(name, shape) }
}

/// Outlier hosts, nested kernels, pairs and CPU models.
pub(crate) fn shapes(runs: u32, checks: &mut Checks) -> String {
    const EVEN: &[[usize; 2]] = &[[4, 4], [4, 4]];
    const SMALL: &[[usize; 2]] = &[[2, 2], [2, 2]];
    const SKEWED: &[[usize; 2]] = &[[3, 6], [6, 3]];
    const THREE: &[[usize; 2]] = &[[2, 5], [4, 4], [5, 2]];
    let outlier = |hosts| Shape::Outlier { hosts, spread: 0.05 };
    let nested = |kernels| Shape::Nested { kernels, agents: 5, spread: 0.05 };
    let pairs = |pairs, own, outlier| Shape::Pairs { pairs, spread: 0.15, own, outlier };
    let models = |hosts, spreads| Shape::Models { hosts, spreads };
    let mixed = Options { allow_mixed: vec!["cpu_model".to_owned()], ..Options::default() };
    let cases = [
        cautious("one 3x host, 4 v 4", outlier([4, 4])),
        cautious("one 3x host, 6 v 6", outlier([6, 6])),
        case("one 3x host, 8 v 8", outlier([8, 8])),
        case("one 3x host, 20 v 20", outlier([20, 20])),
        case("4 v 4 kernels of 5 agents", nested(4)),
        case("8 v 8 kernels of 5 agents", nested(8)),
        case("4 pairs that differ by 1 %", pairs(4, 0.01, 1.0)),
        case("6 pairs, 1 %", pairs(6, 0.01, 1.0)),
        case("10 pairs, 1 %", pairs(10, 0.01, 1.0)),
        case("4 pairs, 3 %", pairs(4, 0.03, 1.0)),
        case("8 pairs, 3 %", pairs(8, 0.03, 1.0)),
        case("20 pairs, 3 %", pairs(20, 0.03, 1.0)),
        case("8 pairs, 15 %", pairs(8, 0.15, 1.0)),
        cautious("4 pairs, 3 %, one 3x", pairs(4, 0.03, 3.0)),
        cautious("6 pairs, 3 %, one 3x", pairs(6, 0.03, 3.0)),
        cautious("8 pairs, 3 %, one 3x", pairs(8, 0.03, 3.0)),
        cautious("20 pairs, 3 %, one 3x", pairs(20, 0.03, 3.0)),
        cautious("8 pairs, 3 %, one 1.3x: not flagged", pairs(8, 0.03, 1.3)),
        cautious("models of 2 v 2 and 2 v 2", models(SMALL, [0.05; 2])),
        case("models of 4 v 4 and 4 v 4", models(EVEN, [0.05; 2])),
        case("models of 3 v 6 and 6 v 3", models(SKEWED, [0.05; 2])),
        case("models of 2 v 5, 4 v 4 and 5 v 2", models(THREE, [0.05; 2])),
        case("models of 4 v 4 twice, spread 15 % v 5 %", models(EVEN, [0.15, 0.05])),
        case("models of 3 v 6 and 6 v 3, spread 15 % v 5 %", models(SKEWED, [0.15, 0.05])),
        Case {
            options: mixed,
            ..shown("models of 3 v 6 and 6 v 3, mixed on demand", models(SKEWED, [0.05; 2]))
        },
    ];
    let line = |case: &Case| {
        let [equal, five, twenty] = run(&case.shape, [1.0, 1.05, 1.2], runs, &case.options);
        checks.band(case.name, equal.coverage(), case.promised.0, case.promised.1);
        if case.promised.0 > 0.0 {
            checks.false_verdicts(case.name, equal.decided());
        }
        let mut line = vec![case.name.to_owned()];
        let (equal_none, wrong) = (equal.none(), five.wrong().max(twenty.wrong()));
        let shares = [equal.coverage(), equal.decided(), equal_none, five.decided(), twenty.decided(), wrong];
        line.extend(shares.map(percent));
        line
    };
    let lines: Vec<Vec<String>> = cases.iter().map(line).collect();
    format!(
        "### Outlier hosts, nested kernels, pairs, CPU models\n\nHosts differ by 5 %, kernels of pairs by 15 %, unless \
         it says otherwise; per cent of {runs} fleets. An outlier is not a part of the truth.\n\n{}",
        table(
            &[
                "fleet",
                "held",
                "false verdicts at 1.00",
                "no difference at 1.00",
                "found at 1.05",
                "found at 1.20",
                "faster where slower is true"
            ],
            &lines
        )
    )
}
