//! Probes: each measures what one kind of operation costs here.
//!
//! A probe is one file and one row of [`PROBES`]; flags, METRICS.md, the output of `check` and the exposition
//! follow from the table.

mod boot;
mod cpu;
mod memory;
mod netfilter;
pub mod network;
mod page_fault;
mod partner;
mod scheduler;
mod settings;
pub mod spawn;
pub mod storage;
mod syscall;
mod vm_exit;

use std::borrow::Cow;
use std::time::Duration;

use tierprobe_model::{Family, Kernel, Tier};

use crate::host::{HostFs, ReadError};
use crate::measure::{Samples, Summary};
use crate::sys::thread::Cpu;

pub use settings::Settings;

/// What a probe is, before it runs.
#[derive(Debug)]
pub struct Spec {
    /// Its name: a flag, a label value, and the second word of all its families' names.
    pub name: &'static str,
    /// What it measures, in one line.
    pub measures: &'static str,
    /// How often it runs; `None` for once.
    pub interval: Option<Duration>,
    /// Operations that share one sample: the clock's tick divided by it is the smallest difference that a
    /// sample can show. `None` where the probe does not time anything.
    pub operations: Option<u32>,
    /// Whether waiting for the CPU is part of what it measures; elsewhere it disturbs the round.
    pub measures_waiting: bool,
    /// What it publishes.
    pub families: &'static [&'static Family],
    /// Makes the probe ready to run.
    pub prepare: fn(&Site<'_>) -> Result<Box<dyn Probe>, ProbeError>,
}

/// All probes, in the order in which they run.
pub const PROBES: &[Spec] = &[
    boot::SPEC,
    memory::SPEC,
    syscall::SPEC,
    vm_exit::SPEC,
    page_fault::SPEC,
    scheduler::SPEC,
    cpu::SPEC,
    spawn::SPEC,
    network::SPEC,
    netfilter::SPEC,
    storage::SPEC,
];

/// How often most probes run.
const USUAL_INTERVAL: Option<Duration> = Some(Duration::from_secs(15));

/// Where a probe is about to measure.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The host's files.
    pub fs: &'a HostFs,
    /// The tier.
    pub tier: Tier,
    /// Whose kernel it is.
    pub kernel: Kernel,
    /// What the user said about where to measure.
    pub settings: &'a Settings,
}

/// Where the measuring thread is pinned during a round.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    /// The CPU of the measuring thread.
    pub cpu: Cpu,
    /// Another CPU that it may use; `None` on one CPU.
    pub other: Option<Cpu>,
}

/// A probe that is ready to run.
pub trait Probe: Send {
    /// Measures one round on the calling thread, which is pinned as `placement` says.
    ///
    /// # Errors
    ///
    /// [`ProbeError::Unsupported`] where what it measures does not exist here, [`ProbeError::Failed`] where it
    /// should have worked.
    fn measure(&mut self, placement: Placement) -> Result<Round, ProbeError>;

    /// What its other threads and processes have done since this was last asked, whatever became of the round.
    fn take_helpers(&mut self) -> Helpers {
        Helpers::default()
    }

    /// Told before a round that tasks wait for a CPU most of the time: whether it leaves the round out, because it would
    /// cost others more than a moment of one CPU. One that goes on may leave out a part.
    fn feels_pressure(&mut self) -> bool {
        false
    }

    /// Whether it wants to be asked for news every two seconds between its rounds.
    fn listens(&self) -> bool {
        false
    }

    /// Whether something has happened that is worth a round at once. Must cost some microseconds at most.
    fn has_news(&mut self) -> bool {
        false
    }
}

/// What threads and processes of a probe did beside the measuring thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Helpers {
    /// CPU time on the measuring thread's CPU, which may have waited so long for them.
    pub here: Duration,
    /// CPU time on the other CPU.
    pub elsewhere: Duration,
    /// How long they waited for a CPU, other than for the measuring thread and one another.
    pub waited: Duration,
}

impl Helpers {
    /// All CPU time.
    pub(crate) const fn cpu(&self) -> Duration {
        self.here.saturating_add(self.elsewhere)
    }
}

/// Why a probe has no numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// What it measures does not exist here, and will not.
    #[error("{0}")]
    Unsupported(String),
    /// It should have worked.
    #[error("{0}")]
    Failed(String),
}

impl ProbeError {
    /// `what` is not to be had here.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }

    /// The kernel file at `path` could not be read: where there is none, there is nothing to measure.
    pub(crate) fn unread(path: &str, error: &ReadError) -> Self {
        let message = format!("{path}: {error}");
        if *error == ReadError::NotFound { Self::Unsupported(message) } else { Self::Failed(message) }
    }

    /// `what` went wrong with `error`.
    pub(crate) fn failed(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {error}"))
    }
}

/// A label value; nearly all are known beforehand.
pub type LabelValue = Cow<'static, str>;

/// The label values of a family without labels.
const NO_LABELS: [&str; 0] = [];

/// What one round of a probe measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Durations.
    pub durations: Vec<DurationSeries>,
    /// Everything that is one value.
    pub gauges: Vec<GaugeSeries>,
    /// What it could not measure though the rest went well, and why, for people.
    pub absent: Vec<String>,
    /// Whether what the probe measures is still going on, so that a probe that runs once wants to be asked again.
    pub is_unfinished: bool,
    /// CPU time that others on this machine may have used to answer, on the measuring thread's CPU: it may have waited
    /// for that, too.
    pub answering_cpu: Duration,
}

/// One series of a duration family in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationSeries {
    /// The family of the warm samples.
    pub family: &'static Family,
    /// The values of its labels.
    pub labels: Vec<LabelValue>,
    /// What the round says.
    pub summary: Summary,
}

/// One series of a gauge family in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeSeries {
    /// The family.
    pub family: &'static Family,
    /// The values of its labels.
    pub labels: Vec<LabelValue>,
    /// The value.
    pub value: f64,
}

impl Round {
    /// Adds samples to `family`, and their cold one to `cold`. Without warm samples nothing is added.
    pub(crate) fn add(
        &mut self,
        family: &'static Family,
        cold: Option<&'static Family>,
        labels: impl IntoIterator<Item = impl Into<LabelValue>>,
        samples: Samples,
    ) {
        let labels: Vec<LabelValue> = labels.into_iter().map(Into::into).collect();
        if let (Some(family), Some(value)) = (cold, samples.cold) {
            self.gauges.push(GaugeSeries { family, labels: labels.clone(), value });
        }
        if let Some(summary) = Summary::of(samples) {
            self.durations.push(DurationSeries { family, labels, summary });
        }
    }

    /// Leaves out `what`, which `why` speaks against.
    pub(crate) fn miss(&mut self, what: &str, why: impl std::fmt::Display) {
        self.absent.push(format!("{what}: {why}"));
    }

    /// The round, unless nothing in it was to be measured.
    ///
    /// # Errors
    ///
    /// Everything that is missing, where that is all there is.
    pub(crate) fn complete(self) -> Result<Self, ProbeError> {
        if self.durations.is_empty() && self.gauges.is_empty() && !self.absent.is_empty() {
            Err(ProbeError::Failed(self.absent.join("; ")))
        } else {
            Ok(self)
        }
    }

    /// Adds a gauge.
    pub(crate) fn gauge(
        &mut self,
        family: &'static Family,
        labels: impl IntoIterator<Item = impl Into<LabelValue>>,
        value: f64,
    ) {
        let labels = labels.into_iter().map(Into::into).collect();
        self.gauges.push(GaugeSeries { family, labels, value });
    }
}

/// The probe of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Spec> {
    PROBES.iter().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_of_the_wire_knows_whose_a_family_is() {
        for spec in PROBES {
            for family in spec.families {
                let prefix = format!("tierprobe_{}_", spec.name);
                assert!(family.name.starts_with(&prefix), "{} of {}", family.name, spec.name);
                assert!(family.help.ends_with('.'), "{}", family.name);
            }
        }
    }
}
