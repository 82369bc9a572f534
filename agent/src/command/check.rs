//! `check`: what works here, and why the rest does not.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tierprobe_model::record::Outcome;

use crate::cli::CheckArgs;
use crate::echo::Echo;
use crate::probe::{PROBES, Spec};
use crate::record::measure;
use crate::snapshot::Snapshot;
use crate::waiting::Waiting;
use crate::{detect, locate, runner};

/// Runs every probe once. Fails if one of them does.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let settings = args.settings.clone().settings()?;
    let machine = args.paths.machine()?;
    let place = Arc::new(locate(&machine));
    let specs: Vec<&'static Spec> = PROBES.iter().collect();
    let snapshot = Snapshot::new(Arc::clone(&place), &specs);
    let echo_addresses = &settings.network.echo_addresses;
    let _echo = Echo::start(echo_addresses, &place.host.boot_id)?;
    let recorder = std::thread::scope(|scope| {
        let checking = super::measuring_thread().spawn_scoped(scope, || {
            let runner = runner(&specs, &settings, &machine.fs, &place.detection);
            measure(runner, snapshot, 1, Duration::ZERO, |_| {})
        });
        let checking = checking.context("cannot start the measuring thread")?;
        checking.join().map_err(|_| anyhow!("the measuring thread has died"))
    })?;

    let mut text = detect::text::render(&place.detection);
    let clock = &place.clock;
    let _infallible = writeln!(
        text,
        "Clock {}: {:.0} ns a read, {:.0} ns a tick",
        place.host.clocksource,
        clock.read_seconds * 1e9,
        clock.tick_seconds * 1e9
    );
    let preemption = match Waiting::of_this_thread(&machine.fs) {
        Waiting::Delay(_) => "",
        Waiting::Switches(_) => {
            "Preemption is told by switches alone, as /proc/thread-self/schedstat tells no times: rounds of probes \
             with a partner on their own CPU are never marked\n"
        }
        Waiting::Unknown => "Preemption is not noticed: the kernel tells neither waits nor switches\n",
    };
    let _infallible = writeln!(text, "{preemption}");
    let mut failed = false;
    for state in &recorder.snapshot().probes {
        let (outcome, reason) =
            state.last.clone().unwrap_or_else(|| (Outcome::Failed, "did not run".to_owned()));
        failed |= outcome == Outcome::Failed;
        let detail = if outcome == Outcome::Ok {
            format!(
                "{} series, {:.2} ms of CPU",
                state.durations.len() + state.gauges.len(),
                state.cpu.as_secs_f64() * 1e3
            )
        } else {
            reason
        };
        let _infallible = writeln!(text, "{:<11} {:<12} {detail}", state.spec.name, outcome.as_str());
        for absent in &state.absent {
            let _infallible = writeln!(text, "{:<11} {:<12} {absent}", "", "absent");
        }
    }
    if !echo_addresses.is_empty() {
        let addresses: Vec<String> = echo_addresses.iter().map(ToString::to_string).collect();
        let _infallible =
            writeln!(text, "{:<11} {:<12} could answer on {}", "echo", "ok", addresses.join(", "));
    }
    super::print(text.as_bytes())?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
