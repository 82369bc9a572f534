//! What can be said of two hosts alone: these instances, in this window.

use crate::dataset::group::Group;
use crate::dataset::host::{Rounds, Side, counting, value};
use crate::dataset::{Member, Reading, SeriesKey};
use crate::stats::batch::{self, Unusable};
use crate::stats::contrast::Contrast;
use crate::stats::equivalence::Threshold;
use crate::verdict::{Reason, Verdict};

/// A statement on two hosts. It says nothing of their tiers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Here {
    /// The verdict on these instances.
    pub verdict: Verdict,
    /// Why it is inconclusive.
    pub reason: Option<Reason>,
    /// The ratio.
    pub ratio: f64,
    /// Lower end of its 95 % interval.
    pub ratio_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub ratio_high: Option<f64>,
    /// If hosts of one tier differ by this share or more, host luck alone explains the ratio.
    pub tipping_spread: f64,
}

/// Why nothing can be said of the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoHere {
    /// One host against several.
    SeveralHosts,
    /// A side was read once, so there is no telling how much the value varies.
    OneReading,
    /// A side has fewer clean rounds than batches need.
    FewRounds,
    /// A side has fewer independent repetitions than an interval needs.
    FewRepetitions,
    /// Both halves of the window contradict one another.
    Drifting,
}

impl NoHere {
    /// As JSON writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SeveralHosts => "several_hosts",
            Self::OneReading => "one_reading",
            Self::FewRounds => "few_rounds",
            Self::FewRepetitions => "few_repetitions",
            Self::Drifting => "drifting",
        }
    }

    /// As people read it, with what to do.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::SeveralHosts => "one host against several".to_owned(),
            Self::OneReading => "read once, so how much it varies is unknown".to_owned(),
            Self::FewRounds => format!("fewer than {} clean rounds: measure longer", batch::MIN_ROUNDS),
            Self::FewRepetitions => {
                format!("fewer than {} repetitions: repeat more often", batch::MIN_REPETITIONS)
            }
            Self::Drifting => "drifting: the halves of the window contradict one another".to_owned(),
        }
    }
}

/// Compares the two hosts of a row, where each side is one.
pub(super) fn contrast(
    (baseline, baseline_side): (&Group<'_>, &Side<'_>),
    (candidate, candidate_side): (&Group<'_>, &Side<'_>),
    key: &SeriesKey,
    threshold: Threshold,
) -> Result<Contrast, NoHere> {
    if baseline_side.hosts.len() != 1 || candidate_side.hosts.len() != 1 {
        return Err(NoHere::SeveralHosts);
    }
    let (ours, theirs) =
        (Measured::of(candidate, candidate_side, key), Measured::of(baseline, baseline_side, key));
    let (of_candidate, of_baseline) = (ours.in_time_order(), theirs.in_time_order());
    let ticks = (candidate_side.relative_resolution(), baseline_side.relative_resolution());
    let result = if ours.is_independent(key) && theirs.is_independent(key) {
        batch::by_repetitions(&of_candidate, &of_baseline, ticks, threshold)
    } else if ours.shortest().min(theirs.shortest()) < batch::MIN_ROUNDS {
        Err(Unusable::FewRounds)
    } else {
        batch::by_batches(&of_candidate, &of_baseline, ticks, threshold)
    };
    result.map_err(|unusable| match unusable {
        Unusable::FewRounds if of_candidate.len().min(of_baseline.len()) < 2 => NoHere::OneReading,
        Unusable::FewRounds => NoHere::FewRounds,
        Unusable::FewRepetitions => NoHere::FewRepetitions,
        Unusable::Drifting => NoHere::Drifting,
    })
}

/// The instances of a side's one host that have a value in the row, each with its clean readings.
struct Measured<'a> {
    instances: Vec<(&'a Member, Vec<Reading>)>,
}

impl<'a> Measured<'a> {
    fn of(group: &Group<'a>, side: &Side<'a>, key: &SeriesKey) -> Self {
        let named = |name: &str| group.members.iter().find(|member| member.instance.name == name);
        let host = side.hosts.first().and_then(|host| named(host.name)).map(|member| member.host());
        let mut scratch = Vec::new();
        let mut clean = |member: &&'a Member| {
            let readings = group.readings(member, key)?;
            // Who has too few rounds, or was mostly disturbed, is no part of the host's value either.
            value(readings, readings.disturbed(), key.statistic, Rounds::Clean, &mut scratch).ok()?;
            let readings = counting(readings, Rounds::Clean).filter(|reading| reading.value > 0.0);
            Some((*member, readings.collect()))
        };
        let of_host = group.members.iter().filter(|member| Some(member.host()) == host);
        Self { instances: of_host.filter_map(&mut clean).collect() }
    }

    fn is_independent(&self, key: &SeriesKey) -> bool {
        self.instances.iter().all(|(member, _)| member.independent.contains(&key.family))
    }

    /// The fewest readings of an instance: the rounds of several take no longer than those of one.
    fn shortest(&self) -> usize {
        self.instances.iter().map(|(_, readings)| readings.len()).min().unwrap_or(0)
    }

    /// The values as logarithms. Several instances are one sequence: each batch then has rounds of all of them.
    fn in_time_order(&self) -> Vec<f64> {
        let mut readings: Vec<&Reading> = self.instances.iter().flat_map(|(_, readings)| readings).collect();
        readings.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp).then(a.value.total_cmp(&b.value)));
        readings.into_iter().map(|reading| reading.value.ln()).collect()
    }
}
