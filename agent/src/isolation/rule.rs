//! From data to findings, purely: what is the matter, how much it matters, what to change.
//!
//! A rule holds only by what is known. What could not be read accuses nobody.

use tierprobe_model::isolation::VulnerabilityState;
use tierprobe_model::{Isolation, IsolationFinding, Kernel, Seccomp, Severity};

use super::condition as c;

/// Where a rule is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Where others share the kernel: in a container.
    Shared,
    /// Everywhere.
    Any,
}

/// One thing that could be better.
struct Rule {
    name: &'static str,
    severity: Severity,
    scope: Scope,
    /// Whether it holds, and what it is about: the text takes the place of `{}` in `what`.
    holds: fn(&Isolation) -> Option<String>,
    what: &'static str,
    remedy: &'static str,
}

/// All rules, worst first.
const RULES: &[Rule] = &[
    Rule {
        name: "engine_socket",
        severity: Severity::Critical,
        scope: Scope::Shared,
        holds: c::engine_sockets,
        what: "an engine's socket is within reach ({}): who may write to it is root on the host",
        remedy: "do not mount it, or put a proxy before it that allows only what is needed",
    },
    Rule {
        name: "module_loading",
        severity: Severity::Critical,
        scope: Scope::Shared,
        holds: |isolation| (isolation.module_loading == Some(true)).then(String::new),
        what: "may load modules into the kernel that it shares",
        remedy: "drop CAP_SYS_MODULE (no --privileged)",
    },
    Rule {
        name: "escape_capabilities",
        severity: Severity::Critical,
        scope: Scope::Shared,
        holds: c::escape_capabilities,
        what: "holds capabilities of the host that lead out ({})",
        remedy: "no --privileged; --cap-drop=ALL and add back only what is used",
    },
    Rule {
        name: "writable_kernel_paths",
        severity: Severity::Critical,
        scope: Scope::Shared,
        holds: c::writable_kernel_paths,
        what: "root of the host, with the kernel's files mounted writable ({})",
        remedy: "no --privileged, no systempaths=unconfined, no procMount: Unmasked",
    },
    Rule {
        name: "writable_sysctls",
        severity: Severity::Critical,
        scope: Scope::Shared,
        holds: c::writable_sysctls,
        what: "may change settings of the kernel that it shares ({})",
        remedy: "mount /proc/sys read-only (no --privileged), or run as another user",
    },
    Rule {
        name: "wide_capabilities",
        severity: Severity::High,
        scope: Scope::Shared,
        holds: c::wide_capabilities,
        what: "holds capabilities of the host that change or watch it ({})",
        remedy: "--cap-drop=ALL and add back only what is used",
    },
    Rule {
        name: "no_seccomp",
        severity: Severity::High,
        scope: Scope::Shared,
        holds: |isolation| (isolation.seccomp == Some(Seccomp::None)).then(String::new),
        what: "no seccomp filter: every system call of the shared kernel is open to attack",
        remedy: "remove seccomp=unconfined; in Kubernetes set seccompProfile: RuntimeDefault",
    },
    Rule {
        name: "host_processes",
        severity: Severity::High,
        scope: Scope::Shared,
        holds: |isolation| (isolation.is_private("pid") == Some(false)).then(String::new),
        what: "sees all processes of the host",
        remedy: "remove --pid=host (hostPID), unless it is a monitoring agent",
    },
    Rule {
        name: "host_namespaces",
        severity: Severity::Medium,
        scope: Scope::Shared,
        holds: |isolation| {
            c::list(
                ["ipc", "mnt", "net", "uts"]
                    .into_iter()
                    .filter(|name| isolation.is_private(name) == Some(false)),
            )
        },
        what: "shares namespaces of the host ({})",
        remedy: "remove --network=host, --ipc=host, --uts=host (hostNetwork, hostIPC)",
    },
    Rule {
        name: "unconfined",
        severity: Severity::Medium,
        scope: Scope::Shared,
        holds: |isolation| {
            let modules = &isolation.security_modules;
            (modules.confined == Some(false)).then(|| modules.module.clone()).flatten()
        },
        what: "{} is there and does not confine the process",
        remedy: "remove apparmor=unconfined or label=disable; in Kubernetes set an appArmorProfile",
    },
    Rule {
        name: "host_root",
        severity: Severity::Medium,
        scope: Scope::Shared,
        holds: |isolation| c::is_host_root(isolation).then(String::new),
        what: "root in here is root of the host",
        remedy: "run as another user, or in a user namespace: rootless, userns-remap, hostUsers: false",
    },
    Rule {
        name: "unmasked_paths",
        severity: Severity::Medium,
        scope: Scope::Shared,
        holds: c::unmasked_paths,
        what: "shows files that tell about the host ({})",
        remedy: "remove systempaths=unconfined; newer runtimes mask them by default",
    },
    Rule {
        name: "no_process_limit",
        severity: Severity::Medium,
        scope: Scope::Shared,
        holds: |isolation| c::is_unlimited(isolation.limits.processes),
        what: "no limit on processes: a fork bomb in here starves the neighbours",
        remedy: "set --pids-limit (TasksMax, podPidsLimit)",
    },
    Rule {
        name: "no_memory_limit",
        severity: Severity::Medium,
        scope: Scope::Shared,
        holds: |isolation| c::is_unlimited(isolation.limits.memory_bytes),
        what: "no limit on memory: it may take that of the neighbours",
        remedy: "set --memory (MemoryMax, resources.limits.memory)",
    },
    Rule {
        name: "unprivileged_bpf",
        severity: Severity::Medium,
        scope: Scope::Any,
        holds: |isolation| {
            let setting = isolation.sysctls.get("kernel.unprivileged_bpf_disabled")?;
            (setting.value.as_deref() == Some("0")).then(String::new)
        },
        what: "every user may load BPF programs into the kernel",
        remedy: "set kernel.unprivileged_bpf_disabled=2 on the kernel's host",
    },
    Rule {
        name: "cpu_vulnerable",
        severity: Severity::Medium,
        scope: Scope::Any,
        holds: |isolation| c::vulnerabilities(isolation, VulnerabilityState::Vulnerable),
        what: "the processor has holes that the kernel leaves open ({})",
        remedy: "update kernel and microcode, remove mitigations=off; under a hypervisor, on its host",
    },
    Rule {
        name: "cpu_partly_vulnerable",
        severity: Severity::Low,
        scope: Scope::Any,
        holds: |isolation| c::vulnerabilities(isolation, VulnerabilityState::PartlyMitigated),
        what: "the processor has holes that the kernel closes in part ({})",
        remedy: "read the detail in JSON; most often simultaneous multithreading is what stays open",
    },
    Rule {
        name: "no_cpu_limit",
        severity: Severity::Low,
        scope: Scope::Shared,
        holds: |isolation| c::is_unlimited(isolation.limits.cpus),
        what: "no limit on CPU time",
        remedy: "set --cpus (CPUQuota), unless shares are enough",
    },
    Rule {
        name: "raw_sockets",
        severity: Severity::Low,
        scope: Scope::Shared,
        holds: |isolation| c::list(c::held(isolation, &["cap_net_raw"])),
        what: "may forge packets ({})",
        remedy: "--cap-drop=NET_RAW",
    },
    Rule {
        name: "new_privileges",
        severity: Severity::Low,
        scope: Scope::Shared,
        holds: |isolation| (isolation.no_new_privs == Some(false)).then(String::new),
        what: "setuid programs may still gain privileges",
        remedy: "set no-new-privileges (allowPrivilegeEscalation: false)",
    },
    Rule {
        name: "writable_root",
        severity: Severity::Low,
        scope: Scope::Shared,
        holds: |isolation| (isolation.read_only_root == Some(false)).then(String::new),
        what: "the root file system can be written",
        remedy: "set --read-only with a tmpfs where needed (readOnlyRootFilesystem: true)",
    },
];

/// What could be better, worst first.
pub(super) fn findings(isolation: &Isolation, kernel: Kernel) -> Vec<IsolationFinding> {
    RULES
        .iter()
        .filter(|rule| rule.scope == Scope::Any || kernel == Kernel::Shared)
        .filter_map(|rule| {
            let about = (rule.holds)(isolation)?;
            Some(IsolationFinding {
                name: rule.name.to_owned(),
                severity: rule.severity,
                what: rule.what.replace("{}", &about),
                remedy: rule.remedy.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_worst_first_and_named_once() {
        assert!(RULES.is_sorted_by_key(|rule| rule.severity));
        let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn what_is_not_known_accuses_nobody() {
        for kernel in Kernel::ALL {
            assert_eq!(findings(&Isolation::default(), *kernel), []);
        }
    }
}
