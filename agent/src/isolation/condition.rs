//! When a rule holds, and what it is about: functions of the data alone.

use tierprobe_model::Isolation;
use tierprobe_model::isolation::{Limit, PathAccess, VulnerabilityState};

/// Capabilities with a known way out of a container, if they are of the first user namespace.
const ESCAPES: &[&str] = &["cap_dac_read_search", "cap_sys_admin", "cap_sys_boot", "cap_sys_rawio"];

/// Capabilities that reach beyond a container, if they are of the first user namespace.
const WIDE: &[&str] =
    &["cap_bpf", "cap_mac_admin", "cap_mac_override", "cap_perfmon", "cap_sys_time", "cap_syslog"];

/// Kernel paths by which root of the host gets out or breaks the host if they are writable.
const CONTROLS: &[&str] =
    &["/proc/sys", "/proc/sysrq-trigger", "/proc/bus", "/proc/fs", "/proc/irq", "/sys", "/sys/fs/cgroup"];

/// Kernel paths that tell about the host. `/proc/interrupts` is left out: runtimes mask it only since 2025.
const TELLING: &[&str] = &[
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/timer_list",
    "/sys/firmware",
];

/// Names that are spelled out; the data have them all.
const MOST_NAMES: usize = 5;

/// The names with commas between them, the first few of many; `None` if there are none.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.get(..MOST_NAMES).unwrap_or(&names);
    let rest = names.len() - shown.len();
    match (shown, rest) {
        ([], _) => None,
        (_, 0) => Some(shown.join(", ")),
        _ => Some(format!("{} and {rest} more", shown.join(", "))),
    }
}

/// Which of these capabilities are effective.
pub(super) fn held<'a>(isolation: &'a Isolation, wanted: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let effective = isolation.capabilities.effective.as_deref().unwrap_or_default();
    effective.iter().map(String::as_str).filter(|name| wanted.contains(name))
}

/// Capabilities count against the host only in its own user namespace.
fn is_of_the_host(isolation: &Isolation) -> bool {
    isolation.is_private("user") == Some(false)
}

pub(super) fn is_host_root(isolation: &Isolation) -> bool {
    isolation.effective_uid == Some(0) && is_of_the_host(isolation)
}

pub(super) fn is_unlimited(limit: Option<Limit>) -> Option<String> {
    (limit == Some(Limit::Unlimited)).then(String::new)
}

pub(super) fn engine_sockets(isolation: &Isolation) -> Option<String> {
    let sockets = isolation.engine_sockets.as_deref()?;
    // Where permission is not known, that the socket is in a container at all is enough.
    let reachable = sockets.iter().filter(|socket| socket.writable != Some(false));
    let reachable: Vec<String> =
        reachable.map(|socket| format!("{} at {}", socket.engine, socket.path)).collect();
    list(reachable.iter().map(String::as_str))
}

pub(super) fn escape_capabilities(isolation: &Isolation) -> Option<String> {
    // Tracing is a way out only where there are processes of the host to trace.
    let tracing = (isolation.is_private("pid") == Some(false)).then_some("cap_sys_ptrace");
    let wanted: Vec<&str> = ESCAPES.iter().copied().chain(tracing).collect();
    list(held(isolation, &wanted).filter(|_| is_of_the_host(isolation)))
}

pub(super) fn wide_capabilities(isolation: &Isolation) -> Option<String> {
    let network = (isolation.is_private("net") == Some(false)).then_some("cap_net_admin");
    let wanted: Vec<&str> = WIDE.iter().copied().chain(network).collect();
    list(held(isolation, &wanted).filter(|_| is_of_the_host(isolation)))
}

pub(super) fn writable_kernel_paths(isolation: &Isolation) -> Option<String> {
    // Of settings each is looked at, where that can be asked.
    let by_setting = isolation.sysctls.values().any(|setting| setting.writable.is_some());
    let writable = CONTROLS
        .iter()
        .copied()
        .filter(|path| isolation.kernel_paths.get(*path) == Some(&PathAccess::Writable))
        .filter(|path| *path != "/proc/sys" || !by_setting);
    list(writable.filter(|_| is_host_root(isolation)))
}

pub(super) fn writable_sysctls(isolation: &Isolation) -> Option<String> {
    let writable =
        isolation.sysctls.iter().filter(|(_, setting)| setting.writable == Some(true) && !setting.namespaced);
    list(writable.map(|(name, _)| name.as_str()))
}

pub(super) fn unmasked_paths(isolation: &Isolation) -> Option<String> {
    list(TELLING.iter().copied().filter(|path| {
        matches!(isolation.kernel_paths.get(*path), Some(PathAccess::ReadOnly | PathAccess::Writable))
    }))
}

pub(super) fn vulnerabilities(isolation: &Isolation, state: VulnerabilityState) -> Option<String> {
    let known = isolation.vulnerabilities.iter();
    list(known.filter(|(_, vulnerability)| vulnerability.state == state).map(|(name, _)| name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        assert_eq!(list([]), None);
        assert_eq!(list(["a", "b"]).as_deref(), Some("a, b"));
        assert_eq!(list(["a"; 7]).as_deref(), Some("a, a, a, a, a and 2 more"));
    }
}
