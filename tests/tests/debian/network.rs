//! A delay of known length on the loopback interface, which the probe `network` must report. See tc-netem(8).

use anyhow::{Context as _, ensure};
use tierprobe_tests::guest::Guest;

use super::measure;

/// On each packet: a round trip is two of them.
const DELAY_SECONDS: f64 = 0.005;

/// The smallest round trip, which noise does not shorten.
fn smallest(guest: &mut Guest, protocol: &str) -> anyhow::Result<f64> {
    let record = measure(guest, "--rounds 1 --probe network")?;
    let family = record.families.iter().find(|family| family.name == "tierprobe_network_round_trip_seconds");
    let series = family.into_iter().flat_map(|family| &family.series);
    let rounds = series
        .filter(|series| series.labels.get("protocol").is_some_and(|is| is == protocol))
        .flat_map(|series| &series.rounds);
    let smallest = rounds.map(|round| round.quantiles.min).min_by(f64::total_cmp);
    smallest.with_context(|| format!("no round trip by {protocol}: {record:?}"))
}

/// Without it, with it, and without it again.
pub(super) fn a_delay_is_measured(guest: &mut Guest) -> anyhow::Result<()> {
    for protocol in ["udp", "tcp"] {
        let before = smallest(guest, protocol)?;
        guest.output("tc qdisc add dev lo root netem delay 5ms")?;
        let during = smallest(guest, protocol);
        guest.output("tc qdisc del dev lo root")?;
        let (during, after) = (during?, smallest(guest, protocol)?);
        println!("{protocol} over loopback: {:.2} ms, delayed {:.2} ms", before * 1e3, during * 1e3);
        let added = during - before.max(after);
        ensure!((1.9..3.0).contains(&(added / DELAY_SECONDS)), "{protocol}: {added} s added to {before} s");
    }
    Ok(())
}
