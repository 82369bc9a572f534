//! What holds the process in, from `/proc/self/status` (proc(5)).

use tierprobe_model::{Isolation, Seccomp};

use super::finding::Findings;
use crate::host::HostFs;

/// Reads the isolation of the agent's own process.
pub(super) fn read(fs: &HostFs, findings: &mut Findings) -> Isolation {
    findings
        .text(fs, "/proc/self/status", "what holds the process in")
        .map_or_else(Isolation::default, |status| parse(&status))
}

fn parse(status: &str) -> Isolation {
    let field = |name: &str| {
        status
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim())
    };
    Isolation {
        seccomp: match field("Seccomp") {
            Some("0") => Some(Seccomp::None),
            Some("1") => Some(Seccomp::Strict),
            Some("2") => Some(Seccomp::Filter),
            _ => None,
        },
        seccomp_filters: field("Seccomp_filters").and_then(|count| count.parse().ok()),
        no_new_privs: match field("NoNewPrivs") {
            Some("0") => Some(false),
            Some("1") => Some(true),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_status_does_not_say_is_absent() {
        let isolation = parse("Name:\tagent\nSeccomp:\t2\nSeccomp_filters:\t1\n");
        assert_eq!(isolation.seccomp, Some(Seccomp::Filter));
        assert_eq!(isolation.seccomp_filters, Some(1));
        assert_eq!(isolation.no_new_privs, None);
    }
}
