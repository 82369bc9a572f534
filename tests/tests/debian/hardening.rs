//! What the shipped unit hides is absent, and nothing that it leaves is wrong.

use std::collections::BTreeMap;

use anyhow::ensure;
use tierprobe_tests::guest::Guest;

use super::{root, scrape};

/// Families about the place, whose values are the same for whoever looks, as far as he sees them.
const OF_THE_PLACE: [&str; 8] = [
    "tierprobe_tier_info",
    "tierprobe_host_info",
    "tierprobe_kernel_info",
    "tierprobe_boot_duration_seconds",
    "tierprobe_boot_total_seconds",
    "tierprobe_memory_hardware_bytes",
    "tierprobe_memory_reserved_bytes",
    "tierprobe_memory_view_info",
];

/// What the unit hides, and nothing else is missing.
const HIDDEN: [&str; 1] = ["tierprobe_boot_duration_seconds{method=\"kmsg\",phase=\"kernel\"}"];

fn of_the_place(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    lines.filter(|(series, _)| OF_THE_PLACE.iter().any(|family| series.starts_with(family))).collect()
}

/// The service beside root without the unit.
pub(super) fn falsifies_nothing(guest: &mut Guest) -> anyhow::Result<()> {
    let service = scrape(guest)?;
    ensure!(service.contains("tierprobe_tier_info{") && service.contains("tier=\"vm\""), "no vm:\n{service}");
    let down: Vec<&str> = service
        .lines()
        .filter(|line| line.starts_with("tierprobe_probe_up") && !line.ends_with(" 1"))
        .collect();
    ensure!(down.is_empty(), "{down:?}");
    let by_root = root(guest, "--format prometheus")?;
    let (inside, outside) = (of_the_place(&service), of_the_place(&by_root));
    for (series, value) in &inside {
        ensure!(outside.get(series) == Some(value), "{series} is {value}, outside {:?}", outside.get(series));
    }
    let missing: Vec<&str> = outside.into_keys().filter(|series| !inside.contains_key(series)).collect();
    ensure!(missing == HIDDEN, "the unit hides {missing:?}");
    Ok(())
}
