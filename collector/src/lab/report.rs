//! What the lab itself has to say, beside the comparison: each tier's starts and memory, how fair the turns were,
//! and what did not run.

use std::collections::BTreeMap;

use serde::Serialize;
use tierprobe_model::Unit;

use super::launcher::{Reason, SharedCost};
use super::list::wrap;
use super::phase::{Clock, Measured};
use super::residue::Residue;
use super::starts::{Entrant, SETTLE, Start};
use super::turns::{Kept, ROUNDS_WANTED, Turns};
use crate::observation::Labels;
use crate::printable::printable;
use crate::report::Format;

/// The share of rounds outside their slot from which on the turns were not fair.
const UNFAIR: f64 = 0.02;
/// A guest's clock that is farther off at the end, in seconds, has left its slot.
const CLOCK_OFF_SECONDS: f64 = 0.1;

/// How many of the things are named that appeared during a run without carrying its name.
const MAX_OTHERS: usize = 3;

/// The object `lab` of the JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct LabReport {
    /// The name of the run.
    run: String,
    /// From one turn of an instance to its next, in seconds.
    interval_seconds: f64,
    /// How long all instances measured together, in seconds.
    duration_seconds: f64,
    /// From the first answer of an instance to the measurement of its memory, in seconds.
    settle_seconds: f64,
    /// What ran, also in part.
    tiers: Vec<TierReport>,
    /// What did not.
    skipped: Vec<Skipped>,
    /// What a reader must know before believing the numbers.
    warnings: Vec<String>,
}

/// What the lab knows of one tier.
#[derive(Debug, Serialize)]
struct TierReport {
    launcher: &'static str,
    description: &'static str,
    /// The tier, as the agent itself found it; absent where it did not come to measuring.
    tier: Option<String>,
    /// Everything that the agent said of where it is.
    labels: Labels,
    /// How a virtual machine ran: `kvm` or `tcg`.
    accel: Option<&'static str>,
    start_seconds_p50: Option<f64>,
    host_memory_bytes_p50: Option<f64>,
    starts: Vec<Start>,
    /// What serves all instances, and is in none of the numbers above.
    shared: Vec<SharedCost>,
    turns: Option<Kept>,
    clock: Option<Clock>,
    failed_scrapes: u32,
    /// What a reader must know of how it ran.
    note: Option<String>,
    /// Why it did not get to the end.
    failure: Option<String>,
}

/// A launcher that was not started at all.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    /// Which.
    pub(crate) launcher: &'static str,
    /// Why, and what helps.
    pub(crate) reason: Reason,
}

/// A line of the lab's table; 80 columns, unless an instance has more than two kinds of processes.
fn line(launcher: &str, tier: &str, start: &str, memory: &str) -> String {
    format!("{launcher:<10} {tier:<20} {start:>8}  {memory}\n")
}

impl LabReport {
    /// Puts it together.
    #[must_use]
    pub(crate) fn new(
        run: &str,
        entrants: &[Entrant<'_>],
        measured: &[Measured],
        skipped: Vec<Skipped>,
        turns: &Turns,
        duration: std::time::Duration,
    ) -> Self {
        let of = |entrant: &Entrant<'_>| measured.iter().find(|one| one.launcher == entrant.launcher.name());
        let tiers: Vec<TierReport> = entrants.iter().map(|one| TierReport::new(one, of(one))).collect();
        let mut warnings: Vec<String> = tiers.iter().flat_map(TierReport::warnings).collect();
        warnings.extend(kernel_memory_warning(&tiers));
        if duration < turns.interval() * ROUNDS_WANTED {
            warnings.push(format!(
                "{} s hold too few rounds for a statement on these instances: use --for {}s or more",
                duration.as_secs(),
                (turns.interval() * ROUNDS_WANTED).as_secs_f64().ceil()
            ));
        }
        Self {
            run: run.to_owned(),
            interval_seconds: turns.interval().as_secs_f64(),
            duration_seconds: duration.as_secs_f64(),
            settle_seconds: SETTLE.as_secs_f64(),
            tiers,
            skipped,
            warnings,
        }
    }

    /// Adds what the run left on the machine.
    pub(crate) fn note_residue(&mut self, residue: &Residue) {
        self.warnings.extend(residue.ours.iter().map(|thing| format!("left behind: {thing}")));
        let (shown, rest) = residue.others.split_at(residue.others.len().min(MAX_OTHERS));
        if !shown.is_empty() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let shown = shown.join(", ");
            self.warnings.push(format!("appeared during the run, perhaps not by it: {shown}{more}"));
        }
    }

    /// What has to be known beside the numbers: what all instances share, what did not run, and warnings.
    #[must_use]
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for tier in &self.tiers {
            let shared = tier.shared.iter().map(|one| format!("{} {}", one.name, human_bytes(one.pss_bytes)));
            let shared: Vec<String> = shared.collect();
            if !shared.is_empty() {
                notes.push(format!(
                    "{}: for all instances together, once: {}",
                    tier.launcher,
                    shared.join(", ")
                ));
            }
        }
        notes.extend(self.skipped.iter().map(|one| format!("{} was left out: {}", one.launcher, one.reason)));
        notes.extend(self.warnings.iter().cloned());
        notes
    }

    /// The lab's own table, with everything that has to be known beside it.
    #[must_use]
    pub(crate) fn text(&self, format: Format) -> String {
        let mut text = String::new();
        match format {
            Format::Json | Format::Html | Format::Csv => return text,
            Format::Table => {
                text.push_str(&line("launcher", "tier", "start", "memory on the host"));
            }
            Format::Markdown => {
                text.push_str("| launcher | tier | start | memory on the host |\n|---|---|---:|---:|\n");
            }
        }
        for tier in &self.tiers {
            let cells = tier.cells();
            match format {
                Format::Markdown => text.push_str(&format!("| {} |\n", cells.join(" | "))),
                Format::Table | Format::Json | Format::Html | Format::Csv => {
                    let [launcher, tier, start, memory] = &cells;
                    text.push_str(&line(launcher, tier, start, memory));
                }
            }
        }
        text.push('\n');
        for note in self.notes() {
            for (index, line) in wrap(&printable(&note), 76).into_iter().enumerate() {
                text.push_str(if index == 0 { "! " } else { "  " });
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

impl TierReport {
    fn new(entrant: &Entrant<'_>, measured: Option<&Measured>) -> Self {
        Self {
            launcher: entrant.launcher.name(),
            description: entrant.launcher.describe(),
            tier: measured.and_then(|one| one.collected.instance.labels.get("tier").cloned()),
            labels: measured.map(|one| one.collected.instance.labels.clone()).unwrap_or_default(),
            accel: entrant.accel,
            start_seconds_p50: entrant.median(|start| start.start_seconds),
            host_memory_bytes_p50: entrant.median(|start| bytes(start.host_memory.total_bytes)),
            starts: entrant.starts.clone(),
            shared: entrant.shared.clone(),
            turns: measured.map(|one| one.kept),
            clock: measured.and_then(|one| one.clock),
            failed_scrapes: measured.map_or(0, |one| one.failed_scrapes),
            note: entrant.note.clone(),
            failure: entrant.failure.clone(),
        }
    }

    fn cells(&self) -> [String; 4] {
        let launcher = match self.accel {
            Some(accel) => format!("{} ({accel})", self.launcher),
            None => self.launcher.to_owned(),
        };
        let start = self.start_seconds_p50.map(|seconds| Unit::Seconds.human(seconds)).unwrap_or_default();
        [launcher, self.tier.clone().unwrap_or_default(), start, self.memory_cell()]
    }

    /// The sum, and what it is made of at the middle start.
    fn memory_cell(&self) -> String {
        let Some(sum) = self.host_memory_bytes_p50 else { return String::new() };
        let middle = self.starts.iter().find(|start| bytes(start.host_memory.total_bytes) >= sum - 0.5);
        let parts = middle.map(|start| {
            let memory = &start.host_memory;
            // Processes of one name as one: bubblewrap has two.
            let mut parts: BTreeMap<&str, u64> = BTreeMap::new();
            for part in &memory.parts {
                *parts.entry(&part.process).or_default() += part.pss_bytes;
            }
            parts.extend(memory.kernel_bytes.map(|bytes| ("kernel", bytes)));
            parts
                .into_iter()
                .map(|(name, bytes)| format!("{name} {}", human_bytes(bytes)))
                .collect::<Vec<_>>()
        });
        match parts {
            Some(parts) if parts.len() > 1 => format!("{} ({})", Unit::Bytes.human(sum), parts.join(", ")),
            _ => Unit::Bytes.human(sum),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(failure) = &self.failure {
            warnings.push(format!("{} is out: {failure}", self.launcher));
        }
        warnings.extend(self.note.as_ref().map(|note| format!("{}: {note}", self.launcher)));
        let retries: u32 = self.starts.iter().map(|start| start.retries).sum();
        if retries > 0 {
            warnings.push(format!("{}: {retries} starts hung and were tried again", self.launcher));
        }
        if let Some(kept) = self.turns.filter(|kept| bytes_of(kept.outside) > UNFAIR * bytes_of(kept.rounds))
        {
            warnings.push(format!(
                "{}: {} of {} rounds ended outside its turn, by up to {}: it may have disturbed the others; use a \
                 longer --for, or fewer launchers",
                self.launcher,
                kept.outside,
                kept.rounds,
                Unit::Seconds.human(kept.worst_seconds)
            ));
        }
        warnings.extend(self.clock.and_then(|clock| clock_warning(self.launcher, clock)));
        warnings
    }
}

/// Sums with and without the kernel's part must not be compared unawares.
fn kernel_memory_warning(tiers: &[TierReport]) -> Option<String> {
    let started = tiers.iter().filter_map(|tier| Some((tier.launcher, tier.starts.last()?)));
    let (with, without): (Vec<_>, Vec<_>) =
        started.partition(|(_, start)| start.host_memory.kernel_bytes.is_some());
    let names = |side: &[(&str, &Start)]| side.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    (!with.is_empty() && !without.is_empty()).then(|| {
        format!(
            "memory: the sum includes what the kernel holds for the instance where that is known ({}); the others \
             ({}) have no control group of their own to read it from",
            names(&with),
            names(&without)
        )
    })
}

fn clock_warning(launcher: &str, clock: Clock) -> Option<String> {
    match (clock.set_within_seconds, clock.offset_at_end_seconds) {
        (None, _) => Some(format!("{launcher}: the guest's clock could not be set, its turns are not known")),
        (_, Some(offset)) if offset.abs() > CLOCK_OFF_SECONDS => Some(format!(
            "{launcher}: the guest's clock was off by {} in the end, so its turns moved",
            Unit::Seconds.human(offset.abs())
        )),
        _ => None,
    }
}

fn human_bytes(value: u64) -> String {
    Unit::Bytes.human(bytes(value))
}

#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^53 bytes")]
fn bytes(value: u64) -> f64 {
    value as f64
}

fn bytes_of(count: usize) -> f64 {
    bytes(u64::try_from(count).unwrap_or(u64::MAX))
}
