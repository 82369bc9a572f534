//! Agents that are none: they show what a test wants them to, and remember which rounds they have shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use crate::answering::now;
use crate::answering::{Agents, Answering, Clock, Place, end_of, every};

/// Hosts behind one address; host `N` is at `/N/metrics`.
#[derive(Debug)]
pub struct Fleet {
    answering: Answering,
    round: Duration,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    /// Which rounds each host has shown, and when the last byte of the answer was sent, in seconds since the epoch.
    shown: Mutex<BTreeMap<usize, BTreeMap<u64, f64>>>,
}

impl Fleet {
    /// Starts answering on a free port of the loopback interface; a new round begins every `round`.
    ///
    /// # Panics
    ///
    /// If there is no port.
    #[must_use]
    pub fn start(round: Duration) -> Self {
        let shared = Arc::new(Shared { clock: every(round), shown: Mutex::default() });
        Self { answering: Answering::start(1, Arc::clone(&shared)), round, shared }
    }

    /// Where a host is scraped.
    #[must_use]
    pub fn url(&self, host: usize) -> String {
        let address = self.answering.addresses().first().map(SocketAddr::to_string).unwrap_or_default();
        format!("http://{address}/{host}/metrics")
    }

    /// The rounds that a host has shown, by number, with the time when that was.
    #[must_use]
    pub fn shown(&self, host: usize) -> BTreeMap<u64, f64> {
        let shown = self.shared.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.get(&host).cloned().unwrap_or_default()
    }

    /// When a round ended, in seconds since the epoch.
    #[must_use]
    pub fn end_of(&self, round: u64) -> f64 {
        end_of(self.round, round)
    }
}

impl Agents for Shared {
    fn show(&self, place: Place<'_>) -> Option<(String, u64)> {
        let (round, end) = (self.clock)();
        Some((exposition(host(place)?, end, round), round))
    }

    fn was_shown(&self, place: Place<'_>, round: u64) {
        if let Some(host) = host(place) {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.entry(host).or_default().entry(round).or_insert_with(now);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// The host whose page it is.
fn host(place: Place<'_>) -> Option<usize> {
    place.path.split('/').nth(1)?.parse().ok()
}

/// What a host shows: even hosts are virtual machines at 200 ns a call, odd ones containers at 250 ns, two per cent
/// more or less by host and by round.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn exposition(host: usize, end: f64, round: u64) -> String {
    let tier = if host.is_multiple_of(2) { "vm" } else { "container" };
    let base = if host.is_multiple_of(2) { 200e-9 } else { 250e-9 };
    let spread = |step: u64| (step * 7919 % 41) as f64 / 1000.0 - 0.02;
    let value = base * (1.0 + spread(host as u64 + 3)) * (1.0 + spread(round));
    format!(
        "# TYPE tierprobe_tier_info gauge\n\
         tierprobe_tier_info{{tier=\"{tier}\"}} 1\n\
         # TYPE tierprobe_tier_confidence_ratio gauge\n\
         tierprobe_tier_confidence_ratio 0.99\n\
         # TYPE tierprobe_kernel_info gauge\n\
         tierprobe_kernel_info{{boot_id=\"{host}\",release=\"6.1\",clocksource=\"tsc\"}} 1\n\
         # TYPE tierprobe_probe_resolution_seconds gauge\n\
         tierprobe_probe_resolution_seconds{{probe=\"syscall\"}} 1e-12\n\
         # TYPE tierprobe_probe_last_round_timestamp_seconds gauge\n\
         tierprobe_probe_last_round_timestamp_seconds{{probe=\"syscall\"}} {end}\n\
         # TYPE tierprobe_probe_last_round_disturbed gauge\n\
         tierprobe_probe_last_round_disturbed{{probe=\"syscall\"}} 0\n\
         # HELP tierprobe_syscall_round_seconds Time of one system call.\n\
         # TYPE tierprobe_syscall_round_seconds summary\n\
         tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"0\"}} {low}\n\
         tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"0.5\"}} {value}\n\
         tierprobe_syscall_round_seconds{{syscall=\"getppid\",quantile=\"1\"}} {high}\n\
         tierprobe_syscall_round_seconds_sum{{syscall=\"getppid\"}} 1\n\
         tierprobe_syscall_round_seconds_count{{syscall=\"getppid\"}} 100\n",
        low = value * 0.9,
        high = value * 1.5,
    )
}
