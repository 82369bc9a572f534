//! One-shot measuring: rounds into the record that `measure` writes.

use std::time::Duration;

use nix::errno::Errno;
use tierprobe_model::record::{
    FamilyRecord, GaugeRecord, GaugeRound, Labels, Outcome, ProbeOutcome, Record, RoundRecord, SeriesRecord,
};
use tierprobe_model::{Family, SCHEMA};

use crate::export::{self, families};
use crate::probe::{LabelValue, Round, Spec};
use crate::runner::{Report, Runner};
use crate::snapshot::{Place, Snapshot};
use crate::sys::thread;

/// Takes in reports, round by round.
#[derive(Debug)]
pub struct Recorder {
    snapshot: Snapshot,
    families: Vec<FamilyRecord>,
    gauges: Vec<GaugeRecord>,
    refused_pause: Option<(u32, Errno)>,
}

/// Measures `rounds` rounds of everything that `runner` has, `pause` apart, on the calling thread. `progress` is told
/// after each round.
#[must_use]
pub fn measure(
    mut runner: Runner,
    snapshot: Snapshot,
    rounds: u32,
    pause: Duration,
    mut progress: impl FnMut(u32),
) -> Recorder {
    let mut recorder = Recorder { snapshot, families: Vec::new(), gauges: Vec::new(), refused_pause: None };
    for round in 0..rounds {
        if round > 0
            && let Err(errno) = thread::pause(pause)
        {
            // On end, rounds would be one another's load.
            recorder.refused_pause = Some((round, errno));
            break;
        }
        let due: Vec<usize> = recorder.due(round);
        let mut turn = runner.begin();
        for probe in due {
            turn.run(probe);
        }
        for report in turn.end() {
            recorder.take(report);
        }
        progress(round + 1);
    }
    recorder
}

impl Recorder {
    /// After how many rounds it ended because the kernel refused the pause, and what it said; `None` after all of them.
    #[must_use]
    pub const fn refused_pause(&self) -> Option<(u32, Errno)> {
        self.refused_pause
    }

    /// What runs in this round: everything in the first, then whatever is worth repeating.
    fn due(&self, round: u32) -> Vec<usize> {
        let again = |spec: &Spec, last: Option<&(Outcome, String)>| {
            spec.interval.is_some() && last.is_none_or(|(outcome, _)| *outcome != Outcome::Unsupported)
        };
        let probes = self.snapshot.probes.iter().enumerate();
        probes
            .filter(|(_, state)| round == 0 || again(state.spec, state.last.as_ref()))
            .map(|(i, _)| i)
            .collect()
    }

    fn take(&mut self, report: Report) {
        if let Ok(round) = &report.result {
            self.durations(round, &report);
            self.gauges(round, &report);
        }
        self.snapshot.apply(report);
    }

    fn durations(&mut self, round: &Round, report: &Report) {
        for series in &round.durations {
            let name = series.family.name;
            let family = find_or_push(
                &mut self.families,
                |family| family.name == name,
                || FamilyRecord { name: name.to_owned(), unit: series.family.unit(), series: Vec::new() },
            );
            let labels = labels(series.family, &series.labels);
            let known = |known: &SeriesRecord| known.labels == labels;
            let new = || SeriesRecord { labels: labels.clone(), rounds: Vec::new() };
            find_or_push(&mut family.series, known, new).rounds.push(RoundRecord {
                timestamp: report.timestamp,
                quantiles: series.summary.quantiles,
                samples: series.summary.count,
                disturbed: report.causes.clone(),
            });
        }
    }

    fn gauges(&mut self, round: &Round, report: &Report) {
        for series in &round.gauges {
            let (name, labels) = (series.family.name, labels(series.family, &series.labels));
            let known = |known: &GaugeRecord| known.name == name && known.labels == labels;
            let new = || gauge(name, labels.clone(), series.value);
            let record = find_or_push(&mut self.gauges, known, new);
            record.value = series.value;
            let disturbed = report.causes.clone();
            record.rounds.push(GaugeRound { timestamp: report.timestamp, value: series.value, disturbed });
        }
    }

    /// Everything measured, as `prometheus` and `text` formats show it.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The record.
    #[must_use]
    pub fn finish(mut self, instance: String) -> Record {
        let place = &self.snapshot.place;
        self.gauges.extend(identity(place));
        for state in &self.snapshot.probes {
            if let Some(resolution) = export::resolution_seconds(place, state) {
                let labels = labels(&families::RESOLUTION, &[state.spec.name.into()]);
                self.gauges.push(gauge(families::RESOLUTION.name, labels, resolution));
            }
        }
        let probes = self
            .snapshot
            .probes
            .iter()
            .filter_map(|state| {
                let (outcome, mut reason) = state.last.clone()?;
                if outcome == Outcome::Ok {
                    reason = state.absent.join("; ");
                }
                Some(ProbeOutcome { name: state.spec.name.to_owned(), outcome, reason })
            })
            .collect();
        Record {
            schema: SCHEMA,
            instance,
            detection: place.detection.clone(),
            probes,
            families: self.families,
            gauges: self.gauges,
        }
    }
}

/// Which kernel and which processor: comparisons keep unlike ones apart.
fn identity(place: &Place) -> [GaugeRecord; 2] {
    let host = &place.host;
    let own = |text: &str| LabelValue::Owned(text.to_owned());
    let kernel = [own(&host.release), own(&host.boot_id), own(&host.clocksource)];
    let processor = [own(&host.cpu_model), own(&host.arch)];
    [
        gauge(families::KERNEL.name, labels(&families::KERNEL, &kernel), 1.0),
        gauge(families::HOST.name, labels(&families::HOST, &processor), 1.0),
    ]
}

fn gauge(name: &str, labels: Labels, value: f64) -> GaugeRecord {
    GaugeRecord { name: name.to_owned(), labels, value, rounds: Vec::new() }
}

fn labels(family: &Family, values: &[LabelValue]) -> Labels {
    let names = family.labels.iter().map(|name| (*name).to_owned());
    names.zip(values.iter().map(|value| value.clone().into_owned())).collect()
}

/// The first element that `is` it, or a new one at the end.
fn find_or_push<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
    let index = list.iter().position(is).unwrap_or(list.len());
    if index == list.len() {
        list.push(new());
    }
    #[expect(clippy::indexing_slicing, reason = "the index was found, or the element just pushed")]
    &mut list[index]
}
