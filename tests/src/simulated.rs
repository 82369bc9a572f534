//! Simulated agents: expositions of full size with known values, on a port each.
//!
//! All of them are in this process and cost little, so thousands can be scraped by what is to be measured or tested.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::answering::{Agents, Answering, Clock, Place};
use crate::fleet::random::Random;
use crate::repository;

/// The tiers that agents are in, in turn, and what everything costs there.
const TIERS: [(&str, f64); 2] = [("vm", 1.0), ("container_in_vm", 1.2)];

/// One line of an exposition.
enum Line {
    Fixed(String),
    /// A series, and about what it shows.
    Value(String, f64),
    /// The end of the last round.
    Ended(String),
    /// Whether it was disturbed.
    Disturbed(String),
}

/// What agents show, with gaps for what differs.
pub struct Template {
    lines: Vec<Line>,
}

impl Template {
    /// The golden exposition as a template.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn golden() -> Self {
        let golden = std::fs::read_to_string(repository("tests/golden/exposition.prom")).unwrap();
        let lines = golden.lines().filter(|line| {
            let is_of = |name: &str| {
                line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with(name)
            };
            !is_of("tierprobe_tier_info") && !is_of("tierprobe_kernel_info")
        });
        let line = |line: &str| match line.strip_suffix(" VALUE") {
            None => Line::Fixed(line.to_owned()),
            Some(series) if series.contains("last_round_timestamp_seconds{") => {
                Line::Ended(series.to_owned())
            }
            Some(series) if series.contains("last_round_disturbed{") => Line::Disturbed(series.to_owned()),
            Some(series) => Line::Value(series.to_owned(), size(series)),
        };
        Self { lines: lines.map(line).collect() }
    }

    /// What agent number `agent` shows in a round.
    #[must_use]
    pub fn render(&self, agent: usize, round: u64, ended: f64) -> String {
        let (tier, factor) = TIERS.get(agent % TIERS.len()).copied().unwrap_or_default();
        let mut random =
            Random::new(u64::try_from(agent).unwrap_or(0).wrapping_mul(0x9e37).wrapping_add(round));
        let host = 1.0 + 0.01 * Random::new(u64::try_from(agent).unwrap_or(0)).normal();
        let mut text = String::with_capacity(64 * 1024);
        for line in &self.lines {
            // Writing to a String cannot fail.
            let _infallible = match line {
                Line::Fixed(line) => writeln!(text, "{line}"),
                Line::Value(series, size) if *size >= 1.0 => writeln!(text, "{series} {}", round + 1),
                Line::Value(series, size) => {
                    writeln!(text, "{series} {:e}", size * factor * host * (1.0 + 0.02 * random.normal()))
                }
                Line::Ended(series) => writeln!(text, "{series} {ended}"),
                Line::Disturbed(series) => {
                    writeln!(text, "{series} {}", u8::from(is_disturbed(agent, round)))
                }
            };
        }
        let _infallible = write!(
            text,
            "# TYPE tierprobe_kernel_info gauge\n\
             tierprobe_kernel_info{{boot_id=\"boot-{agent}\",clocksource=\"kvm-clock\",release=\"6.1.0\"}} 1\n\
             # TYPE tierprobe_tier_info gauge\n\
             tierprobe_tier_info{{hypervisor=\"kvm\",kernel=\"own\",tier=\"{tier}\",vmm=\"qemu\"}} 1\n"
        );
        text
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template of {} lines", self.lines.len())
    }
}

/// Every seventh round of an agent.
fn is_disturbed(agent: usize, round: u64) -> bool {
    u64::try_from(agent).unwrap_or(0).wrapping_add(round).is_multiple_of(7)
}

/// About what a series shows; 1 for what is counted.
fn size(series: &str) -> f64 {
    let name = series.split('{').next().unwrap_or_default();
    let counts = ["_bucket", "_sum", "_count", "_total", "_gaps", "_deadlines"];
    if counts.iter().any(|end| name.ends_with(end)) {
        return 1.0;
    }
    if name == "tierprobe_probe_resolution_seconds" {
        return 1e-12;
    }
    if name.ends_with("_bytes") {
        return 0.5e-3;
    }
    // Series apart from each other, always the same for the same one.
    let length = u32::try_from(series.len()).unwrap_or(0);
    if name.ends_with("_ratio") { 0.9 } else { 1e-7 * f64::from(length) }
}

/// Agents that answer.
#[derive(Debug)]
pub struct Simulated {
    answering: Answering,
}

/// What the agents show, and when which round.
struct Shown {
    template: Template,
    clock: Clock,
}

impl Agents for Shown {
    fn show(&self, place: Place<'_>) -> Option<(String, u64)> {
        let (round, ended) = (self.clock)();
        Some((self.template.render(place.port, round, ended), round))
    }

    fn was_shown(&self, _: Place<'_>, _: u64) {}
}

impl Simulated {
    /// Starts so many agents on ports of the loopback interface, which end with this value.
    ///
    /// # Panics
    ///
    /// If they cannot be started.
    #[must_use]
    pub fn start(agents: usize, clock: Clock) -> Self {
        // A listener and a connection each, and shells hand out a thousand files.
        if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let _refused = setrlimit(Resource::RLIMIT_NOFILE, most, most);
        }
        let shown = Arc::new(Shown { template: Template::golden(), clock });
        Self { answering: Answering::start(agents, shown) }
    }

    /// Host and port of each.
    pub fn addresses(&self) -> impl Iterator<Item = String> + '_ {
        self.answering.addresses().iter().map(SocketAddr::to_string)
    }
}
