//! Bundles of hosts: the same verdict, and nothing that tells one machine or its owner from another.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tierprobe_agent::bundle;
use tierprobe_agent::detect::detect;
use tierprobe_agent::export::tier_labels;
use tierprobe_agent::machine::Machine;
use tierprobe_model::Tier;

use super::damage::copy_tree;
use super::{Expected, Host, differences, fail_with, hosts, story};

/// The files of the host, and whatever else is needed to take them for it.
fn machine(folder: &Path, arch: &str) -> Machine {
    let cpuid = Some(folder.join("cpuid.toml")).filter(|file| file.exists());
    Machine::fixture(&folder.join("root"), cpuid.as_deref(), Some(arch)).unwrap()
}

/// Unpacks as a user would.
fn unpack(archive: &[u8], folder: &Path) {
    let mut tar =
        Command::new("tar").args(["xf", "-", "-C"]).arg(folder).stdin(Stdio::piped()).spawn().unwrap();
    tar.stdin.take().unwrap().write_all(archive).unwrap();
    assert!(tar.wait().unwrap().success(), "tar cannot read the bundle");
}

/// Hosts whose cloud is told by nothing but a serial number, a UUID or a hardware address, which a bundle does not show.
const TOLD_BY_A_SECRET: &[&str] = &["brightbox_vm", "ec2_vm_by_uuid", "eucalyptus_vm"];

#[test]
fn the_bundle_of_every_host_gives_the_hosts_own_verdict() {
    let mut wrong = Vec::new();
    for host in hosts().into_iter().filter(|host| !TOLD_BY_A_SECRET.contains(&host.name.as_str())) {
        let arch = host.expected.arch.as_str();
        let live = detect(&machine(&host.folder, arch));
        let folder = tempfile::tempdir().unwrap();
        unpack(&bundle::make(&machine(&host.folder, arch), arch).archive().unwrap(), folder.path());

        let expected: Expected =
            toml::from_str(&fs::read_to_string(folder.path().join("expected.toml")).unwrap()).unwrap();
        assert_eq!(expected.arch, arch, "{}", host.name);
        let found = detect(&machine(folder.path(), &expected.arch));
        let mut differences = differences(&expected, &found);
        if tier_labels(&found) != tier_labels(&live) {
            differences.push(format!("{:?} became {:?}", tier_labels(&live), tier_labels(&found)));
        }
        if !differences.is_empty() {
            wrong.push(format!("{}:\n  {}\n{}", host.name, differences.join("\n  "), story(&found)));
        }
    }
    fail_with(&wrong, "cargo test -p tierprobe-tests --test hosts the_bundle");
}

/// A copy of a fixture that secrets can be planted in.
fn copy_of(name: &str) -> (tempfile::TempDir, Host) {
    let host = hosts().into_iter().find(|host| host.name == name).unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&host.folder, copy.path(), &mut Vec::new());
    let folder = copy.path().to_owned();
    (copy, Host { folder, ..host })
}

/// What no bundle may show, in whatever case.
const SECRETS: &[&str] = &[
    "SN-7Q4KX91",
    "7Q4KX91",
    "4c4c4544-0051-3510-8052-b4c04f4a3132",
    "b4c04f4a3132",
    "52:54:00:ab:cd:ef",
    "db7.payments.acme.example",
    "db7",
    "payments",
    "acme",
    "hunter2",
    "eyJhbGciOi",
    "203.0.113.77",
    "2a02:1450:4001:81c::200e",
    "3f2b8c1d9e4a4b0f8d6c5e7f1a2b3c4d",
    "alice",
    "48151623",
];

#[test]
fn no_byte_of_a_bundle_tells_a_planted_secret() {
    for name in
        ["docker_in_kvm_cgroup_v1", "kubernetes_pod_in_vm", "kvm_qemu_q35", "bare_metal_x86", "xen_pv_domu"]
    {
        let (_copy, host) = copy_of(name);
        let plant = |path: &str, text: &str| {
            let path: PathBuf = host.folder.join("root").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let before = fs::read(&path).unwrap_or_default();
            fs::write(path, [before.as_slice(), text.as_bytes()].concat()).unwrap();
        };
        let id = SECRETS[2];
        plant("etc/machine-id", "3f2b8c1d9e4a4b0f8d6c5e7f1a2b3c4d\n");
        plant("etc/hostname", "db7.payments.acme.example\n");
        plant("proc/sys/kernel/random/boot_id", id);
        for environ in ["proc/1/environ", "proc/self/environ"] {
            plant(environ, "TOKEN=hunter2\0JWT=eyJhbGciOi\0HOSTNAME=db7\0USER=alice\0");
        }
        for field in ["product_serial", "product_uuid", "board_serial"] {
            plant(&format!("sys/class/dmi/id/{field}"), "SN-7Q4KX91\n");
        }
        fs::write(host.folder.join("root/sys/class/dmi/id/chassis_asset_tag"), "ACME 7Q4KX91\n").unwrap();
        plant("sys/class/dmi/id/product_version", " 52:54:00:ab:cd:ef db7\n");
        plant("sys/class/net/eth0/address", "52:54:00:ab:cd:ef\n");
        let cmdline = fs::read_to_string(host.folder.join("root/proc/cmdline")).unwrap();
        let planted = format!(
            "{} root=UUID={id} ip=203.0.113.77::2a02:1450:4001:81c::200e:db7:eth0 serial=SN-7Q4KX91 token=48151623 \
             bootdev=52:54:00:ab:cd:ef systemd.machine_id=3f2b8c1d9e4a4b0f8d6c5e7f1a2b3c4d -- --password hunter2 alice\n",
            cmdline.trim_end()
        );
        fs::write(host.folder.join("root/proc/cmdline"), planted).unwrap();
        plant(
            "proc/self/cgroup",
            "77:name=acme:/user.slice/alice@db7.service/3f2b8c1d9e4a4b0f8d6c5e7f1a2b3c4d\n",
        );
        plant(
            "proc/self/mountinfo",
            "990 27 0:43 /payments /home/alice rw - cifs //db7.payments.acme.example/x \
             rw,username=alice,password=hunter2,addr=203.0.113.77\n",
        );
        plant("proc/cpuinfo", "\nSerial\t\t: 00007Q4KX91\nnote: db7 at 2a02:1450:4001:81c::200e\n");
        plant("proc/self/status", "Owner:\tDB7 203.0.113.77\n");
        plant("sys/bus/acpi/devices/db7:52:54:00:ab:cd:ef", "");
        plant("sys/bus/acpi/devices/3f2b8c1d9e4a4b0f8d6c5e7f1a2b3c4d", "");
        plant("proc/version", " (alice@db7.payments.acme.example)\n");

        let arch = host.expected.arch.as_str();
        let before = detect(&machine(&host.folder, arch));
        assert_ne!(before.tier, Tier::Unknown, "{name}");
        let archive = bundle::make(&machine(&host.folder, arch), arch).archive().unwrap();
        let shown = String::from_utf8_lossy(&archive).to_lowercase();
        let told: Vec<&&str> =
            SECRETS.iter().filter(|secret| shown.contains(&secret.to_lowercase())).collect();
        assert!(told.is_empty(), "{name}: the bundle tells {told:?}");

        let folder = tempfile::tempdir().unwrap();
        unpack(&archive, folder.path());
        let found = detect(&machine(folder.path(), arch));
        assert_eq!(tier_labels(&found), tier_labels(&before), "{name}\n{}", story(&found));
    }
}
