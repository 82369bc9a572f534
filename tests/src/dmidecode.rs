//! What `dmidecode` printed of a machine, turned back into the files by which a kernel shows it.
//!
//! People send the output of `dmidecode`, and collections of it are public; detection reads `/sys/class/dmi/id/*`
//! and `/sys/firmware/dmi/entries/0-0/raw`. The format is that of dmidecode(8); the structures are those of
//! DMTF DSP0134 (SMBIOS), sections 7.1 to 7.4; which field is which file, of Linux `drivers/firmware/dmi-id.c`.

mod bios;
mod chassis;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};

/// A structure: what stands below one `Handle` line.
#[derive(Debug)]
struct Structure {
    kind: u8,
    length: u8,
    handle: u16,
    /// Values by key, with the number of their line.
    fields: Vec<(usize, String, String)>,
    /// Items below a key that has no value, with the number of their line.
    items: Vec<(usize, String, String)>,
}

/// The file of a field: the structure's type, the field's name, the file's.
const FILES: [(u8, &str, &str); 20] = [
    (0, "Vendor", "bios_vendor"),
    (0, "Version", "bios_version"),
    (0, "Release Date", "bios_date"),
    (0, "BIOS Revision", "bios_release"),
    (0, "Firmware Revision", "ec_firmware_release"),
    (1, "Manufacturer", "sys_vendor"),
    (1, "Product Name", "product_name"),
    (1, "Version", "product_version"),
    (1, "Serial Number", "product_serial"),
    (1, "SKU Number", "product_sku"),
    (1, "Family", "product_family"),
    (2, "Manufacturer", "board_vendor"),
    (2, "Product Name", "board_name"),
    (2, "Version", "board_version"),
    (2, "Serial Number", "board_serial"),
    (2, "Asset Tag", "board_asset_tag"),
    (3, "Manufacturer", "chassis_vendor"),
    (3, "Version", "chassis_version"),
    (3, "Serial Number", "chassis_serial"),
    (3, "Asset Tag", "chassis_asset_tag"),
];

/// The parts of `modalias`, in the kernel's order.
const MODALIAS: [(&str, &str); 15] = [
    ("bvn", "bios_vendor"),
    ("bvr", "bios_version"),
    ("bd", "bios_date"),
    ("br", "bios_release"),
    ("efr", "ec_firmware_release"),
    ("svn", "sys_vendor"),
    ("pn", "product_name"),
    ("pvr", "product_version"),
    ("rvn", "board_vendor"),
    ("rn", "board_name"),
    ("rvr", "board_version"),
    ("cvn", "chassis_vendor"),
    ("ct", "chassis_type"),
    ("cvr", "chassis_version"),
    ("sku", "product_sku"),
];

/// The kernel's files, by path from the root, with their content.
///
/// # Errors
///
/// For what is no output of `dmidecode`, with the number of the line.
pub fn files(text: &str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let structures = parse(text)?;
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    // Of several structures of a type the kernel takes the first.
    let first = |kind: u8| structures.iter().find(|structure| structure.kind == kind);
    for (kind, key, file) in FILES {
        if let Some((_, value)) = first(kind).and_then(|structure| structure.value(key)) {
            names.insert(file, value.to_owned());
        }
    }
    if let Some((_, uuid)) = first(1).and_then(|structure| structure.value("UUID")) {
        names.insert("product_uuid", uuid.to_lowercase());
    }
    if let Some((line, name)) = first(3).and_then(|structure| structure.value("Type")) {
        let number = chassis::number(name).with_context(|| format!("line {line}: unknown chassis {name:?}"));
        names.insert("chassis_type", number?.to_string());
    }
    names.insert("modalias", modalias(&names));
    let mut files: BTreeMap<String, Vec<u8>> = names
        .into_iter()
        .map(|(name, value)| (format!("sys/class/dmi/id/{name}"), format!("{value}\n").into_bytes()))
        .collect();
    if let Some(structure) = first(0) {
        files.insert("sys/firmware/dmi/entries/0-0/raw".to_owned(), bios::raw(structure)?);
    }
    Ok(files)
}

/// Writes them below `folder`.
///
/// # Errors
///
/// As [`files`], and when the folder cannot be written.
pub fn write(text: &str, folder: &Path) -> anyhow::Result<()> {
    for (path, content) in files(text)? {
        let path = folder.join(path);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        written
            .and_then(|()| std::fs::write(&path, content))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn modalias(names: &BTreeMap<&str, String>) -> String {
    let mut alias = "dmi:".to_owned();
    for (tag, value) in MODALIAS.iter().filter_map(|(tag, file)| Some((tag, names.get(file)?))) {
        let plain = value.chars().filter(|c| c.is_ascii_graphic() && *c != ':');
        alias.push_str(tag);
        alias.extend(plain);
        alias.push(':');
    }
    alias
}

impl Structure {
    /// The value of a field and its line; `None` where the firmware gave none.
    fn value(&self, key: &str) -> Option<(usize, &str)> {
        let (line, _, value) = self.fields.iter().find(|(_, field, _)| field == key)?;
        (!matches!(value.as_str(), "Not Specified" | "Not Present" | "Not Settable" | "<BAD INDEX>" | ""))
            .then_some((*line, value.as_str()))
    }
}

fn parse(text: &str) -> anyhow::Result<Vec<Structure>> {
    let mut structures: Vec<Structure> = Vec::new();
    // What precedes the first structure is about dmidecode itself.
    let mut is_inside = false;
    // The indentation of the structure's fields, and the key that items belong to.
    let (mut depth, mut list) = (None, String::new());
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.starts_with("Handle ") {
            structures.push(head(line).with_context(|| format!("line {number}: no handle: {line:?}"))?);
            (is_inside, depth, list) = (true, None, String::new());
            continue;
        }
        if line.trim().is_empty() {
            is_inside = false;
            continue;
        }
        let indented = line.len() - line.trim_start().len();
        let Some(structure) = structures.last_mut().filter(|_| is_inside) else {
            if indented > 0 {
                bail!("line {number}: a field without a structure: {line:?}");
            }
            continue;
        };
        // Only these are looked at; the others have layouts of their own.
        if indented == 0 || structure.kind > 3 {
            continue;
        }
        let text = line.trim();
        if indented > *depth.get_or_insert(indented) {
            structure.items.push((number, list.clone(), text.to_owned()));
            continue;
        }
        let (key, value) =
            text.split_once(':').with_context(|| format!("line {number}: no field: {line:?}"))?;
        list = key.to_owned();
        structure.fields.push((number, key.to_owned(), value.trim().to_owned()));
    }
    if structures.is_empty() {
        bail!("line {}: the text ended without a structure (\"Handle 0x…\")", text.lines().count().max(1));
    }
    Ok(structures)
}

/// Reads `Handle 0x0100, DMI type 1, 27 bytes`.
fn head(line: &str) -> Option<Structure> {
    let mut parts = line.trim_end_matches('.').split(", ");
    let handle = u16::from_str_radix(parts.next()?.strip_prefix("Handle 0x")?, 16).ok()?;
    let kind = parts.next()?.strip_prefix("DMI type ")?.parse().ok()?;
    let length = parts.next()?.strip_suffix(" bytes")?.parse().ok()?;
    Some(Structure { kind, length, handle, fields: Vec::new(), items: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", files(text).unwrap_err())
    }

    #[test]
    fn errors_name_the_line() {
        assert!(error("").starts_with("line 1: "));
        assert!(error("# dmidecode 3.4\n/dev/mem: Permission denied\n").starts_with("line 2: "));
        assert!(error("\nHandle 0x0001, DMI sort 1\n").starts_with("line 2: no handle"));
        assert!(error("# dmidecode 3.4\n\tVendor: QEMU\n").starts_with("line 2: a field without"));
        let head = "Handle 0x0000, DMI type 0, 24 bytes\nBIOS Information\n\tVendor: A\n";
        assert!(error(&format!("{head}\tno colon\n")).starts_with("line 4: no field"));
        let more = format!("{head}\tCharacteristics:\n\t\tTea is supported\n");
        assert!(error(&more).starts_with("line 5: unknown characteristic"));
        let chassis = "Handle 0x0003, DMI type 3, 21 bytes\nChassis Information\n\tType: Teapot\n";
        assert!(error(chassis).starts_with("line 3: unknown chassis"));
    }

    #[test]
    fn what_the_firmware_left_out_is_no_file_and_the_first_structure_counts() {
        let text = "Handle 0x0001, DMI type 1, 27 bytes\nSystem Information\n    Manufacturer: One: Two\n    \
                    Product Name: Not Specified\n\nHandle 0x0002, DMI type 1, 27 bytes\nSystem Information\n    \
                    Manufacturer: Other\n";
        let files = files(text).unwrap();
        assert_eq!(files["sys/class/dmi/id/sys_vendor"], b"One: Two\n");
        assert_eq!(files["sys/class/dmi/id/modalias"], b"dmi:svnOneTwo:\n");
        assert_eq!(files.len(), 2);
    }
}
