//! What becomes of the files in each mount.
//!
//! From `/proc/self/mountinfo` (proc(5)) and, for block devices, `/sys/dev/block`. First row that fits decides.

use std::collections::BTreeSet;

use crate::host::HostFs;
use crate::probe::ProbeError;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Most mounts that are listed: each is a series.
const MOST_MOUNTS: usize = 16;

/// Longest label value; mount points are the user's to choose.
const MOST_CHARS: usize = 120;

/// Most layers of device mapper and RAID that are followed down.
const MOST_LAYERS: usize = 8;

const EPHEMERAL: &str = "ephemeral";
const NODE_LOCAL: &str = "node_local";
const ATTACHED: &str = "attached";
const UNKNOWN: &str = "unknown";

/// Directories that Kubernetes mounts volumes from (kubelet's layout), durability, and what is shown as evidence.
const ROOTS: &[(&str, &str, &str)] = &[
    ("/volumes/kubernetes.io~empty-dir/", EPHEMERAL, "an emptyDir of Kubernetes"),
    ("/volumes/kubernetes.io~local-volume/", NODE_LOCAL, "a local volume of Kubernetes"),
    ("/volumes/kubernetes.io~csi/", ATTACHED, "a CSI volume of Kubernetes"),
    ("/volumes/kubernetes.io~nfs/", ATTACHED, "an NFS volume of Kubernetes"),
    ("/docker/volumes/", NODE_LOCAL, "a volume of Docker"),
    ("/containers/storage/volumes/", NODE_LOCAL, "a volume of Podman"),
];

/// File systems that say enough by their type.
const TYPES: &[(&str, &str, &str)] = &[
    ("overlay", EPHEMERAL, "an upper layer over an image"),
    ("aufs", EPHEMERAL, "an upper layer over an image"),
    ("fuse.fuse-overlayfs", EPHEMERAL, "an upper layer over an image"),
    ("tmpfs", EPHEMERAL, "memory"),
    ("ramfs", EPHEMERAL, "memory"),
    ("rootfs", EPHEMERAL, "memory"),
    ("nfs", ATTACHED, "a network file system"),
    ("nfs4", ATTACHED, "a network file system"),
    ("cifs", ATTACHED, "a network file system"),
    ("smb3", ATTACHED, "a network file system"),
    ("ceph", ATTACHED, "a network file system"),
    ("lustre", ATTACHED, "a network file system"),
    ("afs", ATTACHED, "a network file system"),
    ("gpfs", ATTACHED, "a network file system"),
    ("beegfs", ATTACHED, "a network file system"),
    ("ocfs2", ATTACHED, "a file system of a cluster"),
    ("gfs2", ATTACHED, "a file system of a cluster"),
    ("fuse.glusterfs", ATTACHED, "a network file system"),
    ("fuse.sshfs", ATTACHED, "a network file system"),
    ("fuse.s3fs", ATTACHED, "an object store"),
    ("zfs", UNKNOWN, "a pool of ZFS, whose disks do not show"),
    ("9p", ATTACHED, "a directory of the host"),
    ("virtiofs", ATTACHED, "a directory of the host"),
    ("drvfs", ATTACHED, "a directory of the host"),
    ("vboxsf", ATTACHED, "a directory of the host"),
    ("fuse.vmhgfs-fuse", ATTACHED, "a directory of the host"),
];

/// Models of disks, as the clouds document them; the beginning of the name.
const MODELS: &[(&str, &str)] = &[
    ("Amazon Elastic Block Store", ATTACHED),
    ("Amazon EC2 NVMe Instance Storage", NODE_LOCAL),
    ("PersistentDisk", ATTACHED),
    ("nvme_card-pd", ATTACHED),
    ("EphemeralDisk", NODE_LOCAL),
    ("nvme_card", NODE_LOCAL),
    ("Virtual Disk", ATTACHED),
    ("Microsoft NVMe Direct Disk", NODE_LOCAL),
    ("MSFT NVMe Accelerator", ATTACHED),
    ("Virtual disk", UNKNOWN),
    ("VMware Virtual", UNKNOWN),
    ("QEMU", UNKNOWN),
    ("VBOX", UNKNOWN),
    ("HARDDISK", UNKNOWN),
];

/// Names of block devices that are somewhere else, or whose host decides where they are.
const DEVICES: &[(&str, &str, &str)] = &[
    ("rbd", ATTACHED, "a Ceph block device"),
    ("nbd", ATTACHED, "a network block device"),
    ("drbd", ATTACHED, "a replicated block device"),
    ("vd", UNKNOWN, "a virtio disk: its host decides"),
    ("xvd", UNKNOWN, "a Xen disk: its host decides"),
    ("ubd", UNKNOWN, "a disk of User Mode Linux: its host decides"),
    ("zram", EPHEMERAL, "memory"),
    ("ram", EPHEMERAL, "memory"),
];

/// One mount, classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub point: String,
    pub fstype: String,
    pub durability: &'static str,
    pub evidence: String,
    /// `write back` or `write through` of a block device, else empty.
    pub write_cache: String,
    /// `true` or `false` of a block device, else empty.
    pub rotational: &'static str,
}

/// One line of mountinfo.
struct Line<'a> {
    device: &'a str,
    root: &'a str,
    point: &'a str,
    fstype: &'a str,
    source: &'a str,
}

/// The mounts that hold files, `/` first, and how many more there are.
pub(super) fn classify(fs: &HostFs) -> Result<(Vec<Mount>, u64), ProbeError> {
    let text = fs.text(MOUNTINFO).map_err(|error| ProbeError::unread(MOUNTINFO, &error))?;
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut lines: Vec<Line<'_>> = text
        .lines()
        .filter_map(parse)
        .filter(holds_files)
        // The same files mounted twice are one place.
        .filter(|line| line.point == "/" || seen.insert((line.device, line.root)))
        .collect();
    // The last mount on `/` is the one that is seen.
    if let Some(last) = lines.iter().rposition(|line| line.point == "/") {
        let root = lines.remove(last);
        lines.retain(|line| line.point != "/");
        lines.insert(0, root);
    }
    let left_out = u64::try_from(lines.len().saturating_sub(MOST_MOUNTS)).unwrap_or(0);
    lines.truncate(MOST_MOUNTS);
    Ok((lines.iter().map(|line| mount(fs, line)).collect(), left_out))
}

fn parse(line: &str) -> Option<Line<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    let (device, root, point) = (fields.next()?, fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    Some(Line { device, root, point, fstype: fields.next()?, source: fields.next()? })
}

/// Not what the kernel makes up, nor single files that a runtime mounts over others.
fn holds_files(line: &Line<'_>) -> bool {
    let of_the_system = ["/dev", "/run", "/sys", "/proc"]
        .iter()
        .any(|folder| line.point == *folder || line.point.starts_with(&format!("{folder}/")));
    // LXCFS makes files of the kernel's up; what else user space serves may be anything.
    let is_users = line.fstype.starts_with("fuse.") && line.fstype != "fuse.lxcfs";
    let is_known = TYPES.iter().any(|(name, ..)| *name == line.fstype);
    let is_storage = line.source.starts_with("/dev/") || is_known || is_users;
    is_storage && !of_the_system && !line.point.starts_with("/etc/") && !line.point.starts_with("/snap/")
}

fn mount(fs: &HostFs, line: &Line<'_>) -> Mount {
    let (durability, evidence, device) = judge(fs, line);
    let queue = |file: &str| {
        let text = device.as_ref().and_then(|device| of_disk(fs, device, &format!("queue/{file}")));
        text.unwrap_or_default()
    };
    Mount {
        point: printable(line.point),
        fstype: printable(line.fstype),
        durability,
        evidence: printable(&evidence),
        write_cache: printable(&queue("write_cache")),
        rotational: match queue("rotational").as_str() {
            "1" => "true",
            "0" => "false",
            _ => "",
        },
    }
}

/// Durability, evidence, and the block device at the bottom.
fn judge(fs: &HostFs, line: &Line<'_>) -> (&'static str, String, Option<String>) {
    let device = line.source.starts_with("/dev/").then(|| bottom(fs, &number(fs, line)));
    if let Some((_, durability, evidence)) = ROOTS.iter().find(|(part, ..)| line.root.contains(part)) {
        return (durability, (*evidence).to_owned(), device);
    }
    if let Some((_, durability, evidence)) = TYPES.iter().find(|(name, ..)| *name == line.fstype) {
        return (durability, (*evidence).to_owned(), device);
    }
    let Some(device) = device else { return (UNKNOWN, "a file system in user space".to_owned(), None) };
    let (durability, evidence) = of_device(fs, &device);
    (durability, evidence, Some(device))
}

/// The number of the device that holds a file system. Some, such as btrfs, show one that stands for no device (major 0).
fn number(fs: &HostFs, line: &Line<'_>) -> String {
    let named = || {
        let link = fs.link(line.source);
        let name = link.as_deref().ok().unwrap_or(line.source).rsplit('/').next()?.to_owned();
        fs.text(&format!("/sys/class/block/{name}/dev")).ok()
    };
    let number = if line.device.starts_with("0:") { named() } else { None };
    number.map_or_else(|| line.device.to_owned(), |number| number.trim().to_owned())
}

fn of_device(fs: &HostFs, device: &str) -> (&'static str, String) {
    let place = fs.link(&format!("/sys/dev/block/{device}")).unwrap_or_default();
    let name = place.rsplit('/').next().unwrap_or_default();
    if place.contains("/session") {
        return (ATTACHED, "an iSCSI session".to_owned());
    }
    if place.contains("/nvme-fabrics/") || place.contains("/nvme-subsystem/") && place.contains("/ctl/") {
        return (ATTACHED, "NVMe over a network".to_owned());
    }
    if let Some(model) = of_disk(fs, device, "device/model").filter(|model| !model.is_empty()) {
        let known = MODELS.iter().find(|(start, _)| model.starts_with(start));
        let durability = known.map_or(NODE_LOCAL, |(_, durability)| durability);
        return (durability, format!("model {model}"));
    }
    let known = DEVICES.iter().find(|(start, ..)| {
        name.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    });
    match known {
        Some((_, durability, evidence)) => (durability, (*evidence).to_owned()),
        None if place.is_empty() => (UNKNOWN, "the device is not to be seen".to_owned()),
        None => (UNKNOWN, format!("device {name} without a model")),
    }
}

/// A file of the whole disk: a partition's directory lies within the disk's.
fn of_disk(fs: &HostFs, device: &str, file: &str) -> Option<String> {
    [format!("/sys/dev/block/{device}/{file}"), format!("/sys/dev/block/{device}/../{file}")]
        .iter()
        .find_map(|path| fs.text(path).ok())
        .map(|text| text.trim().to_owned())
}

/// The device, as `major:minor`, below encryption, volumes and RAID: the first one, where there are several.
fn bottom(fs: &HostFs, device: &str) -> String {
    let mut device = device.to_owned();
    for _ in 0..MOST_LAYERS {
        let folder = format!("/sys/dev/block/{device}/slaves");
        let below = fs.names(&folder).ok().and_then(|names| names.into_iter().min());
        let Some(number) = below.and_then(|name| fs.text(&format!("{folder}/{name}/dev")).ok()) else {
            break;
        };
        number.trim().clone_into(&mut device);
    }
    device
}

/// A label value that anyone can read: the kernel writes blanks as `\040`, and names are the user's.
fn printable(text: &str) -> String {
    text.replace("\\040", " ").chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mountinfo, and files and links below `/sys/dev/block`.
    fn tree(mounts: &str, files: &[(&str, &str)], links: &[(&str, &str)]) -> (tempfile::TempDir, HostFs) {
        let tree = tempfile::tempdir().unwrap();
        let write = |path: String, text: &str| {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/self/mountinfo".to_owned(), mounts);
        for (path, text) in files {
            write(format!("sys/{path}"), text);
        }
        std::fs::create_dir_all(tree.path().join("sys/dev/block")).unwrap();
        for (from, to) in links {
            std::os::unix::fs::symlink(to, tree.path().join("sys/dev/block").join(from)).unwrap();
        }
        let fs = HostFs::new(Some(tree.path()), None, None);
        (tree, fs)
    }

    fn found(mounts: &str, files: &[(&str, &str)], links: &[(&str, &str)]) -> Vec<(String, &'static str)> {
        let (_tree, fs) = tree(mounts, files, links);
        let (mounts, _) = classify(&fs).unwrap();
        mounts.into_iter().map(|mount| (mount.point, mount.durability)).collect()
    }

    #[test]
    fn a_pod_has_a_layer_an_empty_dir_and_volumes() {
        let pod = "/var/lib/kubelet/pods/5b1f0a6e/volumes";
        let mounts = format!(
            "10 9 0:61 / / rw - overlay overlay rw,upperdir=/x\n\
             11 10 0:65 / /proc rw - proc proc rw\n\
             12 10 0:66 / /dev rw - tmpfs tmpfs rw\n\
             13 10 259:1 {pod}/kubernetes.io~empty-dir/cache /cache rw - ext4 /dev/nvme0n1p1 rw\n\
             14 10 259:9 {pod}/kubernetes.io~csi/pvc-1/mount /data rw - ext4 /dev/nvme1n1 rw\n\
             15 10 0:70 / /scratch rw - tmpfs tmpfs rw\n\
             16 10 0:71 / /share rw - nfs4 10.0.0.1:/export rw\n\
             17 10 259:1 /var/lib/kubelet/pods/5b1f0a6e/etc-hosts /etc/hosts rw - ext4 /dev/nvme0n1p1 rw\n"
        );
        let expected = [
            ("/", EPHEMERAL),
            ("/cache", EPHEMERAL),
            ("/data", ATTACHED),
            ("/scratch", EPHEMERAL),
            ("/share", ATTACHED),
        ];
        assert_eq!(found(&mounts, &[], &[]), expected.map(|(point, class)| (point.to_owned(), class)));
    }

    #[test]
    fn a_disk_is_known_by_its_model() {
        let disk = |model: &str, class: &'static str| {
            let files = [
                ("devices/pci0/nvme/nvme0n1/device/model", model),
                ("devices/pci0/nvme/nvme0n1/queue/write_cache", "write back\n"),
                ("devices/pci0/nvme/nvme0n1/queue/rotational", "0\n"),
                ("devices/pci0/nvme/nvme0n1/nvme0n1p1/dev", "259:1\n"),
            ];
            let links = [("259:1", "../../devices/pci0/nvme/nvme0n1/nvme0n1p1")];
            let (_tree, fs) = tree("20 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n", &files, &links);
            let (mounts, _) = classify(&fs).unwrap();
            let [mount] = &mounts[..] else { panic!("{mounts:?}") };
            assert_eq!((mount.durability, mount.rotational), (class, "false"), "{mount:?}");
            assert_eq!(mount.write_cache, "write back");
        };
        disk("Amazon Elastic Block Store\n", ATTACHED);
        disk("Amazon EC2 NVMe Instance Storage\n", NODE_LOCAL);
        disk("nvme_card-pd\n", ATTACHED);
        disk("nvme_card\n", NODE_LOCAL);
        disk("SAMSUNG MZQL21T9HCJR-00A07\n", NODE_LOCAL);
    }

    #[test]
    fn encryption_and_volumes_are_looked_through() {
        let files = [
            ("devices/virtual/block/dm-1/slaves/dm-0/dev", "253:0\n"),
            ("devices/virtual/block/dm-0/slaves/sda3/dev", "8:3\n"),
            ("devices/pci0/ata1/sda/device/model", "ST4000NM0035\n"),
            ("devices/pci0/ata1/sda/queue/rotational", "1\n"),
            ("devices/pci0/ata1/sda/sda3/dev", "8:3\n"),
        ];
        let links = [
            ("253:1", "../../devices/virtual/block/dm-1"),
            ("253:0", "../../devices/virtual/block/dm-0"),
            ("8:3", "../../devices/pci0/ata1/sda/sda3"),
        ];
        let (_tree, fs) = tree("20 1 253:1 / / rw - xfs /dev/mapper/vg-root rw\n", &files, &links);
        let (mounts, _) = classify(&fs).unwrap();
        assert_eq!((mounts[0].durability, mounts[0].rotational), (NODE_LOCAL, "true"), "{mounts:?}");
        assert_eq!(mounts[0].evidence, "model ST4000NM0035");
    }

    #[test]
    fn a_file_system_without_a_number_of_its_own_is_on_the_device_it_names() {
        let files = [
            ("class/block/nvme0n1p3/dev", "259:3\n"),
            ("devices/pci0/nvme/nvme0n1/device/model", "SAMSUNG MZQL21T9HCJR-00A07\n"),
            ("devices/pci0/nvme/nvme0n1/queue/rotational", "0\n"),
            ("devices/pci0/nvme/nvme0n1/nvme0n1p3/dev", "259:3\n"),
        ];
        let links = [("259:3", "../../devices/pci0/nvme/nvme0n1/nvme0n1p3")];
        let (_tree, fs) = tree("20 1 0:31 /root / rw - btrfs /dev/nvme0n1p3 rw\n", &files, &links);
        let (mounts, _) = classify(&fs).unwrap();
        assert_eq!((mounts[0].durability, mounts[0].rotational), (NODE_LOCAL, "false"), "{mounts:?}");
    }

    #[test]
    fn pools_and_file_systems_in_user_space_are_there_though_their_disks_are_not() {
        let mounts = "20 1 0:31 / / rw - zfs rpool/ROOT/pve-1 rw\n\
                      21 20 0:40 / /mnt/all rw - fuse.mergerfs a:b rw\n\
                      22 20 0:41 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw\n";
        assert_eq!(found(mounts, &[], &[]), [("/".to_owned(), UNKNOWN), ("/mnt/all".to_owned(), UNKNOWN)]);
    }

    #[test]
    fn a_virtual_disk_is_for_its_host_to_decide() {
        let links = [("254:0", "../../devices/pci0/virtio0/block/vda")];
        let files = [("devices/pci0/virtio0/block/vda/dev", "254:0\n")];
        assert_eq!(
            found("20 1 254:0 / / rw - ext4 /dev/vda rw\n", &files, &links),
            [("/".to_owned(), UNKNOWN)]
        );
        let links = [("8:0", "../../devices/platform/host3/session1/target3/block/sda")];
        let files = [("devices/platform/host3/session1/target3/block/sda/dev", "8:0\n")];
        assert_eq!(
            found("20 1 8:0 / / rw - ext4 /dev/sda rw\n", &files, &links),
            [("/".to_owned(), ATTACHED)]
        );
    }

    #[test]
    fn hostile_mounts_are_bounded_and_printable() {
        let many: String = (0..500)
            .map(|n| format!("{n} 1 0:{n} / /mnt/a\\040b{n}\u{7} rw - tmpfs tmpfs rw\n"))
            .chain(["garbage\n".to_owned(), "1 2 3 - x\n".to_owned()])
            .collect();
        let (_tree, fs) = tree(&many, &[], &[]);
        let (mounts, left_out) = classify(&fs).unwrap();
        assert_eq!((mounts.len(), left_out), (MOST_MOUNTS, 500 - 16));
        assert!(mounts[0].point.starts_with("/mnt/a b0") && !mounts[0].point.contains('\u{7}'));
        let looped = [("devices/virtual/block/dm-0/slaves/dm-0/dev", "253:0\n")];
        let links = [("253:0", "../../devices/virtual/block/dm-0")];
        assert_eq!(found("20 1 253:0 / / rw - ext4 /dev/dm-0 rw\n", &looped, &links).len(), 1);
    }
}
