//! The agent's figure.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use tierprobe_model::record::{Labels, Record};

use super::place::told;
use crate::table::median;

/// What of the agent's is held against a reference.
#[derive(Debug, Clone, Copy)]
pub(super) enum Figure {
    /// Median over the rounds of the p50 of a duration.
    Median,
    /// Median over the rounds of a gauge.
    GaugeMedian,
    /// Mean over the rounds of a gauge: of a share that a single round shows or does not.
    GaugeMean,
}

/// Which series, and how it is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    pub probe: &'a str,
    pub family: &'a str,
    pub labels: &'a [(&'a str, &'a str)],
    pub figure: Figure,
    pub rounds: u32,
    pub pause: &'a str,
    /// Pairs of each of the row's repeats, of whose ratios the median counts: more than one where the machine drifts
    /// faster than a pair takes.
    pub turns: usize,
}

impl Ours<'_> {
    /// Measures with `agent`, which is pinned already, as far as it is to be.
    pub(super) fn measure(&self, agent: &mut Command, directory: &Path) -> anyhow::Result<f64> {
        let record = self.record(agent, directory)?;
        let mut values = self.values(&record);
        if values.is_empty() {
            let why = record.probes.first().map(|probe| format!("{}: {}", probe.outcome, probe.reason));
            anyhow::bail!("{} has no {} {:?}: {why:?}", self.probe, self.family, self.labels);
        }
        Ok(match self.figure {
            Figure::Median | Figure::GaugeMedian => median(&mut values),
            Figure::GaugeMean => {
                values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).context("rounds")?)
            }
        })
    }

    /// All that the agent has to say of the probe.
    pub(super) fn record(&self, agent: &mut Command, directory: &Path) -> anyhow::Result<Record> {
        agent.args(["measure", "--format", "json", "--probe", self.probe, "--pause", self.pause]);
        agent.args(["--rounds", &self.rounds.to_string()]).arg("--probe.storage.directory").arg(directory);
        Ok(serde_json::from_str(&told(agent)?)?)
    }

    /// The value of each round; as in comparisons, of those that nothing disturbed, unless all were.
    fn values(&self, record: &Record) -> Vec<f64> {
        let fits = |labels: &Labels| {
            self.labels.iter().all(|(name, value)| labels.get(*name).is_some_and(|label| label == value))
        };
        let families = record.families.iter().filter(|family| family.name == self.family);
        let series = families.flat_map(|family| &family.series).find(|series| fits(&series.labels));
        let gauge = record.gauges.iter().find(|gauge| gauge.name == self.family && fits(&gauge.labels));
        let durations = series.into_iter().flat_map(|series| &series.rounds);
        let durations = durations.map(|round| (round.quantiles.p50, round.disturbed.is_empty()));
        let gauges = gauge.into_iter().flat_map(|gauge| &gauge.rounds);
        let gauges = gauges.map(|round| (round.value, round.disturbed.is_empty()));
        let all: Vec<(f64, bool)> = durations.chain(gauges).collect();
        let values = |clean: bool| {
            all.iter().filter(|(_, is_clean)| *is_clean || !clean).map(|(value, _)| *value).collect()
        };
        let clean: Vec<f64> = values(true);
        if clean.is_empty() { values(false) } else { clean }
    }
}
