//! Whether the process may load kernel modules: `CAP_SYS_MODULE` in the first user namespace, and
//! `/proc/sys/kernel/modules_disabled` (sysctl, kernel.rst).
//!
//! A seccomp filter, a security module or signature checks may still refuse: this says only what nothing else needs to
//! be asked for.

use tierprobe_model::Isolation;

use super::Reader;

/// Decides from the capabilities and namespaces read before.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    let capable = match (&isolation.capabilities.effective, isolation.is_private("user")) {
        (Some(effective), _) if !effective.iter().any(|name| name == "cap_sys_module") => Some(false),
        (_, Some(true)) => Some(false),
        (Some(_), Some(false)) => Some(true),
        _ => None,
    };
    let disabled = match reader.text("/proc/sys/kernel/modules_disabled").as_deref().map(str::trim) {
        Some("0") => Some(false),
        Some(_) => Some(true),
        // A kernel without modules has no such setting, but does have others.
        None if is_there(reader, "/proc/sys/kernel/osrelease") && is_missing(reader, "/proc/modules") => {
            Some(true)
        }
        None => None,
    };
    isolation.module_loading = match (capable, disabled) {
        (Some(false), _) | (_, Some(true)) => Some(false),
        (Some(true), Some(false)) => Some(true),
        _ => None,
    };
}

fn is_there(reader: &Reader<'_>, path: &str) -> bool {
    reader.fs.exists(path) == Ok(true)
}

/// Whether the live kernel does without a file; a tree of files may just not have it.
fn is_missing(reader: &Reader<'_>, path: &str) -> bool {
    reader.fs.is_live() && reader.fs.exists(path) == Ok(false)
}
