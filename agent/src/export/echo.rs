//! What the echo service counts.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::adapter::Exposition;
use super::families as f;
use crate::echo::Counts;

/// Adds the counts of a service that is on.
pub(super) fn add(out: &mut Exposition, counts: &Counts) {
    for (protocol, messages) in [("udp", &counts.udp), ("tcp", &counts.tcp)] {
        let outcomes = [
            ("answered", &messages.answered),
            ("over_rate", &messages.over_rate),
            ("malformed", &messages.malformed),
        ];
        for (outcome, count) in outcomes {
            out.count(&f::ECHO_MESSAGES, &[protocol, outcome], count.load(Relaxed));
        }
    }
    let outcomes =
        [("accepted", &counts.accepted), ("refused", &counts.refused), ("timed_out", &counts.timed_out)];
    for (outcome, count) in outcomes {
        out.count(&f::ECHO_CONNECTIONS, &[outcome], count.load(Relaxed));
    }
    let cpu = Duration::from_nanos(counts.cpu_nanos.load(Relaxed));
    out.value(&f::ECHO_CPU, &[], cpu.as_secs_f64());
}
