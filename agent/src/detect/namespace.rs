//! Namespaces: proof that the process is in a container, and veto against whatever says so without being true.
//!
//! The first namespaces of a kernel have fixed inode numbers (`enum init_ns_ino` in `linux/nsfs.h`; those of the
//! pid, user, uts and ipc namespaces since Linux 3.8, cgroup 4.6, time 5.6, net and mount 6.17). A process in all
//! of them shares its kernel with no one above it, whatever files lie around. All others get numbers from
//! 0xF0000000 on; smaller ones do not come from Linux.

use super::claim::{ANY, container, sandbox};
use super::finding::Findings;
use crate::machine::Machine;

/// Namespaces whose first inode has been fixed for so long that every kernel we meet has it.
const LONG_FIXED: &[(&str, u64)] = &[
    ("ipc", 0xEFFF_FFFF),
    ("uts", 0xEFFF_FFFE),
    ("user", 0xEFFF_FFFD),
    ("pid", 0xEFFF_FFFC),
    ("cgroup", 0xEFFF_FFFB),
];

/// The mount namespace's first inode on kernels that fix it; before, the first numbers that are given out.
const FIRST_MOUNT: u64 = 0xEFFF_FFF8;
const FIRST_MOUNT_BEFORE_FIXED: std::ops::Range<u64> = 0xF000_0000..0xF000_0002;

/// Smallest inode that Linux gives a namespace.
const SMALLEST_LINUX: u64 = 0xEFFF_FFF8;

/// Private namespaces that make a container rather than a service with a private /tmp.
const CONTAINER_AT_LEAST: usize = 3;

/// Reads `/proc/self/ns`.
#[derive(Debug)]
pub(super) struct Namespaces;

impl super::Detector for Namespaces {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        let mut inode = |name: &str| {
            let path = format!("/proc/self/ns/{name}");
            let link =
                findings.readable(machine.fs.link(&path), &path, "whether this namespace is private")?;
            parse_inode(&link)
        };
        let inodes: Vec<(&str, Option<u64>)> =
            LONG_FIXED.iter().map(|(name, _)| (*name, inode(name))).collect();
        let mount = inode("mnt");
        let foreign = inodes.iter().copied().chain([("mnt", mount)]).find_map(|(name, inode)| {
            let inode = inode.filter(|inode| *inode < SMALLEST_LINUX)?;
            Some((name, inode))
        });
        if let Some((name, inode)) = foreign {
            let path = format!("/proc/self/ns/{name}");
            findings.support(
                sandbox("gvisor"),
                0.95,
                &path,
                &format!("{name}:[{inode}], a number Linux never gives"),
            );
            return;
        }
        kernel_threads(machine, findings);

        let fixed: Vec<(&str, Option<bool>)> = inodes
            .iter()
            .zip(LONG_FIXED)
            .map(|((name, inode), (_, first))| (*name, inode.map(|inode| inode == *first)))
            .collect();
        let first_mount =
            mount.map(|inode| inode == FIRST_MOUNT || FIRST_MOUNT_BEFORE_FIXED.contains(&inode));
        let private: Vec<&str> = fixed
            .iter()
            .copied()
            .chain([("mnt", first_mount)])
            .filter_map(|(name, first)| (first == Some(false)).then_some(name))
            .collect();
        if private.is_empty() {
            all_first(&fixed, mount, first_mount, findings);
        } else {
            some_private(&private, findings);
            if first_mount == Some(true) {
                let value = "the mount namespace is the kernel's first: the files are the host's";
                findings.oppose(container(ANY), 0.9, "/proc/self/ns/mnt", value);
            }
        }
    }
}

/// Nothing is private: as strong a veto as what could be read.
fn all_first(
    fixed: &[(&str, Option<bool>)],
    mount: Option<u64>,
    first_mount: Option<bool>,
    findings: &mut Findings,
) {
    let known = fixed.iter().filter(|(_, first)| first.is_some()).count();
    let is_first = |wanted: &str| fixed.iter().any(|(name, first)| *name == wanted && *first == Some(true));
    let weight = match (known, first_mount) {
        (0, None) => return,
        (0, Some(_)) => 0.3,
        // A container that shares all but its mount namespace with the host is rare, but `chroot`-like
        // sandboxes do it: without the mount namespace the rest proves less.
        _ if first_mount.is_none() => 0.6,
        // Containers keep a pid namespace or at least a user namespace of their own.
        (known, _) if known >= LONG_FIXED.len() && mount == Some(FIRST_MOUNT) => 0.99,
        (known, _) if known >= 4 && is_first("pid") => 0.97,
        _ => 0.7,
    };
    let count = known + usize::from(first_mount.is_some());
    let value = format!("{count} of {count} readable namespaces are the kernel's first ones");
    findings.oppose(container(ANY), weight, "/proc/self/ns", &value);
}

/// Some are private: how many tells a container from a service with a private mount.
fn some_private(private: &[&str], findings: &mut Findings) {
    let value = format!("private: {}", private.join(" "));
    let weight = match private {
        ["mnt"] => 0.2,
        [_] | ["pid", "mnt"] => 0.3,
        private if private.len() >= CONTAINER_AT_LEAST && private.contains(&"mnt") => {
            // A hardened service of systemd keeps to itself what it likes, but for its processes.
            if private.contains(&"pid") { 0.97 } else { 0.9 }
        }
        // Bubblewrap at its least: a user namespace that owns mounts is a sandbox of its own.
        private if private.contains(&"user") && private.contains(&"mnt") => 0.9,
        private if private.len() >= CONTAINER_AT_LEAST => 0.8,
        _ => 0.4,
    };
    findings.support(container(ANY), weight, "/proc/self/ns", &value);
}

/// The kernel's own threads are seen only from its first pid namespace.
fn kernel_threads(machine: &Machine, findings: &mut Findings) {
    if let Some(comm) = findings.text(&machine.fs, "/proc/2/comm", "whether kernel threads are seen")
        && comm.trim_end() == "kthreadd"
    {
        findings.oppose(container(ANY), 0.7, "/proc/2/comm", "kthreadd: kernel threads are seen");
    }
}

/// The number in `pid:[4026531836]`.
fn parse_inode(link: &str) -> Option<u64> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_is_the_number_in_brackets() {
        assert_eq!(parse_inode("pid:[4026531836]"), Some(4_026_531_836));
        assert_eq!(parse_inode("pid:[]"), None);
        assert_eq!(parse_inode("/somewhere"), None);
    }
}
