//! One run of the lab, from the first check to the last line of the report.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use super::args::Args;
use super::comparison::{self, Compared};
use super::elf;
use super::ending;
use super::launcher::{LAUNCHERS, Launcher, Machine, Reason};
use super::phase::{self, Measured};
use super::progress::Progress;
use super::report::{LabReport, Skipped};
use super::residue::Snapshot;
use super::session::Session;
use super::starts::{self, Entrant};
use super::stop::Stop;
use super::turns::Turns;
use crate::output;
use crate::report::{self, Format, Input};

/// How many tiers a comparison takes.
const MIN_TIERS: usize = 2;

/// What a run found out.
struct Outcome {
    report: LabReport,
    /// `None` where no two tiers got far enough, with the reason in its place.
    comparison: Result<Compared, String>,
}

/// Runs the lab.
///
/// # Errors
///
/// When no two tiers could be compared, when a signal ended the run, or when something was left behind.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    check_output(args)?;
    let agent = elf::find_agent(args.agent.as_deref())?;
    let machine = Machine::here(args.kernel.clone());
    let (launchers, skipped) = choose(args, &machine)?;
    let stop = Stop::on_signals()?;
    let before = Snapshot::take();

    let session = Session::begin(agent, stop, Progress::new())?;
    let outcome = measure(&session, &machine, args, &launchers, skipped);
    session.progress.say("cleaning up");
    let mut left = session.cleanup.finish();
    ending::reap_all();
    session.progress.finish();
    let residue = before.residue(&session.name, &session.folder);
    left.extend(residue.ours.iter().cloned());

    let error = match outcome {
        Ok(mut outcome) => {
            outcome.report.note_residue(&residue);
            publish(args, &outcome)?;
            outcome.comparison.err().map(|why| anyhow::anyhow!("nothing could be compared: {why}"))
        }
        Err(error) => Some(error),
    };
    match (error, left.is_empty()) {
        (None, true) => Ok(()),
        (None, false) => bail!("left behind: {}", left.join("; ")),
        (Some(error), true) => Err(error),
        (Some(error), false) => Err(error.context(format!("left behind: {}", left.join("; ")))),
    }
}

/// A wrong folder should be told before a run of minutes, not after it.
fn check_output(args: &Args) -> anyhow::Result<()> {
    let folder =
        args.output.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => bail!("cannot write there: {} is no folder", folder.display()),
        _ => Ok(()),
    }
}

/// The launchers to use, and those that cannot be used.
fn choose(args: &Args, machine: &Machine) -> anyhow::Result<(Vec<&'static dyn Launcher>, Vec<Skipped>)> {
    let mut usable = Vec::new();
    let mut skipped = Vec::new();
    let is_wanted = |name: &str| args.tier.is_empty() || args.tier.iter().any(|wanted| wanted == name);
    for launcher in LAUNCHERS.iter().copied().filter(|launcher| is_wanted(launcher.name())) {
        match launcher.check(machine) {
            Ok(_) => usable.push(launcher),
            Err(reason) => skipped.push(Skipped { launcher: launcher.name(), reason }),
        }
    }
    if usable.len() < MIN_TIERS {
        let reasons: Vec<String> =
            skipped.iter().map(|one| format!("{}: {}", one.launcher, one.reason)).collect();
        bail!(
            "a comparison needs {MIN_TIERS} tiers, {} can run here{}{}",
            usable.len(),
            if reasons.is_empty() { "" } else { "; " },
            reasons.join("; ")
        );
    }
    Ok((usable, skipped))
}

fn measure(
    session: &Session,
    machine: &Machine,
    args: &Args,
    launchers: &[&'static dyn Launcher],
    mut skipped: Vec<Skipped>,
) -> anyhow::Result<Outcome> {
    let mut entrants = Vec::new();
    for launcher in launchers {
        session.progress.say(&format!("{}: getting ready", launcher.name()));
        let mark = session.cleanup.mark();
        match launcher.prepare(session, machine) {
            Ok(starter) => entrants.push(Entrant::new(*launcher, starter)),
            Err(error) => {
                session.stop.check()?;
                for left in session.cleanup.back_to(mark) {
                    session.progress.note(&left);
                }
                let reason = Reason::new(format!("{error:#}"), "see what its own tools say");
                session.progress.note(&format!("{} cannot run here: {reason}", launcher.name()));
                skipped.push(Skipped { launcher: launcher.name(), reason });
            }
        }
    }
    let steps = entrants.len() * (usize::try_from(args.starts)? + 1);
    session.progress.expect(steps);
    starts::measure(session, &mut entrants, args.starts)?;

    let lengths: Vec<Duration> =
        entrants.iter().filter(|entrant| entrant.is_in()).map(Entrant::turn).collect();
    let count = lengths.len();
    let turns = Turns::plan(&lengths, args.duration);
    let mut duration = turns.duration(args.duration);
    if duration > args.duration {
        session.progress.note(&format!("{count} tiers take {} s for enough rounds", duration.as_secs()));
    }
    let mut measured = Vec::new();
    if count >= MIN_TIERS {
        (measured, duration) = phase::measure(session, &mut entrants, &turns, duration)?;
    }
    Ok(conclude(session, &entrants, measured, skipped, &turns, duration))
}

fn conclude(
    session: &Session,
    entrants: &[Entrant<'_>],
    measured: Vec<Measured>,
    skipped: Vec<Skipped>,
    turns: &Turns,
    duration: Duration,
) -> Outcome {
    let report = LabReport::new(&session.name, entrants, &measured, skipped, turns, duration);
    let comparison = comparison::compare(entrants, measured).map_err(|error| {
        let failures = entrants.iter().filter_map(|entrant| {
            Some(format!("{}: {}", entrant.launcher.name(), entrant.failure.as_ref()?))
        });
        std::iter::once(error.to_string()).chain(failures).collect::<Vec<_>>().join("; ")
    });
    Outcome { report, comparison }
}

/// Prints the result, and writes it to the file that was asked for.
fn publish(args: &Args, outcome: &Outcome) -> anyhow::Result<()> {
    if let Some(path) = &args.output {
        let format = format_of(path);
        output::write(&text(outcome, format)?, Some(path))?;
        // Whoever has it in a file has no use for the same in the terminal.
        if format == args.format {
            return Ok(());
        }
    }
    output::write(&text(outcome, args.format)?, None)
}

/// The form of a file, by its name.
fn format_of(path: &Path) -> Format {
    match path.extension().and_then(|end| end.to_str()) {
        Some("html" | "htm") => Format::Html,
        Some("csv") => Format::Csv,
        Some("md") => Format::Markdown,
        Some(_) | None => Format::Json,
    }
}

/// The result in one of its forms.
fn text(outcome: &Outcome, format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Json => document(outcome)?,
        Format::Table | Format::Markdown => {
            let comparison = rendered(outcome, format, &[])?.unwrap_or_default();
            format!("{}\n{comparison}", outcome.report.text(format))
        }
        Format::Html | Format::Csv => rendered(outcome, format, &outcome.report.notes())?.unwrap_or_default(),
    })
}

/// The comparison in one of its forms; `None` where there is none, which is an error of the run.
fn rendered(outcome: &Outcome, format: Format, notes: &[String]) -> anyhow::Result<Option<String>> {
    let Ok(Compared { comparison, dataset, options }) = &outcome.comparison else { return Ok(None) };
    report::render(&Input { notes, ..Input::new(comparison, dataset, options) }, format).map(Some)
}

/// The comparison's own document, and in it the lab's part.
fn document(outcome: &Outcome) -> anyhow::Result<String> {
    let mut document = match rendered(outcome, Format::Json, &[])? {
        Some(text) => serde_json::from_str(&text)?,
        None => serde_json::json!({ "schema": tierprobe_model::SCHEMA }),
    };
    if let Value::Object(fields) = &mut document {
        fields.insert("lab".to_owned(), serde_json::to_value(&outcome.report)?);
    }
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
