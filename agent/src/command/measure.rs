//! `measure`: some rounds, then the result.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use tierprobe_model::record::Outcome;
use tierprobe_model::{Kind, Unit};

use crate::cli::{MeasureArgs, MeasureFormat};
use crate::config::find_probe;
use crate::echo::Echo;
use crate::probe::{PROBES, Spec};
use crate::process::ProcessStats;
use crate::record::{Recorder, measure};
use crate::snapshot::{LastRound, Snapshot};
use crate::{detect, export, locate, runner};

pub(super) fn run(args: &MeasureArgs) -> anyhow::Result<ExitCode> {
    let specs = specs(&args.probes)?;
    let settings = args.settings.clone().settings()?;
    let machine = args.paths.machine()?;
    let place = Arc::new(locate(&machine));
    let instance = args.instance.clone().unwrap_or_else(|| place.host.name.clone());
    let snapshot = Snapshot::new(Arc::clone(&place), &specs);
    let _echo = Echo::start(&settings.network.echo_addresses, &place.host.boot_id)?;

    let bar = progress_bar(args.rounds);
    // On a thread of its own: it is pinned, and the first thread's affinity says where it may go next.
    let recorder = std::thread::scope(|scope| {
        let measuring = super::measuring_thread().spawn_scoped(scope, || {
            let runner = runner(&specs, &settings, &machine.fs, &place.detection);
            measure(runner, snapshot, args.rounds, args.pause, |round| bar.set_position(u64::from(round)))
        });
        let measuring = measuring.context("cannot start the measuring thread")?;
        measuring.join().map_err(|_| anyhow!("the measuring thread has died"))
    })?;
    bar.finish_and_clear();

    let refused = recorder.refused_pause();
    let text = match args.format {
        MeasureFormat::Text => table(&recorder).into_bytes(),
        MeasureFormat::Prometheus => export::text(recorder.snapshot(), &ProcessStats::read())?,
        MeasureFormat::Json => {
            let mut text = serde_json::to_vec_pretty(&recorder.finish(instance))?;
            text.push(b'\n');
            text
        }
    };
    match &args.output {
        Some(path) => write_file(path, &text)?,
        None => super::print(&text)?,
    }
    match refused {
        None => Ok(ExitCode::SUCCESS),
        Some((rounds, errno)) => Err(anyhow!(
            "measured {rounds} of {} rounds: the kernel refuses to pause between them: {errno}",
            args.rounds
        )),
    }
}

fn specs(names: &[String]) -> anyhow::Result<Vec<&'static Spec>> {
    let wanted: Vec<&'static Spec> =
        names.iter().map(|name| find_probe("--probe", name)).collect::<Result<_, _>>()?;
    Ok(PROBES
        .iter()
        .filter(|spec| wanted.is_empty() || wanted.iter().any(|wanted| wanted.name == spec.name))
        .collect())
}

/// A bar on a terminal, nothing elsewhere. It is drawn between rounds only, so that drawing disturbs none.
fn progress_bar(rounds: u32) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::from(rounds));
    if let Ok(style) = ProgressStyle::with_template("measuring {bar:40} {pos}/{len} rounds, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// Writes next to the file and renames, so that a reader never sees half of it.
fn write_file(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("--output: cannot write {}", path.display()))
}

/// The last round's quantiles of every series.
fn table(recorder: &Recorder) -> String {
    let snapshot = recorder.snapshot();
    let mut text = detect::text::render(&snapshot.place.detection);
    let _infallible = writeln!(
        text,
        "\nthe last round{:<34} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "min", "p50", "p90", "p99", "max"
    );
    for state in &snapshot.probes {
        for series in &state.durations {
            let Some(quantiles) = series.quantiles else { continue };
            let values = quantiles.by_quantile().map(|(_, value)| Unit::Seconds.human(value));
            let _infallible =
                write!(text, "{:<48}", row_name(series.family.name, series.labels.iter().map(AsRef::as_ref)));
            for value in values {
                let _infallible = write!(text, " {value:>9}");
            }
            text.push('\n');
        }
        for series in state.gauges.iter().filter(|series| series.family.kind != Kind::Info) {
            let name = row_name(series.family.name, series.labels.iter().map(AsRef::as_ref));
            let _infallible = writeln!(text, "{name:<48} {:>19}", series.family.unit().human(series.value));
        }
        match &state.last {
            Some((outcome, reason)) if *outcome != Outcome::Ok => {
                let _infallible = writeln!(text, "{}: {outcome}: {reason}", state.spec.name);
            }
            _ => {}
        }
        for absent in &state.absent {
            let _infallible = writeln!(text, "{}: absent: {absent}", state.spec.name);
        }
        if let Some(LastRound { causes, .. }) = &state.round
            && !causes.is_empty()
        {
            let causes: Vec<&str> = causes.iter().map(|cause| cause.as_str()).collect();
            let _infallible = writeln!(text, "{}: disturbed: {}", state.spec.name, causes.join(", "));
        }
    }
    text
}

/// `syscall getppid` for `tierprobe_syscall_seconds{syscall="getppid"}`.
fn row_name<'a>(family: &'a str, labels: impl Iterator<Item = &'a str>) -> String {
    let stem = family.trim_start_matches("tierprobe_");
    let stem = ["_seconds", "_bytes"].into_iter().find_map(|unit| stem.strip_suffix(unit)).unwrap_or(stem);
    std::iter::once(stem).chain(labels).collect::<Vec<_>>().join(" ")
}
