//! A comparison of 100, 1000 and 10 000 instances with 60 rounds of 60 series each.

use tierprobe_collector::compare::{Options, compare};
use tierprobe_collector::dataset::{Builder, Dataset, Reading};
use tierprobe_collector::observation::{Instance, Labels, Packer, SeriesKey, Statistic, Vocabulary};
use tierprobe_collector::report;
use tierprobe_model::Unit;
use tierprobe_tests::fleet::{LIKENESS, Random, TIERS, noise};

use super::child;
use crate::process::cpu_seconds;
use crate::table::{Table, median};

const SIZES: [usize; 3] = [100, 1000, 10_000];
/// How often each size is measured.
const TURNS: usize = 5;
/// By how much an instance may cost more in a fleet ten times as large: about what turns differ by.
const SLACK: f64 = 0.1;
const ROUNDS: usize = 60;
/// Durations and gauges: 60 rows a comparison.
const PROBES: [&str; 10] =
    ["boot", "cpu", "memory", "network", "page_fault", "scheduler", "spawn", "storage", "syscall", "vm_exit"];
const SERIES_A_PROBE: usize = 6;
/// Seconds between rounds.
const PAUSE: f64 = 15.0;
/// Share of rounds that are disturbed.
const DISTURBED: f64 = 0.05;
/// What the largest comparison may take.
const MOST_SECONDS: f64 = 10.0;
const MOST_BYTES: f64 = 500.0 * 1_048_576.0;

/// What one size took: seconds, seconds for the page, and peak bytes, an entry a turn.
#[derive(Default)]
struct Taken {
    seconds: Vec<f64>,
    page_seconds: Vec<f64>,
    peaks: Vec<f64>,
}

pub(crate) fn table() -> anyhow::Result<Table> {
    let mut taken: [Taken; SIZES.len()] = Default::default();
    for turn in 1..=TURNS {
        // In turn, so that a machine whose speed drifts makes no growth.
        for (size, taken) in SIZES.into_iter().zip(&mut taken) {
            eprintln!("Comparing fleets, turn {turn} of {TURNS}: {size} instances");
            let numbers = child::measure("compare", size)?;
            let [seconds, page_seconds, peak] = numbers.as_slice() else { anyhow::bail!("{numbers:?}") };
            taken.seconds.push(*seconds);
            taken.page_seconds.push(*page_seconds);
            taken.peaks.push(*peak);
        }
    }
    let mut table = Table::new(
        format!("Comparing, {ROUNDS} rounds of {} series an instance", PROBES.len() * SERIES_A_PROBE),
        &[
            "instances",
            "values",
            "CPU for comparing",
            "an instance",
            "least and most of all turns",
            "growth",
            "the page",
            "peak of memory",
            "promised",
        ],
    );
    let mut before: Option<f64> = None;
    for (size, mut taken) in SIZES.into_iter().zip(taken) {
        let (seconds, peak) = (median(&mut taken.seconds), taken.peaks.iter().copied().fold(0.0, f64::max));
        let of_one = |seconds: f64| seconds / f64::from(u32::try_from(size).unwrap_or(u32::MAX));
        let ends = taken.seconds.first().zip(taken.seconds.last());
        let (least, most) =
            ends.map_or((f64::NAN, f64::NAN), |(least, most)| (of_one(*least), of_one(*most)));
        let growth = before.replace(of_one(seconds)).map(|before| of_one(seconds) / before);
        let mut promised = Vec::new();
        if let Some(growth) = growth {
            promised.push(format!("growth of 1, {}", met(growth <= 1.0 + SLACK)));
        }
        if size == 10_000 {
            promised.push(format!("10 s, 500 MiB, {}", met(seconds <= MOST_SECONDS && peak <= MOST_BYTES)));
        }
        table.row([
            size.to_string(),
            (size * ROUNDS * PROBES.len() * SERIES_A_PROBE).to_string(),
            Unit::Seconds.human(seconds),
            Unit::Seconds.human(of_one(seconds)),
            format!("{} to {}", Unit::Seconds.human(least), Unit::Seconds.human(most)),
            growth.map(|growth| format!("{growth:.2}")).unwrap_or_default(),
            Unit::Seconds.human(median(&mut taken.page_seconds)),
            Unit::Bytes.human(peak),
            promised.join("; "),
        ]);
    }
    table.note(format!(
        "Medians of {TURNS} turns, memory the most of them; growth: what an instance costs, against ten times fewer \
         instances, 1 is linear and up to {:.2} is met",
        1.0 + SLACK
    ));
    Ok(table)
}

const fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "not met" }
}

/// Seconds that comparing and writing the report take, and those that the page takes on top. The fleet is drawn one
/// instance after the other, as sources yield it.
pub(super) fn measure(size: usize) -> anyhow::Result<Vec<f64>> {
    let dataset = fleet(size);
    let options = Options::default();
    let used = || cpu_seconds(std::process::id());
    let begin = used()?;
    let comparison = compare(&dataset, &options)?;
    let text = report::json::render(&comparison)?;
    let compared = used()?;
    anyhow::ensure!(comparison.rows().count() == PROBES.len() * SERIES_A_PROBE && !text.is_empty());
    let page = report::html::page(&report::Input::new(&comparison, &dataset, &options));
    anyhow::ensure!(page.ends_with("</html>\n"), "the page is not whole");
    Ok(vec![compared - begin, used()? - compared])
}

/// Two tiers whose costs differ by a tenth, each host on a kernel of its own.
pub(super) fn fleet(size: usize) -> Dataset {
    let mut random = Random::new(20);
    let vocabulary = Vocabulary::default();
    let mut builder = Builder::keeping(Statistic::P50);
    let keys: Vec<Vec<SeriesKey>> = PROBES.map(keys).to_vec();
    for at in 0..size {
        let is_candidate = at % 2 == 1;
        let [baseline, candidate] = TIERS;
        let label = |name: &str, value: String| (name.to_owned(), value);
        let labels = Labels::from([
            label("tier", if is_candidate { candidate } else { baseline }.to_owned()),
            label("boot_id", format!("b1946ac9-2f4e-4a54-9c7b-{at:012x}")),
            label("cpu_model", "AMD EPYC 7543 32-Core Processor".to_owned()),
            label("release", "6.1.0-28-cloud-amd64".to_owned()),
            label("clocksource", "kvm-clock".to_owned()),
            label("seccomp", "none".to_owned()),
            label("hypervisor", "kvm".to_owned()),
            label("kernel", "own".to_owned()),
        ]);
        let resolution_seconds = PROBES.iter().map(|probe| ((*probe).to_owned(), 1e-11)).collect();
        let name = format!("host-{at:05}.example:10990");
        let instance = Instance { name, labels, tier_confidence: Some(0.97), resolution_seconds };
        let mut packer =
            Packer::new(format!("http://host-{at:05}.example:10990/metrics"), instance, &vocabulary);
        let host = 0.05 * random.normal() + if is_candidate { 0.1 } else { 0.0 };
        for keys in &keys {
            // Agents begin at a phase of their own.
            let phase = PAUSE * random.uniform();
            let rounds: Vec<(f64, bool)> = (0..ROUNDS)
                .map(|round| {
                    let after = f64::from(u32::try_from(round).unwrap_or(u32::MAX)) * PAUSE;
                    (1_700_000_000.0 + phase + after, random.uniform() < DISTURBED)
                })
                .collect();
            for key in keys {
                let values = noise(ROUNDS, LIKENESS, &mut random);
                packer.series(
                    key,
                    rounds.iter().zip(values).map(|((timestamp, disturbed), value)| Reading {
                        timestamp: *timestamp,
                        disturbed: *disturbed,
                        value: 1e-6 * (host + value).exp(),
                    }),
                );
            }
        }
        builder.add(packer.pack());
    }
    builder.build()
}

/// The series of a probe: five durations and a gauge.
fn keys(probe: &str) -> Vec<SeriesKey> {
    (0..SERIES_A_PROBE)
        .map(|at| {
            let is_gauge = at + 1 == SERIES_A_PROBE;
            SeriesKey {
                family: format!("tierprobe_{probe}_{}seconds", if is_gauge { "cold_" } else { "" }),
                labels: Labels::from([("operation".to_owned(), format!("operation_{at}"))]),
                statistic: if is_gauge { Statistic::Value } else { Statistic::P50 },
            }
        })
        .collect()
}
