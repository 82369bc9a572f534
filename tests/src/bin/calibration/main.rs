//! Whether the collector's intervals hold what they promise: simulated fleets through its own library.
//!
//! `make calibration` runs it and writes the tables into `collector/CALIBRATION.md`. It fails when a cell is outside
//! of what is promised of it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]
#![expect(clippy::cast_precision_loss, reason = "numbers of rounds are far below 2^52")]

mod beyond;
mod cells;
mod others;
mod single;
mod tally;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};

/// Where the tables go.
const BEGIN: &str = "<!-- calibration: begin -->";
const END: &str = "<!-- calibration: end -->";

/// Of equal tiers, at most so many may be called different.
const FALSE_VERDICTS: f64 = 0.05;

/// What is promised of each cell, and which cells break it.
#[derive(Debug)]
pub(crate) struct Checks {
    runs: u32,
    false_verdicts: Vec<f64>,
    broken: Vec<String>,
}

impl Checks {
    /// Notes a share that is outside of what is promised.
    pub(crate) fn band(&mut self, cell: &str, share: f64, low: f64, high: f64) {
        // Shares of whole runs: what is equal on paper must not fail by rounding.
        if share < low - 1e-9 || share > high + 1e-9 {
            self.broken.push(format!("{cell}: {share:.4} is not within {low:.4} to {high:.4}"));
        }
    }

    /// Notes how often equal tiers were called different. A cell may be above what is promised by two standard
    /// errors of a share of so many runs; all cells together may not.
    pub(crate) fn false_verdicts(&mut self, cell: &str, share: f64) {
        let luck = 2.0 * (FALSE_VERDICTS * (1.0 - FALSE_VERDICTS) / f64::from(self.runs)).sqrt();
        self.band(&format!("{cell}: false verdicts"), share, 0.0, FALSE_VERDICTS + luck);
        self.false_verdicts.push(share);
    }

    fn close(&mut self) {
        let cells = self.false_verdicts.len().max(1) as f64;
        let mean = self.false_verdicts.iter().sum::<f64>() / cells;
        self.band("false verdicts, all cells", mean, 0.0, FALSE_VERDICTS);
    }
}

fn main() -> anyhow::Result<()> {
    let mut document = None;
    let mut runs = 2000;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--write" => document = Some(PathBuf::from(value()?)),
            "--runs" => runs = value()?.parse().context("--runs takes a whole number")?,
            _ => bail!("unknown argument {argument}; there are --write FILE and --runs N"),
        }
    }
    let began = Instant::now();
    let mut checks = Checks { runs, false_verdicts: Vec::new(), broken: Vec::new() };
    let tables: [fn(u32, &mut Checks) -> String; 8] = [
        cells::plain,
        cells::hour,
        cells::shapes,
        beyond::fleets,
        beyond::ranks,
        single::hosts,
        others::cry_wolf,
        single::changes,
    ];
    let mut texts = Vec::new();
    for table in tables {
        texts.push(table(runs, &mut checks));
        eprintln!("{:.0} s", began.elapsed().as_secs_f64());
    }
    checks.close();
    let text = texts.join("\n");
    println!("{text}");
    for broken in &checks.broken {
        eprintln!("{broken}");
    }
    if let Some(path) = document {
        let old = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let (Some(begin), Some(end)) = (old.find(BEGIN), old.find(END)) else {
            bail!("{} has no place between {BEGIN} and {END}", path.display());
        };
        let (head, tail) = (old.get(..begin).unwrap_or_default(), old.get(end..).unwrap_or_default());
        std::fs::write(&path, format!("{head}{BEGIN}\n\n{text}\n{tail}"))?;
    }
    if !checks.broken.is_empty() {
        bail!("{} cells break their promise", checks.broken.len());
    }
    Ok(())
}

/// A table in Markdown: the first column is a name, the others are numbers.
pub(crate) fn table(head: &[&str], lines: &[Vec<String>]) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head);
    let rule: Vec<&str> = (0..head.len()).map(|at| if at == 0 { "---" } else { "---:" }).collect();
    text += &line(&rule);
    for cells in lines {
        text += &line(&cells.iter().map(String::as_str).collect::<Vec<&str>>());
    }
    text
}
