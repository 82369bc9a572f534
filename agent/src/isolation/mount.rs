//! How the root and the kernel's sensitive paths are mounted, from `/proc/self/mountinfo` (proc(5)).
//!
//! Runtimes keep containers from the kernel's files by mounting over them (`/dev/null` over a file, an empty tmpfs over
//! a directory: masked) or by mounting them onto themselves read-only (`maskedPaths` and `readonlyPaths` of the OCI
//! runtime specification). Both are visible in the mount table, without touching the files.

use tierprobe_model::Isolation;
use tierprobe_model::isolation::PathAccess;

use super::Reader;

/// Paths that runtimes mask or make read-only, and what they let through.
const PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/irq",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/sys",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/kernel/debug",
    "/sys/kernel/security",
];

/// Where control groups are mounted; one entry for all hierarchies.
const CGROUPS: &str = "/sys/fs/cgroup";

/// File systems that show the kernel. Anything else over one of the paths hides it.
const KERNEL_FILE_SYSTEMS: &[&str] =
    &["proc", "sysfs", "securityfs", "debugfs", "tracefs", "cgroup", "cgroup2", "binfmt_misc"];

/// One line of mountinfo.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount<'a> {
    point: &'a str,
    read_only: bool,
    fstype: &'a str,
}

/// Reads the mount table.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    let Some(text) = reader.text("/proc/self/mountinfo") else { return };
    let mounts = parse(&text);
    isolation.read_only_root = covering(&mounts, "/").map(|mount| mount.read_only);
    for path in PATHS {
        let access = access(&mounts, path);
        // What is mounted over something has it below; a path of no mount of its own may not exist at all.
        let exists = access == Some(PathAccess::Masked) || reader.fs.exists(path).is_ok_and(|exists| exists);
        if let Some(access) = access.filter(|_| exists) {
            isolation.kernel_paths.insert((*path).to_owned(), access);
        }
    }
    let hierarchies = mounts
        .iter()
        .filter(|mount| ["cgroup", "cgroup2"].contains(&mount.fstype) && mount.point.starts_with(CGROUPS));
    // One hierarchy to write to is enough.
    if let Some(read_only) = hierarchies.map(|mount| mount.read_only).reduce(|one, other| one && other) {
        let access = if read_only { PathAccess::ReadOnly } else { PathAccess::Writable };
        isolation.kernel_paths.insert(CGROUPS.to_owned(), access);
    }
}

/// The lines of a mount table.
pub(super) fn parse(mountinfo: &str) -> Vec<Mount<'_>> {
    mountinfo.lines().filter_map(parse_line).collect()
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw`: options of the mount, then of its file system.
fn parse_line(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(4);
    let (point, options) = (fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (fstype, file_system) = (fields.next()?, fields.nth(1)?);
    let read_only = [options, file_system].iter().any(|list| list.split(',').any(|option| option == "ro"));
    Some(Mount { point, read_only, fstype })
}

/// The mount that shows a path: the deepest one above it, and of several on one point the last.
fn covering<'a, 'b>(mounts: &'b [Mount<'a>], path: &str) -> Option<&'b Mount<'a>> {
    let above = |point: &str| {
        path.strip_prefix(point.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // `max_by_key` gives the last of equals.
    mounts.iter().filter(|mount| above(mount.point)).max_by_key(|mount| mount.point.len())
}

/// How a path of the kernel's is mounted; `None` if it is below no mount of `/proc` or `/sys`.
pub(super) fn access(mounts: &[Mount<'_>], path: &str) -> Option<PathAccess> {
    let mount = covering(mounts, path)?;
    match mount {
        // Without a mount of /proc or /sys there is nothing of the kernel's to keep.
        mount if !["/proc", "/sys"].iter().any(|top| mount.point.starts_with(top)) => None,
        mount if !KERNEL_FILE_SYSTEMS.contains(&mount.fstype) => Some(PathAccess::Masked),
        mount if mount.read_only => Some(PathAccess::ReadOnly),
        _ => Some(PathAccess::Writable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "\
        1120 1083 0:61 / / rw,relatime master:377 - overlay overlay rw\n\
        1121 1120 0:65 / /proc rw,nosuid - proc proc rw\n\
        1124 1120 0:68 / /sys ro,nosuid - sysfs sysfs ro\n\
        1098 1121 0:65 /sys /proc/sys ro,nosuid - proc proc rw\n\
        1101 1121 0:66 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw\n";

    #[test]
    fn the_deepest_mount_shows_a_path() {
        let mounts = parse(DOCKER);
        assert_eq!(access(&mounts, "/proc/sys"), Some(PathAccess::ReadOnly));
        assert_eq!(access(&mounts, "/proc/sys/kernel/modprobe"), Some(PathAccess::ReadOnly));
        assert_eq!(access(&mounts, "/proc/sysrq-trigger"), Some(PathAccess::Writable));
        assert_eq!(access(&mounts, "/proc/kcore"), Some(PathAccess::Masked));
        assert_eq!(access(&mounts, "/sys/firmware"), Some(PathAccess::ReadOnly));
        assert!(!covering(&mounts, "/").unwrap().read_only);
    }

    #[test]
    fn the_last_of_several_mounts_on_a_point_counts_and_the_root_shows_no_kernel() {
        let mounts = parse("1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / / ro - ext4 b rw\n");
        assert!(covering(&mounts, "/").unwrap().read_only);
        assert_eq!(access(&mounts, "/proc/sys"), None);
        assert_eq!(parse("36 35 98:0 / /proc rw\ngarbage\n"), []);
    }
}
