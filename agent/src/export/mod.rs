//! From a snapshot to what Prometheus reads. The only user of the `prometheus` crate.

mod adapter;
mod echo;
pub mod families;
mod isolation;

use prometheus::{Encoder, TextEncoder};
use tierprobe_model::record::Outcome;
use tierprobe_model::{Cause, Detection, LayerKind};

use crate::process::ProcessStats;
use crate::snapshot::{Place, ProbeState, Skip, Snapshot};
use adapter::Exposition;
use families as f;

/// The content type of [`text`].
pub use prometheus::TEXT_FORMAT;

/// The text exposition format, version 0.0.4.
///
/// # Errors
///
/// What the encoder said; it refuses families without series, which are left out beforehand.
pub fn text(snapshot: &Snapshot, process: &ProcessStats) -> Result<Vec<u8>, prometheus::Error> {
    let mut exposition = Exposition::default();
    identity(&mut exposition, &snapshot.place);
    exposition.count(&f::TIER_CHANGES, &[], snapshot.tier_changes);
    for state in &snapshot.probes {
        probe(&mut exposition, &snapshot.place, state);
    }
    if let Some(counts) = &snapshot.echo {
        echo::add(&mut exposition, counts);
    }
    own_process(&mut exposition, process);
    let mut text = Vec::with_capacity(64 << 10);
    TextEncoder::new().encode(&exposition.finish(), &mut text)?;
    Ok(text)
}

/// Where the agent is and what it is.
fn identity(out: &mut Exposition, place: &Place) {
    let Place { detection, host, clock, detected } = place;
    out.value(
        &f::BUILD,
        &[env!("CARGO_PKG_VERSION"), option_env!("TIERPROBE_REVISION").unwrap_or("unknown")],
        1.0,
    );
    let [tier, names @ ..] = tier_labels(detection);
    let [hypervisor, vmm, runtime, orchestrator, cloud, kernel] = names;
    out.value(&f::TIER, &[tier, hypervisor, vmm, runtime, orchestrator, cloud, kernel], 1.0);
    out.value(&f::CONFIDENCE, &[], detection.confidence);
    out.value(&f::LAST_DETECTION, &[], *detected);
    out.value(&f::KERNEL, &[&host.release, &host.boot_id, &host.clocksource], 1.0);
    out.value(&f::HOST, &[&host.cpu_model, &host.arch], 1.0);
    out.value(&f::ISOLATION, &isolation_labels(detection), 1.0);
    isolation::add(out, &detection.isolation, detection.kernel);
    out.value(&f::CLOCK_READ, &[], clock.read_seconds);
    out.value(&f::CLOCK_TICK, &[], clock.tick_seconds);
}

/// The label values of [`families::TIER`].
#[must_use]
pub fn tier_labels(detection: &Detection) -> [&str; 7] {
    let layer = |kind| detection.layer(kind).unwrap_or("");
    [
        detection.tier.as_str(),
        layer(LayerKind::Hypervisor),
        layer(LayerKind::Vmm),
        layer(LayerKind::Container),
        layer(LayerKind::Orchestrator),
        layer(LayerKind::Cloud),
        detection.kernel.as_str(),
    ]
}

/// The label values of [`families::ISOLATION`].
#[must_use]
pub fn isolation_labels(detection: &Detection) -> [&str; 2] {
    let isolation = &detection.isolation;
    let no_new_privs = match isolation.no_new_privs {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    };
    [isolation.seccomp.map_or("", tierprobe_model::Seccomp::as_str), no_new_privs]
}

/// What one probe measured, and how its runs went.
fn probe(out: &mut Exposition, place: &Place, state: &ProbeState) {
    let name = state.spec.name;
    if let Some(resolution) = resolution_seconds(place, state) {
        out.value(&f::RESOLUTION, &[name], resolution);
    }
    if let Some((outcome, _)) = &state.last {
        let supported = *outcome != Outcome::Unsupported;
        out.value(&f::SUPPORTED, &[name], f64::from(u8::from(supported)));
        if supported {
            out.value(&f::UP, &[name], f64::from(u8::from(*outcome == Outcome::Ok)));
        }
    }
    for (outcome, count) in Outcome::ALL.iter().zip(state.runs) {
        // What does not exist here never will, and the others never were unsupported.
        if *outcome != Outcome::Unsupported || count > 0 {
            out.count(&f::RUNS, &[name, outcome.as_str()], count);
        }
    }
    for (cause, count) in Cause::ALL.iter().zip(state.disturbed) {
        // Causes that never were would be half of all series.
        if count > 0 {
            out.count(&f::DISTURBED, &[name, cause.as_str()], count);
        }
    }
    for (reason, count) in Skip::ALL.iter().zip(state.skipped) {
        if count > 0 {
            out.count(&f::SKIPPED, &[name, reason.as_str()], count);
        }
    }
    out.value(&f::CPU, &[name], state.cpu.as_secs_f64());
    if let Some(round) = &state.round {
        out.value(&f::LAST_ROUND, &[name], round.timestamp);
        out.value(&f::LAST_DISTURBED, &[name], f64::from(u8::from(!round.causes.is_empty())));
        for series in &state.durations {
            out.duration(series);
        }
    }
    for series in &state.gauges {
        let labels: Vec<&str> = series.labels.iter().map(AsRef::as_ref).collect();
        out.value(series.family, &labels, series.value);
    }
}

/// The smallest difference that a sample of this probe can show.
#[must_use]
pub fn resolution_seconds(place: &Place, state: &ProbeState) -> Option<f64> {
    state.spec.operations.map(|operations| place.clock.tick_seconds / f64::from(operations.max(1)))
}

/// The agent's own process, under the names that all exporters use.
fn own_process(out: &mut Exposition, process: &ProcessStats) {
    let values = [
        (&f::PROCESS_CPU, process.cpu_seconds),
        (&f::PROCESS_RESIDENT, process.resident_bytes),
        (&f::PROCESS_VIRTUAL, process.virtual_bytes),
        (&f::PROCESS_START, process.start_seconds),
        (&f::PROCESS_THREADS, process.threads),
        (&f::PROCESS_OPEN_FILES, process.open_files),
        (&f::PROCESS_MAX_FILES, process.max_files),
    ];
    for (family, value) in values {
        if let Some(value) = value {
            out.value(family, &[], value);
        }
    }
}
