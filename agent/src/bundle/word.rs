//! Words that stand on any machine of a kind, and so tell nothing of one.
//!
//! In paths, command lines and runtimes' words for themselves all others are masked: a list of what is public cannot
//! forget a secret. What detection learns to look for belongs here too; the tests of the host fixtures say so.

/// The words, in lower case, a blank between two.
const PUBLIC: &[&str] = &[
    // Directories and files.
    "all app apparmor apps bin boot bpf cache cfsroot cgroup cgroup2 composefs conf config data debug dev device devices devpts \
         devtmpfs disk efi efivars etc files firmware flatpak fs home host hostfs hostname hosts hugepages img init \
         initrd journal kernel lib lib64 live local lock log logs loop lower mapper media mnt mount mounts \
         mqueue net netns none ns null objects opt overlay pid private proc pstore pts ram repo resolv root rootfs run sbin scope \
         security self selinux service session share shm slice snap socket src srv sys sysfs sysroot system \
         systemd target tmp tmpfs tracing udev unified upper user usr var vol volume volumes work zero zram",
    // Controllers of control groups.
    "agent blkio cls cpu cpuacct cpuset event freezer hugetlb io job memory misc name perf pids prio \
         probe rdma",
    // Runtimes, orchestrators, and the names of what they make.
    "apptainer aufs besteffort bubblewrap buildkit burstable bwrap catatonit charliecloud container \
         containerd containerenv containers cri crio current deploy diff docker dockerd dockerenv ecs edera fargate \
         firejail fuse fuseblk garden grpc guaranteed guest gvisor images incus k3s k8s kata katashared \
         kubelet kubepods kubernetes layers libpod libvirt linuxkit lxc lxd machine machines manager merged \
         monitor nerdctl newroot nomad nsjail nspawn oci openvz ostree overlay2 overlayfs parent pause payload pod podman \
         pods pouch proot qemu rancher rkt runc runsc sandbox sandboxes sandboxing secrets serviceaccount \
         shared singularity slurm slurmd snapd snapshot snapshots snapshotter step storage supervise task tasks termination \
         uid userdata v1 v2 vserver worker wsl",
    // Processes.
    "bash dumb kthreadd openrc runit s6 sh sleep ssh sshd tierprobe tini upstart",
    // The kernel's command line.
    "4k 8250 aarch64 acpi amd64 amzn2 amzn2023 args arm64 auto aws azure bootcon btrfs bzimage clocksource \
         cloud cloudhypervisor com1 components console crosvm debian deny el10 el7 el8 el9 elevator enforcing \
         erofs ext4 fc fedora firecracker force gcp generic gke gpt1 gpt2 gpt3 hardware hd0 hvc0 hvc1 i8042 \
         keep krun kvmtool lastbus level lvm microsoft microvm mitigations msdos1 multi never no noaux noforce \
         nomodule nomux noop nopnp noreplace off on once panic pci placeholder pve quiet ready reboot \
         reliable rhcos rhgb ro rt rw scaleway smp splash standard subvol swiotlb tty0 tty1 ttyama0 ttys0 ubd ubuntu \
         uek uml unit virtio vmlinuz vultr wsl2 x86 xfs",
];

/// What names of disks begin with; a letter and a number or two follow.
const DISKS: &[&str] =
    &["dm", "hd", "loop", "md", "mmcblk", "nvme", "pmem", "sd", "sr", "ubd", "vd", "xvd", "zd"];

/// Longest end of a disk's name: `0n1p4`.
const MAX_DISK_END: usize = 5;

/// Whether a word may stand as it is, in whatever case.
#[must_use]
pub(super) fn is_public(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    PUBLIC.iter().any(|words| words.split(' ').any(|public| public == word)) || is_disk(&word)
}

fn is_disk(word: &str) -> bool {
    let is_end = |end: &str| {
        let letters = end.trim_end_matches(|c: char| c.is_ascii_digit());
        end.len() <= MAX_DISK_END
            && (letters.len() <= 1
                || (end.starts_with(|c: char| c.is_ascii_digit()) && letters.ends_with('p'))
                || letters.ends_with('n'))
    };
    DISKS.iter().any(|disk| word.strip_prefix(disk).is_some_and(is_end))
}
