//! What detection looks at: the host's files, its processor's CPUID, its architecture.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::ConfigError;
use crate::host::HostFs;
use crate::sys;

/// The processor family, as far as detection rules differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// x86, 32 or 64 bits: has CPUID.
    X86,
    /// Any other: POWER, Arm, IBM Z, RISC-V.
    Other,
    /// Not known.
    Unknown,
}

impl Arch {
    /// From the name that `uname -m` gives.
    #[must_use]
    pub fn from_uname(machine: &str) -> Self {
        match machine {
            "x86_64" | "amd64" | "i386" | "i486" | "i586" | "i686" => Self::X86,
            "" => Self::Unknown,
            _ => Self::Other,
        }
    }

    /// From the shape of `/proc/cpuinfo`: only x86 kernels write `vendor_id` followed by `cpu family`.
    fn from_cpuinfo(cpuinfo: &str) -> Self {
        if cpuinfo.lines().any(|line| line.starts_with("cpu family")) {
            Self::X86
        } else if cpuinfo.lines().any(|line| line.starts_with("CPU implementer")) {
            Self::Other
        } else {
            Self::Unknown
        }
    }
}

/// What CPUID tells about a hypervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cpuid {
    /// CPUID.1:ECX\[31\]. Never set by hardware; hypervisors set it.
    pub hypervisor_bit: bool,
    /// The twelve characters in EBX, ECX, EDX at 0x40000000 and each 0x100 above, NULs and blanks at the end
    /// left out; empty ones are left out.
    #[serde(default)]
    pub leaves: BTreeMap<Leaf, String>,
}

/// A CPUID leaf number; in files a string such as `"0x40000000"`, because TOML keys are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Leaf(pub u32);

impl TryFrom<String> for Leaf {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.strip_prefix("0x")
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no leaf number; write it as \"0x40000000\""))
    }
}

impl Cpuid {
    /// From a TOML file, as `--cpuid` takes it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file, and the line where it is not what it should be.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = crate::config::read_user_file(path)?;
        toml::from_str(&text).map_err(|error| ConfigError::syntax(path, &error))
    }
}

/// A machine as detection sees it.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its files.
    pub fs: HostFs,
    /// Its CPUID; `None` where there is none or it is not known.
    pub cpuid: Option<Cpuid>,
    /// Its architecture.
    pub arch: Arch,
}

impl Machine {
    /// The machine that the agent runs on.
    #[must_use]
    pub fn live(fs: HostFs) -> Self {
        Self { fs, cpuid: sys::cpuid::read(), arch: Arch::from_uname(std::env::consts::ARCH) }
    }

    /// The machine that a tree of files stands for. Nothing of the live host is looked at: without `cpuid_file`
    /// CPUID is unknown, without `arch` the architecture is what `/proc/cpuinfo` in the tree looks like.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `cpuid_file` cannot be read.
    pub fn fixture(root: &Path, cpuid_file: Option<&Path>, arch: Option<&str>) -> Result<Self, ConfigError> {
        Self::from_paths(HostFs::fixture(root), cpuid_file, arch)
    }

    /// The machine behind `fs`, with what the user said about it.
    ///
    /// # Errors
    ///
    /// As [`Machine::fixture`].
    pub fn from_paths(
        fs: HostFs,
        cpuid_file: Option<&Path>,
        arch: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let mut machine = if fs.is_live() {
            Self::live(fs)
        } else {
            let arch = fs.text("/proc/cpuinfo").map_or(Arch::Unknown, |text| Arch::from_cpuinfo(&text));
            Self { fs, cpuid: None, arch }
        };
        if let Some(name) = arch {
            machine.arch = Arch::from_uname(name);
            if machine.arch != Arch::X86 {
                machine.cpuid = None;
            }
        }
        if let Some(file) = cpuid_file {
            machine.cpuid = Some(Cpuid::from_file(file)?);
        }
        Ok(machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpuid_comes_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "hypervisor_bit = true\n[leaves]\n\"0x40000000\" = \"Microsoft Hv\"\n\"0x40000100\" = \"KVMKVMKVM\"\n",
        )
        .unwrap();
        let cpuid = Cpuid::from_file(file.path()).unwrap();
        assert!(cpuid.hypervisor_bit);
        assert_eq!(cpuid.leaves.get(&Leaf(0x4000_0100)).map(String::as_str), Some("KVMKVMKVM"));
    }

    #[test]
    fn a_wrong_cpuid_file_is_named_with_the_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hypervisor_bit = true\n[leaves]\nfirst = \"KVM\"\n").unwrap();
        let message = Cpuid::from_file(file.path()).unwrap_err().to_string();
        assert!(message.contains(&file.path().display().to_string()), "{message}");
        assert!(message.contains("line 3"), "{message}");
    }
}
