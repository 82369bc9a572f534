//! Kernel settings below `/proc/sys`: which of them the process may write (`admin-guide/sysctl/`).
//!
//! Some settings exist once in each namespace; writing one changes nothing for the neighbours. The others are the
//! kernel's. Permission is asked for, never used: nothing is opened for writing.

use tierprobe_model::Isolation;
use tierprobe_model::isolation::{PathAccess, Sysctl};

use super::{Reader, mount};
use crate::host::ReadError;
use crate::printable::printable;

/// Settings, and whether each namespace has its own.
const SETTINGS: &[(&str, bool)] = &[
    ("fs.file-max", false),
    ("fs.mqueue.msg_max", true),
    ("fs.suid_dumpable", false),
    ("kernel.core_pattern", false),
    ("kernel.dmesg_restrict", false),
    ("kernel.kptr_restrict", false),
    ("kernel.modprobe", false),
    ("kernel.panic", false),
    ("kernel.perf_event_paranoid", false),
    ("kernel.randomize_va_space", false),
    ("kernel.sem", true),
    ("kernel.shmmax", true),
    ("kernel.sysrq", false),
    ("kernel.unprivileged_bpf_disabled", false),
    ("kernel.yama.ptrace_scope", false),
    ("net.core.somaxconn", true),
    ("net.ipv4.ip_forward", true),
    ("net.ipv4.ip_unprivileged_port_start", true),
    ("user.max_user_namespaces", true),
    ("vm.overcommit_memory", false),
    ("vm.swappiness", false),
];

/// Looks at each setting.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    let mountinfo = reader.text("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mount::parse(&mountinfo);
    for (name, namespaced) in SETTINGS {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        // One that may not be read is there all the same, and may be writable.
        let text = reader.fs.text(&path);
        if text == Err(ReadError::NotFound) {
            continue;
        }
        let value = reader.known(&path, text).map(|value| printable(&value));
        let writable =
            if matches!(mount::access(&mounts, &path), Some(PathAccess::Masked | PathAccess::ReadOnly)) {
                Some(false)
            } else {
                let writable = reader.fs.is_writable(&path);
                reader.known(&path, writable).flatten()
            };
        isolation.sysctls.insert((*name).to_owned(), Sysctl { namespaced: *namespaced, value, writable });
    }
}
