//! What the agent knows at one instant: the only state that measuring and answering share.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tierprobe_model::family::BUCKETS;
use tierprobe_model::record::Outcome;
use tierprobe_model::{Cause, Detection, Family, Quantiles};

use crate::echo::Counts;
use crate::hostinfo::HostInfo;
use crate::measure::Summary;
use crate::probe::{GaugeSeries, LabelValue, ProbeError, Spec};
use crate::runner::Report;
use crate::sys::clock::{self, ClockCost};

/// Why a round was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The CPU budget was used up.
    Budget,
    /// The slot was over before the probe's turn came.
    Slot,
    /// The machine was so busy that the probe would have cost others more than its answer is worth.
    Pressure,
}

impl Skip {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Budget, Self::Slot, Self::Pressure];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Slot => "slot",
            Self::Pressure => "pressure",
        }
    }
}

/// Everything that stays as it is from round to round.
#[derive(Debug, Clone)]
pub struct Place {
    /// Which tier this is, and why.
    pub detection: Detection,
    /// Which host it is.
    pub host: HostInfo,
    /// What reading the clock costs.
    pub clock: ClockCost,
    /// When all this was found out, in seconds since the epoch.
    pub detected: f64,
}

impl Place {
    /// Whether the agent is elsewhere there: another verdict.
    fn differs(&self, other: &Self) -> bool {
        let verdict = |place: &Self| {
            let Detection { tier, kernel, stack, .. } = &place.detection;
            let stack: Vec<_> = stack.iter().map(|layer| (layer.kind, layer.name.clone())).collect();
            (*tier, *kernel, stack)
        };
        verdict(self) != verdict(other)
    }

    /// The verdict in a line.
    fn summary(&self) -> String {
        let names = self.detection.stack.iter().map(|layer| layer.name.as_str());
        std::iter::once(self.detection.tier.as_str()).chain(names).collect::<Vec<_>>().join(" ")
    }
}

/// What the agent knows.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where it is.
    pub place: Arc<Place>,
    /// How often the verdict has changed since the agent started.
    pub tier_changes: u64,
    /// What each probe has found so far.
    pub probes: Vec<ProbeState>,
    /// What the echo service counts, which goes on meanwhile; `None` where it is off.
    pub echo: Option<Arc<Counts>>,
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
    /// What the last round could not measure, and why.
    pub absent: Vec<String>,
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
    /// Whether there is more to come: see [`Round`](crate::probe::Round).
    pub is_unfinished: bool,
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
        let probes = specs.iter().map(|spec| ProbeState::new(spec)).collect();
        Self { place, tier_changes: 0, probes, echo: None }
    }

    /// Takes in what a run gave.
    pub fn apply(&mut self, report: Report) {
        if let Some(state) = self.probes.get_mut(report.probe) {
            state.apply(report);
        }
    }

    /// Takes in where the agent is now. Whether that is elsewhere: probes must then be prepared anew, and the last
    /// rounds, which were measured before, are gone.
    pub fn arrive(&mut self, mut place: Place, reason: &str) -> bool {
        let before = Arc::clone(&self.place);
        let other_verdict = before.differs(&place);
        let is_elsewhere = other_verdict || before.host != place.host;
        if other_verdict {
            self.tier_changes += 1;
            let (old, new) = (before.summary(), place.summary());
            tracing::warn!(old, new, reason, "the verdict has changed");
        }
        if is_elsewhere {
            for state in &mut self.probes {
                state.forget_round();
            }
        } else {
            // The same clock costs the same; another figure would be noise.
            place.clock = before.clock;
        }
        self.place = Arc::new(place);
        is_elsewhere
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
    /// Whether its first round is over, or was left out: then there is nothing to wait for.
    #[must_use]
    pub fn has_had_its_turn(&self) -> bool {
        self.last.is_some() || self.skipped.iter().any(|rounds| *rounds > 0)
    }

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
            absent: Vec::new(),
        }
    }

    fn forget_round(&mut self) {
        self.round = None;
        self.gauges.clear();
        self.absent.clear();
        for known in &mut self.durations {
            known.quantiles = None;
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
            self.forget_round();
            return;
        };
        for (count, cause) in self.disturbed.iter_mut().zip(Cause::ALL) {
            *count += u64::from(report.causes.contains(cause));
        }
        self.round = Some(LastRound {
            timestamp: report.timestamp,
            elapsed: report.elapsed,
            causes: report.causes,
            is_unfinished: round.is_unfinished,
        });
        self.gauges = round.gauges;
        self.absent = round.absent;
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
pub struct Board {
    latest: RwLock<Arc<Snapshot>>,
    /// CPU time of the thread that answers, in nanoseconds.
    answering: AtomicU64,
}

impl Board {
    /// A board with a first snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self { latest: RwLock::new(Arc::new(first)), answering: AtomicU64::new(0) }
    }

    /// The latest snapshot.
    #[must_use]
    pub fn latest(&self) -> Arc<Snapshot> {
        // A snapshot is replaced whole, so that a poisoned lock still holds a good one.
        Arc::clone(&self.latest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts up a new one.
    pub fn publish(&self, snapshot: Snapshot) {
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// Takes down what the calling thread, the one that answers, has used so far.
    pub fn has_answered(&self) {
        let nanos = u64::try_from(clock::thread_cpu().as_nanos()).unwrap_or(u64::MAX);
        self.answering.store(nanos, Relaxed);
    }

    /// CPU time that the thread that answers had used when it last did.
    #[must_use]
    pub fn answering_cpu(&self) -> Duration {
        Duration::from_nanos(self.answering.load(Relaxed))
    }
}
