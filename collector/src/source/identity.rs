//! What the agent says about itself: identity, how sure it is, how fine its clock is.

use crate::observation::{Instance, Labels};

/// Info metrics whose labels describe the instance. Other info metrics describe parts of it, such as one of its
/// interfaces, and do not belong to the whole.
pub(super) const IDENTITY: [&str; 5] = [
    "tierprobe_tier_info",
    "tierprobe_kernel_info",
    "tierprobe_isolation_info",
    "tierprobe_host_info",
    "tierprobe_build_info",
];
pub(super) const TIER_CONFIDENCE: &str = "tierprobe_tier_confidence_ratio";
pub(super) const RESOLUTION: &str = "tierprobe_probe_resolution_seconds";

/// Takes in one value if it is about the instance. Gauges on the wire and in a record go the same way.
pub(super) fn note(instance: &mut Instance, name: &str, labels: &Labels, value: f64) {
    if IDENTITY.contains(&name) {
        // An empty label is Prometheus' way to say that there is none.
        let known = labels.iter().filter(|(_, text)| !text.is_empty());
        instance.labels.extend(known.map(|(label, text)| (label.clone(), text.clone())));
    } else if name == TIER_CONFIDENCE && value.is_finite() {
        instance.tier_confidence = Some(value);
    } else if name == RESOLUTION
        && value.is_finite()
        && value > 0.0
        && let Some(probe) = labels.get("probe")
    {
        instance.resolution_seconds.insert(probe.clone(), value);
    }
}

/// Whether [`note`] has a use for the lines of this name.
pub(super) fn says(name: &str) -> bool {
    IDENTITY.contains(&name) || name == TIER_CONFIDENCE || name == RESOLUTION
}

/// Whether a family is about the agent itself and not about what things cost.
pub(super) fn is_about_the_agent(name: &str) -> bool {
    !name.starts_with("tierprobe_")
        || name.starts_with("tierprobe_probe_")
        || name.starts_with("tierprobe_clock_")
        // What holds an agent in is chosen, not paid.
        || name.starts_with("tierprobe_isolation_")
        || name.ends_with("_info")
        // A point in time costs nothing.
        || name.ends_with("_timestamp_seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_is_no_cost() {
        assert!(is_about_the_agent("tierprobe_isolation_findings"));
        assert!(!is_about_the_agent("tierprobe_memory_footprint_bytes"));
    }

    #[test]
    fn empty_labels_are_no_labels() {
        let mut instance = Instance::default();
        let labels = Labels::from([("tier".into(), "vm".into()), ("vmm".into(), String::new())]);
        note(&mut instance, "tierprobe_tier_info", &labels, 1.0);
        assert_eq!(instance.labels, Labels::from([("tier".into(), "vm".into())]));
    }
}
