//! Comparisons to draw: fleets of many shapes, the same ones each time.

use tierprobe_collector::compare::{Comparison, Options, compare, like};
use tierprobe_collector::dataset::Dataset;
use tierprobe_collector::observation::{Collected, Instance, Labels, Observation, Statistic};
use tierprobe_collector::report::{Input, html};

use crate::fleet::Random;

/// When the first round ends.
const BEGIN: f64 = 1_764_000_000.0;
/// Seconds between rounds.
const PAUSE: f64 = 15.0;

/// A cost: family, labels, and what it is on the baseline.
pub type Cost<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// A group of instances.
#[derive(Debug, Clone, Copy)]
pub struct Tier<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its hosts.
    pub hosts: usize,
    /// What a cost is there, compared with the baseline; `None` where it is not measured.
    pub ratio: fn(&str) -> Option<f64>,
}

/// What a page is made of.
#[derive(Debug)]
pub struct Drawn {
    comparison: Comparison,
    dataset: Dataset,
    options: Options,
}

/// What an agent measures, once each.
pub const COSTS: &[Cost<'_>] = &[
    ("tierprobe_lab_host_memory_bytes", &[("part", "processes")], 4.2e6),
    ("tierprobe_lab_start_seconds", &[], 0.021),
    ("tierprobe_memory_upkeep_bytes", &[], 1.5e8),
    ("tierprobe_network_connect_seconds", &[("path", "loopback"), ("placement", "same_cpu")], 4.1e-5),
    (
        "tierprobe_network_round_trip_seconds",
        &[("path", "loopback"), ("placement", "same_cpu"), ("protocol", "tcp")],
        1.2e-5,
    ),
    (
        "tierprobe_network_round_trip_seconds",
        &[("path", "loopback"), ("placement", "same_cpu"), ("protocol", "udp")],
        9.0e-6,
    ),
    ("tierprobe_page_fault_seconds", &[("touch", "first_touch")], 1.0e-6),
    ("tierprobe_page_fault_seconds", &[("touch", "retouch")], 6.1e-7),
    ("tierprobe_scheduler_ping_pong_seconds", &[("placement", "same_cpu")], 3.0e-6),
    ("tierprobe_scheduler_wakeup_delay_seconds", &[], 5.2e-5),
    ("tierprobe_spawn_seconds", &[("method", "vfork_exit")], 3.1e-4),
    ("tierprobe_storage_seconds", &[("directory", "/var/lib/data"), ("operation", "append_sync")], 3.8e-4),
    ("tierprobe_storage_seconds", &[("directory", "/var/lib/data"), ("operation", "overwrite_sync")], 9.8e-5),
    ("tierprobe_syscall_seconds", &[("syscall", "getppid")], 1.7e-7),
    ("tierprobe_syscall_seconds", &[("syscall", "openat_close")], 1.1e-6),
    ("tierprobe_syscall_seconds", &[("syscall", "read")], 2.6e-7),
    ("tierprobe_vm_exit_seconds", &[("instruction", "cpuid")], 7.0e-8),
];

impl Drawn {
    /// A comparison of these tiers in these costs; rounds in the middle are missing on half of the hosts.
    ///
    /// # Panics
    ///
    /// If they cannot be compared.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    pub fn of(tiers: &[Tier<'_>], costs: &[Cost<'_>]) -> Self {
        let mut random = Random::new(7);
        let hosts = tiers.iter().flat_map(|tier| (0..tier.hosts).map(move |host| (tier, host)));
        let collected: Vec<Collected> = hosts.map(|(tier, at)| host(tier, at, costs, &mut random)).collect();
        let dataset = Dataset::new(collected);
        let options = Options { allow_mixed: vec![like::ALL.to_owned()], ..Options::default() };
        let comparison = compare(&dataset, &options).unwrap();
        Self { comparison, dataset, options }
    }

    /// Its page.
    #[must_use]
    pub fn page(&self) -> String {
        html::page(&Input::new(&self.comparison, &self.dataset, &self.options))
    }
}

fn host(tier: &Tier<'_>, at: usize, costs: &[Cost<'_>], random: &mut Random) -> Collected {
    let name = format!("{}-{at}.fleet.example:10990", tier.name);
    let mut observations = Vec::new();
    for (family, labels, value) in costs {
        let Some(ratio) = (tier.ratio)(family) else { continue };
        let own = value * ratio * (0.02 * random.normal()).exp();
        let is_gauge = family.contains("_memory_") || family.contains("_lab_");
        let mut timestamp = BEGIN;
        for round in 0..if is_gauge { 5 } else { 60 } {
            timestamp += PAUSE;
            let disturbed = !is_gauge && random.uniform() < 0.06;
            let noise = (0.02 * random.normal()).exp() * if disturbed { 1.7 } else { 1.0 };
            if (25..33).contains(&round) && (at + tier.name.len()) % 2 == 1 {
                continue;
            }
            observations.push(Observation {
                family: (*family).to_owned(),
                labels: labels
                    .iter()
                    .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
                    .collect(),
                statistic: if is_gauge { Statistic::Value } else { Statistic::P50 },
                timestamp,
                value: own * noise,
                disturbed,
            });
        }
    }
    let kernel = if tier.name.starts_with("container") { "shared" } else { "own" };
    let labels = [
        ("tier", tier.name),
        ("kernel", kernel),
        ("hypervisor", "kvm"),
        ("container_runtime", if kernel == "shared" { "docker" } else { "" }),
        ("seccomp", if kernel == "shared" { "filter" } else { "none" }),
        ("release", "6.1.0-32-amd64"),
        ("cpu_model", "AMD EPYC 7B13 64-Core Processor"),
    ];
    let labels: Labels = labels
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .collect();
    let resolution = ["syscall", "page_fault", "vm_exit", "network", "storage", "scheduler", "spawn"];
    let instance = Instance {
        name: name.clone(),
        labels,
        tier_confidence: Some(if at == 1 { 0.71 } else { 0.97 }),
        resolution_seconds: resolution.into_iter().map(|probe| (probe.to_owned(), 1e-11)).collect(),
    };
    Collected { source: format!("http://{name}/metrics"), instance, observations, ..Collected::default() }
}
