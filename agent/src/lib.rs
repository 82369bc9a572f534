//! Finds out which tier it runs on, measures what the place costs, and tells Prometheus.
//!
//! Data flows one way:
//!
//! - [`host`], [`mod@cpuid`], [`machine`]: the host's files and its CPUID, all that detection looks at.
//! - [`detect`]: from these to evidence, and from evidence to a verdict.
//! - [`isolation`]: what holds the agent in, and what could be better about it.
//! - [`bundle`]: what detection read, masked, as a host fixture.
//! - [`probe`]: what is measured; [`measure`] how samples are taken; [`mod@runner`] runs probes on a pinned thread;
//!   [`schedule`] says when, within [`budget`].
//! - [`lookout`]: finds out where the agent is, and notices that it may be elsewhere by now.
//! - [`mod@echo`]: answers other agents that time the way to this one.
//! - [`snapshot`]: the verdict and the latest round of each probe, the only shared state.
//! - [`export`]: from a snapshot to the Prometheus exposition; [`record`] to JSON; `http` answers with it.
//!
//! [`sys`] has the only unsafe code, [`hostinfo`] is the only user of `sysinfo`, [`export`] of `prometheus`.

pub mod budget;
pub mod bundle;
pub mod cgroup;
pub mod cli;
pub mod command;
pub mod config;
pub mod cpuid;
pub mod detect;
pub mod duration;
pub mod echo;
pub mod error;
pub mod export;
mod hash;
pub mod host;
pub mod hostinfo;
mod http;
pub mod isolation;
pub mod lookout;
pub mod machine;
pub mod measure;
pub mod metrics_doc;
mod printable;
pub mod probe;
pub mod process;
pub mod record;
pub mod runner;
pub mod schedule;
pub mod snapshot;
mod socket;
pub mod sys;
pub mod user_file;
mod waiting;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tierprobe_model::Detection;
use tierprobe_web::Limits;
use tokio::net::TcpListener;

pub use lookout::locate;

use config::Config;
use echo::Echo;
use host::HostFs;
use hostinfo::HostInfo;
use lookout::Lookout;
use machine::Machine;
use runner::Runner;
use schedule::{Stop, Timing};
use snapshot::{Board, Snapshot};

/// Stack of the measuring thread: probes keep their samples on the heap.
const MEASURING_STACK_BYTES: usize = 256 << 10;

/// Opens the listening sockets.
///
/// # Errors
///
/// The address, and what the system said about it.
pub async fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    Ok(tierprobe_web::listen(addresses, "agent").await?)
}

/// Measures and answers on `listeners` until `shutdown`.
///
/// # Errors
///
/// If the echo service or the measuring thread cannot be started.
pub async fn run(
    config: Config,
    machine: Machine,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let place = Arc::new(locate(&machine));
    let echo = Echo::start(&config.settings.network.echo_addresses, &place.host.boot_id)?;
    let mut first = Snapshot::new(Arc::clone(&place), &config.probes);
    first.echo = echo.as_ref().map(Echo::counts);
    let board = Arc::new(Board::new(first));
    let stop = Arc::new(Stop::default());
    let measuring = start_measuring(&config, machine, &place.host, &board, &stop)?;

    for listener in &listeners {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, tier = %place.detection.tier, "listening");
        }
    }
    let answers = Arc::new(http::Answers { board, telemetry_path: config.telemetry_path });
    let shutdown = async {
        shutdown.await;
        tracing::info!("shutting down");
    };
    tierprobe_web::serve(listeners, answers, Limits::default(), shutdown).await;
    stop.stop();
    let _panics_are_aborts = measuring.join();
    drop(echo);
    Ok(())
}

fn start_measuring(
    config: &Config,
    machine: Machine,
    host: &HostInfo,
    board: &Arc<Board>,
    stop: &Arc<Stop>,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let timing = Timing {
        slot: config.slot,
        interval: config.interval,
        budget: config.budget,
        pressure: config.pressure,
        phase_seed: phase_seed(&machine.fs, host),
    };
    let (fs, specs, settings) = (machine.fs.clone(), config.probes.clone(), config.settings.clone());
    let detect_interval = config.detect_interval;
    let (board, stop) = (Arc::clone(board), Arc::clone(stop));
    std::thread::Builder::new()
        .name("measure".to_owned())
        .stack_size(MEASURING_STACK_BYTES)
        .spawn(move || {
            // Here, so that the first answer does not wait for what is only needed seconds later.
            let mut lookout = Lookout::new(machine, detect_interval);
            let prepare = |detection: &Detection| runner(&specs, &settings, &fs, detection);
            schedule::run(prepare, &specs, timing, &mut lookout, &board, &stop);
        })
        .context("cannot start the measuring thread")
}

/// Probes that are ready to run where `detection` says.
#[must_use]
pub fn runner(
    specs: &[&'static probe::Spec],
    settings: &probe::Settings,
    fs: &HostFs,
    detection: &Detection,
) -> Runner {
    Runner::new(specs, &probe::Site { fs, tier: detection.tier, kernel: detection.kernel, settings })
}

/// A number that differs from machine to machine: the FNV-1a hash of the machine's id or, without one, of its boot's
/// and its name.
fn phase_seed(fs: &HostFs, host: &HostInfo) -> u64 {
    // Images have an empty one, or this word until the first boot (machine-id(5)).
    let is_one = |id: &String| !["", "uninitialized"].contains(&id.trim());
    let id = fs.text("/etc/machine-id").ok().filter(is_one);
    let id = id.unwrap_or_else(|| format!("{}{}", host.boot_id, host.name));
    hash::fnv_1a(id.trim().bytes())
}
