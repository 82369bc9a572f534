//! What firmware and boot loader leave behind about the time before the kernel.
//!
//! A boot loader of the systemd family writes two EFI variables (<https://systemd.io/BOOT_LOADER_INTERFACE>): when it was
//! started and when it started the kernel, in microseconds since the firmware began. ACPI's firmware performance table
//! (FPDT, ACPI 6.5 section 5.2.24) has the same two instants; the kernel shows them in nanoseconds
//! (Documentation/ABI/testing/sysfs-firmware-acpi).

use std::time::Duration;

use crate::host::{HostFs, ReadError};

/// A firmware that took longer has no working clock.
const LONGEST: Duration = Duration::from_secs(3600);

/// The vendor of the boot loader's variables.
const VENDOR: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// The kernel puts the variable's attributes before its value (Documentation/filesystems/efivarfs.rst).
const ATTRIBUTE_BYTES: usize = 4;

/// Where the time before the kernel went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    /// Until the boot loader started.
    pub firmware: Duration,
    /// From there to the kernel.
    pub loader: Duration,
}

impl Stamps {
    /// From the instants at which the boot loader and the kernel were started, if they can be true.
    fn of(loader: Duration, kernel: Duration) -> Option<Self> {
        if loader.is_zero() || kernel > LONGEST {
            return None;
        }
        Some(Self { firmware: loader, loader: kernel.checked_sub(loader)? })
    }
}

/// As the boot loader tells it; `None` where it does not.
///
/// # Errors
///
/// Why what it tells cannot be read.
pub(super) fn efi(fs: &HostFs) -> Result<Option<Stamps>, String> {
    let variable = |name: &str| {
        let bytes = read(fs, &format!("/sys/firmware/efi/efivars/{name}-{VENDOR}"))?;
        let number = bytes.as_deref().and_then(|bytes| decimal_utf16(bytes.get(ATTRIBUTE_BYTES..)?));
        Ok::<_, String>(number.map(Duration::from_micros))
    };
    Ok(stamps(variable("LoaderTimeInitUSec")?, variable("LoaderTimeExecUSec")?))
}

/// As the firmware tells it; `None` where it does not. A firmware that is not UEFI leaves zeros.
///
/// # Errors
///
/// Why what it tells cannot be read.
pub(super) fn acpi(fs: &HostFs) -> Result<Option<Stamps>, String> {
    let stamp = |name: &str| {
        let bytes = read(fs, &format!("/sys/firmware/acpi/fpdt/boot/{name}"))?;
        let number = bytes.and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse().ok());
        Ok::<_, String>(number.map(Duration::from_nanos))
    };
    Ok(stamps(stamp("bootloader_launch_ns")?, stamp("exitbootservice_end_ns")?))
}

fn stamps(loader: Option<Duration>, kernel: Option<Duration>) -> Option<Stamps> {
    Stamps::of(loader?, kernel?)
}

/// Most places have no such file.
fn read(fs: &HostFs, path: &str) -> Result<Option<Vec<u8>>, String> {
    match fs.bytes(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::NotFound) => Ok(None),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

/// A number in UTF-16, with or without the zero at its end.
fn decimal_utf16(bytes: &[u8]) -> Option<u64> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let text = String::from_utf16(&units.iter().copied().map(u16::from_le_bytes).collect::<Vec<_>>()).ok()?;
    text.trim_end_matches('\0').parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A variable as the kernel shows it: attributes of a volatile one, then the value.
    fn variable(value: &str, end: &[u8]) -> Vec<u8> {
        let value = value.encode_utf16().flat_map(u16::to_le_bytes);
        [6, 0, 0, 0].into_iter().chain(value).chain(end.iter().copied()).collect()
    }

    fn tree(files: &[(String, Vec<u8>)]) -> (tempfile::TempDir, HostFs) {
        let tree = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let fs = HostFs::fixture(tree.path());
        (tree, fs)
    }

    fn variables(init: Vec<u8>, exec: Vec<u8>) -> Option<Stamps> {
        let path = |name: &str| format!("sys/firmware/efi/efivars/{name}-{VENDOR}");
        let (_tree, fs) = tree(&[(path("LoaderTimeInitUSec"), init), (path("LoaderTimeExecUSec"), exec)]);
        efi(&fs).unwrap()
    }

    fn table(launch: &str, end: &str) -> Option<Stamps> {
        let path = |name: &str| format!("sys/firmware/acpi/fpdt/boot/{name}");
        let (_tree, fs) = tree(&[
            (path("bootloader_launch_ns"), launch.into()),
            (path("exitbootservice_end_ns"), end.into()),
        ]);
        acpi(&fs).unwrap()
    }

    #[test]
    fn the_boot_loaders_variables_are_numbers_in_utf_16() {
        let expected = Some(Stamps {
            firmware: Duration::from_micros(3_521_002),
            loader: Duration::from_micros(1_300_000),
        });
        for end in [&b""[..], b"\0\0"] {
            assert_eq!(variables(variable("3521002", end), variable("4821002", end)), expected);
        }
        assert_eq!(variables(variable("4821002", b""), variable("3521002", b"")), None, "backwards");
        assert_eq!(variables(b"\x06\0\0\0\x31".to_vec(), variable("1", b"")), None, "half a character");
        assert_eq!(variables(b"\x06".to_vec(), Vec::new()), None);
    }

    #[test]
    fn what_the_firmware_left_empty_or_absurd_is_no_time() {
        let expected = Stamps {
            firmware: Duration::from_nanos(5_855_973_785),
            loader: Duration::from_nanos(8_469_533_400),
        };
        assert_eq!(table("5855973785\n", "14325507185\n"), Some(expected));
        for (launch, end) in
            [("0\n", "0\n"), ("5\n", "4\n"), ("1\n", "3600000000001\n"), ("x\n", "5\n"), ("-1\n", "5\n")]
        {
            assert_eq!(table(launch, end), None, "{launch:?} {end:?}");
        }
    }

    #[test]
    fn what_is_there_and_cannot_be_read_is_said() {
        let (tree, fs) =
            tree(&[("sys/firmware/acpi/fpdt/boot/exitbootservice_end_ns".to_owned(), b"1\n".to_vec())]);
        assert_eq!(acpi(&fs), Ok(None));
        // A link to itself is nobody's to read.
        let path = "sys/firmware/acpi/fpdt/boot/bootloader_launch_ns";
        std::os::unix::fs::symlink("bootloader_launch_ns", tree.path().join(path)).unwrap();
        let why = acpi(&fs).unwrap_err();
        assert!(why.starts_with(&format!("/{path}: ")), "{why}");
    }

    proptest! {
        #[test]
        fn every_number_is_read_back_and_nothing_else_is_one(number: u64, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let written = variable(&number.to_string(), b"\0\0");
            prop_assert_eq!(decimal_utf16(&written[ATTRIBUTE_BYTES..]), Some(number));
            let _any_answer_will_do = decimal_utf16(&bytes);
        }
    }
}
