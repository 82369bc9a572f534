//! Facts about the host that identify it beside its tier. The only user of `sysinfo`, which always looks at the live
//! host: under another root only what its files say is told.

use sysinfo::{CpuRefreshKind, RefreshKind, System};

use crate::host::HostFs;

/// What a host is, apart from where it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostInfo {
    /// Host name; empty if not known.
    pub name: String,
    /// Kernel release, as `uname -r` gives it.
    pub release: String,
    /// Identifies this boot of this kernel; containers on one kernel share it.
    pub boot_id: String,
    /// What the kernel reads time from.
    pub clocksource: String,
    /// The processor's name for itself.
    pub cpu_model: String,
    /// The architecture, as `uname -m` gives it.
    pub arch: String,
}

impl HostInfo {
    /// Reads them; what is not known stays empty.
    #[must_use]
    pub fn read(fs: &HostFs) -> Self {
        let line = |path: &str| fs.text(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let mut info = Self {
            release: line("/proc/sys/kernel/osrelease"),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            clocksource: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            ..Self::default()
        };
        if fs.is_live() {
            info.name = System::host_name().unwrap_or_default();
            info.arch = System::cpu_arch();
            let system =
                System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
            let model = system.ok().and_then(|system| Some(system.cpus().first()?.brand().trim().to_owned()));
            info.cpu_model = model.unwrap_or_default();
            if info.release.is_empty() {
                info.release = System::kernel_version().unwrap_or_default();
            }
        } else {
            info.name = line("/etc/hostname");
            info.cpu_model = line("/proc/cpuinfo")
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.trim() == "model name")
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default();
        }
        info
    }
}
