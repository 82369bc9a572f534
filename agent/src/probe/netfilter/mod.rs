//! # What is measured
//!
//! How many packet filter rules there are in the agent's network namespace, without reading them. The tables of legacy
//! iptables tell their size; only those are asked for that `/proc/net/ip_tables_names` lists, because asking for another
//! one would make it. Of nf_tables the generation is asked for, and the rules are counted when it has changed, at most
//! every five minutes. First the chains say how often they are used, which is a use a rule and one more for each jump to
//! them, from a rule or an element of a map: where that adds up to more than 5,000, it is all that is said, as
//! `tierprobe_netfilter_rules_at_most`. With more than 20,000 chains there is no count. Tables that are not called as
//! iptables calls them are `other`.
//!
//! A table that has another size, and another generation, are rewrites. The agent looks for them every two seconds, between
//! rounds, and follows one with a burst: 300 round trips of 64 bytes, 100 a second, over UDP to the first peer or else
//! over loopback on one CPU, each from the instant at which it was due until its reply, so that a late start counts.
//! There is one burst after a rewrite in five minutes at most (`window="rewrite"`), and after it one more as its control
//! when ten seconds have passed without a rewrite (`window="quiet"`), which is dropped if one comes into it. While tasks
//! wait for a CPU most of the time (`--probe.pressure`) there is none after a rewrite, and the control waits. The claim
//! that rewrites cost jitter is the difference of the two.
//!
//! # What distorts it
//!
//! An entry is no rule: legacy counts two entries for each chain that a user made, and so do the numbers here; those of
//! the hooks are taken off. A rewrite of a legacy table to the same size, or one that is undone within two seconds, is not
//! seen. A generation counts transactions,
//! also those that change a set and no rule. A rewrite is noticed up to two seconds after it was committed, and what its
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
//! A wake-up and a few system calls every two seconds, 50 to 200 µs of CPU time, which the budget pays and the probe's own
//! count does not show; a count of 5,000 nf_tables rules 17 ms, of more rules two
//! microseconds a chain; a burst some 30 ms over loopback, within three seconds, and
//! more where many rules cost each packet. `CAP_NET_ADMIN` is needed; without it the probe is unsupported and costs
//! nothing.

mod burst;
mod legacy;
mod nft;
mod window;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tierprobe_model::{Family, Kind};

use super::partner::Partner;
use super::{Helpers, Placement, Probe, ProbeError, Round, Site, Spec};
use crate::host::HostFs;
use crate::measure::real;
use crate::sys::clock;
use crate::sys::failure::Failure;
use legacy::Legacy;
use nft::Nft;
use window::{Window, Windows};

const RULES: Family = Family {
    name: "tierprobe_netfilter_rules",
    help: "Packet filter rules; of nf_tables counted at most every five minutes, and tables by other names than iptables' together.",
    kind: Kind::Gauge,
    labels: &["backend", "family", "table"],
};
const RULES_AT_MOST: Family = Family {
    name: "tierprobe_netfilter_rules_at_most",
    help: "Rules of nf_tables and jumps to its chains, where both are too many for the rules to be counted alone.",
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
    families: &[&RULES, &RULES_AT_MOST, &REWRITES, &BURST, &BURST_LOST],
    prepare,
};

/// The kernel's first user namespace, by the number that it has in every kernel (`PROC_USER_INIT_INO`).
const FIRST_USER_NAMESPACE: &str = "user:[4026531837]";

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
    administrator(site.fs)?;
    Ok(Box::new(Netfilter {
        fs: site.fs.clone(),
        legacy: Legacy::default(),
        nft: Nft::new(site.fs),
        rewrites: [0; 2],
        windows: Windows::default(),
        lost: [0; Window::ALL.len()],
        partner: None,
        peer: site.settings.network.peers.first().map(|peer| peer.address),
        is_pressed: false,
    }))
}

/// Whether the agent has `CAP_NET_ADMIN` (capabilities(7)), by its own status.
fn administrator(fs: &HostFs) -> Result<(), ProbeError> {
    const CAP_NET_ADMIN: u32 = 12;
    const STATUS: &str = "/proc/self/status";
    let unknown = |why: &dyn std::fmt::Display| {
        ProbeError::unsupported(format!(
            "{STATUS}: {why}, so that it is not known whether there is CAP_NET_ADMIN"
        ))
    };
    let status = fs.text(STATUS).map_err(|error| unknown(&error))?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    let set = set.ok_or_else(|| unknown(&"no CapEff"))?;
    if set >> CAP_NET_ADMIN & 1 == 1 {
        Ok(())
    } else {
        Err(ProbeError::unsupported("the kernel tells of packet filters only with CAP_NET_ADMIN"))
    }
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
    /// Whether tasks wait for a CPU most of the time, as of this round.
    is_pressed: bool,
}

impl Probe for Netfilter {
    fn measure(&mut self, placement: Placement) -> Result<Round, ProbeError> {
        let mut round = Round::default();
        // First, while the rewrite is fresh.
        if std::mem::take(&mut self.is_pressed) {
            if self.windows.give_way() {
                round.miss("burst", "tasks wait for a CPU, which its messages would make worse");
            }
        } else if let Some(window) = self.windows.take(clock::monotonic_nanos()) {
            self.burst(window, placement, &mut round);
        }
        let listed = self.legacy.find_tables(&self.fs);
        let found = self.nft.find(&self.fs);
        let [legacy, nft] = self.look();
        let listed =
            listed.map_err(|error| ProbeError::failed("listing the tables of legacy iptables", error));
        let legacy = listed.and_then(|()| legacy.map_err(|failure| refused(&self.fs, failure)));
        let found = found.map_err(|why| ProbeError::failed("looking for nf_tables", why));
        let nft = found.and_then(|()| nft.map_err(|failure| refused(&self.fs, failure)));
        if let Err(why) = &legacy
            && (nft.is_err() || !self.nft.is_there())
        {
            return Err(why.clone());
        }
        match nft {
            Err(why) if !self.legacy.is_there() => return Err(why),
            Err(why) => round.miss("nf_tables", why),
            Ok(()) => self.report_nft(&mut round),
        }
        match legacy {
            Err(why) => round.miss("legacy iptables", why),
            Ok(()) => self.report_legacy(&mut round),
        }
        for (window, lost) in Window::ALL.into_iter().zip(self.lost) {
            if self.windows.has_been(window) {
                round.gauge(&BURST_LOST, [window.as_str()], real(lost));
            }
        }
        Ok(round)
    }

    fn take_helpers(&mut self) -> Helpers {
        self.partner.as_mut().map_or_else(Helpers::default, Partner::take)
    }

    /// Rules cost others nothing; three hundred messages to a peer do.
    fn feels_pressure(&mut self) -> bool {
        self.is_pressed = true;
        false
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
    /// Looks for rewrites, of legacy tables and of nf_tables.
    fn look(&mut self) -> [Result<(), Failure>; 2] {
        let found = [self.legacy.rewrites(), self.nft.rewrites()];
        for (total, found) in self.rewrites.iter_mut().zip(found) {
            *total += found.unwrap_or(0);
        }
        if found.iter().any(|found| found.is_ok_and(|found| found > 0)) {
            self.windows.rewritten(clock::monotonic_nanos());
        }
        found.map(|found| found.map(|_| ()))
    }

    fn burst(&mut self, window: Window, placement: Placement, round: &mut Round) {
        let result = burst::run(&mut self.partner, self.peer, placement.cpu);
        // A rewrite in the control would make it one more burst after a rewrite. Whoever cannot ask now says so below.
        let _ = self.look();
        // Also after one that failed: the next try is as far away.
        let is_good = self.windows.done(window, clock::monotonic_nanos());
        match result {
            Ok((samples, lost)) if is_good => {
                self.windows.measured(window);
                round.add(&BURST, None, [window.as_str()], samples);
                if let Some(total) = self.lost.get_mut(window as usize) {
                    *total += lost;
                }
            }
            Ok(_) => {}
            Err(why) => round.miss("burst", why),
        }
    }

    fn report_legacy(&self, round: &mut Round) {
        report(round, &RULES, "legacy", self.legacy.rules());
        round.gauge(&REWRITES, ["legacy"], real(self.rewrites[0]));
    }

    fn report_nft(&mut self, round: &mut Round) {
        if let Err(failure) = self.nft.rules(clock::monotonic_nanos()) {
            round.miss("rules of nf_tables", failure);
        }
        report(round, &RULES, "nft", self.nft.counted());
        report(round, &RULES_AT_MOST, "nft", self.nft.at_most());
        round.gauge(&REWRITES, ["nft"], real(self.rewrites[1]));
    }
}

fn report(round: &mut Round, family: &'static Family, backend: &'static str, rules: &Rules) {
    for ((protocol, table), count) in rules {
        round.gauge(family, [backend, *protocol, *table], f64::from(*count));
    }
}

/// Why the packet filter tells nothing. With the capability, which was looked at before, the kernel answers with a refusal
/// where the network namespace belongs to another user namespace than the agent's; a call that is refused was refused by a
/// filter of calls, unless it is the one that asks about legacy tables and there is such another user namespace.
fn refused(fs: &HostFs, failure: Failure) -> ProbeError {
    let is_capability = match failure.call {
        None => true,
        Some("getsockopt") => {
            fs.link("/proc/self/ns/user").is_ok_and(|namespace| namespace != FIRST_USER_NAMESPACE)
        }
        Some(_) => false,
    };
    if failure.is_refusal() && is_capability {
        let why = format!("{failure}: CAP_NET_ADMIN of the network namespace's owner is needed");
        return ProbeError::unsupported(why);
    }
    ProbeError::failed("asking the packet filter", failure)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;
    use crate::host::tree;

    #[test]
    fn the_capability_is_called_missing_only_where_it_is() {
        let in_namespace = |number: u32| {
            let (tree, fs) = tree(&[("proc/self/ns/net", "")]);
            let link = tree.path().join("proc/self/ns/user");
            std::os::unix::fs::symlink(format!("user:[{number}]"), link).unwrap();
            (tree, fs)
        };
        let ((_first, first), (_other, other)) = (in_namespace(4_026_531_837), in_namespace(4_026_532_200));
        let call = |call| Failure { call: Some(call), errno: Errno::EPERM };
        for (fs, failure, is_capability) in [
            (&first, Failure::answer(Errno::EPERM), true),
            (&other, Failure::answer(Errno::EACCES), true),
            (&first, Failure::answer(Errno::EBADMSG), false),
            (&other, call("getsockopt"), true),
            (&first, call("getsockopt"), false),
            (&other, call("socket"), false),
            (&first, call("sendto"), false),
        ] {
            let error = refused(fs, failure);
            let is_said = error.to_string().contains("CAP_NET_ADMIN");
            let is_unsupported = matches!(error, ProbeError::Unsupported(_));
            assert_eq!((is_said, is_unsupported), (is_capability, is_capability), "{failure:?}: {error}");
            assert!(error.to_string().contains(failure.call.unwrap_or_default()), "{error}");
        }
    }

    #[test]
    fn a_capability_that_cannot_be_seen_is_not_called_missing() {
        let (_tree, none) = tree(&[]);
        assert!(administrator(&none).unwrap_err().to_string().starts_with("/proc/self/status: not found"));
        let (_tree, without) = tree(&[("proc/self/status", "CapEff:\t00000000a80425fb\n")]);
        assert!(
            matches!(administrator(&without), Err(ProbeError::Unsupported(why)) if why.contains("only with"))
        );
        let (_tree, with) = tree(&[("proc/self/status", "CapEff:\t000001ffffffffff\n")]);
        assert_eq!(administrator(&with), Ok(()));
    }
}
