//! A CPU that is wanted by others, real-time threads, and the memory of all processes.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use tierprobe_tests::hog::Hog;

use super::ours::Ours;
use super::place::Place;

/// The lost share of a CPU that a real-time program takes for 2 ms in 4: by the agent's gaps, and by the kernel's account of how long
/// the thread waited for its CPU (`/proc/thread-self/schedstat`) in the same rounds.
pub(super) fn lost(place: Place, agent: &Path, hog: &Path, ours: &Ours<'_>) -> anyhow::Result<(f64, f64)> {
    let mut command = place.pinned("chrt");
    // Where it did not run, the agent would measure a CPU that nobody else wants.
    let _hog = Hog::start(command.args(["-f", "1"]).arg(hog).args(["half", "2"]));
    let record = ours.record(&mut place.pinned(agent), Path::new("/var/tmp"))?;
    let mean = |family: &str| {
        let rounds = record.gauges.iter().find(|gauge| gauge.name == family).map(|gauge| &gauge.rounds);
        let rounds = rounds.with_context(|| format!("cpu has no {family}"))?;
        let sum: f64 = rounds.iter().map(|round| round.value).sum();
        anyhow::Ok(sum / f64::from(u32::try_from(rounds.len())?))
    };
    let lost = mean(ours.family)?;
    Ok((lost, lost - mean("tierprobe_cpu_unexplained_ratio")?))
}

/// Memory of the bench's own, much more than what comes and goes with either side's processes.
const HELD: usize = 256 << 20;

/// The agent's figure for anonymous memory and `smem`'s, while a process holds a known amount.
pub(super) fn anonymous(place: Place, agent: &Path, ours: &Ours<'_>) -> anyhow::Result<(f64, f64)> {
    // Other than zero, or the pages would be no memory.
    let held = vec![1_u8; HELD];
    let both = (ours.measure(&mut place.pinned(agent), Path::new("/var/tmp"))?, anonymous_of_all()?);
    drop(std::hint::black_box(held));
    Ok(both)
}

/// `smem`'s sum: the anonymous part of each process's share of memory, over all of them, in bytes.
fn anonymous_of_all() -> anyhow::Result<f64> {
    let mut kilobytes = 0.0;
    for process in std::fs::read_dir("/proc")? {
        let process = process?;
        // `self` and `thread-self` are this process a second and a third time.
        if !process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let path = process.path().join("smaps_rollup");
        // Kernel threads have none, and processes end.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")).unwrap_or("0");
        kilobytes += number.trim().parse::<f64>()?;
    }
    Ok(kilobytes * 1024.0)
}

/// How long `cyclictest`'s main thread sleeps at a time.
const SLEEP: Duration = Duration::from_millis(10);

/// Does something while a thread on the CPU sleeps and wakes, as `cyclictest`'s main thread does: the CPU then is idle for
/// shorter times, and is woken the sooner.
pub(super) fn beside_a_sleeper<T>(
    place: Place,
    what: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut cpu = CpuSet::new();
    cpu.set(place.cpu)?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            sched_setaffinity(Pid::from_raw(0), &cpu)?;
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(SLEEP);
            }
            anyhow::Ok(())
        });
        let done = what();
        is_over.store(true, Ordering::Relaxed);
        sleeper.join().unwrap_or_else(|_| anyhow::bail!("the sleeper has died"))?;
        done
    })
}

/// The agent as a real-time thread, which the kernel wakes without slack and before all others.
pub(super) fn realtime(place: Place, agent: &Path) -> Command {
    let mut command = place.pinned("chrt");
    command.args(["-f", "1"]).arg(agent);
    command
}
