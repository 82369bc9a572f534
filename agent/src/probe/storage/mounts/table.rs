//! What is known of directories, file systems and disks by their names. The first row that fits decides.

/// What becomes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Ephemeral,
    NodeLocal,
    Attached,
    Unknown,
}

use Durability::{Attached, Ephemeral, NodeLocal, Unknown};

impl Durability {
    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral",
            Self::NodeLocal => "node_local",
            Self::Attached => "attached",
            Self::Unknown => "unknown",
        }
    }
}

/// What a directory of volumes says of a volume whose device is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// All: whatever it is on, it goes or stays so.
    All,
    /// Nothing: it is where the device is.
    Nothing,
    /// That the device, a whole disk, was attached for it, unless the device says something else.
    WholeDisk,
}

/// A directory that volumes are mounted from.
#[derive(Debug)]
pub(super) struct Root {
    /// A part of its path.
    pub part: &'static str,
    pub says: Says,
    /// Where the device does not show.
    pub durability: Durability,
    pub evidence: &'static str,
}

/// Those of Kubernetes (kubelet's layout), Docker and Podman. What a CSI driver hands out is a disk of the cloud or a
/// logical volume of the node (TopoLVM, LVM-localPV).
pub(super) const ROOTS: &[Root] = &[
    Root {
        part: "/volumes/kubernetes.io~empty-dir/",
        says: Says::All,
        durability: Ephemeral,
        evidence: "an emptyDir of Kubernetes",
    },
    Root {
        part: "/volumes/kubernetes.io~local-volume/",
        says: Says::Nothing,
        durability: NodeLocal,
        evidence: "a local volume of Kubernetes",
    },
    Root {
        part: "/volumes/kubernetes.io~csi/",
        says: Says::WholeDisk,
        durability: Attached,
        evidence: "a CSI volume of Kubernetes",
    },
    Root {
        part: "/volumes/kubernetes.io~nfs/",
        says: Says::All,
        durability: Attached,
        evidence: "an NFS volume of Kubernetes",
    },
    Root {
        part: "/docker/volumes/",
        says: Says::Nothing,
        durability: NodeLocal,
        evidence: "a volume of Docker",
    },
    Root {
        part: "/containers/storage/volumes/",
        says: Says::Nothing,
        durability: NodeLocal,
        evidence: "a volume of Podman",
    },
];

/// File systems that say enough by their type.
pub(super) const TYPES: &[(&str, Durability, &str)] = &[
    ("overlay", Ephemeral, "an upper layer over an image"),
    ("aufs", Ephemeral, "an upper layer over an image"),
    ("fuse.fuse-overlayfs", Ephemeral, "an upper layer over an image"),
    ("tmpfs", Ephemeral, "memory"),
    ("ramfs", Ephemeral, "memory"),
    ("rootfs", Ephemeral, "memory"),
    ("nfs", Attached, "a network file system"),
    ("nfs4", Attached, "a network file system"),
    ("cifs", Attached, "a network file system"),
    ("smb3", Attached, "a network file system"),
    ("ceph", Attached, "a network file system"),
    ("lustre", Attached, "a network file system"),
    ("afs", Attached, "a network file system"),
    ("gpfs", Attached, "a network file system"),
    ("beegfs", Attached, "a network file system"),
    ("ocfs2", Attached, "a file system of a cluster"),
    ("gfs2", Attached, "a file system of a cluster"),
    ("fuse.glusterfs", Attached, "a network file system"),
    ("fuse.ceph", Attached, "a network file system"),
    ("fuse.ceph-fuse", Attached, "a network file system"),
    ("fuse.sshfs", Attached, "a network file system"),
    ("fuse.s3fs", Attached, "an object store"),
    ("zfs", Unknown, "a pool of ZFS, whose disks do not show"),
    ("9p", Attached, HOST_DIRECTORY),
    ("virtiofs", Attached, HOST_DIRECTORY),
    ("drvfs", Attached, HOST_DIRECTORY),
    ("vboxsf", Attached, HOST_DIRECTORY),
    ("fuse.vmhgfs-fuse", Attached, HOST_DIRECTORY),
];

/// As the root it may be a container's upper layer that the host hands in (gVisor, Kata).
pub(super) const HOST_DIRECTORY: &str = "a directory of the host";

/// Models of disks, as the clouds document them; the beginning of the name. A model that is not here is a disk of the
/// machine.
pub(super) const MODELS: &[(&str, Durability)] = &[
    ("Amazon Elastic Block Store", Attached),
    ("Amazon EC2 NVMe Instance Storage", NodeLocal),
    ("PersistentDisk", Attached),
    ("nvme_card-pd", Attached),
    ("EphemeralDisk", NodeLocal),
    ("nvme_card", NodeLocal),
    // Hyper-V's: Azure's attached disks, its temporary one, and any file on a host.
    ("Virtual Disk", Unknown),
    ("Microsoft NVMe Direct Disk", NodeLocal),
    ("MSFT NVMe Accelerator", Attached),
    // Of DigitalOcean and Hetzner, by the vendors DO and HC; of Oracle.
    ("Volume", Attached),
    ("BlockVolume", Attached),
    ("Virtual disk", Unknown),
    ("VMware Virtual", Unknown),
    ("QEMU", Unknown),
    ("VBOX", Unknown),
    ("HARDDISK", Unknown),
];

/// Names of block devices that are somewhere else, or whose host decides where they are. What is below them does not
/// count.
pub(super) const DEVICES: &[(&str, Durability, &str)] = &[
    ("rbd", Attached, "a Ceph block device"),
    ("nbd", Attached, "a network block device"),
    ("drbd", Attached, "a replicated block device"),
    ("vd", Unknown, "a virtio disk: its host decides"),
    ("xvd", Unknown, "a Xen disk: its host decides"),
    ("ubd", Unknown, "a disk of User Mode Linux: its host decides"),
    ("zram", Ephemeral, "memory"),
    ("ram", Ephemeral, "memory"),
];

/// Parts of a device's path in `/sys` that say how it is reached.
pub(super) const PATHS: &[(&str, &str)] = &[
    ("/session", "an iSCSI session"),
    ("/rport-", "a port of Fibre Channel"),
    ("/nvme-fabrics/", "NVMe over a network"),
];

/// What the kernel calls the ways to an NVMe controller that are a network (`transport` of its directory).
pub(super) const NVME_NETWORKS: &[&str] = &["tcp", "rdma", "fc"];
