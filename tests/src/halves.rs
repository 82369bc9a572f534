//! One agent's rounds dealt to two instances, which the collector's own library then compares: whatever it finds is not
//! there.
//!
//! Of every two consecutive rounds a coin gives one to each instance, as if two agents on a machine took turns. So the
//! two saw the same weather, and which of them is slower is chance alone, whatever the machine did meanwhile.

use std::collections::BTreeMap;

use tierprobe_collector::compare::{Options, compare};
use tierprobe_collector::dataset::Dataset;
use tierprobe_collector::observation::{Collected, Observation, Statistic, Vocabulary};
use tierprobe_collector::source::record;
use tierprobe_model::record::Record;

use crate::fleet::Random;

/// The label that tells the two apart.
const LABEL: &str = "half";

/// What came of a row's comparisons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The interval held 1: no difference was seen.
    pub alike: u32,
    /// It did not.
    pub different: u32,
    /// Nothing was said: too few rounds, or a drift.
    pub silent: u32,
}

/// Deals a record's rounds `deals` times, and compares with what the second instance has made `ratio` times dearer. By
/// family and labels.
#[must_use]
pub fn tally(record: &Record, deals: u32, ratio: f64) -> BTreeMap<String, Tally> {
    let options = Options { by: LABEL.to_owned(), ..Options::default() };
    let mut collected = record::pack(record, "", &Vocabulary::default()).unpack();
    // Of durations only the medians are compared.
    let is_compared =
        |statistic: &Statistic| *statistic == options.statistic || *statistic == Statistic::Value;
    collected.observations.retain(|observation| is_compared(&observation.statistic));
    collected.observations.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for deal in 0..deals {
        let Ok(comparison) = compare(&Dataset::new(deal_out(&collected, deal, ratio)), &options) else {
            continue;
        };
        for row in comparison.rows() {
            let labels: Vec<&str> = row.key.labels.values().map(String::as_str).collect();
            let name = format!("{} {}", row.key.family, labels.join(" "));
            let tally = tallies.entry(name.trim().to_owned()).or_default();
            match row.here {
                None => tally.silent += 1,
                Some(here) => {
                    let low = here.ratio_low.is_none_or(|low| low <= 1.0);
                    let high = here.ratio_high.is_none_or(|high| high >= 1.0);
                    *(if low && high { &mut tally.alike } else { &mut tally.different }) += 1;
                }
            }
        }
    }
    tallies
}

/// The two instances of one deal.
fn deal_out(collected: &Collected, deal: u32, ratio: f64) -> Vec<Collected> {
    // A coin for each pair of rounds, the same for all series: a round is a round of all of them.
    let mut random = Random::new(u64::from(deal));
    let coins: Vec<bool> = (0..collected.observations.len()).map(|_| random.uniform() < 0.5).collect();
    let mut dealt: BTreeMap<_, usize> = BTreeMap::new();
    let mut halves = [Vec::new(), Vec::new()];
    for observation in &collected.observations {
        let Observation { family, labels, statistic, .. } = observation;
        let count = dealt.entry((family, labels, statistic)).or_default();
        let is_second = coins.get(*count / 2).is_some_and(|coin| *coin) == count.is_multiple_of(2);
        *count += 1;
        let [first, second] = &mut halves;
        if is_second {
            second.push(Observation { value: observation.value * ratio, ..observation.clone() });
        } else {
            first.push(observation.clone());
        }
    }
    let instance = |(name, observations): (&str, Vec<Observation>)| {
        let mut half = Collected { observations, ..collected.clone() };
        half.instance.name = name.to_owned();
        half.instance.labels.insert(LABEL.to_owned(), name.to_owned());
        half
    };
    ["first", "second"].into_iter().zip(halves).map(instance).collect()
}
