//! Families about the agent itself. What probes measure is in the probes' own files.

use tierprobe_model::{Family, Kind};

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, help, kind, labels }
}

pub(super) const BUILD: Family =
    family("tierprobe_build_info", Kind::Info, &["version", "revision"], "Which agent this is; always 1.");
/// The tier and the stack it follows from.
pub const TIER: Family = family(
    "tierprobe_tier_info",
    Kind::Info,
    &["tier", "hypervisor", "vmm", "container_runtime", "orchestrator", "cloud", "kernel"],
    "Where the agent runs; layers that are not there are empty, always 1.",
);
pub(super) const CONFIDENCE: Family = family(
    "tierprobe_tier_confidence_ratio",
    Kind::Gauge,
    &[],
    "How sure the tier is, from the evidence for and against it.",
);
pub(super) const TIER_CHANGES: Family = family(
    "tierprobe_tier_changes_total",
    Kind::Counter,
    &[],
    "Changes of the verdict while the agent ran: the machine was moved, or what it shows has changed.",
);
pub(super) const LAST_DETECTION: Family = family(
    "tierprobe_tier_last_detection_timestamp_seconds",
    Kind::Gauge,
    &[],
    "When the tier was last looked for.",
);
/// The kernel.
pub const KERNEL: Family = family(
    "tierprobe_kernel_info",
    Kind::Info,
    &["release", "boot_id", "clocksource"],
    "The kernel that answers; agents with one boot_id share it, always 1.",
);
/// The processor.
pub const HOST: Family = family(
    "tierprobe_host_info",
    Kind::Info,
    &["cpu_model", "arch"],
    "The processor, by its own name; always 1.",
);
/// What holds the agent in.
pub const ISOLATION: Family = family(
    "tierprobe_isolation_info",
    Kind::Info,
    &["seccomp", "no_new_privs"],
    "What holds the agent in and changes what system calls cost; empty where the kernel does not tell, always 1.",
);
pub(super) const SECCOMP_FILTERS: Family = family(
    "tierprobe_isolation_seccomp_filters",
    Kind::Gauge,
    &[],
    "Seccomp filters that run at each system call of the agent.",
);
pub(super) const CAPABILITIES: Family = family(
    "tierprobe_isolation_capabilities",
    Kind::Gauge,
    &["set"],
    "How many capabilities are in each set of the agent's, by /proc/self/status; which ones is in `detect`.",
);
pub(super) const PRIVATE_NAMESPACES: Family = family(
    "tierprobe_isolation_private_namespaces",
    Kind::Gauge,
    &[],
    "How many of the agent's namespaces are known not to be the kernel's first ones.",
);
pub(super) const LIMIT_CPUS: Family = family(
    "tierprobe_isolation_limit_cpus",
    Kind::Gauge,
    &[],
    "CPUs that the visible control groups allow, quota over period; absent where there is no limit.",
);
pub(super) const LIMIT_MEMORY: Family = family(
    "tierprobe_isolation_limit_memory_bytes",
    Kind::Gauge,
    &[],
    "Memory that the visible control groups allow; absent where there is no limit.",
);
pub(super) const LIMIT_PROCESSES: Family = family(
    "tierprobe_isolation_limit_processes",
    Kind::Gauge,
    &[],
    "Processes and threads that the visible control groups allow; absent where there is no limit.",
);
pub(super) const FINDINGS: Family = family(
    "tierprobe_isolation_findings",
    Kind::Gauge,
    &["severity"],
    "How many things about the isolation could be better; which ones and what to change is in `detect`.",
);
pub(super) const VULNERABILITY: Family = family(
    "tierprobe_isolation_vulnerability_info",
    Kind::Info,
    &["vulnerability", "state"],
    "Vulnerabilities of the processor, by what the kernel says; those that do not affect it are absent, always 1.",
);
pub(super) const CLOCK_READ: Family = family(
    "tierprobe_clock_read_seconds",
    Kind::Gauge,
    &[],
    "Time of one clock read, the smallest of 64; it is in every sample and never subtracted.",
);
pub(super) const CLOCK_TICK: Family = family(
    "tierprobe_clock_tick_seconds",
    Kind::Gauge,
    &[],
    "The smallest step that the clock was seen to make.",
);
/// What a sample can show.
pub const RESOLUTION: Family = family(
    "tierprobe_probe_resolution_seconds",
    Kind::Gauge,
    &["probe"],
    "Smallest difference that a sample of the probe can show: the clock's tick over the operations of a sample.",
);
pub(super) const SUPPORTED: Family = family(
    "tierprobe_probe_supported",
    Kind::Gauge,
    &["probe"],
    "Whether what the probe measures exists here, by its last run.",
);
pub(super) const UP: Family = family(
    "tierprobe_probe_up",
    Kind::Gauge,
    &["probe"],
    "Whether the last run of the probe measured; absent where it is not supported.",
);
pub(super) const RUNS: Family = family(
    "tierprobe_probe_runs_total",
    Kind::Counter,
    &["probe", "outcome"],
    "Runs of the probe by outcome.",
);
pub(super) const DISTURBED: Family = family(
    "tierprobe_probe_disturbed_rounds_total",
    Kind::Counter,
    &["probe", "cause"],
    "Rounds that something other than the tier had a part in, by cause; causes that have not occurred are absent.",
);
pub(super) const SKIPPED: Family = family(
    "tierprobe_probe_skipped_rounds_total",
    Kind::Counter,
    &["probe", "reason"],
    "Rounds left out because the CPU budget or the slot was used up or the CPUs were under pressure; reasons that have not occurred are absent.",
);
pub(super) const CPU: Family = family(
    "tierprobe_probe_cpu_seconds_total",
    Kind::Counter,
    &["probe"],
    "CPU time that the probe has cost, by the clock of the measuring thread.",
);
pub(super) const LAST_ROUND: Family = family(
    "tierprobe_probe_last_round_timestamp_seconds",
    Kind::Gauge,
    &["probe"],
    "When the last round ended; scrapes between two rounds see the same one.",
);
pub(super) const LAST_DISTURBED: Family = family(
    "tierprobe_probe_last_round_disturbed",
    Kind::Gauge,
    &["probe"],
    "Whether something other than the tier had a part in the last round.",
);
pub(super) const ECHO_MESSAGES: Family = family(
    "tierprobe_echo_messages_total",
    Kind::Counter,
    &["protocol", "outcome"],
    "Messages to the echo service by what became of them; absent where it is off.",
);
pub(super) const ECHO_CONNECTIONS: Family = family(
    "tierprobe_echo_connections_total",
    Kind::Counter,
    &["outcome"],
    "Connections to the echo service: taken, reset because there were too many, ended because they took too long.",
);
pub(super) const ECHO_CPU: Family = family(
    "tierprobe_echo_cpu_seconds_total",
    Kind::Counter,
    &[],
    "CPU time of the echo service's thread; it is in process_cpu_seconds_total, too.",
);
pub(super) const PROCESS_CPU: Family = family(
    "process_cpu_seconds_total",
    Kind::Counter,
    &[],
    "Total user and system CPU time spent in seconds.",
);
pub(super) const PROCESS_RESIDENT: Family =
    family("process_resident_memory_bytes", Kind::Gauge, &[], "Resident memory size in bytes.");
pub(super) const PROCESS_VIRTUAL: Family =
    family("process_virtual_memory_bytes", Kind::Gauge, &[], "Virtual memory size in bytes.");
pub(super) const PROCESS_START: Family = family(
    "process_start_time_seconds",
    Kind::Gauge,
    &[],
    "Start time of the process since unix epoch in seconds.",
);
pub(super) const PROCESS_THREADS: Family =
    family("process_threads", Kind::Gauge, &[], "Number of OS threads in the process.");
pub(super) const PROCESS_OPEN_FILES: Family =
    family("process_open_fds", Kind::Gauge, &[], "Number of open file descriptors.");
pub(super) const PROCESS_MAX_FILES: Family =
    family("process_max_fds", Kind::Gauge, &[], "Maximum number of open file descriptors.");

/// All of them, in the order of METRICS.md.
pub const ALL: &[&Family] = &[
    &BUILD,
    &TIER,
    &CONFIDENCE,
    &TIER_CHANGES,
    &LAST_DETECTION,
    &KERNEL,
    &HOST,
    &ISOLATION,
    &SECCOMP_FILTERS,
    &CAPABILITIES,
    &PRIVATE_NAMESPACES,
    &LIMIT_CPUS,
    &LIMIT_MEMORY,
    &LIMIT_PROCESSES,
    &FINDINGS,
    &VULNERABILITY,
    &CLOCK_READ,
    &CLOCK_TICK,
    &RESOLUTION,
    &SUPPORTED,
    &UP,
    &RUNS,
    &DISTURBED,
    &SKIPPED,
    &CPU,
    &LAST_ROUND,
    &LAST_DISTURBED,
    &ECHO_MESSAGES,
    &ECHO_CONNECTIONS,
    &ECHO_CPU,
    &PROCESS_CPU,
    &PROCESS_RESIDENT,
    &PROCESS_VIRTUAL,
    &PROCESS_START,
    &PROCESS_THREADS,
    &PROCESS_OPEN_FILES,
    &PROCESS_MAX_FILES,
];
