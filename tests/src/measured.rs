//! What `measure` found, as tests ask for it.

use std::path::Path;
use std::process::Command;

use tierprobe_model::record::{Labels, Outcome, Record};
use tierprobe_model::{Cause, Quantiles};

/// A record, with the questions that tests have.
#[derive(Debug)]
pub struct Measured(pub Record);

impl Measured {
    /// Runs `command`, an agent with `measure` and its flags, however it is confined.
    ///
    /// # Panics
    ///
    /// If it fails, with what it said.
    #[must_use]
    #[expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
    pub fn by(command: &mut Command) -> Self {
        let output = command.args(["--format", "json"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
        Self(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{said}")))
    }

    /// The quantiles of all rounds of a series.
    #[must_use]
    pub fn quantiles(&self, family: &str, labels: &[(&str, &str)]) -> Vec<Quantiles> {
        let families = self.0.families.iter().filter(|one| one.name == family);
        let series = families.flat_map(|one| &one.series).filter(|series| fits(&series.labels, labels));
        series.flat_map(|series| &series.rounds).map(|round| round.quantiles).collect()
    }

    /// The values of all rounds of a gauge.
    #[must_use]
    pub fn gauges(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let gauges = self.0.gauges.iter().filter(|gauge| gauge.name == name && fits(&gauge.labels, labels));
        gauges.flat_map(|gauge| &gauge.rounds).map(|round| round.value).collect()
    }

    /// How many rounds, of all series, were marked with `cause`, and of how many.
    #[must_use]
    pub fn marked(&self, cause: Cause) -> (usize, usize) {
        let series = self.0.families.iter().flat_map(|family| &family.series);
        let durations = series.flat_map(|series| &series.rounds).map(|round| &round.disturbed);
        let gauges = self.0.gauges.iter().flat_map(|gauge| &gauge.rounds).map(|round| &round.disturbed);
        let all: Vec<&Vec<Cause>> = durations.chain(gauges).collect();
        (all.iter().filter(|causes| causes.contains(&cause)).count(), all.len())
    }

    /// How a probe ended, and why.
    ///
    /// # Panics
    ///
    /// If it did not run.
    #[must_use]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn outcome(&self, probe: &str) -> (Outcome, &str) {
        let found = self.0.probes.iter().find(|one| one.name == probe);
        found.map(|one| (one.outcome, one.reason.as_str())).unwrap_or_else(|| panic!("{probe} did not run"))
    }
}

fn fits(labels: &Labels, wanted: &[(&str, &str)]) -> bool {
    wanted.iter().all(|(name, value)| labels.get(*name).is_some_and(|label| label == value))
}

/// The median; NaN of nothing.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// `measure` with these flags, of the agent at `program`.
#[must_use]
pub fn measuring(program: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("measure").args(flags);
    command
}
