//! Scrapes of one instance into its observations, each round once.
//!
//! Knows nothing of where the text came from: the caller fetches, the accumulator takes in. What it keeps is packed: a
//! value takes eight bytes, and a line that it knows from an earlier scrape allocates nothing.

use std::collections::{BTreeMap, HashMap};

use super::identity;
use super::intake::{Keeping, Scrape};
use crate::error::TakeError;
use crate::exposition::{self, Format};
use crate::observation::{
    Collected, Columns, Discarded, Instance, Packed, Reading, SeriesId, Statistic, Vocabulary, probe_of,
};

/// Scrapes of one instance, taken in one after the other.
#[derive(Debug, Clone)]
pub struct Accumulator {
    source: String,
    instance: Instance,
    discarded: Discarded,
    probes: Vec<Probe>,
    keeping: Keeping,
    columns: Columns,
    /// Where the values of a series go, once its probe has had a round.
    places: HashMap<SeriesId, Place, foldhash::fast::RandomState>,
}

/// A probe that has had a round.
#[derive(Debug, Clone)]
struct Probe {
    name: String,
    track: usize,
    /// When its latest round ended, in seconds since the epoch.
    timestamp: f64,
    rounds: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    // A fleet has one for each series of each agent.
    probe: u32,
    column: u32,
}

impl Accumulator {
    /// An accumulator for one instance.
    ///
    /// `source` is where it comes from as the user named it, `instance` its name.
    #[must_use]
    pub fn new(source: impl Into<String>, instance: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            instance: Instance { name: instance.into(), ..Instance::default() },
            discarded: Discarded::default(),
            probes: Vec::new(),
            keeping: Keeping::default(),
            columns: Columns::default(),
            places: HashMap::default(),
        }
    }

    /// Keeps series by their places in a vocabulary that others share. To be said before the first scrape.
    #[must_use]
    pub fn sharing(mut self, vocabulary: &Vocabulary) -> Self {
        self.keeping.vocabulary = vocabulary.clone();
        self
    }

    /// Keeps one number of each duration's rounds, and all gauges.
    #[must_use]
    pub fn keeping(mut self, statistic: Statistic) -> Self {
        self.keeping.only = Some(statistic);
        self
    }

    /// Takes in one scrape and says how many rounds were new in it, over all probes.
    ///
    /// A round that an earlier scrape already showed is not counted again.
    ///
    /// # Errors
    ///
    /// When the text is no exposition, or not an agent's. Nothing of it is taken in then.
    pub fn take(&mut self, text: &str) -> Result<usize, TakeError> {
        self.take_as(text, Format::guess(text))
    }

    /// The same of a text whose format is known, as from its media type.
    ///
    /// # Errors
    ///
    /// As [`Accumulator::take`].
    pub fn take_as(&mut self, text: &str, format: Format) -> Result<usize, TakeError> {
        let mut scrape = Scrape::new(&mut self.keeping);
        exposition::read(text, format, &mut scrape)?;
        if !scrape.is_of_an_agent {
            return Err(TakeError::NotAnAgent);
        }
        if scrape.has_too_many {
            return Err(TakeError::TooManySeries);
        }
        let Scrape { notes, ends, disturbed, values, help, .. } = scrape;
        for (name, labels, value) in &notes {
            identity::note(&mut self.instance, name, labels, *value);
        }
        for (family, help) in help {
            self.keeping.vocabulary.describe(&family, &help.text());
        }
        let mut new = vec![false; self.probes.len()];
        let mut rounds = 0;
        // A probe has one latest round, whatever a target says in two lines.
        let mut latest: BTreeMap<&str, f64> = BTreeMap::new();
        for (probe, timestamp) in &ends {
            let of_probe = latest.entry(probe).or_insert(*timestamp);
            *of_probe = of_probe.max(*timestamp);
        }
        for (probe, timestamp) in latest {
            let is_disturbed = disturbed.iter().any(|disturbed| disturbed == probe);
            if let Some(at) = self.round(probe, timestamp, is_disturbed) {
                new.resize(self.probes.len(), false);
                if let Some(new) = new.get_mut(at) {
                    *new = true;
                    rounds += 1;
                }
            }
        }
        for (id, value) in values {
            let Some(place) = self.place(id) else { continue };
            if !new.get(place.probe as usize).is_some_and(|new| *new) {
                continue;
            }
            if value.is_finite() {
                self.columns.put(place.column as usize, value);
            } else {
                self.discarded.not_finite += 1;
            }
        }
        Ok(rounds)
    }

    /// What it says of itself, as of the latest scrape.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Takes out what was taken in since this was last asked for, for whoever keeps it elsewhere.
    pub fn drain(&mut self, take: impl FnMut(SeriesId, Reading)) {
        self.columns.drain(take);
    }

    /// Everything taken in so far, in time order.
    #[must_use]
    pub fn finish(self) -> Collected {
        let mut collected = self.pack().unpack();
        collected.observations.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
        collected
    }

    /// The same, packed.
    #[must_use]
    pub fn pack(self) -> Packed {
        Packed::of(self.source, self.instance, self.discarded, self.columns, &self.keeping.vocabulary)
    }

    /// The most rounds of any one probe so far; for showing progress.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.probes.iter().map(|probe| probe.rounds).max().unwrap_or(0)
    }

    /// Notes the latest round of a probe. The probe's place if no earlier scrape showed the round.
    fn round(&mut self, name: &str, timestamp: f64, disturbed: bool) -> Option<usize> {
        let at = self.probes.iter().position(|probe| probe.name == name).unwrap_or_else(|| {
            let (name, track) = (name.to_owned(), self.columns.add_track());
            self.probes.push(Probe { name, track, timestamp: f64::NEG_INFINITY, rounds: 0 });
            self.probes.len() - 1
        });
        let probe = self.probes.get_mut(at)?;
        let before = std::mem::replace(&mut probe.timestamp, timestamp);
        if timestamp < before {
            // The clock was set back, so when this round ran is unknown. The next ones count again.
            self.discarded.clock_resets += 1;
            return None;
        }
        if timestamp <= before {
            return None;
        }
        probe.rounds += 1;
        self.columns.round(probe.track, timestamp, disturbed);
        Some(at)
    }

    /// Where the values of a series go; `None` as long as its probe has not had a round.
    fn place(&mut self, id: SeriesId) -> Option<Place> {
        if let Some(place) = self.places.get(&id) {
            return Some(*place);
        }
        let key = self.keeping.vocabulary.key(id)?;
        let name = probe_of(&key.family, self.probes.iter().map(|probe| probe.name.as_str()))?;
        let probe = self.probes.iter().position(|probe| probe.name == name)?;
        let column = self.columns.add_column(self.probes.get(probe)?.track, id);
        let place = Place { probe: u32::try_from(probe).ok()?, column: u32::try_from(column).ok()? };
        self.places.insert(id, place);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Labels;

    fn scrape(timestamp: f64, disturbed: u8, getppid: &str) -> String {
        format!(
            "# TYPE tierprobe_tier_info gauge\n\
             tierprobe_tier_info{{tier=\"vm\",hypervisor=\"kvm\",vmm=\"\"}} 1\n\
             # TYPE tierprobe_tier_confidence_ratio gauge\n\
             tierprobe_tier_confidence_ratio 0.97\n\
             # TYPE tierprobe_probe_resolution_seconds gauge\n\
             tierprobe_probe_resolution_seconds{{probe=\"syscall\"}} 1e-11\n\
             # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
             tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {timestamp}\n\
             # TYPE tierprobe_probe_last_round_disturbed gauge\n\
             tierprobe_probe_last_round_disturbed{{probe=\"syscall\"}} {disturbed}\n\
             # TYPE tierprobe_syscall_seconds histogram\n\
             tierprobe_syscall_seconds_bucket{{syscall=\"getppid\",le=\"+Inf\"}} 3\n\
             tierprobe_syscall_seconds_sum{{syscall=\"getppid\"}} 3\n\
             tierprobe_syscall_seconds_count{{syscall=\"getppid\"}} 3\n\
             # HELP tierprobe_syscall_round_seconds Time of one system call.\n\
             # TYPE tierprobe_syscall_round_seconds summary\n\
             tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"0.5\"}} {getppid}\n\
             tierprobe_syscall_round_seconds_sum{{syscall=\"getppid\"}} 3\n\
             tierprobe_syscall_round_seconds_count{{syscall=\"getppid\"}} 3\n\
             # TYPE tierprobe_syscall_cold_seconds gauge\n\
             tierprobe_syscall_cold_seconds{{syscall=\"getppid\"}} 2e-6\n\
             # TYPE process_resident_memory_bytes gauge\n\
             process_resident_memory_bytes 1e6\n"
        )
    }

    fn taken(scrapes: &[String]) -> Collected {
        let mut accumulator = Accumulator::new("http://h:1/metrics", "h:1");
        for scrape in scrapes {
            accumulator.take(scrape).unwrap();
        }
        accumulator.finish()
    }

    #[test]
    fn a_round_counts_once_however_often_it_is_scraped() {
        let collected =
            taken(&[scrape(100.0, 0, "1e-7"), scrape(100.0, 0, "1e-7"), scrape(115.0, 1, "2e-7")]);
        let p50: Vec<_> =
            collected.observations.iter().filter(|one| one.statistic == Statistic::P50).collect();
        assert_eq!(p50.len(), 2);
        assert_eq!(p50[0].family, "tierprobe_syscall_seconds");
        assert_eq!(p50[0].labels, Labels::from([("syscall".into(), "getppid".into())]));
        assert_eq!((p50[0].value, p50[0].disturbed), (1e-7, false));
        assert_eq!((p50[1].value, p50[1].disturbed), (2e-7, true));
        let families: Vec<_> = collected.observations.iter().map(|one| one.family.as_str()).collect();
        assert!(families.contains(&"tierprobe_syscall_cold_seconds"), "{families:?}");
        assert!(!families.iter().any(|family| family.contains("process") || family.contains("probe_probe")));
        assert_eq!(collected.help["tierprobe_syscall_seconds"], "Time of one system call.");
    }

    #[test]
    fn identity_comes_from_the_info_metrics() {
        let collected = taken(&[scrape(100.0, 0, "1e-7")]);
        assert_eq!(collected.instance.labels["tier"], "vm");
        assert!(!collected.instance.labels.contains_key("vmm"));
        assert_eq!(collected.instance.tier_confidence, Some(0.97));
        assert_eq!(collected.instance.resolution_seconds.get("syscall"), Some(&1e-11));
    }

    #[test]
    fn what_is_no_number_is_dropped_and_counted() {
        let collected = taken(&[scrape(100.0, 0, "NaN"), scrape(115.0, 0, "+Inf")]);
        assert_eq!(collected.discarded.not_finite, 2);
        assert!(collected.observations.iter().all(|one| one.statistic == Statistic::Value));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_round() {
        let rounds = [100.0, 115.0, 50.0, 65.0].map(|at| scrape(at, 0, "1e-7"));
        let collected = taken(&rounds);
        assert_eq!(collected.discarded.clock_resets, 1);
        let times: Vec<f64> = collected
            .observations
            .iter()
            .filter(|one| one.statistic == Statistic::P50)
            .map(|one| one.timestamp)
            .collect();
        assert_eq!(times, [65.0, 100.0, 115.0]);
    }

    #[test]
    fn what_is_not_an_agent_is_refused() {
        let mut accumulator = Accumulator::new("s", "i");
        assert_eq!(accumulator.take("node_load1 3\n"), Err(TakeError::NotAnAgent));
        assert_eq!(accumulator.take(""), Err(TakeError::NotAnAgent));
        assert!(matches!(accumulator.take("<html>\n"), Err(TakeError::Exposition(_))));
        assert_eq!(accumulator.finish().observations, []);
    }

    #[test]
    fn open_metrics_says_the_same() {
        let text = scrape(100.0, 0, "1e-7")
            .replace("# TYPE tierprobe_tier_info gauge", "# TYPE tierprobe_tier info")
            .replace("quantile=\"0.5\"", "quantile=\"0.50\"");
        let (plain, open) = (taken(&[scrape(100.0, 0, "1e-7")]), taken(&[text + "# EOF\n"]));
        assert_eq!(plain, open);
    }

    #[test]
    fn what_is_not_asked_for_is_not_kept() {
        let quantile =
            |label: &str| format!("tierprobe_syscall_round_seconds{{quantile=\"{label}\"}} 1e-7\n");
        let text = format!(
            "# TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
             tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} 100\n\
             # TYPE tierprobe_syscall_round_seconds summary\n{}{}{}\
             # TYPE tierprobe_syscall_cold_seconds gauge\n\
             tierprobe_syscall_cold_seconds 2e-6\n",
            quantile("0.5"),
            quantile("0.95"),
            quantile("1")
        );
        let kept = |accumulator: Accumulator| -> Vec<String> {
            let mut accumulator = accumulator;
            accumulator.take(&text).unwrap();
            let collected = accumulator.finish();
            collected.observations.iter().map(|one| one.statistic.to_string()).collect()
        };
        assert_eq!(kept(Accumulator::new("s", "i")), ["p50", "p95", "max", "value"]);
        let p95 = Statistic::of_quantile("0.95").unwrap();
        assert_eq!(kept(Accumulator::new("s", "i").keeping(p95)), ["p95", "value"]);
    }

    #[test]
    fn accumulators_that_share_a_vocabulary_agree_on_places() {
        let vocabulary = Vocabulary::default();
        let packed = |text: &str| {
            let mut accumulator = Accumulator::new("s", "i").sharing(&vocabulary);
            accumulator.take(text).unwrap();
            accumulator.pack()
        };
        let (a, b) = (packed(&scrape(100.0, 0, "1e-7")), packed(&scrape(100.0, 0, "1e-7")));
        assert_eq!(a.unpack(), b.unpack());
    }

    #[test]
    fn a_scrape_that_breaks_off_leaves_nothing() {
        let mut accumulator = Accumulator::new("s", "i");
        let text = scrape(100.0, 0, "1e-7");
        assert!(accumulator.take(&text[..text.len() - 1]).is_err());
        assert_eq!((accumulator.rounds(), accumulator.clone().finish().instance.labels.len()), (0, 0));
        assert_eq!(accumulator.take(&text), Ok(1));
    }
}
