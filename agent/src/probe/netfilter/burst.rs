//! A burst of round trips at a fixed rate, each timed from when it was due.

use std::io::Result;
use std::net::{SocketAddr, UdpSocket};

use crate::measure::{Samples, seconds};
use crate::probe::network::loopback;
use crate::probe::network::peer::exchange::Udp;
use crate::probe::network::peer::tally::Tally;
use crate::probe::network::{SHORT_BYTES, answer};
use crate::probe::partner::Partner;
use crate::sys::clock;
use crate::sys::thread::{self, Cpu};

/// Round trips, and the time from one to the next.
const SAMPLES: usize = 300;
const PERIOD_NANOS: u64 = 10_000_000;

/// Longest time of a burst: what is lost takes time, and the others are behind then.
const LONGEST_NANOS: u64 = 3_500_000_000;

/// A burst to `peer`, or over loopback with the partner on the same `cpu`: the samples, and how many were lost.
pub(super) fn run(
    partner: &mut Option<Partner>,
    peer: Option<SocketAddr>,
    cpu: Cpu,
) -> std::result::Result<(Samples, u64), String> {
    let text = |error: std::io::Error| error.to_string();
    if let Some(address) = peer {
        let mut udp = Udp::open(address, SHORT_BYTES).map_err(text)?;
        let mut tally = Tally::default();
        return Ok(timed(|| udp.exchange(&mut tally).map(|answered| answered.at)));
    }
    let (ours, theirs) = loopback::address().and_then(loopback::pair).map_err(text)?;
    let partner = Partner::in_place(partner).map_err(|error| error.to_string())?;
    let answer = move || answer::udp(&theirs, SHORT_BYTES);
    partner.play(cpu, answer, || over_loopback(&ours)).map_err(text)
}

fn over_loopback(ours: &UdpSocket) -> Result<(Samples, u64)> {
    let mut message = [0; SHORT_BYTES];
    let result = timed(|| {
        ours.send(&message).ok()?;
        ours.recv(&mut message).ok()?;
        Some(clock::monotonic_nanos())
    });
    // An empty datagram ends the echo.
    ours.send(&[])?;
    Ok(result)
}

/// Has `exchange` run at a fixed rate, whenever the one before has ended: a late one does not excuse the next, and what
/// there was no time for is lost. `exchange` gives when the reply was there.
fn timed(mut exchange: impl FnMut() -> Option<u64>) -> (Samples, u64) {
    let mut warm = Vec::with_capacity(SAMPLES);
    let mut lost = 0;
    let start = clock::monotonic_nanos();
    let mut deadline = start;
    for _ in 0..SAMPLES {
        deadline += PERIOD_NANOS;
        if thread::sleep_until(deadline).is_err() {
            // Without sleep the messages would follow on one another, and be a load of their own.
            break;
        }
        let is_over = clock::monotonic_nanos().saturating_sub(start) > LONGEST_NANOS;
        let replied = if is_over { None } else { exchange() };
        match replied {
            Some(replied) => warm.push(seconds(replied.saturating_sub(deadline))),
            None => lost += 1,
        }
    }
    (Samples { cold: None, warm }, lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_counts_for_everything_that_was_due_in_it() {
        let mut calls = 0;
        let (samples, lost) = timed(|| {
            calls += 1;
            if calls == 10 {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            (calls != 20).then(clock::monotonic_nanos)
        });
        assert_eq!((samples.warm.len(), lost), (SAMPLES - 1, 1));
        let late = samples.warm.iter().filter(|delay| **delay > 0.05).count();
        assert!(late >= 14, "{late} of the twenty that were due in 200 ms");
    }
}
