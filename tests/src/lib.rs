//! What tests share that need real programs.
//!
//! - [`need`]: finds a program, or says loudly that a test was skipped for want of it.
//! - [`program`]: a program that a test started, with its log and its end.
//! - [`binary`]: the static binaries, built once.
//! - [`agent`]: the agent, started on a free port.
//! - [`collector`]: the collector, serving.
//! - [`fake`]: agents that show what a test wants them to; [`simulated`]: such of full size, thousands of them if need
//!   be; [`answering`] answers for both.
//! - [`http`]: asks them.
//! - [`measured`]: what `measure` found; [`scrape`]: what a scrape found.
//! - [`chromium`]: a real browser without a screen; [`pages`]: what it is shown; [`inspection`]: what is wrong with it.
//! - [`fleet`]: simulated fleets whose true ratio is known; it needs no program.
//! - [`guest`]: a whole Debian in a virtual machine, which takes commands.
//! - [`halves`]: one agent's rounds as two instances; the collector must not tell them apart.
//! - [`confine`]: what a process may not do: seccomp filters, control groups, missing files.
//! - [`hog`]: a program that takes a CPU or memory from the others.
//! - [`dmidecode`]: the kernel's DMI files, from what `dmidecode` printed.
//! - [`namespace`]: network namespaces; [`relay`]: holds messages up for a known time.
//! - [`port`]: ports for those that cannot say theirs.
//! - [`prometheus`]: a real Prometheus server, and `promtool`; [`victoria`]: a real VictoriaMetrics.
//!
//! All of them fail by panicking with what the program said, as a test does.

pub mod agent;
pub mod answering;
pub mod binary;
pub mod chromium;
pub mod collector;
pub mod confine;
pub mod dmidecode;
pub mod fake;
pub mod fleet;
pub mod guest;
pub mod halves;
pub mod hog;
pub mod http;
pub mod inspection;
pub mod measured;
pub mod namespace;
pub mod need;
pub mod pages;
pub mod port;
pub mod program;
pub mod prometheus;
pub mod relay;
pub mod scrape;
pub mod simulated;
pub mod victoria;

use std::path::{Path, PathBuf};

use tierprobe_model::Tier;

/// A file of this repository by its path from the root.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Where a container is on a machine that is itself `host`.
#[must_use]
pub const fn contained(host: Tier) -> Tier {
    match host {
        Tier::BareMetal | Tier::Container => Tier::Container,
        Tier::Vm | Tier::ContainerInVm => Tier::ContainerInVm,
        Tier::MicroVm | Tier::ContainerInMicroVm => Tier::ContainerInMicroVm,
        Tier::Sandbox | Tier::Unknown => host,
    }
}
