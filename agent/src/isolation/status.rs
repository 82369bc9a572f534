//! Seccomp, `no_new_privs` and the user, from `/proc/self/status` (proc(5)).

use tierprobe_model::{Isolation, Seccomp};

use super::{Reader, field};

/// Reads `/proc/self/status`.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    if let Some(status) = reader.text("/proc/self/status") {
        parse(&status, isolation);
    }
}

fn parse(status: &str, isolation: &mut Isolation) {
    isolation.seccomp = match field(status, "Seccomp") {
        Some("0") => Some(Seccomp::None),
        Some("1") => Some(Seccomp::Strict),
        Some("2") => Some(Seccomp::Filter),
        _ => None,
    };
    isolation.seccomp_filters = field(status, "Seccomp_filters").and_then(|count| count.parse().ok());
    isolation.no_new_privs = match field(status, "NoNewPrivs") {
        Some("0") => Some(false),
        Some("1") => Some(true),
        _ => None,
    };
    // Real, effective, saved, file system.
    isolation.effective_uid =
        field(status, "Uid").and_then(|ids| ids.split_ascii_whitespace().nth(1)?.parse().ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_status_does_not_say_is_absent() {
        let mut isolation = Isolation::default();
        parse("Name:\tagent\nUid:\t1000\t0\t0\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n", &mut isolation);
        assert_eq!(isolation.seccomp, Some(Seccomp::Filter));
        assert_eq!(isolation.seccomp_filters, Some(1));
        assert_eq!(isolation.no_new_privs, None);
        assert_eq!(isolation.effective_uid, Some(0));
    }
}
