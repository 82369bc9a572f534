//! How much memory the machine has, before firmware and kernel take their share.

use crate::host::HostFs;

/// Most entries of the firmware's map; real ones have a few dozen.
const MOST_ENTRIES: usize = 256;

/// Bytes of memory, and where they are known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hardware {
    /// How many.
    pub bytes: u64,
    /// `firmware_map` or `memory_blocks`.
    pub source: &'static str,
}

/// The firmware's map where it can be read, which is exact; else the kernel's blocks, which may count a hole with the
/// block that it is in.
///
/// # Errors
///
/// Why neither tells.
pub(super) fn read(fs: &HostFs) -> Result<Hardware, String> {
    if let Some(bytes) = firmware_map(fs) {
        return Ok(Hardware { bytes, source: "firmware_map" });
    }
    if let Some(bytes) = blocks(fs) {
        return Ok(Hardware { bytes, source: "memory_blocks" });
    }
    let why = [MAP, BLOCKS].map(|folder| match fs.names(folder) {
        Ok(_) => format!("{folder}: not as the kernel has it"),
        Err(error) => format!("{folder}: {error}"),
    });
    Err(why.join(", "))
}

const MAP: &str = "/sys/firmware/memmap";
const BLOCKS: &str = "/sys/devices/system/memory";

/// The sum of what the firmware calls `System RAM` (Documentation/ABI/testing/sysfs-firmware-memmap).
fn firmware_map(fs: &HostFs) -> Option<u64> {
    let entries = fs.names(MAP).ok().filter(|entries| entries.len() <= MOST_ENTRIES)?;
    let mut sum: u64 = 0;
    for entry in entries {
        let text = |file: &str| fs.text(&format!("{MAP}/{entry}/{file}")).ok();
        if text("type")?.trim() == "System RAM" {
            // The end is the last byte, not the one behind it.
            let length = hex(&text("end")?)?.checked_sub(hex(&text("start")?)?)?.checked_add(1)?;
            sum = sum.checked_add(length)?;
        }
    }
    (sum > 0).then_some(sum)
}

/// Blocks that can be taken out one by one, all of one size (Documentation/admin-guide/mm/memory-hotplug.rst).
fn blocks(fs: &HostFs) -> Option<u64> {
    let size = hex(&fs.text(&format!("{BLOCKS}/block_size_bytes")).ok()?)?;
    let is_block = |name: &&String| {
        name.strip_prefix("memory").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let blocks = fs.names(BLOCKS).ok()?.iter().filter(is_block).count();
    u64::try_from(blocks).ok()?.checked_mul(size).filter(|bytes| *bytes > 0)
}

fn hex(text: &str) -> Option<u64> {
    let digits = text.trim();
    u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, HostFs) {
        let tree = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let fs = HostFs::new(Some(tree.path()), None, None);
        (tree, fs)
    }

    const FILES: [(&str, &str); 4] = [
        ("sys/devices/system/memory/block_size_bytes", "8000000\n"),
        ("sys/devices/system/memory/memory0/state", "online\n"),
        ("sys/devices/system/memory/memory1/state", "online\n"),
        ("sys/devices/system/memory/power/control", "auto\n"),
    ];

    #[test]
    fn the_firmwares_map_goes_before_the_kernels_blocks() {
        let map = [
            ("sys/firmware/memmap/0/start", "0x0\n"),
            ("sys/firmware/memmap/0/end", "0x9fbff\n"),
            ("sys/firmware/memmap/0/type", "System RAM\n"),
            ("sys/firmware/memmap/1/type", "Reserved\n"),
        ];
        let (_tree, fs) = tree(&[&FILES[..], &map[..]].concat());
        assert_eq!(read(&fs), Ok(Hardware { bytes: 0x9fc00, source: "firmware_map" }));
        let (_tree, fs) = tree(&FILES);
        assert_eq!(read(&fs), Ok(Hardware { bytes: 256 << 20, source: "memory_blocks" }));
    }

    #[test]
    fn garbage_is_no_memory() {
        let wrong = [
            ("sys/firmware/memmap/0/start", "0xffff\n"),
            ("sys/firmware/memmap/0/end", "0x0\n"),
            ("sys/firmware/memmap/0/type", "System RAM\n"),
            ("sys/devices/system/memory/block_size_bytes", "many\n"),
        ];
        let (_tree, fs) = tree(&wrong);
        let why = "/sys/firmware/memmap: not as the kernel has it, /sys/devices/system/memory: not as the kernel has it";
        assert_eq!(read(&fs), Err(why.to_owned()));
        let (_tree, fs) = tree(&[]);
        let why = "/sys/firmware/memmap: not found, /sys/devices/system/memory: not found";
        assert_eq!(read(&fs), Err(why.to_owned()));
    }
}
