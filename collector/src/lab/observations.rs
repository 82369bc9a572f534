//! The lab's own measurements as observations, beside those of the agent inside.

use crate::observation::{Collected, Observation, Statistic};

use super::starts::{SETTLE, Start};

/// From the spawn of the launcher to the agent's first answer.
pub(crate) const START: &str = "tierprobe_lab_start_seconds";
/// What the host gives up for an instance.
pub(crate) const HOST_MEMORY: &str = "tierprobe_lab_host_memory_bytes";

/// Adds the starts to what the instance of the same launcher showed. Each start is a repetition of its own.
pub(crate) fn add_starts(collected: &mut Collected, starts: &[Start]) {
    for start in starts {
        let mut observe = |family: &str, part: Option<&str>, value: f64| {
            collected.observations.push(Observation {
                family: family.to_owned(),
                labels: part.map(|part| ("part".to_owned(), part.to_owned())).into_iter().collect(),
                statistic: Statistic::Value,
                timestamp: start.timestamp,
                value,
                disturbed: false,
            });
        };
        observe(START, None, start.start_seconds);
        // Apart, as only instances with a control group of their own have the second: with both in one sum, a
        // plain process would look cheaper for what is not counted.
        observe(HOST_MEMORY, Some("processes"), to_real(start.host_memory.pss_bytes()));
        if let Some(kernel) = start.host_memory.kernel_bytes {
            observe(HOST_MEMORY, Some("kernel"), to_real(kernel));
        }
    }
    collected.observations.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
    let start = "Time from the spawn of the launcher to the first HTTP 200 of the agent, with warm caches.";
    let memory = format!(
        "Memory that the host gives up for one instance, {} s after its first answer: the proportional set size of \
         its processes and the kernel memory of its control group.",
        SETTLE.as_secs_f64()
    );
    for (family, help) in [(START, start), (HOST_MEMORY, memory.as_str())] {
        collected.help.insert(family.to_owned(), help.to_owned());
        collected.independent.insert(family.to_owned());
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^53 bytes")]
fn to_real(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::instance::HostMemory;

    #[test]
    fn starts_are_independent_observations() {
        let start = Start {
            timestamp: 1.0,
            start_seconds: 0.03,
            host_memory: HostMemory { total_bytes: 4096, parts: Vec::new(), kernel_bytes: Some(1024) },
            retries: 0,
        };
        let mut collected = Collected::default();
        add_starts(&mut collected, &[start.clone(), start]);
        assert_eq!(collected.observations.len(), 6);
        assert!(collected.independent.contains(START) && collected.independent.contains(HOST_MEMORY));
    }
}
