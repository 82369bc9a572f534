use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::dataset::group;
use crate::dataset::{Dataset, Group};
use crate::observation::{Collected, Instance, Labels, Observation, Statistic};
use crate::stats::summary;

const FAMILIES: [(&str, Statistic); 3] = [
    ("tierprobe_syscall_seconds", Statistic::P50),
    ("tierprobe_memory_footprint_bytes", Statistic::Value),
    ("tierprobe_cpu_seconds", Statistic::P50),
];

/// An instance: its kernel, and of each family the values of rounds, with whether they were disturbed.
type Drawn = (u8, [Vec<(f64, bool)>; 3]);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    // Sometimes too few rounds, none, and none above zero.
    let rounds = || proptest::collection::vec((value(), any::<bool>()), 0..24);
    proptest::collection::vec((0..4_u8, [rounds(), rounds(), rounds()]), 1..7)
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 1e-9..1e-6_f64, 1 => Just(0.0)]
}

fn dataset(drawn: &[Drawn]) -> Dataset {
    let one = |(at, (kernel, families)): (usize, &Drawn)| {
        let observations = FAMILIES.iter().zip(families).flat_map(|((family, statistic), rounds)| {
            (0_u32..).zip(rounds).map(|(round, (value, disturbed))| Observation {
                family: (*family).to_owned(),
                labels: Labels::new(),
                statistic: *statistic,
                timestamp: 15.0 * f64::from(round),
                value: *value,
                disturbed: *disturbed,
            })
        });
        let labels = [("tier", "vm".to_owned()), ("boot_id", kernel.to_string())];
        Collected {
            // Names are not in the order of the instances.
            instance: Instance {
                name: format!("{}-{at}", 7 * at % 5),
                labels: labels.map(|(label, value)| (label.to_owned(), value)).into(),
                // Not all speak of the same probes.
                resolution_seconds: [("cpu", 0), ("syscall", 1), ("syscall_other", 1)]
                    .into_iter()
                    .filter(|(_, from)| kernel >= from)
                    .map(|(probe, _)| (probe.to_owned(), 1e-9 * f64::from(*kernel + 1)))
                    .collect(),
                ..Instance::default()
            },
            observations: observations.collect(),
            ..Collected::default()
        }
    };
    Dataset::new(drawn.iter().enumerate().map(one).collect())
}

/// The hosts by definition, each with its log value: for each kernel the mean over its instances of the logarithm of
/// the median, which sorting finds.
fn by_definition(group: &Group<'_>, key: &SeriesKey, rounds: Rounds) -> Vec<(String, f64, usize)> {
    let mut kernels: BTreeMap<&str, Vec<(&str, f64, usize)>> = BTreeMap::new();
    for member in &group.members {
        let Some(readings) = group.readings(member, key) else { continue };
        let counting = readings.iter().filter(|one| rounds == Rounds::All || !one.disturbed);
        let values: Vec<f64> = counting.map(|one| one.value).collect();
        let fewest = if key.statistic == Statistic::Value { 1 } else { 10 };
        let median = summary::median(&values).unwrap_or(0.0);
        if values.len() >= fewest && 2 * values.len() >= readings.len() && median > 0.0 {
            let kernel = member.instance.labels["boot_id"].as_str();
            kernels.entry(kernel).or_default().push((&member.instance.name, median.ln(), values.len()));
        }
    }
    let host = |instances: &Vec<(&str, f64, usize)>| {
        let logs: Vec<f64> = instances.iter().map(|(_, log, _)| *log).collect();
        let name = instances.iter().map(|(name, ..)| *name).min().unwrap();
        (name.to_owned(), summary::mean(&logs).unwrap(), instances.iter().map(|(.., rounds)| rounds).sum())
    };
    let mut hosts: Vec<(String, f64, usize)> = kernels.values().map(host).collect();
    hosts.sort_by(|a, b| a.0.cmp(&b.0));
    hosts
}

/// What an instance says of a family's probe, or what holds for all.
fn said_resolution(member: &Member, family: &str) -> f64 {
    let of = |probe| member.instance.resolution_seconds.get(probe).copied().unwrap_or(0.0);
    match family {
        "tierprobe_syscall_seconds" => of("syscall"),
        "tierprobe_cpu_seconds" => of("cpu"),
        _ => PAGE_BYTES,
    }
}

proptest! {
    #[test]
    fn hosts_are_those_of_the_definition(drawn in drawn()) {
        let dataset = dataset(&drawn);
        let grouped = group::group(&dataset, "tier", &[]).unwrap();
        let group = &grouped.groups[0];
        let keys = FAMILIES.map(|(family, statistic)| SeriesKey {
            family: family.to_owned(),
            labels: Labels::new(),
            statistic,
        });
        let cells = Cells::of(group, &keys);
        for (row, key) in keys.iter().enumerate() {
            for rounds in [Rounds::Clean, Rounds::All] {
                let side = cells.side(row, rounds);
                prop_assert_eq!(&side, &Side::of(group, key, rounds));
                let hosts: Vec<(String, f64, usize)> =
                    side.hosts.iter().map(|host| (host.name.to_owned(), host.log_value, host.rounds)).collect();
                prop_assert_eq!(hosts, by_definition(group, key, rounds));
                let with_series: Vec<_> =
                    group.members.iter().filter_map(|member| group.readings(member, key)).collect();
                let all: usize = with_series.iter().map(crate::observation::Readings::len).sum();
                prop_assert_eq!(side.disturbed.1, all);
                let has = |member: &&&Member| group.readings(member, key).is_some();
                let said = group.members.iter().filter(has).map(|member| said_resolution(member, &key.family));
                prop_assert_eq!(side.resolution.to_bits(), said.fold(0.0, f64::max).to_bits());
                prop_assert_eq!(side.instances() + side.left_out.len(), with_series.len());
            }
        }
    }
}
