use super::*;

/// Classes, as labels.
const EPHEMERAL: &str = "ephemeral";
const NODE_LOCAL: &str = "node_local";
const ATTACHED: &str = "attached";
const UNKNOWN: &str = "unknown";

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
    assert_eq!(found("20 1 254:0 / / rw - ext4 /dev/vda rw\n", &files, &links), [("/".to_owned(), UNKNOWN)]);
    let links = [("8:0", "../../devices/platform/host3/session1/target3/block/sda")];
    let files = [("devices/platform/host3/session1/target3/block/sda/dev", "8:0\n")];
    assert_eq!(found("20 1 8:0 / / rw - ext4 /dev/sda rw\n", &files, &links), [("/".to_owned(), ATTACHED)]);
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

/// A file system on a device: the root of the mount, the device's place in `/sys`, and files there.
struct Case {
    root: &'static str,
    place: &'static str,
    files: &'static [(&'static str, &'static str)],
    durability: &'static str,
    /// A part of the evidence.
    evidence: &'static str,
}

const LOCAL_VOLUME: &str = "/var/lib/kubelet/pods/5b1f/volumes/kubernetes.io~local-volume/pv";
const CSI: &str = "/var/lib/kubelet/pods/5b1f/volumes/kubernetes.io~csi/pvc-1/mount";
const EMPTY_DIR: &str = "/var/lib/kubelet/pods/5b1f/volumes/kubernetes.io~empty-dir/cache";
const DOCKER: &str = "/var/lib/docker/volumes/data/_data";
const PODMAN: &str = "/home/me/.local/share/containers/storage/volumes/data/_data";

const NVME: &str = "pci0/nvme/nvme0/nvme0n1";
const EBS: &[(&str, &str)] = &[("device/model", "Amazon Elastic Block Store\n")];
const INSTANCE: &[(&str, &str)] = &[("device/model", "Amazon EC2 NVMe Instance Storage\n")];
const VDA: &str = "pci0/virtio0/block/vda";
const VDA1: &str = "pci0/virtio0/block/vda/vda1";

fn case(
    root: &'static str,
    place: &'static str,
    files: &'static [(&'static str, &'static str)],
    durability: &'static str,
    evidence: &'static str,
) -> Case {
    Case { root, place, files, durability, evidence }
}

#[test]
fn a_device_says_more_than_where_a_volume_is_kept() {
    let cases = [
        // The volumes of containers are where their directory is.
        case(DOCKER, NVME, EBS, ATTACHED, "a volume of Docker: model Amazon Elastic Block Store"),
        case(PODMAN, NVME, EBS, ATTACHED, "a volume of Podman: model Amazon"),
        case(LOCAL_VOLUME, NVME, EBS, ATTACHED, "a local volume of Kubernetes: model Amazon"),
        case(DOCKER, NVME, INSTANCE, NODE_LOCAL, "a volume of Docker: model Amazon EC2"),
        case(LOCAL_VOLUME, NVME, INSTANCE, NODE_LOCAL, "a local volume of Kubernetes"),
        case(DOCKER, VDA1, &[("partition", "1\n")], UNKNOWN, "a volume of Docker: a virtio disk"),
        case(LOCAL_VOLUME, "virtual/block/zram0", &[], EPHEMERAL, "memory"),
        // A driver that hands out a whole disk had it attached; of others the disk decides.
        case(CSI, NVME, EBS, ATTACHED, "a CSI volume of Kubernetes: model Amazon Elastic Block Store"),
        case(CSI, NVME, INSTANCE, NODE_LOCAL, "a CSI volume of Kubernetes: model Amazon EC2"),
        case(CSI, VDA, &[], ATTACHED, "a CSI volume of Kubernetes"),
        case(CSI, VDA1, &[("partition", "1\n")], UNKNOWN, "a virtio disk"),
        case(CSI, "virtual/block/rbd0", &[], ATTACHED, "a Ceph block device"),
        // This goes with its pod whatever it is on.
        case(EMPTY_DIR, NVME, EBS, EPHEMERAL, "an emptyDir"),
        // Devices by their names.
        case("/", "virtual/block/rbd0", &[], ATTACHED, "a Ceph block device"),
        case("/", "virtual/block/nbd3", &[], ATTACHED, "a network block device"),
        case("/", "virtual/block/drbd0", &[], ATTACHED, "a replicated block device"),
        case("/", "virtual/block/zram1", &[], EPHEMERAL, "memory"),
        case("/", "vbd-51712/block/xvda/xvda1", &[], UNKNOWN, "a Xen disk"),
        case("/", "virtual/block/loop0", &[], UNKNOWN, "device loop0 without a model"),
        // What Hyper-V calls a disk may be Azure's temporary one, or a file.
        case("/", "LNXSYSTM:00/host0/block/sda", &[("device/model", "Virtual Disk\n")], UNKNOWN, "model"),
        case("/", "pci0/virtio1/host2/block/sdb", &[("device/model", "Volume\n")], ATTACHED, "model Volume"),
        case(
            "/",
            "pci0/host3/rport-3:0-1/target3/block/sdc",
            &[("device/model", "LUN\n")],
            ATTACHED,
            "Fibre",
        ),
        // NVMe by its controller, by that of its subsystem, and on this machine.
        case("/", "virtual/nvme-fabrics/ctl/nvme1/nvme1n1", &[], ATTACHED, "NVMe over a network"),
        case(
            "/",
            "virtual/nvme-subsystem/nvme-subsys1/nvme1n1",
            &[("device/nvme1/transport", "tcp\n"), ("device/model", "Linux\n")],
            ATTACHED,
            "NVMe over a network",
        ),
        case(
            "/",
            "virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
            &[("device/nvme0/transport", "pcie\n"), ("device/model", "SAMSUNG MZQL21T9\n")],
            NODE_LOCAL,
            "model SAMSUNG",
        ),
        case("/", NVME, &[("device/transport", "rdma\n"), ("device/model", "Linux\n")], ATTACHED, "network"),
    ];
    for Case { root, place, files, durability, evidence } in cases {
        let at = |(file, text): &(&str, &'static str)| (format!("devices/{place}/{file}"), *text);
        let mut files: Vec<(String, &str)> = files.iter().map(at).collect();
        files.push((format!("devices/{place}/dev"), "259:1\n"));
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let target = format!("../../devices/{place}");
        let line = format!("20 1 259:1 {root} /data rw - ext4 /dev/disk rw\n");
        let (_tree, fs) = tree(&line, &files, &[("259:1", &target)]);
        let (mounts, _) = classify(&fs).unwrap();
        let found = (mounts[0].durability, mounts[0].evidence.contains(evidence));
        assert_eq!(found, (durability, true), "{root} on {place}: {mounts:?}");
    }
}

#[test]
fn a_type_of_file_system_says_where_its_files_are() {
    for (fstype, source, point, durability) in [
        ("9p", "share", "/share", ATTACHED),
        ("virtiofs", "share", "/share", ATTACHED),
        // This may be a container's layer, which the host hands in.
        ("9p", "none", "/", UNKNOWN),
        ("virtiofs", "kataShared", "/", UNKNOWN),
        ("ceph", "10.0.0.1:6789:/", "/data", ATTACHED),
        ("fuse.ceph-fuse", "ceph-fuse", "/data", ATTACHED),
        ("nfs4", "10.0.0.1:/export", "/data", ATTACHED),
    ] {
        let line = format!("20 1 0:44 / {point} rw - {fstype} {source} rw\n");
        assert_eq!(found(&line, &[], &[]), [(point.to_owned(), durability)], "{fstype}");
    }
}

#[test]
fn what_is_made_of_several_disks_is_where_all_of_them_are() {
    let of = |second: &str| {
        let files = [
            ("devices/virtual/block/dm-0/slaves/nvme0n1/dev", "259:0\n"),
            ("devices/virtual/block/dm-0/slaves/nvme1n1/dev", "259:1\n"),
            ("devices/pci0/nvme0n1/device/model", "SAMSUNG MZQL21T9\n"),
            ("devices/pci0/nvme1n1/device/model", second),
        ];
        let links = [
            ("253:0", "../../devices/virtual/block/dm-0"),
            ("259:0", "../../devices/pci0/nvme0n1"),
            ("259:1", "../../devices/pci0/nvme1n1"),
        ];
        let line = format!("20 1 253:0 {CSI} /data rw - xfs /dev/mapper/vg-lv rw\n");
        found(&line, &files, &links)[0].1
    };
    assert_eq!(of("SAMSUNG MZQL21T9\n"), NODE_LOCAL, "a logical volume of the node");
    assert_eq!(of("Amazon Elastic Block Store\n"), UNKNOWN);
}

#[test]
fn what_is_replicated_is_not_what_its_replica_here_is_on() {
    let files = [
        ("devices/virtual/block/drbd0/slaves/sda/dev", "8:0\n"),
        ("devices/pci0/sda/device/model", "ST4000NM0035\n"),
    ];
    let links = [("147:0", "../../devices/virtual/block/drbd0"), ("8:0", "../../devices/pci0/sda")];
    let line = "20 1 147:0 / /data rw - xfs /dev/drbd0 rw\n";
    assert_eq!(found(line, &files, &links), [("/data".to_owned(), ATTACHED)]);
}

#[test]
fn nothing_is_asked_of_the_mounts() {
    let mounts = "20 1 0:31 / / rw - ext4 /dev/vda1 rw\n\
                  21 20 0:40 / /mnt/nfs rw - nfs4 10.0.0.1:/export rw,hard\n\
                  22 20 0:41 / /mnt/all rw - btrfs /dev/../mnt/nfs/image rw\n";
    let (_tree, fs) = tree(mounts, &[], &[]);
    let (fs, trace) = fs.traced();
    assert_eq!(classify(&fs).unwrap().0.len(), 3);
    let reads = trace.reads();
    let is_the_kernels = |path: &str| {
        ["/proc/", "/sys/", "/dev/"].iter().any(|start| path.starts_with(start)) && !path.contains("/../mnt")
    };
    assert!(!reads.is_empty() && reads.iter().all(|(path, _)| is_the_kernels(path)), "{reads:?}");
}
