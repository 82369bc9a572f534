//! What detection looks at: the host's files, its processor's CPUID, its architecture.

use std::path::Path;

use crate::cpuid::Cpuid;
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
