//! What the method's own study left open: wider spreads, other distributions, hosts that wander or share something,
//! and what is said on ranks with few hosts.

use tierprobe_collector::compare::Options;
use tierprobe_tests::fleet::{Fleet, Law, Random, Shape};

use crate::tally::{ROUNDS, Tally, percent, run, seed};
use crate::{Checks, table};

/// One kind of fleet, how it is compared, and what is promised of its coverage; nothing is of fleets that are there
/// to show what goes wrong.
struct Case {
    name: &'static str,
    shape: Shape,
    options: Options,
    promised: Option<(f64, f64)>,
}

fn case(name: &'static str, shape: Shape) -> Case {
    Case { name, shape, options: Options::default(), promised: Some((0.93, 0.97)) }
}

fn cautious(name: &'static str, shape: Shape) -> Case {
    Case { promised: Some((0.93, 1.0)), ..case(name, shape) }
}

fn shown(name: &'static str, shape: Shape) -> Case {
    Case { promised: None, ..case(name, shape) }
}

fn lawful(hosts: [usize; 2], spreads: [f64; 2], law: Law) -> Shape {
    Shape::Lawful { hosts, spreads, law, wander: 0.0 }
}

fn cases() -> Vec<Case> {
    let wide = |hosts, spread| Shape::Plain { hosts, spread };
    let wander = |hosts, wander| Shape::Lawful { hosts, spreads: [0.05; 2], law: Law::Normal, wander };
    let racks = |racks, hosts, is_mixed| Shape::Racks { racks, hosts, spread: 0.05, own: 0.01, is_mixed };
    let by_rack =
        |one: Case| Case { options: Options { pair: "rack".to_owned(), ..Options::default() }, ..one };
    vec![
        case("spread 30 %, 4 v 4", wide([4, 4], 0.30)),
        case("spread 30 %, 8 v 8", wide([8, 8], 0.30)),
        case("spread 30 %, 20 v 20", wide([20, 20], 0.30)),
        case("spread 60 %, 8 v 8", wide([8, 8], 0.60)),
        case("spread 15 % v 5 %, 4 v 4", lawful([4, 4], [0.15, 0.05], Law::Normal)),
        case("spread 15 % v 5 %, 8 v 20", lawful([8, 20], [0.15, 0.05], Law::Normal)),
        cautious("heavy tails, 4 v 4", lawful([4, 4], [0.05; 2], Law::HeavyTails)),
        cautious("heavy tails, 8 v 8", lawful([8, 8], [0.05; 2], Law::HeavyTails)),
        cautious("skewed, 4 v 4", lawful([4, 4], [0.05; 2], Law::Skewed)),
        cautious("skewed, 20 v 20", lawful([20, 20], [0.05; 2], Law::Skewed)),
        shown("skewed, spread 15 % v 5 %, 8 v 8", lawful([8, 8], [0.15, 0.05], Law::Skewed)),
        shown("two kinds not told apart, 4 v 4", lawful([4, 4], [0.05; 2], Law::TwoKinds)),
        shown("two kinds not told apart, 4 v 20", lawful([4, 20], [0.05; 2], Law::TwoKinds)),
        case("hosts that wander by 5 %, 4 v 4", wander([4, 4], 0.05)),
        case("hosts that wander by 20 %, 8 v 8", wander([8, 8], 0.20)),
        shown("8 v 8, each side in one rack of its own", racks(2, [8, 8], false)),
        shown("8 v 8, each side in two racks of its own", racks(4, [4, 4], false)),
        cautious("8 v 8 in four racks, both sides in each", racks(4, [2, 2], true)),
        by_rack(case("the same, in pairs: --pair rack", racks(4, [2, 2], true))),
        by_rack(case("16 v 16 in eight racks: --pair rack", racks(8, [2, 2], true))),
    ]
}

/// Fleets unlike those of the study.
pub(crate) fn fleets(runs: u32, checks: &mut Checks) -> String {
    let line = |case: &Case| {
        let [equal, five, twenty] = run(&case.shape, [1.0, 1.05, 1.2], runs, &case.options);
        if let Some((low, high)) = case.promised {
            checks.band(case.name, equal.coverage(), low, high);
            checks.false_verdicts(case.name, equal.decided());
        }
        let shares =
            [equal.coverage(), equal.decided(), equal.none(), five.none(), five.decided(), twenty.decided()];
        [case.name.to_owned()].into_iter().chain(shares.map(percent)).collect()
    };
    let lines: Vec<Vec<String>> = cases().iter().map(line).collect();
    format!(
        "### Wider spreads, other distributions, hosts that share something\n\nHosts differ by 5 % unless it says otherwise; \
         racks by 5 % and hosts of one rack by 1 %; per cent of {runs} fleets.\n\n{}",
        table(
            &[
                "fleet",
                "held",
                "false verdicts at 1.00",
                "no difference at 1.00",
                "no difference at 1.05",
                "found at 1.05",
                "found at 1.20"
            ],
            &lines
        )
    )
}

/// What is said on ranks, which decide where a host is an outlier: whether "no difference" is wrong too often, and
/// whether the smallest detectable ratio is one.
pub(crate) fn ranks(runs: u32, checks: &mut Checks) -> String {
    let mut lines = Vec::new();
    for hosts in [4, 5, 6, 8, 10, 20] {
        for spread in [0.01, 0.05] {
            let shape = Shape::Outlier { hosts: [hosts, hosts], spread };
            let name = format!("one 3x host, {hosts} v {hosts}, spread {} %", spread * 100.0);
            let [equal, at_threshold, five] = run(&shape, [1.0, 1.03, 1.05], runs, &Options::default());
            // A test at 5 % may be a bit above it in so many draws.
            let luck = 2.0 * (0.05 * 0.95 / f64::from(runs)).sqrt();
            checks.band(&format!("{name}: no difference at 1.03"), at_threshold.none(), 0.0, 0.05 + luck);
            checks.band(&format!("{name}: no difference at 1.05"), five.none(), 0.0, 0.05);
            let (ratio, found) = detectable(&shape, runs);
            if let Some(found) = found {
                checks.band(&format!("{name}: found at the smallest detectable ratio"), found, 0.6, 1.0);
            }
            lines.push(vec![
                name,
                percent(equal.none()),
                percent(at_threshold.none()),
                percent(five.none()),
                ratio.map_or_else(|| "none".to_owned(), |ratio| format!("{ratio:.3}")),
                found.map_or_else(|| "-".to_owned(), percent),
            ]);
        }
    }
    format!(
        "### On ranks\n\nAn outlier makes ranks decide. How often two tiers are called equal, by true ratio, per cent of \
         {runs} fleets; the median of the smallest detectable ratios that the rows state, and how often that ratio is \
         then found.\n\n{}",
        table(
            &[
                "fleet",
                "no difference at 1.00",
                "at 1.03",
                "at 1.05",
                "smallest detectable ratio",
                "found there"
            ],
            &lines
        )
    )
}

/// The median of the smallest detectable ratios that rows of this shape state, and how often it is found.
fn detectable(shape: &Shape, runs: u32) -> (Option<f64>, Option<f64>) {
    let mut random = Random::new(seed(shape));
    let mut stated: Vec<f64> = (0..runs)
        .filter_map(|_| {
            Fleet::draw(shape, ROUNDS, &mut random).row(1.0, &Options::default())?.detectable_ratio
        })
        .collect();
    stated.sort_by(f64::total_cmp);
    // Stated now and then only: no figure of this design.
    let is_usual = stated.len() * 2 > runs as usize;
    let Some(ratio) = stated.get(stated.len() / 2).copied().filter(|_| is_usual) else { return (None, None) };
    let [tally]: [Tally; 1] = run(shape, [ratio], runs, &Options::default());
    (Some(ratio), Some(tally.decided()))
}
