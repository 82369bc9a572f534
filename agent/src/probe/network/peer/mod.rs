//! Round trips to another agent's echo service.

pub(in crate::probe) mod exchange;
pub(in crate::probe) mod tally;

use std::time::Duration;

use tierprobe_model::Quantiles;

use exchange::{Answered, Connect, Exchange, Tcp, Udp};
use tally::{Outcome, Tally};

use super::path::{self, Path};
use super::settings::Peer;
use super::{
    CONNECT, CONNECT_COLD, EXCHANGES, PEER_UP, ROUND_TRIP, ROUND_TRIP_COLD, SHORT_BYTES, Sizes, add_path,
};
use crate::echo::message::kernel_tag;
use crate::host::HostFs;
use crate::measure::{Samples, real, seconds};
use crate::probe::{Placement, Round};
use crate::sys::clock;

/// Warm samples of each kind of exchange, and what comes before them.
const SAMPLES: usize = 7;
const WARM_UP: usize = 2;

/// A way that is longer than this needs no warm-up: waking up the own end is a small part of it.
const LONG_WAY_NANOS: u64 = 2_000_000;

/// Time that one peer may take in a round. Whatever is not done by then is left out.
pub(super) const TIME_NANOS: u64 = 750_000_000;

/// Messages without an answer in a row after which the rest is left out.
const MOST_LOST_IN_A_ROW: u32 = 2;

/// Rounds after which the way is looked at anew.
const PATH_ROUNDS: u32 = 20;

/// A peer, and what is known of it.
#[derive(Debug)]
pub(super) struct State {
    peer: Peer,
    /// What became of all messages so far.
    totals: [u64; Outcome::ALL.len()],
    /// Whether it answered when it was asked last; `None` before that.
    is_up: Option<bool>,
    /// Rounds in a row without an answer, and rounds that it is left alone for that.
    failures: u32,
    rest: u32,
    path: Option<Result<Path, String>>,
    path_age: u32,
    /// What it met last, for people.
    reason: Option<String>,
}

/// Samples by where they were answered.
#[derive(Debug, Default)]
struct Sorted {
    same_cpu: Samples,
    cross_cpu: Samples,
    remote: Samples,
}

impl State {
    pub(super) const fn new(peer: Peer) -> Self {
        Self {
            peer,
            totals: [0; Outcome::ALL.len()],
            is_up: None,
            failures: 0,
            rest: 0,
            path: None,
            path_age: 0,
            reason: None,
        }
    }

    /// Adds what there is to say in this round.
    pub(super) fn measure(
        &mut self,
        fs: &HostFs,
        boot_id: &str,
        placement: Placement,
        may_ask: bool,
        round: &mut Round,
    ) {
        if self.rest > 0 {
            self.rest -= 1;
        } else {
            // Also where there is no time to ask: this sends nothing.
            self.find_path(fs);
            if may_ask {
                self.exchange(boot_id, placement, round);
            }
        }
        let name = self.peer.name.clone();
        for (outcome, total) in Outcome::ALL.iter().zip(self.totals) {
            if total > 0 || *outcome == Outcome::Answered {
                round.gauge(&EXCHANGES, [name.clone(), outcome.as_str().to_owned()], real(total));
            }
        }
        if let Some(is_up) = self.is_up {
            round.gauge(&PEER_UP, [name.clone()], f64::from(u8::from(is_up)));
        }
        let address = self.peer.address;
        match &self.path {
            Some(Ok(path)) => add_path(round, &name, path, address.ip()),
            Some(Err(reason)) => round.absent.push(format!("path to {name} ({address}): {reason}")),
            None => {}
        }
        if let Some(reason) = &self.reason {
            round.absent.push(format!("round trips to {name} ({address}): {reason}"));
        }
    }

    fn find_path(&mut self, fs: &HostFs) {
        if self.path_age == 0 {
            self.path = Some(path::find(fs, self.peer.address.ip()));
        }
        self.path_age = (self.path_age + 1) % PATH_ROUNDS;
    }

    fn exchange(&mut self, boot_id: &str, placement: Placement, round: &mut Round) {
        let address = self.peer.address;
        let mut messages = vec![("64", Sizes { udp: SHORT_BYTES, tcp: SHORT_BYTES })];
        if let Some(Ok(Path { mtu: Some(mtu), .. })) = &self.path {
            messages.push(("mtu", Sizes::of(address.ip(), *mtu)));
        }
        let mut tally = Tally::default();
        let kinds = u32::try_from(messages.len() * 2 + 1).unwrap_or(1);
        let end = clock::monotonic_nanos() + TIME_NANOS;
        let mut site = Site { boot_id, placement, end, left: kinds, is_our_kernel: false };
        for (size, bytes) in messages {
            let udp = site.samples(|| Udp::open(address, bytes.udp), &mut tally);
            self.add(round, "udp", size, udp);
            let tcp = site.samples(|| Tcp::open(address, bytes.tcp), &mut tally);
            self.add(round, "tcp", size, tcp);
        }
        // That its kernel takes connections does not say that it answers.
        self.is_up = Some(tally.of(Outcome::Answered) > 0);
        let connects = site.samples(|| Ok(Connect(address)), &mut tally);
        // A connection within one kernel is made on the CPU that asks for it, both ends of it.
        let placement = if site.is_our_kernel { "same_cpu" } else { "remote" };
        if site.is_our_kernel {
            round.answering_cpu += usual_time(&connects.remote);
        }
        self.take(&tally);
        // Only a reply says whose kernel it is.
        if self.is_up != Some(true) {
            return;
        }
        let labels = [self.peer.name.clone(), placement.to_owned()];
        round.add(&CONNECT, Some(&CONNECT_COLD), labels, connects.remote);
    }

    fn add(&self, round: &mut Round, protocol: &str, size: &str, sorted: Sorted) {
        round.answering_cpu += usual_time(&sorted.same_cpu);
        for (placement, samples) in sorted.by_placement() {
            let labels = [protocol, &self.peer.name, placement, size].map(str::to_owned);
            round.add(&ROUND_TRIP, Some(&ROUND_TRIP_COLD), labels, samples);
        }
    }

    fn take(&mut self, tally: &Tally) {
        for (total, outcome) in self.totals.iter_mut().zip(Outcome::ALL) {
            *total += u64::from(tally.of(outcome));
        }
        self.reason = tally.last().map(str::to_owned);
        if self.is_up == Some(true) {
            self.failures = 0;
        } else {
            // Twice as long each time, up to two minutes at defaults: waiting for nobody costs the others' time.
            self.failures = (self.failures + 1).min(3);
            self.rest = (1 << self.failures) - 1;
            self.path_age = 0;
        }
    }
}

/// What samples are taken with: who we are, where, and how much time is left for how many kinds of exchange.
struct Site<'a> {
    boot_id: &'a str,
    placement: Placement,
    end: u64,
    left: u32,
    /// Whether this kernel has answered something.
    is_our_kernel: bool,
}

impl Site<'_> {
    /// Samples of one kind of exchange, in its share of the time that is left.
    fn samples<E: Exchange>(
        &mut self,
        open: impl FnOnce() -> std::io::Result<E>,
        tally: &mut Tally,
    ) -> Sorted {
        let now = clock::monotonic_nanos();
        let end = now + self.end.saturating_sub(now) / u64::from(self.left.max(1));
        self.left = self.left.saturating_sub(1);
        let mut sorted = Sorted::default();
        if now < self.end {
            match open() {
                Ok(mut exchange) => self.take(&mut exchange, end, tally, &mut sorted),
                Err(error) => tally.failed(&error),
            }
        }
        sorted
    }

    fn take(&mut self, exchange: &mut impl Exchange, end: u64, tally: &mut Tally, sorted: &mut Sorted) {
        let mut lost = 0;
        let mut warm_up = WARM_UP;
        let mut taken = 0;
        // Reserved first: the allocator must not run between two samples.
        for samples in [&mut sorted.same_cpu, &mut sorted.cross_cpu, &mut sorted.remote] {
            samples.warm.reserve(SAMPLES);
        }
        let mut is_first = true;
        while taken < SAMPLES && lost < MOST_LOST_IN_A_ROW {
            let answered = exchange.once(tally);
            lost = if answered.is_some() { 0 } else { lost + 1 };
            if let Some(answered) = answered {
                let samples = self.place(&answered, sorted);
                if is_first {
                    samples.cold = Some(seconds(answered.nanos));
                    warm_up = if answered.nanos > LONG_WAY_NANOS { 0 } else { WARM_UP };
                } else if warm_up > 0 {
                    warm_up -= 1;
                } else {
                    samples.warm.push(seconds(answered.nanos));
                    taken += 1;
                }
            }
            is_first = false;
            if clock::monotonic_nanos() >= end {
                break;
            }
        }
    }

    /// Where this sample was answered: by this kernel, on which of its CPUs, or by another one.
    fn place<'s>(&mut self, answered: &Answered, sorted: &'s mut Sorted) -> &'s mut Samples {
        let reply = answered.reply;
        let is_ours =
            reply.kernel.is_some() && reply.kernel == kernel_tag(self.boot_id, reply.ticket.session);
        self.is_our_kernel |= is_ours;
        match reply.cpu.and_then(|cpu| usize::try_from(cpu).ok()) {
            Some(cpu) if is_ours && cpu == self.placement.cpu => &mut sorted.same_cpu,
            Some(_) if is_ours => &mut sorted.cross_cpu,
            _ => &mut sorted.remote,
        }
    }
}

/// How long exchanges on one CPU have taken if none was held up: whoever answered had less than that. By the median,
/// so that what held some of them up is no excuse.
fn usual_time(samples: &Samples) -> Duration {
    let mut warm = samples.warm.clone();
    let Some(quantiles) = Quantiles::of(&mut warm) else { return Duration::ZERO };
    // A cold one and those of warm-up are besides.
    let exchanges = u32::try_from(warm.len() + 1 + WARM_UP).unwrap_or(u32::MAX);
    Duration::from_secs_f64(quantiles.p50 * f64::from(exchanges))
}

impl Sorted {
    fn by_placement(self) -> [(&'static str, Samples); 3] {
        [("same_cpu", self.same_cpu), ("cross_cpu", self.cross_cpu), ("remote", self.remote)]
    }
}
