//! # What is measured
//!
//! How many packet filter rules there are in the agent's network namespace, without reading them. The tables of legacy
//! iptables tell their size; only those are asked for that `/proc/net/ip_tables_names` lists, because asking for another
//! one would make it. Of nf_tables the generation is asked for, and the rules are counted when it has changed, at most
//! every five minutes and up to 20,000; of more there is no count. Tables that are not called as iptables calls them
//! are `other`.
//!
//! A table that has another size, and another generation, are rewrites. The agent looks for them once a second, between
//! rounds, and follows one with a burst: 300 round trips of 64 bytes, 100 a second, over UDP to the first peer or else
//! over loopback on one CPU, each from the instant at which it was due until its reply, so that a late start counts.
//! There is one burst after a rewrite in five minutes at most (`window="rewrite"`), and after it one more as its control
//! when ten seconds have passed without a rewrite (`window="quiet"`), which is dropped if one comes into it. The claim
//! that rewrites cost jitter is the difference of the two.
//!
//! # What distorts it
//!
//! An entry is no rule: legacy counts two entries for each chain that a user made, and so do the numbers here; those of
//! the hooks are taken off. A rewrite of a legacy table to the same size, or one that is undone within a second, is not
//! seen. A generation counts transactions,
//! also those that change a set and no rule. A rewrite is noticed up to a second after it was committed, and what its
//! program did before that is not in the burst, unless the next rewrite follows: kube-proxy and its like come in series.
//! The kernel would tell of each commit at once, but for a listener it writes a message a rule in every commit, which
//! costs what is to be measured. What is lost is in no quantile; it is counted apart.
//! A rewrite keeps its CPU busy in the kernel, for tenths of a second with thousands of rules: whoever shares that CPU
//! waits for it where the kernel is not preemptible, and a burst is on another CPU than the rewrite as often as not.
//! Agents with the same first peer that are rewritten at once burst at once, and it answers a thousand messages a
//! second; what it drops is lost. Agents that take turns by slot burst in no slot but their own, which is never in time: they do not.
//!
//! # Cost
//!
//! A wake-up and a few system calls a second, about 50 µs of CPU time, which the budget pays and the probe's own count
//! does not show; a count of 5,000 nf_tables rules 17 ms; a burst some 30 ms over loopback, within three seconds, and
//! more where many rules cost each packet. `CAP_NET_ADMIN` is needed; without it the probe is unsupported and costs
//! nothing.

mod burst;
mod legacy;
mod nft;
mod window;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use nix::errno::Errno;
use tierprobe_model::{Family, Kind};

use super::partner::Partner;
use super::{Helpers, Placement, Probe, ProbeError, Round, Site, Spec};
use crate::host::HostFs;
use crate::measure::real;
use crate::sys::clock;
use legacy::Legacy;
use nft::Nft;
use window::{Window, Windows};

const RULES: Family = Family {
    name: "tierprobe_netfilter_rules",
    help: "Packet filter rules; of nf_tables counted at most every five minutes, and tables by other names than iptables' together.",
    kind: Kind::Gauge,
    labels: &["backend", "family", "table"],
};
const REWRITES: Family = Family {
    name: "tierprobe_netfilter_rewrites_total",
    help: "Rewrites that were noticed: transactions of nf_tables, and legacy tables that had another size.",
    kind: Kind::Counter,
    labels: &["backend"],
};
const BURST: Family = Family {
    name: "tierprobe_netfilter_burst_delay_seconds",
    help: "Time from when a message of a burst was due until its reply, after a rewrite and in a quiet time as control.",
    kind: Kind::Duration,
    labels: &["window"],
};
const BURST_LOST: Family = Family {
    name: "tierprobe_netfilter_burst_lost_total",
    help: "Messages of bursts that got no reply in time.",
    kind: Kind::Counter,
    labels: &["window"],
};

/// Packet filters.
pub(super) const SPEC: Spec = Spec {
    name: "netfilter",
    measures: "how many packet filter rules there are, when they are rewritten, and the delay of packets after that",
    interval: super::USUAL_INTERVAL,
    operations: Some(1),
    // Whether a rewrite makes a program wait for its CPU is what a burst asks.
    measures_waiting: true,
    pauses_under_pressure: false,
    families: &[&RULES, &REWRITES, &BURST, &BURST_LOST],
    prepare,
};

/// Rules by family and table.
type Rules = BTreeMap<(&'static str, &'static str), u32>;

/// The tables of iptables, which iptables-nft calls by the same names.
const TABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];

/// A table's name as a label value.
fn table_label(name: &str) -> &'static str {
    TABLES.into_iter().find(|table| *table == name).unwrap_or("other")
}

fn prepare(site: &Site<'_>) -> Result<Box<dyn Probe>, ProbeError> {
    if !site.fs.is_live() {
        return Err(ProbeError::unsupported("the packet filter of another root's host cannot be asked"));
    }
    if !is_administrator(site.fs) {
        let why = "the kernel tells of packet filters only with CAP_NET_ADMIN";
        return Err(ProbeError::unsupported(why));
    }
    Ok(Box::new(Netfilter {
        fs: site.fs.clone(),
        legacy: Legacy::default(),
        nft: Nft::new(site.fs),
        rewrites: [0; 2],
        windows: Windows::default(),
        lost: [0; Window::ALL.len()],
        partner: None,
        peer: site.settings.network.peers.first().map(|peer| peer.address),
    }))
}

/// Whether the agent has `CAP_NET_ADMIN` (capabilities(7)), by its own status.
fn is_administrator(fs: &HostFs) -> bool {
    const CAP_NET_ADMIN: u32 = 12;
    let status = fs.text("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set >> CAP_NET_ADMIN & 1 == 1)
}

struct Netfilter {
    fs: HostFs,
    legacy: Legacy,
    nft: Nft,
    /// Rewrites so far, of legacy tables and of nf_tables.
    rewrites: [u64; 2],
    windows: Windows,
    lost: [u64; Window::ALL.len()],
    /// Answers bursts over loopback; started by the first of them.
    partner: Option<Partner>,
    peer: Option<SocketAddr>,
}

impl Probe for Netfilter {
    fn measure(&mut self, placement: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        // First, while the rewrite is fresh.
        if let Some(window) = self.windows.take(clock::monotonic_nanos()) {
            self.burst(window, placement, &mut round).map_err(refused)?;
        }
        let looked = self.legacy.find_tables(&self.fs);
        if let Err(error) = looked {
            round.absent.push(format!("rules of legacy iptables: {error}"));
        }
        self.nft.find(&self.fs);
        self.look().map_err(refused)?;
        let now = clock::monotonic_nanos();
        match self.nft.rules(now) {
            Ok(()) => {}
            Err(errno @ (Errno::EINTR | Errno::EOVERFLOW)) => {
                round.absent.push(format!("rules of nf_tables: {}", errno.desc().to_lowercase()));
            }
            Err(errno) => return Err(refused(errno)),
        }
        self.report(&mut round);
        Ok(round)
    }

    fn take_helpers(&mut self) -> Helpers {
        self.partner.as_mut().map_or_else(Helpers::default, Partner::take)
    }

    fn listens(&self) -> bool {
        true
    }

    fn has_news(&mut self) -> bool {
        // Whoever cannot ask now says so in the next round.
        let _ = self.look();
        self.windows.has_news(clock::monotonic_nanos())
    }
}

impl Netfilter {
    /// Looks for rewrites.
    fn look(&mut self) -> Result<(), Errno> {
        let found = [self.legacy.rewrites()?, self.nft.rewrites()?];
        for (total, found) in self.rewrites.iter_mut().zip(found) {
            *total += found;
        }
        if found.iter().any(|found| *found > 0) {
            self.windows.rewritten(clock::monotonic_nanos());
        }
        Ok(())
    }

    fn burst(&mut self, window: Window, placement: Placement, round: &mut Round) -> Result<(), Errno> {
        let result = burst::run(&mut self.partner, self.peer, placement.cpu);
        // A rewrite in the control would make it one more burst after a rewrite.
        self.look()?;
        // Also after one that failed: the next try is as far away.
        let is_good = self.windows.done(window, clock::monotonic_nanos());
        let (samples, lost) = match result {
            Ok(taken) => taken,
            Err(why) => {
                round.absent.push(format!("burst: {why}"));
                return Ok(());
            }
        };
        if is_good {
            self.windows.measured(window);
            round.add(&BURST, None, [window.as_str()], samples);
            if let Some(total) = self.lost.get_mut(window as usize) {
                *total += lost;
            }
        }
        Ok(())
    }

    fn report(&self, round: &mut Round) {
        for (backend, rules) in [("legacy", self.legacy.rules()), ("nft", self.nft.counted())] {
            for ((family, table), count) in rules {
                round.gauge(&RULES, [backend, *family, *table], f64::from(*count));
            }
        }
        for (backend, total) in ["legacy", "nft"].into_iter().zip(self.rewrites) {
            round.gauge(&REWRITES, [backend], real(total));
        }
        for (window, lost) in Window::ALL.into_iter().zip(self.lost) {
            if self.windows.has_been(window) {
                round.gauge(&BURST_LOST, [window.as_str()], real(lost));
            }
        }
    }
}

/// In a network namespace that belongs to another user namespace, the capability is not enough.
fn refused(errno: Errno) -> ProbeError {
    if matches!(errno, Errno::EPERM | Errno::EACCES) {
        let why = "the kernel refuses: CAP_NET_ADMIN of the network namespace's owner is needed";
        return ProbeError::unsupported(why);
    }
    ProbeError::failed("asking the packet filter", errno.desc().to_lowercase())
}
