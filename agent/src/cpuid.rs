//! What a processor tells about itself through CPUID, read from it or from a file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::ConfigError;
use crate::user_file;

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
    /// What Hyper-V says of this partition; `None` where it says nothing.
    #[serde(default)]
    pub hyperv_partition: Option<HypervPartition>,
}

/// Which of Hyper-V's partitions this is (Microsoft, *Hypervisor Top-Level Functional Specification*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HypervPartition {
    /// The one that manages the others, and has the hardware: leaf 0x40000003, EBX bit 12.
    Root,
    /// A guest whose memory the host cannot read, by AMD's SEV-SNP: leaf 0x4000000C, type 2.
    SevSnp,
    /// The same by Intel's TDX: type 3.
    Tdx,
}

impl HypervPartition {
    /// As files write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::SevSnp => "sev_snp",
            Self::Tdx => "tdx",
        }
    }
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
        let text = user_file::text(path)?;
        toml::from_str(&text).map_err(|error| ConfigError::syntax(path, &error))
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
