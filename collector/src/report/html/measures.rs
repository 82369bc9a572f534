//! What decisions between tiers rest on, and which costs speak to it.

use super::facts::{Cost, Facts};

/// One side of the decision.
#[derive(Debug)]
pub struct Criterion {
    /// What it is called.
    pub name: &'static str,
    /// What speaks to it, in the order in which it is shown.
    pub measures: &'static [Measure],
}

/// Costs that speak to a criterion.
#[derive(Debug)]
pub struct Measure {
    /// The family.
    family: &'static str,
    /// Labels that the series must have; all series of the family without any.
    labels: &'static [(&'static str, &'static str)],
}

/// How many series of one measure are shown.
const SHOWN: usize = 4;

const fn all(family: &'static str) -> Measure {
    Measure { family, labels: &[] }
}

/// The criteria with numbers, in the order of the matrix; isolation before and density behind them are no costs.
pub const CRITERIA: &[Criterion] = &[
    Criterion {
        name: "Memory",
        measures: &[all("tierprobe_lab_host_memory_bytes"), all("tierprobe_memory_upkeep_bytes")],
    },
    Criterion {
        name: "Start",
        measures: &[all("tierprobe_lab_start_seconds"), all("tierprobe_boot_duration_seconds")],
    },
    Criterion {
        name: "System call",
        measures: &[
            Measure { family: "tierprobe_syscall_seconds", labels: &[("syscall", "getppid")] },
            Measure { family: "tierprobe_syscall_seconds", labels: &[("syscall", "read")] },
            Measure { family: "tierprobe_page_fault_seconds", labels: &[("touch", "first_touch")] },
            all("tierprobe_vm_exit_seconds"),
        ],
    },
    Criterion {
        name: "Network",
        measures: &[all("tierprobe_network_round_trip_seconds"), all("tierprobe_network_connect_seconds")],
    },
    Criterion { name: "Storage", measures: &[all("tierprobe_storage_seconds")] },
];

/// What the host gives up for the processes of one instance.
pub const INSTANCE: Measure =
    Measure { family: "tierprobe_lab_host_memory_bytes", labels: &[("part", "processes")] };

impl Measure {
    /// The costs that it names.
    #[must_use]
    pub fn costs<'f, 'a>(&self, facts: &'f Facts<'a>) -> Vec<&'f Cost<'a>> {
        let has = |cost: &&Cost<'_>, label: &str, value: &str| {
            cost.key.labels.get(label).is_some_and(|own| own == value)
        };
        facts
            .costs
            .iter()
            .filter(|cost| cost.key.family == self.family)
            .filter(|cost| self.labels.iter().all(|(label, value)| has(cost, label, value)))
            .take(SHOWN)
            .collect()
    }
}

impl Criterion {
    /// All costs that speak to it.
    #[must_use]
    pub fn costs<'f, 'a>(&self, facts: &'f Facts<'a>) -> Vec<&'f Cost<'a>> {
        self.measures.iter().flat_map(|measure| measure.costs(facts)).collect()
    }
}
