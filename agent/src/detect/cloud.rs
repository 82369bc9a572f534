//! Clouds, by what they leave in files: whose machine it is, without asking the network.
//!
//! To add a cloud, add a row to [`CLOUDS`]: its name (lower snake case), the file that shows it, how the text
//! compares ([`Text::Starts`], `Ends`, `Has`, or `Exists` for a file that says by being there), the text, and of a
//! hundred machines that show this, in how many it is that cloud (0.97 for ninety-seven). Say above the row who
//! documents it. That is all. What a kernel, a disk or a package shows goes to [`SOFTWARE`] instead: software runs
//! elsewhere, too.

use super::claim::{Claim, VIRTUAL, cloud, hypervisor, machine};
use super::finding::Findings;
use crate::machine::Machine;

/// How a file's text shows a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// It begins with it.
    Starts(&'static str),
    /// It ends with it.
    Ends(&'static str),
    /// It contains it.
    Has(&'static str),
    /// It does not matter: the file is there.
    Exists,
    /// It is an UUID of Amazon's, in either byte order.
    Ec2Uuid,
}
use Text::{Ec2Uuid, Ends, Exists, Has, Starts};

/// Cloud, file, text, weight.
type Row = (&'static str, &'static str, Text, f64);

const VENDOR: &str = "/sys/class/dmi/id/sys_vendor";
const PRODUCT: &str = "/sys/class/dmi/id/product_name";
const BIOS: &str = "/sys/class/dmi/id/bios_vendor";
const BIOS_VERSION: &str = "/sys/class/dmi/id/bios_version";
const ASSET_TAG: &str = "/sys/class/dmi/id/chassis_asset_tag";
const SERIAL: &str = "/sys/class/dmi/id/product_serial";
const UUID: &str = "/sys/class/dmi/id/product_uuid";
const CMDLINE: &str = "/proc/cmdline";
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// The tag of all of Azure's machines.
const AZURE_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

const WOULD_TELL: &str = "which cloud this is";

/// What all users may read.
const CLOUDS: &[Row] = &[
    // Amazon: systemd, virt-what, ohai.
    ("aws", VENDOR, Starts("Amazon EC2"), 0.97),
    ("aws", BIOS, Starts("Amazon EC2"), 0.97),
    ("aws", BIOS_VERSION, Has("amazon"), 0.95),
    // Google: systemd, virt-what; Facter for the firmware, which Chromebooks may have too.
    ("gcp", PRODUCT, Starts("Google Compute Engine"), 0.97),
    ("gcp", BIOS, Starts("Google"), 0.7),
    // Microsoft: cloud-init.
    ("azure", ASSET_TAG, Starts(AZURE_TAG), 0.97),
    // Alibaba: systemd, cloud-init; ohai for the vendor.
    ("alibaba", PRODUCT, Starts("Alibaba Cloud ECS"), 0.97),
    ("alibaba", VENDOR, Starts("Alibaba Cloud"), 0.97),
    // Oracle: cloud-init, ohai.
    ("oracle_cloud", ASSET_TAG, Starts("OracleCloud.com"), 0.97),
    // OpenStack and clouds made of it: cloud-init. A tag of its own outweighs the product, which they share.
    ("openstack", PRODUCT, Starts("OpenStack"), 0.9),
    ("openstack", VENDOR, Starts("OpenStack"), 0.9),
    ("openstack", ASSET_TAG, Starts("OpenStack"), 0.9),
    ("open_telekom_cloud", ASSET_TAG, Starts("OpenTelekomCloud"), 0.99),
    ("sap_cloud", ASSET_TAG, Starts("SAP CCloud VM"), 0.99),
    ("huawei_cloud", ASSET_TAG, Starts("HUAWEICLOUD"), 0.99),
    ("samsung_cloud", ASSET_TAG, Starts("Samsung Cloud Platform"), 0.99),
    // By the vendor alone: cloud-init.
    ("digitalocean", VENDOR, Starts("DigitalOcean"), 0.97),
    ("hetzner", VENDOR, Starts("Hetzner"), 0.97),
    ("vultr", VENDOR, Starts("Vultr"), 0.97),
    ("scaleway", VENDOR, Starts("Scaleway"), 0.97),
    ("upcloud", VENDOR, Starts("UpCloud"), 0.97),
    ("nwcs", VENDOR, Starts("NWCS"), 0.97),
    ("linode", VENDOR, Starts("Akamai"), 0.97),
    ("linode", VENDOR, Starts("Linode"), 0.97),
    ("e24cloud", VENDOR, Starts("e24cloud"), 0.97),
    ("tilaa", VENDOR, Starts("Tilaa"), 0.97),
    ("outscale", VENDOR, Starts("3DS Outscale"), 0.97),
    // Tencent's instances.
    ("tencent_cloud", VENDOR, Starts("Tencent Cloud"), 0.97),
    // By the product: cloud-init.
    ("cloudstack", PRODUCT, Starts("CloudStack"), 0.95),
    ("cloudcix", PRODUCT, Starts("CloudCIX"), 0.97),
    ("exoscale", PRODUCT, Starts("Exoscale"), 0.97),
    ("cloudsigma", PRODUCT, Starts("CloudSigma"), 0.97),
    ("smartdc", PRODUCT, Starts("SmartDC"), 0.97),
    ("zstack", ASSET_TAG, Ends(".zstack.io"), 0.97),
    // What people run virtual machines on in their own house: virt-what, systemd.
    ("ovirt", VENDOR, Starts("oVirt"), 0.97),
    ("ovirt", PRODUCT, Starts("oVirt"), 0.95),
    ("rhev", PRODUCT, Starts("RHEV Hypervisor"), 0.97),
    ("nutanix_ahv", PRODUCT, Starts("AHV"), 0.95),
    ("kubevirt", PRODUCT, Starts("KubeVirt"), 0.97),
    ("kubevirt", VENDOR, Starts("KubeVirt"), 0.97),
    // Xen's id of the domain: cloud-init, ohai.
    ("aws", "/sys/hypervisor/uuid", Starts("ec2"), 0.95),
];

/// Makers of machines in whose name many clouds let theirs stand: that of the monitor.
const ANY_CLOUD: &[&str] = &["QEMU", "Xen", "Bochs", "Red Hat"];

/// What software shows, and the vendors of the machines on which that is believed, beside those that tell no vendor:
/// a kernel for Azure on a server of Dell's makes no cloud.
const SOFTWARE: &[(&[&str], Row)] = &[
    // The agent and the DHCP option of Azure: ohai.
    (&["Microsoft Corporation"], ("azure", "/usr/sbin/waagent", Exists, 0.7)),
    (&["Microsoft Corporation"], ("azure", "/var/lib/dhcp/dhclient.eth0.leases", Has("unknown-245"), 0.8)),
    // Words of the kernel's command line and release, of kernels that the cloud itself gives: cloud-init, ohai.
    (ANY_CLOUD, ("scaleway", CMDLINE, Has(" scaleway"), 0.8)),
    (ANY_CLOUD, ("vultr", CMDLINE, Has(" vultr"), 0.8)),
    (ANY_CLOUD, ("rackspace", RELEASE, Ends("-rscloud"), 0.9)),
    (ANY_CLOUD, ("linode", RELEASE, Has("-linode"), 0.8)),
    // Kernels that distributions build for one cloud (Ubuntu, Amazon Linux, Azure Linux).
    (&["Amazon EC2"], ("aws", RELEASE, Ends("-aws"), 0.8)),
    (&["Amazon EC2"], ("aws", RELEASE, Has(".amzn"), 0.8)),
    (&["Microsoft Corporation"], ("azure", RELEASE, Ends("-azure"), 0.8)),
    (&["Microsoft Corporation"], ("azure", RELEASE, Ends("-azure-fde"), 0.8)),
    (&["Google"], ("gcp", RELEASE, Ends("-gcp"), 0.8)),
    (&["Google"], ("gcp", RELEASE, Ends("-gke"), 0.8)),
    // Oracle's machines have QEMU's name or that of Oracle's servers, as other machines have.
    (&[], ("oracle_cloud", RELEASE, Ends("-oracle"), 0.8)),
    // Disks with configuration for the first boot: cloud-init.
    (ANY_CLOUD, ("ibm_cloud", "/dev/disk/by-uuid/9796-932E", Exists, 0.9)),
    (ANY_CLOUD, ("rbxcloud", "/dev/disk/by-label/CLOUDMD", Exists, 0.85)),
    (&["QEMU", "VMware"], ("opennebula", "/dev/disk/by-label/CONTEXT", Exists, 0.8)),
    // ohai. Anyone could write these; they are better than nothing.
    (ANY_CLOUD, ("eucalyptus", "/sys/class/net/eth0/address", Starts("d0:0d"), 0.7)),
    (ANY_CLOUD, ("linode", "/etc/apt/sources.list", Has("linode"), 0.6)),
    (ANY_CLOUD, ("softlayer", "/etc/chef/ohai/hints/softlayer.json", Exists, 0.7)),
];

/// The same of a name that any disk may have, believed under Xen alone: cloud-init.
const UNDER_XEN: Row = ("ibm_cloud", "/dev/disk/by-label/METADATA", Exists, 0.8);

/// What only root may read; looked at where the others say nothing.
const FOR_ROOT: &[Row] = &[
    // cloud-init.
    ("brightbox", SERIAL, Ends(".brightbox.com"), 0.97),
    ("gcp", SERIAL, Starts("GoogleCloud-"), 0.97),
    EC2_SERIAL,
    EC2_UUID,
];

const EC2_SERIAL: Row = ("aws", SERIAL, Starts("ec2"), 0.85);

/// One UUID of some thousands looks so by chance: believed where the serial number or CPUID's hypervisor bit agrees.
const EC2_UUID: Row = ("aws", UUID, Ec2Uuid, 0.85);

/// Compares files with the rows.
#[derive(Debug)]
pub(super) struct Clouds;

impl super::Detector for Clouds {
    fn name(&self) -> &'static str {
        "cloud"
    }

    fn detect(&self, machine_: &Machine, findings: &mut Findings) {
        let mut found = CLOUDS.iter().filter(|row| look(row, machine_, findings)).count();
        let vendor =
            findings.text(&machine_.fs, VENDOR, WOULD_TELL).filter(|vendor| !vendor.trim().is_empty());
        let believed = |vendors: &[&str]| {
            vendor.as_deref().is_none_or(|vendor| vendors.iter().any(|known| vendor.starts_with(known)))
        };
        found += SOFTWARE
            .iter()
            .filter(|(vendors, row)| believed(vendors) && look(row, machine_, findings))
            .count();
        if says(hypervisor("xen"), findings) && look(&UNDER_XEN, machine_, findings) {
            found += 1;
        }
        if found == 0 {
            for row in FOR_ROOT {
                if *row != EC2_UUID || is_of_ec2(machine_, findings) {
                    look(row, machine_, findings);
                }
            }
        }
        other_tag(machine_, findings);
    }
}

/// Whether some evidence so far says so.
fn says(claim: Claim, findings: &Findings) -> bool {
    findings.evidence.iter().any(|finding| finding.supports && finding.claim == claim)
}

/// Whether a machine with such a UUID may be one of EC2's.
fn is_of_ec2(machine_: &Machine, findings: &mut Findings) -> bool {
    let bit = findings.evidence.iter().any(|finding| {
        let of_bit = matches!(finding.detector, "cpuid" | "processor");
        of_bit && finding.supports && finding.claim == machine(VIRTUAL)
    });
    let (_, file, wanted, _) = EC2_SERIAL;
    let serial = findings.text(&machine_.fs, file, WOULD_TELL);
    bit || serial.is_some_and(|serial| matches(wanted, serial.trim()).is_some())
}

/// Hyper-V writes a tag for each machine, and Azure one for all: another is somebody else's.
fn other_tag(machine: &Machine, findings: &mut Findings) {
    if says(cloud("azure"), findings)
        && let Some(tag) = findings.text(&machine.fs, ASSET_TAG, WOULD_TELL)
        && !tag.trim().is_empty()
        && matches(Starts(AZURE_TAG), tag.trim()).is_none()
    {
        findings.oppose(cloud("azure"), 0.97, ASSET_TAG, "another tag than Azure's");
    }
}

/// Whether the machine shows what the row says, which is then noted.
fn look((name, file, wanted, weight): &Row, machine: &Machine, findings: &mut Findings) -> bool {
    if *wanted == Exists {
        let exists = findings.exists(&machine.fs, file, WOULD_TELL);
        if exists {
            findings.support(cloud(name), *weight, file, "exists");
        }
        return exists;
    }
    let Some(text) = findings.text(&machine.fs, file, WOULD_TELL) else { return false };
    let Some(shown) = matches(*wanted, text.trim()) else { return false };
    findings.support(cloud(name), *weight, file, &shown);
    true
}

/// What to show of the text if it is what is wanted: never what names a single machine.
fn matches(wanted: Text, text: &str) -> Option<String> {
    match wanted {
        Starts(start) => text.starts_with(start).then(|| format!("begins with {start}")),
        Ends(end) => text.ends_with(end).then(|| format!("ends with {end}")),
        Has(part) => text.contains(part).then(|| format!("contains {}", part.trim())),
        Exists => None,
        Ec2Uuid => is_ec2_uuid(text).then(|| "an UUID as EC2 gives".to_owned()),
    }
}

/// `ec2…`, or with the first group's bytes in the order of SMBIOS 2.6: `…2?ec-`.
fn is_ec2_uuid(uuid: &str) -> bool {
    let uuid = uuid.to_ascii_lowercase();
    let first = uuid.split('-').next().unwrap_or_default().as_bytes();
    uuid.starts_with("ec2") || matches!(first, [.., b'2', _, b'e', b'c'] if first.len() == 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uuid_of_ec2_is_known_in_either_byte_order() {
        assert!(is_ec2_uuid("EC2E1916-9099-7CAF-FD21-012345ABCDEF"));
        assert!(is_ec2_uuid("45E12AEC-DCD1-B213-94ED-012345ABCDEF"));
        assert!(!is_ec2_uuid("45E12AED-DCD1-B213-94ED-012345ABCDEF"));
        assert!(!is_ec2_uuid("2xec"));
    }

    #[test]
    fn a_serial_number_is_never_shown() {
        let shown = matches(Starts("GoogleCloud-"), "GoogleCloud-1F2E3D4C").unwrap();
        assert!(!shown.contains("1F2E"), "{shown}");
    }
}
