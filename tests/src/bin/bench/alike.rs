//! One agent's rounds as two instances: how often the collector calls them different.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use tierprobe_model::record::Record;
use tierprobe_tests::halves::{Tally, tally};

use crate::table::Table;

/// Rounds: fifty for each half, ten more than an interval needs, for those that are disturbed.
const ROUNDS: u32 = 100;

/// Deals, and of how many no difference is to be seen.
const DEALS: u32 = 100;
const GOAL: u32 = 95;

pub(crate) fn compare(agent: &Path, minutes: u32) -> anyhow::Result<Table> {
    let pause = f64::from(minutes) * 60.0 / f64::from(ROUNDS);
    eprintln!("Two halves of one agent's rounds, {ROUNDS} of them, {pause:.1} s apart:");
    let directory = tempfile::tempdir_in("/var/tmp").context("/var/tmp")?;
    let milliseconds = format!("{:.0}ms", pause * 1e3);
    let mut command = Command::new(agent);
    command.args(["measure", "--format", "json", "--rounds", &ROUNDS.to_string(), "--pause", &milliseconds]);
    let output = command.arg("--probe.storage.directory").arg(directory.path()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let record: Record = serde_json::from_slice(&output.stdout)?;
    let tallies = tally(&record, DEALS, 1.0);

    let mut by_probe: BTreeMap<&str, Vec<(&str, &Tally)>> = BTreeMap::new();
    for (row, tally) in &tallies {
        // What was never compared says nothing: a constant, or a probe that ran once.
        if tally.silent < DEALS {
            let probe = record.probes.iter().map(|probe| probe.name.as_str());
            let probe = probe
                .filter(|probe| row.starts_with(&format!("tierprobe_{probe}_")))
                .max_by_key(|name| name.len());
            by_probe.entry(probe.unwrap_or_default()).or_default().push((row, tally));
        }
    }
    let mut table = Table::new(
        format!("One agent as two: {DEALS} deals of {ROUNDS} rounds, {pause:.1} s apart"),
        &[
            "probe",
            "rows",
            "statements of no difference",
            "rows alike in 95 deals of 100",
            "worst row",
            "deals without a statement",
        ],
    );
    // Of the deals with a statement, in whole per cent, to the reader's disadvantage.
    let share = |tally: &Tally| 100 * tally.alike / (tally.alike + tally.different).max(1);
    let all: Vec<(&str, &Tally)> = by_probe.values().flatten().copied().collect();
    by_probe.insert("all", all);
    for (probe, rows) in by_probe {
        let met = rows.iter().filter(|(_, tally)| share(tally) >= GOAL).count();
        let worst = rows.iter().map(|(_, tally)| share(tally)).min().unwrap_or(0);
        let silent: u32 = rows.iter().map(|(_, tally)| tally.silent).sum();
        let statements = DEALS * u32::try_from(rows.len())?;
        let silent = format!("{silent} of {statements}");
        let [alike, different] = [0, 1].map(|at| {
            let counted = |(_, tally): &(&str, &Tally)| if at == 0 { tally.alike } else { tally.different };
            rows.iter().map(counted).sum::<u32>()
        });
        let stated = 100.0 * f64::from(alike) / f64::from((alike + different).max(1));
        table.row([
            probe.to_owned(),
            rows.len().to_string(),
            format!("{stated:.1} %"),
            met.to_string(),
            format!("{worst} %"),
            silent,
        ]);
        for (row, tally) in rows.iter().filter(|(_, tally)| probe != "all" && share(tally) < GOAL) {
            table.note(format!("{row}: alike in {} deals, different in {}", tally.alike, tally.different));
        }
    }
    Ok(table)
}
