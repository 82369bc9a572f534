//! Mounts: what the root is made of, and where files were bind-mounted from.
//!
//! `/proc/self/mountinfo` (proc(5)): root of the mount within its file system, mount point, and after ` - ` type
//! source, and the file system's own options. Where it is missing, `/proc/self/mounts` or `/proc/mounts` has some of it
//! (point, type, source, options). Runtimes bind-mount `/etc/hostname` and its like from directories of their own, which shows them
//! even behind a private cgroup namespace.

use super::claim::{ANY, Claim, container, orchestrator};
use super::finding::Findings;
use super::marker;
use crate::machine::Machine;

/// Directories that runtimes bind-mount from; the root of the mount contains them.
const SOURCES: &[(&str, Claim, f64)] = &[
    ("/docker/containers/", container("docker"), 0.95),
    ("/containers/storage/overlay-containers/", container("podman"), 0.9),
    ("/containers/overlay-containers/", container("podman"), 0.9),
    ("/nerdctl/", container("containerd"), 0.85),
    ("/io.containerd.grpc.v1.cri/sandboxes/", container("containerd"), 0.95),
    ("/kubelet/pods/", orchestrator("kubernetes"), 0.95),
    ("/kata-containers/shared/containers/", container("kata"), 0.95),
];

/// Where runtimes keep the upper layer of a container's root, in the options of its mount.
const LAYERS: &[(&str, Claim, f64)] = &[
    ("/docker/overlay2/", container("docker"), 0.9),
    // Docker keeps its images in containerd, too, if so told.
    ("/io.containerd.snapshotter.v1.", container("containerd"), 0.6),
    ("/containers/storage/overlay/", container("podman"), 0.6),
];

/// Mount points that only one runtime makes.
const POINTS: &[(&str, Claim, f64)] = &[
    // The root of the host, from which snap has turned away.
    ("/var/lib/snapd/hostfs", container("snap"), 0.96),
    ("/run/firejail/mnt", container("firejail"), 0.9),
    ("/.singularity.d/libs", container("apptainer"), 0.9),
    ("/dev/.lxc", container("lxc"), 0.8),
    ("/dev/lxd", container("lxd"), 0.85),
    ("/dev/incus", container("incus"), 0.85),
];

/// What stands in the options of a root that is an image of the host's own: OSTree's and bootc's, made by composefs.
const IMAGES: &[&str] = &["/ostree/repo/objects", "/composefs/objects", "cfsroot-lower"];

/// File systems that overlay layers: what runtimes put below a container.
const LAYERED: &[&str] = &["overlay", "aufs", "fuse.fuse-overlayfs"];

/// Reads `/proc/self/mountinfo`.
#[derive(Debug)]
pub(super) struct Mounts;

/// One line of mountinfo.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    fstype: &'a str,
    source: &'a str,
    /// Of the file system, separated by commas.
    options: &'a str,
}

impl super::Detector for Mounts {
    fn name(&self) -> &'static str {
        "mount"
    }

    fn detect(&self, machine: &Machine, findings: &mut Findings) {
        let would_tell = "what the root file system is";
        let file = "/proc/self/mountinfo";
        let Some(text) = findings.text(&machine.fs, file, would_tell) else {
            without_mountinfo(machine, findings);
            return;
        };
        let mounts: Vec<Mount<'_>> = text.lines().filter_map(parse_line).collect();

        // The last mount on a point is the one that is seen.
        if let Some(root) = mounts.iter().rev().find(|mount| mount.point == "/") {
            let value = format!("/ is {} from {}{}", root.fstype, root.source, root.root);
            if root.source == "kataShared" {
                findings.support(container("kata"), 0.99, file, &value);
            } else if root.root == "/newroot" && root.fstype == "tmpfs" {
                findings.support(container("bubblewrap"), 0.6, file, &value);
            } else if is_image(root) {
                findings.oppose(container(ANY), 0.9, file, &format!("{value}, an image of the host's own"));
            } else if LAYERED.contains(&root.fstype) {
                findings.support(container(ANY), 0.7, file, &value);
                layers(root, file, findings);
            } else if root.source.starts_with("/dev/") && root.root == "/" {
                // Sandboxes that keep the host's files have namespaces that say more.
                findings.oppose(container(ANY), 0.9, file, &value);
            } else if is_of_the_host(root) {
                findings.oppose(container(ANY), 0.9, file, &value);
            } else if root.source.starts_with("/dev/") && root.root.contains("/machines/") {
                findings.support(container("nspawn"), 0.6, file, &value);
            } else if root.source.starts_with("/dev/") && !is_subvolume(root) {
                findings.support(container(ANY), 0.8, file, &value);
            }
        }
        if mounts.iter().any(|mount| mount.point == "/init" && mount.fstype == "rootfs") {
            findings.oppose(container(ANY), 0.98, file, "/init is WSL's: a distribution, not a container");
        }
        let kubelet = mounts.iter().any(|mount| mount.root.contains("/kubelet/pods/"));
        for (part, claim, weight) in SOURCES {
            let found = mounts.iter().find(|mount| mount.root.contains(part) && is_of_a_container(mount));
            if let Some(mount) = found {
                // CRI-O keeps its containers where Podman does, and only CRI-O works for the kubelet.
                let claim = if kubelet && *claim == container("podman") { container("crio") } else { *claim };
                let value = format!("{} is {}", mount.point, mount.root);
                findings.support(claim, *weight, file, &value);
                if claim == container("crio") {
                    findings.oppose(container("podman"), *weight, file, &value);
                }
            }
        }
        for (point, claim, weight) in POINTS {
            if mounts.iter().any(|mount| mount.point == *point) {
                let value = format!("{point} is mounted");
                findings.support(*claim, *weight, file, &value);
                marker::above_lxc(*claim, file, &value, findings);
            }
        }
        if let Some(mount) = mounts.iter().find(|mount| mount.source == "kataShared" && mount.point != "/") {
            findings.support(container("kata"), 0.8, file, &format!("{} is kataShared", mount.point));
        }
        lxcfs(&mounts, file, findings);
    }
}

/// The part that the older files still tell.
fn without_mountinfo(machine: &Machine, findings: &mut Findings) {
    let read = ["/proc/self/mounts", "/proc/mounts"].into_iter().find_map(|file| {
        let text = findings.text(&machine.fs, file, "what the root file system is")?;
        Some((file, text))
    });
    let Some((file, text)) = read else { return };
    let mounts: Vec<Mount<'_>> = text.lines().filter_map(parse_old_line).collect();
    // Before anything else is mounted, every kernel has `rootfs` there.
    if let Some(root) = mounts.iter().rev().find(|mount| mount.point == "/" && mount.fstype != "rootfs") {
        let value = format!("/ is {} from {}", root.fstype, root.source);
        if root.source == "kataShared" {
            findings.support(container("kata"), 0.95, file, &value);
        } else if is_image(root) {
            findings.oppose(container(ANY), 0.9, file, &format!("{value}, an image of the host's own"));
        } else if LAYERED.contains(&root.fstype) {
            findings.support(container(ANY), 0.7, file, &value);
            layers(root, file, findings);
        } else if root.source.starts_with("/dev/") {
            // Which directory of the disk it is, is not told.
            findings.oppose(container(ANY), 0.6, file, &value);
        }
    }
    lxcfs(&mounts, file, findings);
}

/// Whose layers the root is made of.
fn layers(root: &Mount<'_>, file: &str, findings: &mut Findings) {
    let upper = root.options.split(',').find_map(|option| option.strip_prefix("upperdir="));
    for (part, claim, weight) in LAYERS {
        if let Some(upper) = upper.filter(|upper| upper.contains(part)) {
            findings.support(*claim, *weight, file, &format!("the upper layer of / is {upper}"));
        }
    }
}

/// LXC's file system over files of `/proc`. Its host has it elsewhere.
fn lxcfs(mounts: &[Mount<'_>], file: &str, findings: &mut Findings) {
    let found = mounts.iter().find(|mount| mount.fstype == "fuse.lxcfs" && mount.point.starts_with("/proc/"));
    if let Some(mount) = found {
        findings.support(container("lxc"), 0.9, file, &format!("{} is lxcfs", mount.point));
    }
}

/// Whether the root is an image that the host started from: one overlay, for the sake of its files' checksums.
fn is_image(root: &Mount<'_>) -> bool {
    root.fstype == "overlay"
        && (root.source.starts_with("composefs") || root.options.split(',').any(is_of_an_image))
}

/// Whether an option of a mount says that an image of the host's own is mounted.
pub(crate) fn is_of_an_image(option: &str) -> bool {
    IMAGES.iter().any(|part| option.contains(part))
}

/// Whether the root is where an installer puts a host's own: subvolumes of btrfs as Fedora, Debian, Ubuntu and openSUSE
/// name them, a deployment of OSTree, a boot environment of ZFS. Runtimes put the roots of containers elsewhere.
fn is_of_the_host(root: &Mount<'_>) -> bool {
    let deployment = root.root.starts_with("/ostree/deploy/");
    match root.fstype {
        "btrfs" => {
            let is_subvolume = matches!(root.root, "/root" | "/@" | "/@rootfs");
            deployment || is_subvolume || root.root.starts_with("/@/.snapshots/")
        }
        "zfs" => root.root == "/" && root.source.contains("/ROOT/"),
        _ => deployment,
    }
}

/// Whether the host itself may have a directory for its root: a subvolume of btrfs, or a deployment of OSTree.
fn is_subvolume(root: &Mount<'_>) -> bool {
    root.fstype == "btrfs" || root.root.starts_with("/ostree/")
}

/// Files that a runtime gives a container. A host that runs containers has their directories mounted too, but
/// never over its own `/etc`.
fn is_of_a_container(mount: &Mount<'_>) -> bool {
    mount.point.starts_with("/etc/") || mount.point.starts_with("/dev/") || mount.point.starts_with("/run/.")
}

fn parse_line(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (fstype, source) = (fields.next()?, fields.next()?);
    Some(Mount { root, point, fstype, source, options: fields.next().unwrap_or_default() })
}

/// A line of `/proc/mounts`: source, point, type, options.
fn parse_old_line(line: &str) -> Option<Mount<'_>> {
    let mut fields = line.split(' ');
    let (source, point, fstype) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Mount { root: "", point, fstype, source, options: fields.next().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_its_separator_is_no_mount() {
        assert!(parse_line("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw").is_some());
        assert!(parse_line("27 1 254:0 / / rw,relatime").is_none());
        assert!(parse_line("27 - ext4 /dev/vda rw").is_none());
    }

    #[test]
    fn the_older_format_has_other_fields() {
        let mount = parse_old_line("/dev/sda1 / ext3 rw,noatime 0 0").unwrap();
        assert_eq!((mount.source, mount.point, mount.fstype), ("/dev/sda1", "/", "ext3"));
        assert_eq!(mount.options, "rw,noatime");
        assert!(parse_old_line("/dev/sda1 /").is_none());
    }
}
