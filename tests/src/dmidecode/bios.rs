//! The bytes of structure 0, BIOS Information: DSP0134, section 7.1.

use anyhow::{Context as _, bail};

use super::Structure;

/// The least that the standard allows: everything but the extension bytes.
const LEAST: u8 = 0x12;

/// Bits of the characteristics, from bit 3 on.
const CHARACTERISTICS: [&str; 29] = [
    "BIOS characteristics not supported",
    "ISA is supported",
    "MCA is supported",
    "EISA is supported",
    "PCI is supported",
    "PC Card (PCMCIA) is supported",
    "PNP is supported",
    "APM is supported",
    "BIOS is upgradeable",
    "BIOS shadowing is allowed",
    "VLB is supported",
    "ESCD support is available",
    "Boot from CD is supported",
    "Selectable boot is supported",
    "BIOS ROM is socketed",
    "Boot from PC Card (PCMCIA) is supported",
    "EDD is supported",
    "Japanese floppy for NEC 9800 1.2 MB is supported (int 13h)",
    "Japanese floppy for Toshiba 1.2 MB is supported (int 13h)",
    "5.25\"/360 kB floppy services are supported (int 13h)",
    "5.25\"/1.2 MB floppy services are supported (int 13h)",
    "3.5\"/720 kB floppy services are supported (int 13h)",
    "3.5\"/2.88 MB floppy services are supported (int 13h)",
    "Print screen service is supported (int 5h)",
    "8042 keyboard services are supported (int 9h)",
    "Serial services are supported (int 14h)",
    "Printer services are supported (int 17h)",
    "CGA/mono video services are supported (int 10h)",
    "NEC PC-98",
];

/// Bits of extension byte 1.
const EXTENSION_1: [&str; 8] = [
    "ACPI is supported",
    "USB legacy is supported",
    "AGP is supported",
    "I2O boot is supported",
    "LS-120 boot is supported",
    "ATAPI Zip drive boot is supported",
    "IEEE 1394 boot is supported",
    "Smart battery is supported",
];

/// Bits of extension byte 2.
const EXTENSION_2: [&str; 7] = [
    "BIOS boot specification is supported",
    "Function key-initiated network boot is supported",
    "Targeted content distribution is supported",
    "UEFI is supported",
    "System is a virtual machine",
    "Manufacturing mode is supported",
    "Manufacturing mode is enabled",
];

/// The structure as the kernel shows it, strings included.
pub(super) fn raw(structure: &Structure) -> anyhow::Result<Vec<u8>> {
    let length = structure.length;
    if length < LEAST {
        bail!("structure 0 has {length} bytes, and cannot have fewer than {LEAST}");
    }
    let mut strings = Vec::new();
    let mut index = |key: &str| match structure.value(key) {
        Some((_, value)) => {
            strings.push(value.to_owned());
            u8::try_from(strings.len()).unwrap_or(0)
        }
        None => 0,
    };
    let (vendor, version, date) = (index("Vendor"), index("Version"), index("Release Date"));
    let (rom_size, extended_rom_size) = rom_size(structure)?;
    let (characteristics, one, two) = characteristics(structure)?;
    let mut bytes = vec![0, length];
    bytes.extend(structure.handle.to_le_bytes());
    bytes.extend([vendor, version]);
    bytes.extend(segment(structure)?.to_le_bytes());
    bytes.extend([date, rom_size]);
    bytes.extend(characteristics.to_le_bytes());
    bytes.extend([one, two]);
    for key in ["BIOS Revision", "Firmware Revision"] {
        bytes.extend(revision(structure, key)?);
    }
    bytes.extend(extended_rom_size.to_le_bytes());
    // Older structures are shorter, and newer ones have more than we know.
    bytes.resize(length.into(), 0);
    for string in &strings {
        bytes.extend(string.bytes());
        bytes.push(0);
    }
    bytes.resize(bytes.len() + if strings.is_empty() { 2 } else { 1 }, 0);
    Ok(bytes)
}

fn characteristics(structure: &Structure) -> anyhow::Result<(u64, u8, u8)> {
    let (mut main, mut one, mut two) = (0, 0, 0);
    let bit = |names: &[&str], item: &str| names.iter().position(|name| *name == item);
    for (line, _, item) in structure.items.iter().filter(|(_, list, _)| list == "Characteristics") {
        if let Some(bit) = bit(&CHARACTERISTICS, item) {
            main |= 1_u64 << (bit + 3);
        } else if let Some(bit) = bit(&EXTENSION_1, item) {
            one |= 1_u8 << bit;
        } else if let Some(bit) = bit(&EXTENSION_2, item) {
            two |= 1_u8 << bit;
        } else {
            bail!("line {line}: unknown characteristic {item:?}");
        }
    }
    Ok((main, one, two))
}

/// The segment of `Address: 0xF0000`.
fn segment(structure: &Structure) -> anyhow::Result<u16> {
    let Some((line, value)) = structure.value("Address") else { return Ok(0) };
    let address = value.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let segment = address.and_then(|address| u16::try_from(address >> 4).ok());
    segment.with_context(|| format!("line {line}: no address: {value:?}"))
}

/// `16 MB` as the byte counts it (64 KiB each, less one), and as the extension does (MiB, or GiB with bit 14 set).
fn rom_size(structure: &Structure) -> anyhow::Result<(u8, u16)> {
    /// What does not fit the byte.
    const SEE_EXTENSION: u8 = 0xFF;
    const IN_GIB: u16 = 1 << 14;
    let Some((line, value)) = structure.value("ROM Size") else { return Ok((0, 0)) };
    let size = value.split_once(' ').and_then(|(number, unit)| Some((number.parse::<u32>().ok()?, unit)));
    let sizes = match size {
        Some((number, "kB")) => blocks(number),
        Some((number, "MB")) if number < 16 => blocks(number * 1024),
        Some((number, "MB")) => u16::try_from(number).ok().map(|size| (SEE_EXTENSION, size)),
        Some((number, "GB")) => u16::try_from(number).ok().map(|size| (SEE_EXTENSION, size | IN_GIB)),
        _ => None,
    };
    sizes.with_context(|| format!("line {line}: no size: {value:?}"))
}

fn blocks(kib: u32) -> Option<(u8, u16)> {
    Some((u8::try_from((kib / 64).checked_sub(1)?).ok()?, 0))
}

/// The two bytes of `2.19`, or those that mean that there is none.
fn revision(structure: &Structure, key: &str) -> anyhow::Result<[u8; 2]> {
    let Some((line, value)) = structure.value(key) else { return Ok([0xFF, 0xFF]) };
    let parts = value.split_once('.').and_then(|(one, two)| Some([one.parse().ok()?, two.parse().ok()?]));
    parts.with_context(|| format!("line {line}: no revision: {value:?}"))
}
