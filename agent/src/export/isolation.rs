//! The isolation as a handful of numbers: names and words stay in `detect`, which costs no series.

use tierprobe_model::isolation::{Limit, VulnerabilityState};
use tierprobe_model::{Isolation, Kernel, Severity};

use super::adapter::Exposition;
use super::families as f;

/// Adds what is known. `kernel` says whether findings mean anything: without it no rule was asked.
pub(super) fn add(out: &mut Exposition, isolation: &Isolation, kernel: Kernel) {
    if let Some(filters) = isolation.seccomp_filters {
        out.value(&f::SECCOMP_FILTERS, &[], f64::from(filters));
    }
    for (name, set) in isolation.capabilities.by_set() {
        if let Some(set) = set {
            out.value(&f::CAPABILITIES, &[name], count(set.len()));
        }
    }
    if !isolation.private_namespaces.is_empty() {
        let private = isolation.private_namespaces.values().filter(|private| **private).count();
        out.value(&f::PRIVATE_NAMESPACES, &[], count(private));
    }
    let limits = [
        (&f::LIMIT_CPUS, isolation.limits.cpus),
        (&f::LIMIT_MEMORY, isolation.limits.memory_bytes),
        (&f::LIMIT_PROCESSES, isolation.limits.processes),
    ];
    for (family, limit) in limits {
        if let Some(Limit::At(limit)) = limit {
            out.value(family, &[], limit);
        }
    }
    // Nothing found where nothing could be read would look like a good place.
    if kernel != Kernel::Unknown && !isolation.capabilities.is_unknown() {
        for severity in Severity::ALL {
            let found = isolation.findings.iter().filter(|finding| finding.severity == *severity).count();
            out.value(&f::FINDINGS, &[severity.as_str()], count(found));
        }
    }
    for (name, vulnerability) in &isolation.vulnerabilities {
        if vulnerability.state != VulnerabilityState::NotAffected {
            out.value(&f::VULNERABILITY, &[name, vulnerability.state.as_str()], 1.0);
        }
    }
}

/// Numbers of names in a list: far below where a float is not exact.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierprobe_model::isolation::Vulnerability;

    #[test]
    fn what_is_not_known_has_no_series() {
        let mut out = Exposition::default();
        add(&mut out, &Isolation::default(), Kernel::Shared);
        assert!(out.finish().is_empty());
    }

    #[test]
    fn a_host_with_everything_stays_below_forty_series() {
        let set = Some(vec!["cap_chown".to_owned(); 41]);
        let mut isolation = Isolation { seccomp_filters: Some(1), ..Isolation::default() };
        isolation.capabilities.inheritable.clone_from(&set);
        isolation.capabilities.permitted.clone_from(&set);
        isolation.capabilities.effective.clone_from(&set);
        isolation.capabilities.bounding.clone_from(&set);
        isolation.capabilities.ambient = set;
        isolation.private_namespaces.insert("pid".to_owned(), true);
        isolation.limits.cpus = Some(Limit::At(1.0));
        isolation.limits.memory_bytes = Some(Limit::At(1.0));
        isolation.limits.processes = Some(Limit::At(1.0));
        for number in 0..crate::isolation::MOST_VULNERABILITIES {
            let state = VulnerabilityState::Vulnerable;
            let vulnerability = Vulnerability { state, detail: "Vulnerable".to_owned() };
            isolation.vulnerabilities.insert(format!("hole_{number}"), vulnerability);
        }
        let mut out = Exposition::default();
        add(&mut out, &isolation, Kernel::Shared);
        let series: usize = out.finish().iter().map(|family| family.get_metric().len()).sum();
        // With tierprobe_isolation_info, which is always there.
        assert!(series < 40, "{series} series");
    }
}
