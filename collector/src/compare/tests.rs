//! From observations to rows: what must hold whatever the values are.

use proptest::prelude::*;

use super::*;
use crate::observation::{Collected, Instance, Labels, Observation};
use crate::verdict::{Reason, Tag, Verdict};

mod likeness;
mod pairing;
mod timing;

const FAMILY: &str = "tierprobe_syscall_seconds";

/// An instance with these numbers at one round after another; those of `disturbed` are marked.
pub(crate) fn instance(name: &str, tier: &str, values: &[f64], disturbed: &[usize]) -> Collected {
    with_family(name, tier, (FAMILY, Statistic::P50), values, disturbed)
}

fn with_family(
    name: &str,
    tier: &str,
    (family, statistic): (&str, Statistic),
    values: &[f64],
    disturbed: &[usize],
) -> Collected {
    let labels = Labels::from([("tier".into(), tier.into())]);
    let observation = |(round, value): (usize, &f64)| Observation {
        family: family.into(),
        labels: Labels::new(),
        statistic,
        timestamp: 1000.0 + 15.0 * crate::stats::real(round),
        value: *value,
        disturbed: disturbed.contains(&round),
    };
    Collected {
        source: format!("{name}.json"),
        instance: Instance { name: name.into(), labels, ..Instance::default() },
        observations: values.iter().enumerate().map(observation).collect(),
        ..Collected::default()
    }
}

fn on_kernel(collected: Collected, boot_id: &str) -> Collected {
    labelled(collected, "boot_id", boot_id)
}

/// Rounds around `centre` that go up and down without a trend.
pub(crate) fn around(centre: f64, rounds: usize) -> Vec<f64> {
    (0..rounds).map(|i| centre * (1.0 + 0.002 * (crate::stats::real(i * 7 % 11) - 5.0))).collect()
}

/// Hosts of a tier, around `centre`.
pub(crate) fn tier(name: &str, hosts: usize, centre: f64) -> Vec<Collected> {
    (0..hosts)
        .map(|i| {
            let luck = 1.0 + 0.01 * (crate::stats::real(i * 5 % 7) - 3.0);
            instance(&format!("{name}-{i}"), name, &around(centre * luck, 20), &[])
        })
        .collect()
}

/// The same instance with one more label.
pub(crate) fn labelled(mut collected: Collected, label: &str, value: &str) -> Collected {
    collected.instance.labels.insert(label.into(), value.into());
    collected
}

/// The only block under these options.
fn block(collected: Vec<Collected>, options: &Options) -> Block {
    let mut blocks = compare(&Dataset::new(collected), options).unwrap().blocks;
    assert_eq!(blocks.len(), 1);
    blocks.remove(0)
}

fn rows(collected: Vec<Collected>) -> Vec<Row> {
    let comparison = compare(&Dataset::new(collected), &Options::default()).unwrap();
    comparison.rows().cloned().collect()
}

fn row(collected: Vec<Collected>) -> Row {
    let rows = rows(collected);
    assert_eq!(rows.len(), 1);
    rows[0].clone()
}

#[test]
fn tiers_stand_in_their_order_and_the_first_is_the_baseline() {
    let collected = [tier("sandbox", 2, 1.0), tier("vm", 2, 1.0), tier("bare_metal", 2, 1.0)].concat();
    let comparison = compare(&Dataset::new(collected), &Options::default()).unwrap();
    assert_eq!(comparison.baseline.group, "bare_metal");
    let candidates: Vec<&str> =
        comparison.blocks.iter().map(|block| block.candidate.group.as_str()).collect();
    assert_eq!(candidates, ["vm", "sandbox"]);
}

#[test]
fn instances_on_one_kernel_are_one_host() {
    let one = |name: &str| on_kernel(instance(name, "container", &around(2.0, 20), &[]), "k");
    let two = [one("a"), one("b"), one("c")].to_vec();
    let row = row([tier("vm", 4, 1.0), two].concat());
    assert_eq!((row.candidate.instances, row.candidate.hosts, row.candidate.rounds), (3, 1, 60));
    assert_eq!(row.reason, Some(Reason::OneHost));
    assert_eq!(row.no_here, Some(NoHere::SeveralHosts));
}

#[test]
fn an_empty_name_of_a_kernel_makes_no_two_hosts_one() {
    let one = |name: &str| on_kernel(instance(name, "container", &around(2.0, 20), &[]), "");
    let row = row([tier("vm", 4, 1.0), vec![one("a"), one("b"), one("c")]].concat());
    assert_eq!((row.candidate.instances, row.candidate.hosts), (3, 3));
}

#[test]
fn the_statement_on_one_host_is_of_the_instances_that_have_a_value() {
    let disturbed: Vec<usize> = (0..31).collect();
    let noisy = on_kernel(instance("noisy", "sandbox", &around(90.0, 60), &disturbed), "k");
    let short = on_kernel(instance("short", "sandbox", &around(50.0, 9), &[]), "k");
    let elsewhere = on_kernel(instance("elsewhere", "sandbox", &around(70.0, 9), &[]), "l");
    let quiet = on_kernel(instance("quiet", "sandbox", &around(2.0, 60), &[]), "k");
    let host = vec![instance("vm", "vm", &around(1.0, 60), &[]), quiet];
    let alone = row(host.clone()).here.unwrap();
    let beside = row([host, vec![noisy, short, elsewhere]].concat()).here.unwrap();
    assert_eq!(beside, alone);
}

#[test]
fn rounds_of_several_instances_are_no_longer_than_those_of_one() {
    let one = |name: &str| on_kernel(instance(name, "sandbox", &around(2.0, 20), &[]), "k");
    let vm = || instance("vm", "vm", &around(1.0, 60), &[]);
    let row = row(vec![vm(), one("a"), one("b"), one("c")]);
    assert_eq!((row.here, row.no_here), (None, Some(NoHere::FewRounds)));
}

#[test]
fn two_hosts_get_a_verdict_only_beyond_the_threshold() {
    let far = row([tier("vm", 3, 1.0), tier("sandbox", 3, 5.0)].concat());
    assert_eq!((far.verdict, far.tags.as_slice()), (Verdict::Slower, [Tag::Provisional].as_slice()));
    let near = row([tier("vm", 3, 1.0), tier("sandbox", 3, 1.01)].concat());
    assert_eq!((near.verdict, near.reason), (Verdict::Inconclusive, Some(Reason::FewHosts)));
}

#[test]
fn hosts_that_were_mostly_disturbed_are_left_out_and_named() {
    let mut collected = [tier("vm", 4, 1.0), tier("sandbox", 4, 2.0)].concat();
    let disturbed: Vec<usize> = (0..21).collect();
    collected.push(instance("noisy", "sandbox", &around(9.0, 40), &disturbed));
    collected.push(instance("short", "sandbox", &around(9.0, 9), &[]));
    let comparison = compare(&Dataset::new(collected), &Options::default()).unwrap();
    let row = comparison.rows().next().unwrap();
    assert_eq!(row.candidate.hosts, 4);
    assert!((1.9..2.1).contains(&row.ratio.unwrap()));
    let warnings = &comparison.blocks[0].warnings;
    assert!(warnings.contains(&Warning::MostlyDisturbed { instances: vec!["noisy".into()] }), "{warnings:?}");
    assert!(
        warnings.contains(&Warning::FewRounds { instances: vec!["short".into()], are_cut: false }),
        "{warnings:?}"
    );
}

#[test]
fn a_row_that_disturbed_rounds_would_change_says_so() {
    let disturbed: Vec<usize> = (0..10).collect();
    let noisy = |i: usize, marked: &[usize]| {
        let mut values = around(1.0, 20);
        disturbed.iter().for_each(|round| values[*round] *= 2.0);
        instance(&format!("noisy-{i}"), "sandbox", &values, marked)
    };
    let marked = row([tier("vm", 4, 1.0), (0..4).map(|i| noisy(i, &disturbed)).collect()].concat());
    assert!((0.97..1.03).contains(&marked.ratio.unwrap()), "{marked:?}");
    assert!(marked.ratio_all.unwrap() > 1.4, "{marked:?}");
    assert!(marked.tags.contains(&Tag::DisturbanceSensitive));
    let unmarked = row([tier("vm", 4, 1.0), (0..4).map(|i| noisy(i, &[])).collect()].concat());
    assert!(!unmarked.tags.contains(&Tag::DisturbanceSensitive));
}

/// Four hosts a side, apart by this share of what those of [`tier`] are, in as many system calls as there are ratios.
fn calls(ratios: &[f64], apart: f64) -> Vec<Row> {
    let mut fleet = [tier("vm", 4, 1.0), tier("sandbox", 4, 1.0)].concat();
    for one in &mut fleet {
        let rounds = std::mem::take(&mut one.observations);
        let is_sandbox = one.instance.labels["tier"] == "sandbox";
        for (at, ratio) in ratios.iter().enumerate() {
            let labels = Labels::from([("syscall".into(), at.to_string())]);
            let times = if is_sandbox { *ratio } else { 1.0 };
            let call = |round: &Observation| Observation {
                labels: labels.clone(),
                value: round.value.powf(apart) * times,
                ..round.clone()
            };
            one.observations.extend(rounds.iter().map(call));
        }
    }
    rows(fleet)
}

#[test]
fn of_many_rows_what_is_found_and_quoted_must_be_surer() {
    let alone = calls(&[1.2], 1.0).remove(0);
    let quoted = alone.quoted.unwrap();
    assert_eq!(
        (quoted.confidence, quoted.ratio_low, quoted.ratio_high),
        (0.95, alone.ratio_low, alone.ratio_high)
    );
    let many = calls(&[&[1.2][..], &[1.0; 19]].concat(), 1.0);
    let quoted: Vec<Quoted> = many.iter().filter_map(|row| row.quoted).collect();
    let [one] = quoted.as_slice() else { panic!("{quoted:?}") };
    assert!((one.confidence - 0.9975).abs() < 1e-12, "1 - 5 % * 1 / 20: {one:?}");
    assert!(one.ratio_low < alone.ratio_low && one.ratio_high > alone.ratio_high, "{one:?}");
    assert!(many.iter().all(|row| row.detectable_ratio > alone.detectable_ratio));
    // Where all are rejected, nothing is lost by choosing.
    let all = calls(&[1.2; 20], 1.0);
    assert!(all.iter().all(|row| row.detectable_ratio == alone.detectable_ratio), "{all:?}");
    assert!(all.iter().all(|row| row.quoted == alone.quoted));
}

/// Of ten rows that are rejected nine are proven to differ too little to matter. The other's interval is as sure as its
/// verdict, and not as sure as if one row in ten were rejected.
#[test]
fn what_is_quoted_of_a_row_agrees_with_its_verdict() {
    let rows = calls(&[&[1.019][..], &[1.016; 9]].concat(), 0.4);
    let rejected = rows.iter().filter(|row| row.q_value.is_some_and(|q_value| q_value <= 0.05)).count();
    let equal = rows.iter().filter(|row| row.verdict == Verdict::NoDifference).count();
    assert_eq!((rejected, equal), (10, 9), "{rows:?}");
    let quoted: Vec<Quoted> = rows.iter().filter_map(|row| row.quoted).collect();
    let [one] = quoted.as_slice() else { panic!("{quoted:?}") };
    assert!(one.ratio_low > Some(1.0), "{one:?}");
}

#[test]
fn a_row_has_what_its_verdict_follows_from() {
    let row = row([tier("vm", 6, 1.0), tier("sandbox", 6, 1.2)].concat());
    let ranks = row.hodges_lehmann.unwrap();
    assert!(
        (1.19..1.21).contains(&ranks.ratio) && ranks.ratio_low > Some(1.1) && ranks.ratio_high < Some(1.3)
    );
    assert!(row.ratio_low < row.ratio_low_90 && row.ratio_high_90 < row.ratio_high, "{row:?}");
    assert!(row.degrees_of_freedom.is_some_and(|nu| (9.9..10.1).contains(&nu)), "{row:?}");
    assert!(row.p_equivalence > Some(0.99) && row.resolution_allowance == Some(0.0));
    let spread = [row.baseline.host_spread, row.candidate.host_spread];
    assert!(spread.iter().all(|one| one.is_some_and(|one| (0.01..0.03).contains(&one))), "{spread:?}");
    let one = super::tests::row([tier("vm", 1, 1.0), tier("sandbox", 6, 1.2)].concat());
    assert_eq!((one.hodges_lehmann, one.degrees_of_freedom, one.baseline.host_spread), (None, None, None));
    let three = super::tests::row([tier("vm", 3, 1.0), tier("sandbox", 6, 1.2)].concat());
    assert_eq!(three.hodges_lehmann, None, "from four hosts a side on");
}

#[test]
fn values_of_zero_have_no_ratio() {
    let zero = (0..4).map(|i| instance(&format!("z{i}"), "sandbox", &[0.0; 20], &[])).collect();
    let row = row([tier("vm", 4, 1.0), zero].concat());
    assert_eq!((row.reason, row.ratio), (Some(Reason::NonPositive), None));
}

#[test]
fn a_row_of_one_side_has_no_data() {
    let only = with_family("m", "vm", ("tierprobe_boot_duration_seconds", Statistic::Value), &[1.0], &[]);
    let rows = rows([tier("vm", 4, 1.0), tier("sandbox", 4, 1.0), vec![only]].concat());
    assert_eq!(rows.iter().filter(|row| row.reason == Some(Reason::NoData)).count(), 1);
}

#[test]
fn independent_repetitions_need_five_a_side() {
    let starts = |name: &str, centre: f64, n: usize| {
        let family = ("tierprobe_lab_start_seconds", Statistic::Value);
        let mut collected = with_family(name, name, family, &around(centre, n), &[]);
        collected.independent.insert(family.0.into());
        collected
    };
    let enough = row(vec![starts("container", 0.03, 5), starts("vm", 3.0, 7)]);
    assert_eq!(enough.here.map(|here| here.verdict), Some(Verdict::Faster));
    assert_eq!(enough.warnings, []);
    let few = row(vec![starts("container", 0.03, 4), starts("vm", 3.0, 7)]);
    assert_eq!(few.no_here, Some(NoHere::FewRepetitions));
}

#[test]
fn identical_readings_in_bytes_have_a_narrow_interval() {
    let memory = |name: &str, bytes: f64| {
        let family = ("tierprobe_memory_footprint_bytes", Statistic::Value);
        with_family(name, name, family, &[bytes; 45], &[])
    };
    let here = row(vec![memory("vm", 8e6), memory("sandbox", 8e6)]).here.unwrap();
    assert_eq!(here.verdict, Verdict::NoDifference);
    assert!(here.ratio_low.is_some_and(|low| low < 1.0 && low > 0.999), "{here:?}");
    let more = row(vec![memory("vm", 8e6), memory("sandbox", 9e6)]).here.unwrap();
    assert_eq!(more.verdict, Verdict::Slower);
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(1e-9..1e-6_f64, 10..30)
}

fn fleet() -> impl Strategy<Value = Vec<Collected>> {
    let hosts = || proptest::collection::vec(values(), 1..6);
    (hosts(), hosts()).prop_map(|(a, b)| {
        let named = |tier: &'static str, hosts: Vec<Vec<f64>>| {
            let one =
                move |(i, values): (usize, Vec<f64>)| instance(&format!("{tier}{i}"), tier, &values, &[]);
            hosts.into_iter().enumerate().map(one)
        };
        named("vm", a).chain(named("sandbox", b)).collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_sources_changes_nothing(fleet in fleet()) {
        let turned: Vec<Collected> = fleet.iter().rev().cloned().collect();
        prop_assert_eq!(rows(fleet), rows(turned));
    }

    #[test]
    fn giving_a_source_twice_changes_nothing(fleet in fleet()) {
        let twice = [fleet.clone(), fleet.clone()].concat();
        prop_assert_eq!(rows(fleet), rows(twice));
    }

    #[test]
    fn more_rounds_do_not_make_more_hosts(fleet in fleet()) {
        let mut longer = fleet.clone();
        for collected in &mut longer {
            let again: Vec<Observation> = collected.observations.iter().cloned()
                .map(|one| Observation { timestamp: one.timestamp + 1e6, ..one }).collect();
            collected.observations.extend(again);
        }
        // Without a window: what hosts of unlike length have in common is not the same twice over.
        let whole = |fleet| {
            let options = Options { window: Window::Whole, ..Options::default() };
            compare(&Dataset::new(fleet), &options).unwrap().blocks.remove(0).rows.remove(0)
        };
        let (short, long) = (whole(fleet), whole(longer));
        prop_assert_eq!(short.candidate.hosts, long.candidate.hosts);
        prop_assert_eq!(short.baseline.hosts, long.baseline.hosts);
        prop_assert_eq!((short.ratio, short.ratio_low, short.ratio_high), (long.ratio, long.ratio_low, long.ratio_high));
        prop_assert_eq!((short.verdict, short.reason, short.p_value), (long.verdict, long.reason, long.p_value));
    }

    #[test]
    fn one_host_never_has_a_verdict_on_its_tier(fleet in fleet()) {
        let row = row(fleet);
        if row.baseline.hosts.min(row.candidate.hosts) < 2 {
            prop_assert_eq!((row.verdict, row.reason), (Verdict::Inconclusive, Some(Reason::OneHost)));
            prop_assert!(row.ratio_low.is_none() && row.p_value.is_none() && row.detectable_ratio.is_none());
        }
    }

    #[test]
    fn every_report_can_be_written_in_every_form(fleet in fleet()) {
        let comparison = compare(&Dataset::new(fleet), &Options::default()).unwrap();
        let table = crate::report::table::render(&comparison);
        prop_assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let json = crate::report::json::render(&comparison).unwrap();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        prop_assert!(crate::report::markdown::render(&comparison).ends_with('\n'));
    }
}
