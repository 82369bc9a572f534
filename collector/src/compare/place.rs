//! Whether the sides of a comparison stand in places of their own, so that the place may be what differs.
//!
//! Of equal tiers on eight hosts a side, each side in one rack of its own, three comparisons of four find a difference
//! where racks differ by five times what the hosts of one do (`CALIBRATION.md`). No interval can know that: the rack
//! is one draw, however many hosts stand in it.

use std::collections::BTreeSet;

use crate::dataset::group::Group;
use crate::warning::Warning;

/// Labels by which users say where an instance stands, the closest place first. None is the agent's own.
const PLACES: [&str; 16] = [
    "machine",
    "physical_host",
    "hypervisor_host",
    "node",
    "chassis",
    "rack",
    "row",
    "cluster",
    "zone",
    "availability_zone",
    "datacenter",
    "dc",
    "site",
    "region",
    "machine_type",
    "instance_type",
];

/// The closest place that several hosts of a side share and no host of the other side stands in.
///
/// Who groups `by` a place wants to see what it costs.
pub(super) fn apart(baseline: &Group<'_>, candidate: &Group<'_>, by: &str) -> Option<Warning> {
    let label = PLACES.into_iter().filter(|label| *label != by).find(|label| {
        let (a, b) = (baseline.values(label), candidate.values(label));
        let known = !a.is_empty() && !b.is_empty();
        // A place for each host is the host.
        known && a.is_disjoint(&b) && (a.len() < hosts(baseline) || b.len() < hosts(candidate))
    })?;
    let values =
        [baseline, candidate].map(|group| group.values(label).into_iter().map(str::to_owned).collect());
    Some(Warning::SharedPlace { label: label.to_owned(), values })
}

fn hosts(group: &Group<'_>) -> usize {
    group.members.iter().map(|member| member.host()).collect::<BTreeSet<u32>>().len()
}
