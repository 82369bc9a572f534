//! From what `dmidecode` printed to a verdict, through the converter `dmi_tree`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tierprobe_agent::detect::detect;
use tierprobe_agent::machine::Machine;
use tierprobe_model::{Detection, LayerKind, Tier};

fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn tool() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dmi_tree"))
}

/// The tree of a text, from the file and from standard input, which must not differ.
fn tree(name: &str) -> TempDir {
    let text = fixtures(&format!("dmidecode/{name}.txt"));
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let check = |output: Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    check(tool().arg(folder.path()).arg(&text).output().unwrap());
    check(tool().arg(other.path()).stdin(Stdio::from(File::open(&text).unwrap())).output().unwrap());
    let same = Command::new("diff").arg("-r").args([folder.path(), other.path()]).status().unwrap();
    assert!(same.success(), "{name}: standard input gives another tree than the file");
    folder
}

/// The verdict over a text's files beside the `/proc` and the processor of a host in `fixtures/hosts`.
fn verdict(name: &str, host: &str) -> Detection {
    let tree = tree(name);
    let host = fixtures(&format!("hosts/{host}"));
    let copied = Command::new("cp").arg("-a").arg(host.join("root/proc")).arg(tree.path()).status().unwrap();
    assert!(copied.success());
    let machine = Machine::fixture(tree.path(), Some(&host.join("cpuid.toml")), Some("x86_64"));
    detect(&machine.unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn field(tree: &TempDir, name: &str) -> Option<String> {
    let text = fs::read_to_string(tree.path().join("sys/class/dmi/id").join(name)).ok()?;
    Some(text.trim_end().to_owned())
}

fn raw(tree: &TempDir) -> Vec<u8> {
    fs::read(tree.path().join("sys/firmware/dmi/entries/0-0/raw")).unwrap()
}

#[test]
fn a_dell_server_is_bare_metal() {
    let found = verdict("dell_server", "bare_metal_oracle_server");
    assert_eq!((found.tier, found.layer(LayerKind::Vmm)), (Tier::BareMetal, None), "{found:#?}");
}

#[test]
fn a_physical_server_of_oracle_is_bare_metal_where_the_hypervisor_bit_is_clear() {
    let found = verdict("oracle_server", "bare_metal_oracle_server");
    assert_eq!((found.tier, found.layer(LayerKind::Vmm)), (Tier::BareMetal, None), "{found:#?}");
}

#[test]
fn qemu_and_vmware_are_virtual_machines() {
    let qemu = verdict("qemu", "kvm_qemu_q35");
    assert_eq!((qemu.tier, qemu.layer(LayerKind::Vmm)), (Tier::Vm, Some("qemu")), "{qemu:#?}");
    let source = "/sys/firmware/dmi/entries/0-0/raw";
    assert!(qemu.evidence.iter().any(|e| e.source == source && e.supports), "the bit of SMBIOS was not seen");
    let vmware = verdict("vmware", "vmware");
    assert_eq!((vmware.tier, vmware.layer(LayerKind::Vmm)), (Tier::Vm, Some("vmware")), "{vmware:#?}");
    assert!(!vmware.evidence.iter().any(|e| e.source == source), "VMware leaves the bit clear");
}

#[test]
fn the_files_are_what_the_kernel_would_show() {
    let dell = tree("dell_server");
    let shown = [
        ("sys_vendor", "Dell Inc."),
        ("product_name", "PowerEdge R740"),
        ("product_uuid", "4c4c4544-0000-1000-8000-b0c04f000000"),
        ("bios_release", "2.19"),
        ("chassis_type", "23"),
        (
            "modalias",
            "dmi:bvnDellInc.:bvr2.19.1:bd06/04/2023:br2.19:svnDellInc.:pnPowerEdgeR740:rvnDellInc.:rn0WRPXK:rvrA02:\
             cvnDellInc.:ct23:skuSKU=NotProvided;ModelName=PowerEdgeR740:",
        ),
    ];
    for (name, value) in shown {
        assert_eq!(field(&dell, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(field(&dell, "product_version"), None, "what is not specified has no file");
    assert_eq!(field(&tree("qemu"), "product_uuid"), None);
}

#[test]
fn structure_0_is_laid_out_as_the_standard_says() {
    let dell = raw(&tree("dell_server"));
    // Type, length, handle, strings 1 and 2, segment, string 3, and that the size is in the extension.
    assert_eq!(dell[..10], [0, 26, 0, 0, 1, 2, 0x00, 0xF0, 3, 0xFF]);
    // ISA, PCI, PNP, upgradeable, shadowing; CD, selectable, EDD, Toshiba; 5.25"/360 kB; keyboard, serial, CGA.
    let bits = [4_u32, 7, 9, 11, 12, 15, 16, 19, 21, 22, 27, 28, 30].map(|bit| 1_u64 << bit);
    assert_eq!(dell[10..18], bits.into_iter().sum::<u64>().to_le_bytes());
    // ACPI and USB; all of byte 2 up to UEFI; 2.19; no embedded controller; 32 MB.
    assert_eq!(dell[18..26], [0x03, 0x0F, 2, 19, 0xFF, 0xFF, 32, 0]);
    assert_eq!(dell[26..], *b"Dell Inc.\x002.19.1\x0006/04/2023\0\0");
    let qemu = raw(&tree("qemu"));
    assert_eq!((qemu[9], qemu[0x12], qemu[0x13]), (0, 0, 0x14), "64 kB; the bit of virtual machines");
    let oracle = raw(&tree("oracle_server"));
    assert_eq!((oracle[9], oracle[0x14..0x18].to_vec()), (127, vec![31, 5, 3, 2]));
}

#[test]
fn errors_name_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    fs::write(
        &text,
        "# dmidecode 3.4\n\nHandle 0x0000, DMI type 0, 24 bytes\nBIOS Information\n\tnonsense\n",
    )
    .unwrap();
    let output = tool().arg(folder.path()).arg(&text).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("text") && said.contains("line 5: no field"), "{said}");
    assert!(!folder.path().join("sys").exists(), "half a tree was written");
}
