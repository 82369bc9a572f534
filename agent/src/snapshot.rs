//! What the agent knows at one instant: the only state that measuring and answering share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tierprobe_model::family::BUCKETS;
use tierprobe_model::record::Outcome;
use tierprobe_model::{Cause, Detection, Family, Quantiles};

use crate::hostinfo::HostInfo;
use crate::measure::Summary;
use crate::probe::{GaugeSeries, LabelValue, ProbeError, Spec};
use crate::runner::Report;
use crate::sys::clock::ClockCost;

/// Why a round was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The CPU budget was used up.
    Budget,
    /// The slot was over before the probe's turn came.
    Slot,
}

impl Skip {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Budget, Self::Slot];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Slot => "slot",
        }
    }
}

/// Everything that stays as it is while the agent runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// Which tier this is, and why.
    pub detection: Detection,
    /// Which host it is.
    pub host: HostInfo,
    /// What reading the clock costs.
    pub clock: ClockCost,
}

/// What the agent knows.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where it is.
    pub place: Arc<Place>,
    /// What each probe has found so far.
    pub probes: Vec<ProbeState>,
}

/// What one probe has found so far.
#[derive(Debug, Clone)]
pub struct ProbeState {
    /// The probe.
    pub spec: &'static Spec,
    /// How its last run ended, and why if not well; `None` before the first.
    pub last: Option<(Outcome, String)>,
    /// Runs by outcome, in the order of [`Outcome::ALL`].
    pub runs: [u64; Outcome::ALL.len()],
    /// Disturbed rounds by cause, in the order of [`Cause::ALL`]. A round with two causes counts for both.
    pub disturbed: [u64; Cause::ALL.len()],
    /// Rounds left out by reason, in the order of [`Skip::ALL`].
    pub skipped: [u64; Skip::ALL.len()],
    /// CPU time of all runs.
    pub cpu: Duration,
    /// The last round that measured something.
    pub round: Option<LastRound>,
    /// Duration series of all rounds.
    pub durations: Vec<DurationState>,
    /// Gauges of the last round.
    pub gauges: Vec<GaugeSeries>,
}

/// The last round of a probe.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRound {
    /// When it ended, in seconds since the epoch.
    pub timestamp: f64,
    /// How long it took.
    pub elapsed: Duration,
    /// What disturbed it.
    pub causes: Vec<Cause>,
}

/// One duration series: its last round, and all rounds together.
#[derive(Debug, Clone)]
pub struct DurationState {
    /// The family.
    pub family: &'static Family,
    /// The values of its labels.
    pub labels: Vec<LabelValue>,
    /// The quantiles of the last round; `None` if it did not measure this series.
    pub quantiles: Option<Quantiles>,
    /// All samples so far.
    pub total: Total,
}

/// Samples of all rounds of a series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Total {
    /// How many.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
    /// How many in each bucket of [`BUCKETS`], not cumulated.
    pub buckets: [u64; BUCKETS.len()],
}

impl Total {
    fn add(&mut self, summary: &Summary) {
        self.count += summary.count;
        self.sum += summary.sum;
        for (total, count) in self.buckets.iter_mut().zip(summary.buckets) {
            *total += count;
        }
    }
}

impl Snapshot {
    /// A snapshot before the first round.
    #[must_use]
    pub fn new(place: Arc<Place>, specs: &[&'static Spec]) -> Self {
        Self { place, probes: specs.iter().map(|spec| ProbeState::new(spec)).collect() }
    }

    /// Takes in what a run gave.
    pub fn apply(&mut self, report: Report) {
        if let Some(state) = self.probes.get_mut(report.probe) {
            state.apply(report);
        }
    }

    /// Counts a round of `probe` that was left out.
    pub fn skip(&mut self, probe: usize, reason: Skip) {
        let index = Skip::ALL.iter().position(|one| *one == reason);
        let state = self.probes.get_mut(probe);
        if let Some(count) = state.zip(index).and_then(|(state, index)| state.skipped.get_mut(index)) {
            *count += 1;
        }
    }
}

impl ProbeState {
    const fn new(spec: &'static Spec) -> Self {
        Self {
            spec,
            last: None,
            runs: [0; Outcome::ALL.len()],
            disturbed: [0; Cause::ALL.len()],
            skipped: [0; Skip::ALL.len()],
            cpu: Duration::ZERO,
            round: None,
            durations: Vec::new(),
            gauges: Vec::new(),
        }
    }

    fn apply(&mut self, report: Report) {
        self.cpu += report.cpu;
        let (outcome, reason) = match &report.result {
            Ok(_) => (Outcome::Ok, String::new()),
            Err(ProbeError::Unsupported(reason)) => (Outcome::Unsupported, reason.clone()),
            Err(ProbeError::Failed(reason)) => (Outcome::Failed, reason.clone()),
        };
        for (count, counted) in self.runs.iter_mut().zip(Outcome::ALL) {
            *count += u64::from(*counted == outcome);
        }
        self.last = Some((outcome, reason));
        let Ok(round) = report.result else {
            // The last round's numbers would otherwise be read as this one's.
            self.round = None;
            self.gauges.clear();
            return;
        };
        for (count, cause) in self.disturbed.iter_mut().zip(Cause::ALL) {
            *count += u64::from(report.causes.contains(cause));
        }
        self.round =
            Some(LastRound { timestamp: report.timestamp, elapsed: report.elapsed, causes: report.causes });
        self.gauges = round.gauges;
        for known in &mut self.durations {
            known.quantiles = None;
        }
        for series in round.durations {
            let known = self
                .durations
                .iter_mut()
                .find(|known| known.family == series.family && known.labels == series.labels);
            if let Some(known) = known {
                known.quantiles = Some(series.summary.quantiles);
                known.total.add(&series.summary);
            } else {
                let mut total = Total::default();
                total.add(&series.summary);
                let quantiles = Some(series.summary.quantiles);
                self.durations.push(DurationState {
                    family: series.family,
                    labels: series.labels,
                    quantiles,
                    total,
                });
            }
        }
    }
}

/// Where the measuring thread puts the latest snapshot and scrapes take it from.
#[derive(Debug)]
pub struct Board(RwLock<Arc<Snapshot>>);

impl Board {
    /// A board with a first snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self(RwLock::new(Arc::new(first)))
    }

    /// The latest snapshot.
    #[must_use]
    pub fn latest(&self) -> Arc<Snapshot> {
        // A snapshot is replaced whole, so that a poisoned lock still holds a good one.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts up a new one.
    pub fn publish(&self, snapshot: Snapshot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }
}
